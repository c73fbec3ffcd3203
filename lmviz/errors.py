"""The errors a user can cause: one sentence each, which pages can translate."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any, TypeVar, overload

from lmviz.digits import rounded

T = TypeVar("T")

QUOTED = "code"  # the format of a detail that is quoted, {reason:code}: it is in the words of somebody else
LONG = 10**15  # a whole number from here on is written with a power of ten


class Sentence(string.Formatter):
    """Fills in a sentence's details. It never fails over a number, of whatever size."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        return super().convert_field(_sized(value), conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == QUOTED:
            return " ".join(str(value).split()).rstrip(".")
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


def plain_details(error: UserError) -> dict[str, Any]:
    """An error's details as JSON takes them. A reason among them keeps its own sentence, for `retold`."""
    return {name: _plain(detail) for name, detail in error.details.items()}


def retold(sentence: str, details: Mapping[str, Any]) -> UserError:
    """The error that had this sentence and these plain details.

    >>> reason = UserError("{name} is full", name="the disk")
    >>> error = UserError("Not saved: {reason}.", reason=reason)
    >>> retold(error.sentence, plain_details(error)).details["reason"].details
    {'name': 'the disk'}
    """
    found = {name: retold(*detail) if isinstance(detail, list) else detail for name, detail in details.items()}
    return UserError(sentence, **found)


def _plain(detail: object) -> Any:
    if isinstance(detail, UserError):
        return [detail.sentence, plain_details(detail)]
    return detail if isinstance(detail, int | float | str) else str(detail)


class NotInLesson(UserError):
    """What config.json asks for is no fault, but the lesson of the architecture leaves it out."""


class NoSuchItem(UserError, IndexError):
    """A sequence is not that long. An IndexError too, since that is what ends a loop over one."""


def check_given(function: str, name: str, found: object, *kinds: type | None) -> None:
    """What somebody's program gives to a public function is of one of these types; True and False are no numbers.

    Raises:
        UserError: it is not.
    """
    types = tuple(type(None) if kind is None else kind for kind in kinds)
    if isinstance(found, types) and (not isinstance(found, bool) or bool in types):
        return
    raise UserError(
        "{function} takes {kinds} as `{name}`; got {found}: help({function}) says what it is for.",
        function=f"lmviz.{function}",
        kinds=" | ".join("None" if kind is None else kind.__name__ for kind in kinds),
        name=name,
        found=type(found).__name__,
    )


def check_model(model: object) -> None:
    """It can be called, and is no class of models.

    Raises:
        UserError: it is none.
    """
    if isinstance(model, type):
        raise UserError(
            "The model must be a torch.nn.Module or a function; it is the class {name}: make one, as in {name}().",
            name=model.__name__,
        )
    if not callable(model):
        raise UserError(
            "The model must be a torch.nn.Module or a function; it is {found}: name the model itself.",
            found=type(model).__name__,
        )


@overload
def item(items: Sequence[T], key: int) -> T: ...


@overload
def item(items: Sequence[T], key: int | slice) -> T | tuple[T, ...]: ...


def item(items: Sequence[T], key: object) -> T | tuple[T, ...]:
    """One of a sequence by its number, which may count from the end, or several by a slice.

    Raises:
        NoSuchItem: there are fewer.
        UserError: it is neither a number nor a slice.
    """
    if isinstance(key, slice):
        return tuple(items[key])
    try:
        n = index(key)  # type: ignore[arg-type]
    except TypeError:
        raise UserError(
            "It is asked for by a whole number or a slice; got {found}.", found=type(key).__name__
        ) from None
    if not -len(items) <= n < len(items):
        raise NoSuchItem(
            "The number must be below {count}, for there are so many, counted from 0; got {n}.", count=len(items), n=n
        )
    return items[n]


def _again(kind: type[UserError], sentence: str, details: dict[str, object]) -> UserError:
    return kind(sentence, **details)
