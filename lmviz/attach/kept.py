"""Recordings as files: `trace.save` and `lmviz.open_trace`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from lmviz.attach.example import Example
from lmviz.attach.run import facts_of
from lmviz.errors import check_given
from lmviz.registry.program import OwnRun
from lmviz.registry.recorded import run_in
from lmviz.trace.saved import KEPT, Saved, save
from lmviz.trace.step import Trace


def save_trace(trace: Trace, path: str | os.PathLike[str], tokenizer: Any = None, limit: int | None = None) -> Saved:
    """Write a recording to a file with what is known of its inputs: what `Trace.save` does."""
    check_given("Trace.save", "path", path, str, os.PathLike)
    check_given("Trace.save", "limit", limit, int, float, None)
    return save(trace, Path(path), facts_about(trace, tokenizer), KEPT if limit is None else limit)


def facts_about(trace: Trace, tokenizer: Any = None) -> dict[str, Any]:
    """What is known of a recording's inputs and of its model, as `OwnRun.of` reads it."""
    if not trace.segments:  # it was read from a file, which may have said so
        return dict(trace.about) or OwnRun(trace, ids=(0,), pieces=("0",)).facts()
    ran = trace.segments[0]
    return facts_of(Example(ran.model, ran.args, ran.kwargs, tokenizer), trace)


def open_trace(path: str | os.PathLike[str]) -> Trace:
    """Read a recording that `trace.save`, the app, or another machine has written.

    It is a trace like any other, but that nothing can run again: every step, source line, number and gradient that fit
    into the file is there, and `lmviz.explain` works each of them out. The file is read where it lies, and must stay
    there. Nothing in it is run, and no size in it is believed unseen.

    Raises:
        UserError: it is no recording; what did not fit says so when it is looked at.
    """
    check_given("open_trace", "path", path, str, os.PathLike)
    return run_in(Path(path)).trace
