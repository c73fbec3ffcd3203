"""A Llama of the shape of SmolLM2-135M with random weights: opened, recorded and held, beside `transformers`.

    python benchmarks/real_llama.py [--keep FOLDER]

Each opening is in a process of its own, by turns. Exits with 1 if a limit is passed:

- opening, up to the first token that is read, takes at most 1.2 times as long as with `transformers`, which maps
  float32 into memory and copies nothing; we do, and a virtual machine whose host takes free memory back lets that
  take three times as long as another: compare several runs;
- its peak of memory is at most 1.3 times the weights;
- a recording of 64 tokens holds at most 300 MB beside the weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import lmviz
from lmviz.model.checkpoint import Checkpoint, save
from lmviz.model.llama import Llama, LlamaConfig
from lmviz.model.tokenizer import Tokenizer
from lmviz.random_state import seeded
from lmviz.registry.holdings import holdings

SMOL = LlamaConfig(
    d_vocab=49_152,
    n_ctx=8192,
    n_layers=30,
    d_model=576,
    n_heads=9,
    n_kv_heads=3,
    d_mlp=1536,
    rotary_base=100_000.0,
)
TOKENS, TIMES = 64, 5
SLOWEST, LARGEST_PEAK, MOST_HELD = 1.2, 1.3, 300e6
OPENING = """
import json, re, sys, time, torch
torch.set_num_threads(1)
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
if OURS:
    import lmviz
    lmviz.load("names-llama")  # what is imported on the first call
    load = lambda folder: lmviz.load(folder).model
else:
    from transformers import AutoModelForCausalLM, LlamaForCausalLM
    load = lambda folder: AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
before, start = peak(), time.perf_counter()
model = load(sys.argv[1])
opened = time.perf_counter() - start
with torch.no_grad():
    model(torch.zeros(1, 1, dtype=torch.long))  # which reads every weight: until then, some are left on the disk
ready = time.perf_counter() - start
weights = sum(p.nbytes for p in model.parameters())
print(json.dumps(dict(opened=opened, ready=ready, peak=peak() - before, weights=weights)))
"""


def make(folder: Path, dtype: torch.dtype) -> None:
    with seeded(0):
        model = Llama(SMOL).eval()
        torch.nn.init.normal_(model.tok_embed.weight, std=0.02)
    tokenizer = Tokenizer.characters("abcdefghijklmnopqrstuvwxyz ")
    save(Checkpoint(model, tokenizer, SMOL, weight_dtype=dtype), folder)


def opened(folder: Path, ours: bool) -> dict[str, Any]:
    program = OPENING.replace("OURS", str(ours))
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def opening(folder: Path) -> bool:
    """By turns; the medians are compared, and the worst peak of ours with the weights."""
    ours, theirs = zip(*((opened(folder, True), opened(folder, False)) for _ in range(TIMES)), strict=True)
    a, b = (statistics.median(one["ready"] for one in runs) for runs in (ours, theirs))
    c, d = (statistics.median(one["opened"] for one in runs) for runs in (ours, theirs))
    peak = max(one["peak"] for one in ours) / ours[0]["weights"]
    theirs_peak = max(one["peak"] for one in theirs) / theirs[0]["weights"]
    print(
        f"{folder.name:<9} one token is read after {a:.2f} s, transformers {b:.2f} s: {a / b:.2f} (allowed {SLOWEST})"
    )
    print(f"{'':<9} opened after {c:.2f} s, transformers {d:.2f} s: {c / d:.2f}")
    print(f"{'':<9} peak {peak:.2f} times the weights (allowed {LARGEST_PEAK}), transformers {theirs_peak:.2f} times")
    return a <= SLOWEST * b and peak <= LARGEST_PEAK


def recording(folder: Path) -> bool:
    """The recording against the plain forward in the same run, and what it holds."""
    torch.set_num_threads(1)
    model = lmviz.load(folder).model
    ids = torch.arange(TOKENS)[None] % 27
    plain, recorded = [], []
    with torch.no_grad():
        for _ in range(TIMES):
            start = time.perf_counter()
            model(ids)
            middle = time.perf_counter()
            trace = lmviz.record(model, ids)
            plain.append(middle - start)
            recorded.append(time.perf_counter() - middle)
    a, b = statistics.median(recorded), statistics.median(plain)
    held = sum(holding.n_bytes() for holding in holdings(trace))
    print(f"{len(trace):,} steps recorded in {a:.2f} s, plain forward {b:.2f} s: {a / b:.2f} times")
    print(
        f"the recording of {TOKENS} tokens holds {held / 1e6:.0f} MB beside the weights (allowed {MOST_HELD / 1e6:.0f})"
    )
    return held <= MOST_HELD


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="where the folders are left")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = asked.keep or Path(temporary)
        folders = {"bfloat16": torch.bfloat16, "float32": torch.float32}
        for name, dtype in folders.items():
            make(root / name, dtype)
        good = [*(opening(root / name) for name in folders), recording(root / "bfloat16")]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
