"""A training step that is tried out in a process of its own, under a real limit, and told about in plain numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lmviz.errors import UserError
from lmviz.train.recipe import ModelRecipe

TIME_LIMIT = 120.0  # seconds
MEGABYTE = 2**20
LARGEST = 4096 * MEGABYTE  # of a limit
_HOME = Path(__file__).parents[3]


@dataclass(frozen=True)
class Trial:
    """What is to be tried: two steps on random ids, so that the optimiser's memory counts too."""

    model: ModelRecipe
    d_vocab: int
    batch_size: int
    n_pos: int
    optimizer: str = "adam"
    limit: int = 0  # bytes that the process may take from here on; 0: no limit


@dataclass(frozen=True)
class Outcome:
    """How it went. Bytes are those of tensors, counted by torch; 0 where the step did not get so far."""

    ended: str  # "finished", "out_of_memory", "killed", "timed_out"
    peak: int = 0  # the most that tensors held at once
    weights: int = 0
    gradients: int = 0
    optimizer: int = 0
    activations: int = 0  # kept by the forward pass for the backward pass
    asked: int = 0  # bytes that torch asked for and did not get
    held: int = 0  # what it held then
    during: str = ""  # "build", "forward", "backward", "update"
    line: str = ""  # the line of source that asked
    place: str = ""  # its file and number
    message: str = ""  # what torch said


def try_out(trial: Trial, time_limit: float = TIME_LIMIT) -> Outcome:
    """Run a trial in a new process and wait for its end. Whatever happens there, this process goes on.

    Raises:
        UserError: the limit is too large, or this system has no limits of this kind.
    """
    if trial.limit > LARGEST:
        raise UserError(
            "The limit of a trial can be {largest} megabytes at most; got {limit}.",
            largest=LARGEST // MEGABYTE,
            limit=trial.limit // MEGABYTE,
        )
    if trial.limit and not sys.platform.startswith("linux"):
        raise UserError("A real limit of memory needs Linux; here only the estimate can be shown.")
    command = [sys.executable, "-m", "lmviz.debug.memory", json.dumps(asdict(trial))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=time_limit, cwd=_HOME, check=False)
    except subprocess.TimeoutExpired:
        return Outcome("timed_out")
    last = done.stdout.strip().rpartition("\n")[2]
    if not last.startswith("{"):  # not even a last word: the system ended it
        return Outcome("killed", message=done.stderr.strip().rpartition("\n")[2][:500])
    return Outcome(**json.loads(last))


def trial_from(written: str) -> Trial:
    """The trial that `try_out` wrote for the new process."""
    found: dict[str, Any] = json.loads(written)
    return Trial(**{**found, "model": ModelRecipe(**found["model"])})
