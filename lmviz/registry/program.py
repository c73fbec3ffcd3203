"""What a program of one's own gives to whoever steps through its model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol, Self

from lmviz.model.tokenizer import Tokens
from lmviz.registry.edits import Edit
from lmviz.registry.notes import Notes
from lmviz.trace.step import Trace

MOST_WORDS = 65_536  # of a vocabulary that are written out
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
    temperature: float | None = None  # of the probabilities in it, where that cannot be chosen any more
    row: int = 0  # which text of the batch the ids are
    n_changed: int = 0  # numbers and heads that somebody had put something else in the place of

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.pieces):
            raise ValueError(f"{len(self.ids)} ids are written as {len(self.pieces)} pieces")
        if not self.ids:
            raise ValueError("nothing was read")
        shapes = [value.shape for value in self.trace.inputs[:1]]
        if self.row and not all(shape and 0 <= self.row < shape[0] for shape in shapes):
            raise ValueError(f"there is no text {self.row}")

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
            _temperature(facts.get("temperature")),
            int(facts.get("row", 0)),
            int(facts.get("n_changed", 0)),
        )

    def facts(self) -> dict[str, Any]:
        """All but the trace as plain data, which `of` reads."""
        found = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "trace"}
        return found | {"buffers": sorted(self.buffers)}

    @property
    def notes(self) -> Notes:
        """What must be known of it before it is looked at."""
        if not self.n_changed:
            return ()
        return (("When this was recorded, {n} of its numbers or heads were changed by hand.", {"n": self.n_changed}),)

    @property
    def tokens(self) -> Tokens:
        """The text as every page takes it."""
        spans, end = [], 0
        for piece in self.pieces:
            start = max(self.text.find(piece, end), end) if self.text else end
            end = start + len(piece) if self.text else end
            spans.append((start, end))
        return Tokens(self.text, self.ids, self.pieces, tuple(spans), (False,) * len(self.ids), ())

    def piece(self, id: int) -> str:
        """How an id is written."""
        return self.words[id] if 0 <= id < len(self.words) else str(id)


def _temperature(found: Any) -> float | None:
    if found is None:
        return None
    if not 0 < float(found) < math.inf:
        raise ValueError(f"{found} is no temperature")
    return float(found)


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
