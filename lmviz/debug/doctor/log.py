"""A log that someone pasted, as a history, with what was taken for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmviz.debug.doctor.history import History
from lmviz.debug.logs.column_roles import ColumnRole, column_roles
from lmviz.debug.logs.columns import Sheet
from lmviz.debug.logs.course import course_of
from lmviz.debug.logs.reader import MOST_CHARACTERS, read_sheet
from lmviz.debug.logs.roles import Role
from lmviz.debug.logs.steps import Axis
from lmviz.errors import UserError

_MOST_NAMES = 8  # in a sentence


@dataclass(frozen=True)
class Log:
    """What could be read of a log."""

    history: History
    n_read: int  # lines of which something was used
    n_skipped: int  # lines that said nothing that was used
    skipped: tuple[tuple[int, str], ...]  # the first of those, with their line numbers
    column_roles: tuple[ColumnRole, ...]  # every name in it, and what it was taken for
    axis: Axis  # what the steps of the history are
    n_unmeasured: int  # NaN that stands for "not measured"
    n_left_out: int  # lines after the most that are read
    n_anew: int  # times that the log's own count of steps begins anew, and is counted on
    n_same: int  # losses of a step of which the log has another one further down


def read_log(text: str, d_vocab: int | None = None, roles: Mapping[str, Role] | None = None) -> Log:
    """The history in a log. Lines that say nothing are skipped and counted.

    Args:
        roles: of columns, by their labels, where the reader knows better.

    Raises:
        UserError: it is too long, or no column in it is a loss.
    """
    return judged(read_sheet(text), d_vocab, roles)


def judged(sheet: Sheet, d_vocab: int | None = None, roles: Mapping[str, Role] | None = None) -> Log:
    """The history in a sheet, with the roles that its names tell or that the reader gives.

    Raises:
        UserError: no column in it is a loss.
    """
    found = column_roles(sheet, roles)
    course = course_of(sheet, found)
    if not course.losses:
        raise _no_loss(found)
    history = History(course.losses, course.held_out, course.grad_norms, d_vocab=d_vocab, others=course.others)
    return Log(
        history,
        course.n_used,
        sheet.n_lines - course.n_used,
        sheet.silent,
        found,
        course.axis,
        course.n_unmeasured,
        sheet.n_left_out,
        course.n_anew,
        course.n_same,
    )


def _no_loss(found: tuple[ColumnRole, ...]) -> UserError:
    """Why nothing can be said, and what to do."""
    example = "“step 100: loss 2.31”"
    names = [one.label for one in sorted(found, key=lambda one: -one.n) if one.n]
    if not names:
        return UserError(
            "No line of this log has a loss in it: paste lines such as {example}, or columns of step and loss.",
            example=example,
        )
    return UserError(
        "Nothing in this log is called a loss: say in the table which of {names} is the loss of the training, or paste "
        "lines such as {example}.",
        names=", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else ""),
        example=example,
    )


__all__ = ["MOST_CHARACTERS", "Log", "judged", "read_log"]
