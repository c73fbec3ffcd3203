"""What a recording from a file must be before anybody walks it: every index leads somewhere, every shape is true.

A recording that lmviz made is so. A file may come from anywhere, and what reads it later believes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from string import Formatter
from typing import Any, get_args

from lmviz.errors import QUOTED, retold
from lmviz.trace.source.sites import SourceSpan
from lmviz.trace.step import Contents, ModuleCall, Role, Statement, Step, Value

MOST_CELLS = 2**48  # of a tensor whose numbers were left out
_MOST_LETTERS = 20_000  # of a name or an expression
_PLAIN: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "int": int,
    "int | None": (int, type(None)),
    "bool | None": (bool, type(None)),
}


def check(contents: Contents) -> None:
    """Look through all of a recording.

    Raises:
        ValueError: it could not have been recorded.
    """
    n_steps, n_statements, n_calls = len(contents.steps), len(contents.statements), len(contents.calls)
    _need(len(contents.origins) == n_steps, "an origin for each step")
    for index, step in enumerate(contents.steps):
        _need(step.index == index, "steps in their order")
        _check_step(step, n_steps, n_statements, n_calls)
    for index, statement in enumerate(contents.statements):
        _plain(statement)
        _check_span(statement.span)
        _need(statement.index == index and 0 <= statement.call < max(1, n_calls), "statements in their order")
        _check_extent(statement, n_steps)
        _below(statement.parent, index)
    for index, call in enumerate(contents.calls):
        _plain(call)
        _need(call.index == index, "calls in their order")
        _check_extent(call, n_steps)
        _below(call.parent, index)
        _below(call.statement, n_statements)
    _below(contents.failed_at, n_steps)
    if contents.failed_in is not None:
        _check_span(contents.failed_in)
    for name, (where, output) in contents.aliases.items():
        _texts([name])
        _need(
            0 <= where < n_steps and 0 <= output < max(1, len(contents.steps[where].outputs)), "names of what was made"
        )
    _texts(contents.weights)


def check_value(value: Value, stored: tuple[int, ...] | None, earlier: int, before: int | None) -> None:
    """Look at one tensor of a file.

    Args:
        stored: the shape of the array that it has in the file; None if it has none.
        earlier: how many values come before it in the file.
        before: which of them it was before it was changed.

    Raises:
        ValueError: it could not have been recorded.
    """
    _plain(value)
    _need(value.role in get_args(Role), "a role for each tensor")
    _texts(value.axes)
    _need(len(value.axes) == len(value.shape) <= 64, "a name for each axis")
    cells = 1
    for n in value.shape:
        _need(_is_count(n), "sizes that are whole numbers")
        cells *= max(1, n)
    _need(cells <= MOST_CELLS, "tensors of a size that can be shown")
    _need(stored is None or stored == value.shape, "arrays of the shapes that are named")
    _below(before, earlier)


def check_place(where: Any) -> None:
    """Where the numbers of a tensor are: the key of an array, or a sentence with its details that says why nowhere."""
    if not isinstance(where, str):
        _check_sentence(where)
        retold(*where)


def _check_sentence(told: Any) -> None:
    """A sentence with its details, as `plain_details` makes them. Each is put in once and as it is: padded, or written
    over and over, a few letters of a file would fill all memory."""
    sentence, details = sequence(told)
    _need(isinstance(details, dict), "details of a sentence")
    _texts([sentence, *details])
    put_in = [(name, form) for _, name, form, _ in Formatter().parse(sentence) if name is not None]
    _need(all(name.isidentifier() and form in ("", QUOTED) for name, form in put_in), "details as they are")
    _need(len({name for name, _ in put_in}) == len(put_in), "details that are put in once")
    for detail in details.values():
        if isinstance(detail, list):
            _check_sentence(detail)
        else:
            _need(isinstance(detail, int | float | str), "details that are plain")


def _check_step(step: Step, n_steps: int, n_statements: int, n_calls: int) -> None:
    _plain(step)
    _check_span(step.span)
    _need(isinstance(step.settings, Mapping), "settings with names")
    _texts([*step.arguments, *step.settings])
    _need(len(step.arguments) == len(step.inputs), "a name for each input")
    _need(-1 <= step.statement < n_statements, "a statement for each step")
    _need(0 <= step.call < max(1, n_calls), "a call for each step")
    _below(step.opened, n_steps)
    if step.returned is not None:
        _need(step.opened is not None and step.returned >= 0, "results of the steps that were opened")


def _check_span(span: SourceSpan) -> None:
    _texts([span.text, span.file, span.function])
    numbers = (*span.lines, *span.columns)
    _need(all(map(_is_count, numbers)) and span.lines[0] <= span.lines[1] < 10**7, "lines of a source")


def _check_extent(part: Statement | ModuleCall, n_steps: int) -> None:
    """The steps from first to last; one less than first where it made none."""
    _need(0 <= part.first <= n_steps and part.first - 1 <= part.last < n_steps, "first and last steps")


def _plain(one: Any) -> None:
    """The fields of a dataclass that say in so many words that they are plain are so."""
    for part in fields(one):
        kind = _PLAIN.get(str(part.type))
        if kind is not None:
            found = getattr(one, part.name)
            is_wrong = isinstance(found, bool) and "bool" not in str(part.type)
            _need(isinstance(found, kind) and not is_wrong, f"a {part.type} as {part.name}")
            if isinstance(found, str):
                _texts([found])


def _texts(found: Iterable[Any]) -> None:
    for one in found:
        _need(isinstance(one, str) and len(one) <= _MOST_LETTERS, "names that are texts")
        _need(one.isascii() or one.encode("utf-8", "ignore").decode() == one, "texts that can be written")


def _below(index: int | None, end: int) -> None:
    _need(index is None or (_is_count(index) and index < end), "indices of what is there")


def _is_count(found: Any) -> bool:
    return type(found) is int and found >= 0


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"it lacks {what}")


def sequence(found: Any) -> Sequence[Any]:
    """A list of a file, which may have anything in its place."""
    if not isinstance(found, list):
        raise TypeError(f"a list is needed, not {type(found).__name__}")
    return found
