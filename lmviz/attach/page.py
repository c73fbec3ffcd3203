"""`trace.to_html()`: a recording as one page that needs no server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from lmviz.attach.example import Example
from lmviz.attach.kept import facts_about
from lmviz.attach.run import ids_read, logits_in
from lmviz.errors import UserError, check_given
from lmviz.generate.readout import Readout
from lmviz.registry.program import OwnRun
from lmviz.registry.recorded import Recorded
from lmviz.registry.recording import Recording, Request
from lmviz.stages.navigation import Navigator
from lmviz.stages.stage import READOUT
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from lmviz.ui.offline.page import LIMIT, save_page
from lmviz.ui.text import language_of


def trace_page(
    trace: Trace,
    path: str | os.PathLike[str],
    tokenizer: Any = None,
    title: str = "",
    lang: str = "en",
    limit: int = LIMIT,
) -> tuple[str, ...]:
    """What `Trace.to_html` does."""
    check_given("Trace.to_html", "path", path, str, os.PathLike)
    check_given("Trace.to_html", "title", title, str)
    check_given("Trace.to_html", "limit", limit, int, float)
    found = language_of(lang)
    return save_page(recording_of(trace, tokenizer, title), Path(path), found, limit)


def recording_of(trace: Trace, tokenizer: Any = None, title: str = "") -> Recording:
    """A trace as the app takes one from a file: with what is known of its inputs, and the readout behind it."""
    if not len(trace):
        raise UserError("There must be a step to look at; this recording has none.")
    trace = _read_out(trace)
    run = OwnRun.of(trace, facts_about(trace, tokenizer))
    name = title or next((call.class_name for call in trace.calls if call.class_name), "model")
    return Recording(Request(Recorded(name), ""), run, run.tokens, 0, None, Navigator(trace), run.notes, row=run.row)


def _read_out(trace: Trace) -> Trace:
    """The trace, and behind it the probabilities of the next token where its model has given logits for ids."""
    ran = trace.segments[0] if trace.segments else None
    if ran is None or trace.failure is not None or f"{READOUT}.probs" in trace:
        return trace
    logits = logits_in(trace.output, ids_read(Example(ran.model, ran.args, ran.kwargs)))
    if logits is None:
        return trace
    with torch.no_grad():
        return record(Readout(), logits.detach(), follows=trace, prefix=READOUT)
