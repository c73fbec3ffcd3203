"""The errors a user can cause: one sentence each, which pages can translate."""

from __future__ import annotations

import string
from typing import Any

from lmviz.digits import rounded

LONG = 10**15  # a whole number from here on is written with a power of ten


class Sentence(string.Formatter):
    """Fills in a sentence's details. It never fails over a number, of whatever size."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return super().convert_field(_sized(value), conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        return str(super().format_field(_sized(value), format_spec))


def _sized(value: Any) -> Any:
    """A whole number that is too long to be read, as text; Python itself refuses to write some."""
    return rounded(value, 2) if isinstance(value, int) and abs(value) >= LONG else value


class UserError(ValueError):
    """Bad input, told in one sentence: what must hold, what came instead, what to do.

    The sentence is a template with named placeholders, so that `ui` can look up its translation and fill in the same
    details. Outside the app it reads as any other exception, in English.

    >>> str(UserError("{name} is missing: add it.", name="config.json"))
    'config.json is missing: add it.'
    """

    def __init__(self, sentence: str, /, **details: object) -> None:
        super().__init__(Sentence().format(sentence, **details))
        self.sentence = sentence
        self.details = details

    def __reduce__(self) -> tuple[Any, ...]:
        """Between processes it goes with its details, not with the text that they were filled into."""
        return _again, (type(self), self.sentence, self.details)


class NotInLesson(UserError):
    """What config.json asks for is no fault, but the lesson of the architecture leaves it out."""


def _again(kind: type[UserError], sentence: str, details: dict[str, object]) -> UserError:
    return kind(sentence, **details)
