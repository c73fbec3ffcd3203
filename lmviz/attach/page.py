"""`trace.to_html()`: a recording as one page that needs no server."""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lmviz.attach.run import logits_in
from lmviz.attach.token_words import MOST_WORDS, word_of, written
from lmviz.errors import UserError
from lmviz.generate.readout import Readout
from lmviz.registry.attached import Attached
from lmviz.registry.program import OwnRun
from lmviz.registry.recording import Recording, Request
from lmviz.stages.navigation import Navigator
from lmviz.stages.stage import READOUT
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace, Value
from lmviz.ui.offline.page import LIMIT, save_page
from lmviz.ui.text import LANGUAGES, Language


def trace_page(
    trace: Trace,
    path: str | PathLike[str],
    tokenizer: Any = None,
    title: str = "",
    lang: str = "en",
    limit: int = LIMIT,
) -> tuple[str, ...]:
    """What `Trace.to_html` does."""
    if lang not in LANGUAGES:
        raise UserError(
            "The language must be one of {languages}; got {lang}.", languages=", ".join(LANGUAGES), lang=lang
        )
    return save_page(recording_of(trace, tokenizer, title), Path(path), Language(lang), limit)


def recording_of(trace: Trace, tokenizer: Any = None, title: str = "") -> Recording:
    """A trace as the app takes the one of a program: with what is known of its inputs, and the readout behind it."""
    if not len(trace):
        raise UserError("There must be a step to look at; this recording has none.")
    run = _own_run(_read_out(trace), tokenizer)
    name = title or next((call.class_name for call in trace.calls if call.class_name), "model")
    return Recording(Request(Attached(name), ""), run, run.tokens, 0, None, Navigator(run.trace))


def _own_run(trace: Trace, tokenizer: Any) -> OwnRun:
    value, word = _ids_of(trace), word_of(tokenizer)
    ids = () if value is None else tuple(map(int, value.array[0].tolist()))
    pieces = tuple(written(word, one) for one in ids)
    n_pos = len(ids) or _n_positions(trace)
    probs = trace.value(f"{READOUT}.probs")
    d_vocab = 0 if probs is None else probs.shape[-1]
    is_known = tokenizer is not None
    return OwnRun(
        trace,
        text="".join(pieces) if is_known else "",
        ids=ids or tuple(range(n_pos)),
        pieces=pieces or tuple(map(str, range(n_pos))),
        words=tuple(written(word, one) for one in range(d_vocab)) if is_known and d_vocab <= MOST_WORDS else (),
        given=tuple((one.name or one.address, one.shape, one.dtype) for one in trace.inputs),
        n_parameters=sum(math.prod(one.shape) for one in trace.weights.values()),
    )


def _ids_of(trace: Trace) -> Value | None:
    """The first input that is a table of whole numbers, [batch, pos]."""
    return next(
        (one for one in trace.inputs if one.dtype.startswith("int") and len(one.shape) == 2 and 0 not in one.shape),
        None,
    )


def _n_positions(trace: Trace) -> int:
    shape = next((one.shape for one in trace.inputs if one.shape), (1,))
    return max(1, shape[1 if len(shape) > 2 else 0])


def _read_out(trace: Trace) -> Trace:
    """The trace, and behind it the probabilities of the next token where the model has given logits for ids."""
    ids = _ids_of(trace)
    if ids is None or trace.failure is not None or f"{READOUT}.probs" in trace or not _has_tensors(trace.output):
        return trace
    logits = logits_in(trace.output, torch.from_numpy(ids.array.copy()))
    if logits is None:
        return trace
    with torch.no_grad():
        return record(Readout(), logits.detach(), follows=trace, prefix=READOUT)


def _has_tensors(output: Any) -> bool:
    """Whether what a model returned is there: of a recording that was opened from a file it may not be."""
    return isinstance(output, Tensor) or hasattr(output, "__dict__") or isinstance(output, tuple | list | dict)
