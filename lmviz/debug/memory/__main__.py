"""The process in which a trial runs. Its last line is the outcome, as JSON."""

from __future__ import annotations

import json
import linecache
import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from lmviz.debug import plain_loop
from lmviz.debug.memory.trial import MARGIN, Outcome, Trial, trial_from
from lmviz.train.initial import new_model
from lmviz.train.loop import make_optimizer
from lmviz.train.recipe import TrainingRecipe

ASKED = re.compile(r"tried to allocate (\d+) bytes")
OURS = str(Path(__file__).parents[2])


def main() -> None:
    trial = trial_from(sys.argv[1])
    torch.set_num_threads(1)
    _warm_up()
    outcome = _limited(trial) if trial.limit else _measured(trial)
    print(json.dumps(asdict(outcome)), flush=True)


def _measured(trial: Trial) -> Outcome:
    """The peak of all tensors, from torch's own record of each allocation, and the parts, from the tensors."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        model, optimizer = _built(trial)
        for _ in range(2):
            _step(model, optimizer, trial)
    held = list(model.parameters())
    state = [t for memory in optimizer.state.values() for t in memory.values() if isinstance(t, Tensor)]
    return Outcome(
        "finished",
        peak=_peak(record),
        weights=_bytes(held),
        gradients=_bytes([p.grad for p in held if p.grad is not None]),
        optimizer=_bytes(state),
        activations=_saved(model, trial),
    )


def _limited(trial: Trial) -> Outcome:
    """The same under a limit of address space: what goes beyond it is refused by the system itself."""
    import resource

    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + trial.limit + MARGIN, resource.RLIM_INFINITY))
    during = "build"
    held = 0
    try:
        model, optimizer = _built(trial)
        for _ in range(2):
            inputs, targets = _batch(trial)
            during = "forward"
            loss = plain_loop.Loss(targets)(model(inputs))
            during = "backward"
            optimizer.zero_grad()
            loss.backward()
            during = "update"
            optimizer.step()
    except (RuntimeError, MemoryError) as error:
        held = _bytes_taken() - taken
        asked = ASKED.search(str(error))
        if asked is None and not isinstance(error, MemoryError) and "memory" not in str(error).lower():
            raise
        line, place = _line_of(error)
        message = str(error).strip().partition("\n")[0][:500]
        bytes_asked = int(asked.group(1)) if asked else 0
        return Outcome(
            "out_of_memory", asked=bytes_asked, held=held, during=during, line=line, place=place, message=message
        )
    return Outcome("finished", held=_bytes_taken() - taken)


def _built(trial: Trial) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = new_model(trial.model, trial.d_vocab, seed=0)
    training = TrainingRecipe(steps=2, learning_rate=0.001, optimizer=trial.optimizer)
    return model, make_optimizer(model, training)


def _step(model: nn.Module, optimizer: torch.optim.Optimizer, trial: Trial) -> None:
    inputs, targets = _batch(trial)
    loss = plain_loop.Loss(targets)(model(inputs))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _batch(trial: Trial) -> tuple[Tensor, Tensor]:
    drawn = torch.randint(
        trial.d_vocab, (trial.batch_size, trial.n_pos + 1), generator=torch.Generator().manual_seed(0)
    )
    return drawn[:, :-1], drawn[:, 1:]


def _saved(model: nn.Module, trial: Trial) -> int:
    """Bytes that a forward pass keeps for the backward pass, each memory counted once, weights not at all."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, tuple[int, Tensor]] = {}

    def keep(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in weights:
            kept[memory.data_ptr()] = (memory.nbytes(), tensor)
        return tensor

    inputs, targets = _batch(trial)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        plain_loop.Loss(targets)(model(inputs))
    return sum(n_bytes for n_bytes, _ in kept.values())


def _peak(record: profile) -> int:
    held = peak = 0
    assert record.profiler is not None and record.profiler.kineto_results is not None
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()  # type: ignore[attr-defined]
            peak = max(peak, held)
    return peak


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def _bytes_taken() -> int:
    import resource

    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _line_of(error: BaseException) -> tuple[str, str]:
    """The innermost line of ours that the error came through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(OURS)]
    if not frames:
        return "", ""
    frame = frames[-1]
    line = linecache.getline(frame.filename, frame.lineno or 0).strip()
    return line, f"{Path(frame.filename).name}:{frame.lineno}"


def _warm_up() -> None:
    """One step of a tiny model, so that what torch sets up once is there before anything is counted."""
    from lmviz.train.recipe import ModelRecipe

    tiny = Trial(ModelRecipe("gpt2", 4, 1, 4, 1, 4), 4, 1, 4)
    model, optimizer = _built(tiny)
    _step(model, optimizer, tiny)


if __name__ == "__main__":
    main()
