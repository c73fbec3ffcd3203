"""A training step that is tried out in a process of its own, under a real limit, and told about in plain numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from lmviz.bundle import PACKAGES
from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE
from lmviz.train.recipe import ModelRecipe

_TIME_LIMIT = 120.0  # seconds
LARGEST = 4096 * MEGABYTE  # of a limit
MARGIN = 48 * MEGABYTE  # on top of a limit: address space that Python and torch take for themselves while they work


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


def try_out(trial: Trial, time_limit: float = _TIME_LIMIT) -> Outcome:
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
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=time_limit, cwd=PACKAGES, env=_environment(), check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome("timed_out")
    last = done.stdout.strip().rpartition("\n")[2]
    if not last.startswith("{"):  # not even a last word: the system ended it
        return Outcome("killed", message=done.stderr.strip().rpartition("\n")[2][:500])
    return Outcome(**json.loads(last))


def _environment() -> dict[str, str]:
    """glibc gives every large tensor a mapping of its own, and takes it back at once: then a process takes what its
    tensors take, and a limit means the same every time."""
    return os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TOP_PAD_": "0", "MALLOC_ARENA_MAX": "1"}


def trial_from(written: str) -> Trial:
    """The trial that `try_out` wrote for the new process."""
    found: dict[str, Any] = json.loads(written)
    return Trial(**{**found, "model": ModelRecipe(**found["model"])})
