"""What recording costs: time and peak memory of `record(model, ids)` against the plain forward of the same model.

    python benchmarks/trace.py [--seconds 20] [--repeats 3] [--case NAME ...]

Time: plain forwards, forwards under a mode that only passes each call on, and recordings take turns, ABCCBA, so that a
busy machine slows all alike. Printed are the medians, the median ratio of neighbours, the same ratio for the empty
mode (what torch itself takes for telling anyone of a call), and what the first look at a trace takes, when its steps
(names, source, axes) are assembled. Memory: each side has a fresh process of its own; measured is the peak of its
resident memory (VmHWM, which only Linux has) from the moment before the call to the moment when its result is there.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from lmviz.model.checkpoint import load  # noqa: E402
from lmviz.model.gpt2 import GPT2, GPT2Config  # noqa: E402
from lmviz.trace.recorder import record  # noqa: E402

GPT2_124M = GPT2Config(d_vocab=50257, n_ctx=1024, n_layers=12, d_model=768, n_heads=12, d_mlp=3072)


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], tuple[nn.Module, Tensor]]
    aim: float  # of the time ratio


def small_ever() -> tuple[nn.Module, Tensor]:
    checkpoint = load(ROOT / "sample_models" / "small-ever")
    return checkpoint.model, checkpoint.tokenizer.encode("Clem").ids_tensor


def gpt2_124m(n_pos: int) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return GPT2(GPT2_124M).eval(), torch.randint(GPT2_124M.d_vocab, (1, n_pos))


CASES = {
    case.name: case
    for case in (
        Case("112 parameters", small_ever, 2.0),
        Case("124M, 128 tokens", lambda: gpt2_124m(128), 1.15),
        Case("124M, 1024 tokens", lambda: gpt2_124m(1024), 1.15),
    )
}


# -- time --------------------------------------------------------------------------------------------------------------


def timed(run: Callable[[], object]) -> float:
    """Seconds of one run, with letting go of what it made."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


class PassOn(TorchFunctionMode):
    """Sees every torch call, and notes nothing."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **kwargs) if kwargs else func(*args)


def under_a_mode(model: nn.Module, ids: Tensor) -> Tensor:
    with PassOn():
        result: Tensor = model(ids)
    return result


def times(model: nn.Module, ids: Tensor, seconds: float) -> tuple[list[float], list[float], list[float]]:
    """Seconds of plain forwards, of those under an empty mode, and of recordings, in turns."""
    sides: tuple[Callable[[], object], ...] = (
        *(lambda: model(ids), lambda: under_a_mode(model, ids), lambda: record(model, ids)),
    )
    for side in sides * 2:
        side()
    found: tuple[list[float], list[float], list[float]] = ([], [], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found[0]) < 6:
        for which in (0, 1, 2, 2, 1, 0):
            found[which].append(timed(sides[which]))
    return found


def first_look(model: nn.Module, ids: Tensor) -> float:
    """Seconds until the story of a trace is there, the source having been read already."""
    looks = []
    for _ in range(5):
        trace = record(model, ids)
        looks.append(timed(lambda trace=trace: trace.steps))  # type: ignore[misc]
    return statistics.median(looks)


def ratio(plain: list[float], other: list[float]) -> float:
    """The median over rounds: what is near in time is as slow for the same reasons."""
    pairs = zip(plain[::2], plain[1::2], other[::2], other[1::2], strict=True)
    return statistics.median((c + d) / (a + b) for a, b, c, d in pairs)


# -- memory ------------------------------------------------------------------------------------------------------------


def peak(case: str, side: str) -> float:
    """Megabytes of peak resident memory that one run adds, in a process of its own."""
    found = subprocess.run(
        [sys.executable, __file__, "--case", case, "--peak", side], check=True, capture_output=True, text=True
    )
    return float(found.stdout)


def measure_peak(case: Case, side: str) -> float:
    """In that process: nothing ran before, freed memory is given back, and the mark of the peak is set to now."""
    model, ids = case.make()
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    with torch.no_grad():
        result = model(ids) if side == "plain" else record(model, ids)
    after = _status("VmHWM")
    del result
    return after - before


def _status(key: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--seconds", type=float, default=20.0, help="of computing, for each case and repeat")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak", choices=["plain", "recorded"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    cases = options.case or list(CASES)
    if options.peak:
        print(measure_peak(CASES[cases[0]], options.peak))
        return
    print("case                     plain    recorded  ratio    aim  empty mode  first look  extra peak memory")
    for name in cases:
        case = CASES[name]
        model, ids = case.make()
        for _ in range(options.repeats):
            with torch.no_grad():
                plain, empty, recorded = times(model, ids, options.seconds)
                look = first_look(model, ids)
            extra = peak(name, "recorded") - peak(name, "plain")
            print(
                f"{name:18} {statistics.median(plain) * 1e3:7.2f} ms {statistics.median(recorded) * 1e3:7.2f} ms  "
                f"{ratio(plain, recorded):5.2f} {f'≤{case.aim:g}':>6} {ratio(plain, empty):11.2f} {look * 1e3:8.1f} ms "
                f"{extra:15.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    main()
