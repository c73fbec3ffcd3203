"""What a program of one's own gives to whoever steps through its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self

from lmviz.model.tokenizer import Tokens
from lmviz.registry.edits import Edit
from lmviz.trace.step import Trace

Given = tuple[str, tuple[int, ...], str]  # an input of a model: its name, its shape, its type


@dataclass(frozen=True, eq=False)
class OwnRun:
    """A model of one's own reading the inputs that its program names."""

    trace: Trace
    text: str = ""  # what the ids stand for; empty where no tokenizer says
    ids: tuple[int, ...] = ()  # of the first text; positions, where the inputs are no ids
    pieces: tuple[str, ...] = ()  # how they are written
    words: tuple[str, ...] = ()  # how every id of the vocabulary is written, as far as it is known
    given: tuple[Given, ...] = ()
    buffers: frozenset[str] = field(default_factory=frozenset)  # paths of tensors that are no parameters
    n_parameters: int = 0

    @classmethod
    def of(cls, trace: Trace, facts: Mapping[str, Any]) -> Self:
        """With the facts as plain data has them: what came from another process is checked here."""
        return cls(
            trace,
            str(facts["text"]),
            tuple(map(int, facts["ids"])),
            tuple(map(str, facts["pieces"])),
            tuple(map(str, facts["words"])),
            tuple((str(name), tuple(map(int, shape)), str(dtype)) for name, shape, dtype in facts["given"]),
            frozenset(map(str, facts["buffers"])),
            int(facts["n_parameters"]),
        )

    @property
    def tokens(self) -> Tokens:
        """The first text as every page takes it."""
        spans, end = [], 0
        for piece in self.pieces:
            start = max(self.text.find(piece, end), end) if self.text else end
            end = start + len(piece) if self.text else end
            spans.append((start, end))
        return Tokens(self.text, self.ids, self.pieces, tuple(spans), (False,) * len(self.ids), ())

    def piece(self, id: int) -> str:
        """How an id is written."""
        return self.words[id] if 0 <= id < len(self.words) else str(id)


@dataclass(frozen=True, slots=True)
class Asked:
    """What may be otherwise each time a model of one's own runs."""

    edits: tuple[Edit, ...] = ()
    gradients: bool = False
    temperature: float = 1.0


State = Literal["running", "ready", "failed"]


class Program(Protocol):
    """Something that was attached by the person who started the server."""

    @property
    def name(self) -> str:
        """What links call it."""

    @property
    def title(self) -> str:
        """What it is called on screen."""

    @property
    def latest(self) -> int:
        """The number of the last run that gave a recording, from 1; 0: none has."""

    def record(self, number: int, asked: Asked) -> OwnRun:
        """One of the last runs, perhaps with some numbers changed.

        Raises:
            UserError: there is no such run any more, or none yet.
        """

    def look(self) -> State:
        """What it is doing. A file that was saved is run again from here."""

    def wrong(self) -> Exception | None:
        """Why its last run gave no recording; None if it did."""
