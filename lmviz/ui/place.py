"""Where a visitor is on a page: a frozen dataclass of plain values, and how an address bar tells each of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from functools import cached_property
from typing import Any, Self, TypeVar

from lmviz.lessons.progress import Progress
from lmviz.ui.depth import CODE, DEPTHS, Depth, shows
from lmviz.ui.text import DEFAULT, LANGUAGES, Language, Translator

T = TypeVar("T")


def part(
    default: Any, read: Callable[[str], Any], write: Callable[[Any], str] | None = None, as_text: bool = False
) -> Any:
    """One part of a place: its default, which is left out of the address bar, and how its text there is read.

    `read` raises ValueError, TypeError, KeyError, IndexError or OverflowError for text that makes no sense. Without a
    `write`, strings are written as they are, anything else as JSON. Widgets mirror the value itself or, `as_text`,
    what is written of it.
    """
    return field(default=default, metadata={"read": read, "write": write or _plain, "as_text": as_text})


def choice(*options: str) -> Callable[[str], str]:
    return lambda text: options[options.index(text)]


def whole(low: int, high: int) -> Callable[[str], int]:
    return lambda text: int(_within(int(text), low, high))


def real(low: float, high: float) -> Callable[[str], float]:
    return lambda text: _within(float(text), low, high)


def flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def distinct(found: Any, most: int, read: Callable[[Any], T]) -> tuple[T, ...]:
    """The first few entries of a list, each once: what a page has a button for, say, it cannot have two of."""
    if not isinstance(found, list):
        raise ValueError(found)
    return tuple(dict.fromkeys(read(one) for one in found[:most]))


def words(found: Any) -> str:
    """A text of no great length."""
    if not isinstance(found, str) or len(found) > 200:
        raise ValueError(found)
    return found


def cell(found: Any) -> tuple[str, tuple[int, ...]]:
    """An address and an index into its tensor."""
    address, index = found
    if not isinstance(address, str) or not all(type(i) is int and 0 <= i < 2**31 for i in index):
        raise ValueError(found)
    return address, tuple(index)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _sendable(value: Any) -> Any:
    """The same value; ValueError if it has half a character in it (`\\ud800`), which no browser can be sent."""
    json.dumps(value, ensure_ascii=False, default=str).encode()
    return value


def _within(value: float, low: float, high: float) -> float:
    if not low <= value <= high:
        raise ValueError(value)
    return value


@dataclass(frozen=True)
class Place:
    """One visitor's place on a page, in plain types."""

    lang: Language = part(DEFAULT, choice(*LANGUAGES))
    _: KW_ONLY
    course: Progress = field(default=Progress(), metadata={"read": Progress.parse, "write": str})
    depth: Depth = part(CODE, choice(*DEPTHS))
    present: bool = part(False, flag)  # in front of a room

    @cached_property
    def t(self) -> Translator:
        """Words and numbers in the reader's language: `view.t("page.key")`."""
        return Translator(self.lang, plain=not shows(self.depth, "powers"))

    def query(self) -> dict[str, str]:
        """The place as the address bar shows it; of the course only while one is on the way, and then any depth: what
        says none of it was made by hand, and opens as deep as its task needs."""
        written = {}
        always = "depth" if self.course.chapter else ""
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == always or (value != one.default and (one.name != "course" or self.course.chapter)):
                written[one.name] = one.metadata["write"](value)
        return written

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> tuple[Self, tuple[str, ...]]:
        """The place that an address bar shows, and the names of the parts that made no sense and were left out."""
        found: dict[str, Any] = {}
        wrong = []
        for one in fields(cls):
            if one.name in query:
                try:
                    found[one.name] = _sendable(one.metadata["read"](query[one.name]))
                except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError):
                    wrong.append(one.name)
        return cls(**found), tuple(wrong)

    @classmethod
    def unknown(cls, query: Mapping[str, str]) -> tuple[str, ...]:
        """What an address bar names that no such place has."""
        known = {one.name for one in fields(cls)}
        return tuple(name for name in query if name not in known)
