"""What trainings may take of a machine. A run that nobody wants any more comes to its end by these."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field

from lmviz.model.files import MEGABYTE

GIGABYTE = 1000 * MEGABYTE


def _all_cores_but_one() -> int:
    return max(1, (os.cpu_count() or 1) - 1)


@dataclass(frozen=True)
class Limits:
    """Of one folder of runs. A run that reaches one pauses or waits; nothing is lost."""

    at_once: int = field(default_factory=_all_cores_but_one)  # runs in training; one core is left for the pages
    hours: float = 24.0  # that a run trains in one go, before it waits for its owner to want more
    n_bytes: int = 4 * GIGABYTE  # of checkpoints and all else in the folder
    memory: int = 4 * GIGABYTE  # that one training may need, as `memory_of` estimates it
    idle_minutes: float = 10.0  # that a trainer without work stays warm


def limits_from(written: str) -> Limits:
    """The limits that `json.dumps(asdict(limits))` wrote."""
    return Limits(**json.loads(written))
