"""What trainings may take of a machine. A run that nobody wants any more comes to its end by these.

Who runs a server sets them in a file, `lmviz.toml` in the folder it is started in or the one that LMVIZ_SETTINGS names,
or by environment variables, which go before it: `hours = 8` below `[limits]` is LMVIZ_HOURS=8.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE, read_toml

GIGABYTE = 1000 * MEGABYTE
FILE, SECTION = "lmviz.toml", "limits"
LONGEST = 60  # characters of what was written instead
_NAMES_FILE = "LMVIZ_SETTINGS"  # the environment variable


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


@dataclass(frozen=True)
class Setting:
    """How a limit is called where it is set, and from what to what it makes sense."""

    limit: str
    least: float
    most: float
    unit: int = 1  # of the limit, in one of the setting
    is_whole: bool = False


SETTINGS = {
    "runs_at_once": Setting("at_once", 1, 1000, is_whole=True),
    "hours": Setting("hours", 0.001, 100_000),  # eleven years
    "gigabytes": Setting("n_bytes", 0.001, 1_000_000, GIGABYTE),
    "memory_gigabytes": Setting("memory", 0.001, 1_000_000, GIGABYTE),
    "idle_minutes": Setting("idle_minutes", 0.01, 1_000_000),  # two years
}


def limits_from(written: str) -> Limits:
    """The limits that `json.dumps(asdict(limits))` wrote."""
    return Limits(**json.loads(written))


def limits_set(environment: Mapping[str, str] = os.environ, folder: Path | None = None) -> Limits:
    """The limits as whoever runs this server has set them.

    Raises:
        UserError: a setting has no such name, or is no number that makes sense.
    """
    named = environment.get(_NAMES_FILE)
    path = Path(named).expanduser() if named else (folder or Path.cwd()) / FILE
    found = _in_file(path) if named or path.is_file() else {}
    by_variable = {f"LMVIZ_{name.upper()}": name for name in SETTINGS}
    said = {
        name: (variable, environment[variable]) for variable, name in by_variable.items() if variable in environment
    }
    values = {**{name: (f"{name} in {path.name}", value) for name, value in found.items()}, **said}
    limits: dict[str, Any] = {
        SETTINGS[name].limit: _limit(SETTINGS[name], *value, may_be_text=name in said) for name, value in values.items()
    }
    return Limits(**limits)


def _in_file(path: Path) -> dict[str, object]:
    found = read_toml(path).get(SECTION, {})
    unknown = sorted(found.keys() - SETTINGS.keys()) if isinstance(found, dict) else [SECTION]
    if unknown:
        raise UserError(
            "In {file}, [limits] can set {known}; {unknown} is none of these.",
            file=path.name,
            known=", ".join(SETTINGS),
            unknown=unknown[0],
        )
    return dict(found)


def _limit(setting: Setting, place: str, value: object, may_be_text: bool) -> float:
    """A setting as a limit. A variable of the environment is always a text, in a file "8" is no number."""
    kinds = (str, int, float) if may_be_text else (int, float)
    try:
        number = float(value) if isinstance(value, kinds) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not setting.least <= number <= setting.most or (setting.is_whole and number != int(number)):
        shown = value[:LONGEST] if isinstance(value, str) else value
        said = {"place": place, "least": setting.least, "most": setting.most, "value": shown}
        if setting.is_whole:
            raise UserError("{place} must be a whole number from {least} to {most}; it is {value!r}.", **said)
        raise UserError("{place} must be a number from {least} to {most}; it is {value!r}.", **said)
    scaled = number * setting.unit
    return int(scaled) if setting.is_whole or setting.unit > 1 else scaled
