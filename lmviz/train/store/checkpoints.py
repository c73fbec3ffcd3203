"""The checkpoints of a run: one file a step, whose name holds the step and how the digest of its content begins.

What lies in the folder is what there is; nothing else keeps count.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.files import UNFINISHED, write_whole
from lmviz.train.store.files import NAMED, digest, read_tensors, tensors_as_bytes

NAME = re.compile(r"(?:step-(\d{9})|(bad_step))(?:\.([0-9a-f]{16}))?\.safetensors")
_BAD_STEP = "bad_step"


@dataclass(frozen=True, order=True)
class Saved:
    """One checkpoint on disk."""

    step: int
    n_bytes: int


def is_milestone(step: int) -> bool:
    """Whether time travel stops here: 0, 1, 2, 5, 10, 20, 50, 100, and so on."""
    return step == 0 or str(step).rstrip("0") in ("1", "2", "5")


def next_milestone(step: int) -> int:
    """The first milestone after a step."""
    power: int = 10 ** (len(str(max(step, 1))) - 1)
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor > step)


class Checkpoints:
    """The checkpoints of one run. Readers may look while a trainer writes: a file is there whole or not at all.

    The folder is never made here, so that a trainer cannot bring back a run that was deleted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def saved(self) -> tuple[Saved, ...]:
        """What there is, by step."""
        found = ((NAME.fullmatch(path.name), _size(path)) for path in self.folder.glob("step-*"))
        sizes = {int(name[1]): size for name, size in found if name and size is not None}
        return tuple(sorted(Saved(step, size) for step, size in sizes.items()))

    def put(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, str] | None = None) -> None:
        self._write(_name(step), tensors, {"step": str(step), **(facts or {})})

    def get(self, step: int) -> dict[str, Tensor]:
        """The tensors of a step.

        Raises:
            DamagedFile: they are not those that were saved.
            UserError: there is no such checkpoint; it says which steps there are.
        """
        self.check(step)
        return self._read(_name(step))[0]

    def check(self, step: int) -> None:
        if not self.paths(_name(step)):
            there = ", ".join(str(saved.step) for saved in self.saved()) or "none"
            raise UserError("There is no checkpoint of step {step}; there are {there}.", step=step, there=there)

    def paths(self, name: str) -> list[Path]:
        """The files of that name, whatever their digest: more than one if a trainer was killed between two."""
        found = [path for path in self.folder.glob(f"{name}.*") if NAME.fullmatch(path.name)]
        return sorted(found, key=_age)

    def drop(self, steps: Iterable[int]) -> None:
        for step in steps:
            for path in self.paths(_name(step)):
                path.unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """Remove what a killed trainer left half written."""
        for path in self.folder.glob(f"*{UNFINISHED}"):
            path.unlink(missing_ok=True)

    def put_bad_step(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep a step that could not be made: the state just before it, and its batch."""
        self._write(_BAD_STEP, tensors, {"step": str(step)})

    def bad_step(self) -> tuple[int, dict[str, Tensor]]:
        tensors, facts = self._read(_BAD_STEP)
        return int(facts["step"]), tensors

    def _write(self, name: str, tensors: Mapping[str, Tensor], facts: Mapping[str, str]) -> None:
        content = tensors_as_bytes(tensors, facts)
        path = self.folder / f"{name}.{digest(content)[:NAMED]}.safetensors"
        write_whole(path, content)
        for older in self.paths(name):
            if older != path:
                older.unlink(missing_ok=True)

    def _read(self, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
        """The latest file of a name."""
        path = next(reversed(self.paths(name)), self.folder / f"{name}.safetensors")
        known = NAME.fullmatch(path.name)
        return read_tensors(path, known[3] or "" if known else "")


def _name(step: int) -> str:
    return f"step-{step:09d}"


def crowded(saved: Collection[Saved], kept: Collection[int], n_bytes: int) -> list[int]:
    """The steps whose checkpoints go, so that `n_bytes` more are free, if that can be had.

    Those that stand closest to their neighbours go first, and of two such the older; the steps in `kept` never go.
    """
    rest, dropped, freed = sorted(saved), list[int](), 0
    while freed < n_bytes:
        room = {one: _gap_around(rest, i) for i, one in enumerate(rest) if one.step not in kept}
        if not room:
            break
        least = min(room, key=lambda one: (room[one], one.step))
        rest.remove(least)
        dropped.append(least.step)
        freed += least.n_bytes
    return dropped


def _gap_around(saved: list[Saved], i: int) -> float:
    """How many steps lie between the neighbours of a checkpoint."""
    before = saved[i - 1].step if i else -1
    return saved[i + 1].step - before if i + 1 < len(saved) else float("inf")


def only_to_resume(saved: Iterable[Saved], kept: Collection[int]) -> list[int]:
    """The steps that were saved only to resume from, and are not needed any more: no milestone, and not kept."""
    return [one.step for one in saved if not is_milestone(one.step) and one.step not in kept]


def bytes_in(folder: Path) -> int:
    """What the files below a folder take, as their sizes say."""
    return sum(_size(path) or 0 for path in folder.rglob("*"))


def _size(path: Path) -> int | None:
    """None if it is no file, or no more: a trainer may take it away at any moment."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _age(path: Path) -> float:
    """When it was written; a trainer may take it away at any moment."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
