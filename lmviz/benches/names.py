"""The names by which models are asked for: a sample, a folder, a run after one of its steps or making one, a bug."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lmviz.errors import UserError

TRAINED, UNTRAINED = "trained", "untrained"
BROKEN = ("bug/", "cured/", "puzzle/", "moment/")  # how the names of models of the debugging page begin

_MOMENT = re.compile(r"runs/([0-9a-f]+)@(\d{1,9})")


def run_and_step(model: str) -> tuple[str, int] | None:
    """The run and the step that a model's name stands for; None if it is another model's.

    >>> run_and_step("runs/0f3a@100"), run_and_step("pokemon")
    (('0f3a', 100), None)
    """
    found = _MOMENT.fullmatch(model)
    return (found[1], int(found[2])) if found else None


_STEP = re.compile(r"runs/([0-9a-f]+)!(\d{1,9})(?:\.(\d{1,7}))?")


def training_step(model: str) -> tuple[str, int, int] | None:
    """The run, the training step and the text of its batch that a model's name stands for; None if it is another's.

    >>> training_step("runs/0f3a!37.5"), training_step("runs/0f3a!37"), training_step("runs/0f3a@37")
    (('0f3a', 37, 5), ('0f3a', 37, 0), None)
    """
    found = _STEP.fullmatch(model)
    return (found[1], int(found[2]), int(found[3] or 0)) if found else None


def training_step_name(run: str, step: int, window: int = 0) -> str:
    """The name of a run's model as it makes a step, seen with one text of the batch."""
    return f"runs/{run}!{step}.{window}"


def moment_name(run: str, step: int) -> str:
    """The name of a run's model after a step."""
    return f"runs/{run}@{step}"


def confined(folder: str) -> Path:
    """A folder of the user's own, if it lies where models may lie: a link must not look around on the machine.

    That is below the home folder, below the one that lmviz was started in, or below those that LMVIZ_MODELS and
    LMVIZ_RUNS name.
    """
    variables = (os.environ.get(name, "") for name in ("LMVIZ_MODELS", "LMVIZ_RUNS"))
    named = [Path(one) for paths in variables for one in paths.split(os.pathsep) if one]
    roots = [root.resolve() for root in (Path.home(), Path.cwd(), *named)]
    path = Path(os.path.expanduser(folder))
    try:
        below = any(path.resolve().is_relative_to(root) for root in roots)
    except (OSError, ValueError, RuntimeError):  # a name too long, a null character, a loop of links: no folder
        below = True
    if not below:
        raise UserError(
            "A model's folder must lie below your home folder, below the one that lmviz was started in, or below one "
            "that the environment variable LMVIZ_MODELS names; {folder} does not: move it there, or name it.",
            folder=folder[:200],
        )
    return path


def changed(folder: Path) -> float:
    """When a folder's weights last changed, so that a retrained model is opened anew."""
    try:
        return max((path.stat().st_mtime for path in folder.glob("*") if path.is_file()), default=0.0)
    except OSError:
        return 0.0
