"""A model of one's own, attached by the person who started the server. A link can name it, and nothing but it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import ClassVar, Self

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.program import Asked, OwnRun, Program
from lmviz.registry.reference import Reference, Registry, Title

OWN_IS_ELSEWHERE = (
    "A model that is attached can be stepped through; this page needs one that lies in a folder: choose another."
)
_programs: dict[str, Program] = {}  # of this process, by their names: whoever may run code in it may attach
_changing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Attached(Reference):
    """A model of a program of one's own: as its last run made it, or one of the runs before."""

    name: str
    run: int = 0  # 0: the last

    reads: ClassVar[bool] = False
    _WRITTEN: ClassVar = re.compile(r"attached/([\w.-]{1,80})(?:@(\d{1,9}))?")

    @classmethod
    def read(cls, written: str, read: Callable[[str], Reference]) -> Self | None:
        found = cls._WRITTEN.fullmatch(written)
        return cls(found[1], int(found[2] or 0)) if found else None

    def __str__(self) -> str:
        return f"attached/{self.name}@{self.run}" if self.run else f"attached/{self.name}"

    def load(self, registry: Registry) -> Checkpoint:
        raise UserError(OWN_IS_ELSEWHERE)

    def version(self, registry: Registry) -> Hashable:
        program = self.program()
        return program, self.run or program.latest

    def own_run(self, asked: Asked) -> OwnRun:
        return self.program().record(self.run, asked)

    def program(self) -> Program:
        """What gives its recordings.

        Raises:
            UserError: nothing of that name is attached.
        """
        with _changing:
            found = _programs.get(self.name)
        if found is None:
            raise UserError(
                "Nothing called {name} is attached to this server: the person who starts it attaches a file, with "
                "`lmviz FILE.py`.",
                name=self.name,
            )
        return found

    def first_prompt(self, registry: Registry) -> str:
        return ""

    def title(self, registry: Registry) -> Title:
        with _changing:
            found = _programs.get(self.name)
        plain = self.name if found is None else found.title
        return Title(plain, "attach.run", {"name": plain, "run": self.run}) if self.run else Title(plain)


def attach(program: Program) -> Attached:
    """Let links open a program's model by its name. No page and no link calls this."""
    with _changing:
        _programs[program.name] = program
    return Attached(program.name)


def detach(name: str) -> None:
    with _changing:
        _programs.pop(name, None)


def attached() -> list[Attached]:
    """All that is attached to this server."""
    with _changing:
        return [Attached(name) for name in _programs]
