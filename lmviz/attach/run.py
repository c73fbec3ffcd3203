"""One run of a model of one's own, recorded, with what is known about its inputs as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.attach.example import Example
from lmviz.attach.token_words import word_of, written
from lmviz.debug.reading import last_logits, named_logits, tensors_given, whole_logits
from lmviz.generate.readout import NextTokenLoss, Readout
from lmviz.registry.edits import functions_of
from lmviz.registry.program import MOST_WORDS, Asked, OwnRun
from lmviz.stages.stage import LOSS, READOUT
from lmviz.trace.assembly.inputs import named_tensors
from lmviz.trace.capture.edits import Edit
from lmviz.trace.capture.handles import tensors_in
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace

MOST_POSITIONS = 4096  # that a page lists


def own_run(example: Example, asked: Asked) -> OwnRun:
    """The model reading its inputs, and the facts of it."""
    trace = traced(example, asked)
    return OwnRun.of(trace, facts_of(example, trace))


def traced(example: Example, asked: Asked) -> Trace:
    """The model reading its inputs; then its loss and, where it gives logits for ids, their probabilities."""
    changes, ids = functions_of(asked.edits), ids_read(example)
    next_tokens = None if ids is None or ids.shape[1] < 2 else NextTokenLoss(_following(ids))
    backward: Any = example.loss
    if backward is None and asked.gradients and next_tokens is not None:
        backward = lambda output: next_tokens(_need(logits_in(output, ids)))  # noqa: E731
    trace = _recorded(example, changes, backward)
    if trace.failure is not None and isinstance(trace.failure.exception, _NoLogits):
        backward, trace = None, _recorded(example, changes, None)
    if trace.failure is not None:
        return trace
    whole = logits_in(trace.output, ids)
    logits = whole if whole is not None else _last_logits_in(trace.output, ids, example.model)
    if logits is None:
        return trace
    with torch.no_grad():
        trace = record(Readout(asked.temperature), logits, follows=trace, prefix=READOUT)
        if next_tokens is not None and backward is None and whole is not None:
            trace = record(next_tokens, logits, follows=trace, prefix=LOSS)
    return trace


def _recorded(example: Example, changes: Mapping[str, Edit], backward: Any) -> Trace:
    with torch.enable_grad() if backward is not None else torch.no_grad():
        return record(
            example.model, *example.args, edits=changes, backward=backward, device=example.device, **example.kwargs
        )


class _NoLogits(Exception):
    """What a model gives has no logits of all positions in it, so there is no loss to begin at."""


def _need(logits: Tensor | None) -> Tensor:
    if logits is None:
        raise _NoLogits
    return logits


def _following(ids: Tensor) -> Tensor:
    """The token that comes next at every position, [batch, pos]; −100 at the last."""
    return torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], -100)], dim=1).long()


def ids_read(example: Example) -> Tensor | None:
    """The ids that a model reads, [batch, pos]: the first input that is a table of whole numbers."""
    for tensor in tensors_in((example.args, dict(example.kwargs))):
        is_whole = not tensor.is_floating_point() and not tensor.is_complex() and tensor.dtype is not torch.bool
        if is_whole and tensor.ndim == 2 and tensor.numel():
            return tensor
    return None


def logits_in(output: Any, ids: Tensor | None) -> Tensor | None:
    """The logits of all positions in what a model returned for ids, [batch, pos, d_vocab]; None if it gave none."""
    if ids is None:
        return None
    n_texts, n_pos = ids.shape
    for width in dict.fromkeys(one.shape[-1] for one in _widest_first(output)):
        if width > int(ids.max()) and (found := whole_logits(output, n_texts, n_pos, width)) is not None:
            return found if tuple(found.shape[:2]) == (n_texts, n_pos) else None
    return None


def _last_logits_in(output: Any, ids: Tensor | None, model: Any) -> Tensor | None:
    """The logits of the last position alone, [batch, d_vocab] or [batch, 1, d_vocab]; None if there are none.

    A vector for each text may be anything: it must be as wide as the vocabulary that the model embeds.
    """
    if ids is None or not isinstance(model, nn.Module):
        return None
    for width in {part.num_embeddings for part in model.modules() if isinstance(part, nn.Embedding)}:
        for one in _tensors_in(output) if width > int(ids.max()) else ():
            if one.shape[-1] == width and last_logits(one, len(ids), width) is not None:
                return one
    return None


def _widest_first(output: Any) -> list[Tensor]:
    return [one for one in _tensors_in(output) if one.ndim == 3]


def _tensors_in(output: Any) -> list[Tensor]:
    """What may be logits: what is called so, and else any tensor."""
    named = named_logits(output)
    return [
        one for one in ([named] if named is not None else tensors_given(output)) if one.is_floating_point() and one.ndim
    ]


def facts_of(example: Example, trace: Trace) -> dict[str, Any]:
    """What a page says of the inputs and of the model, as plain data."""
    ids, word = ids_read(example), word_of(example.tokenizer)
    row = [] if ids is None else [int(one) for one in ids[0, :MOST_POSITIONS].tolist()]
    pieces = [written(word, one) for one in row]
    is_known = example.tokenizer is not None
    logits = trace.value(f"{READOUT}.scaled")
    d_vocab = 0 if logits is None else logits.shape[-1]
    given = named_tensors(example.model, example.args, example.kwargs)
    module = example.model if isinstance(example.model, nn.Module) else nn.Module()
    return {
        "text": "".join(pieces) if is_known else "",
        "ids": row or list(range(_n_positions(example))),
        "pieces": pieces or list(map(str, range(_n_positions(example)))),
        "words": [written(word, id) for id in range(d_vocab)] if is_known and d_vocab <= MOST_WORDS else [],
        "given": [(name, tuple(one.shape), str(one.dtype).removeprefix("torch.")) for name, one in given.items()],
        "buffers": [path for path, _ in module.named_buffers()],
        "n_parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def _n_positions(example: Example) -> int:
    """How many rows a picture of the first input has; 1 if there is none."""
    first = next(iter(tensors_in((example.args, dict(example.kwargs)))), None)
    if first is None or not first.ndim:
        return 1
    return max(1, min(MOST_POSITIONS, first.shape[1 if first.ndim > 2 else 0]))
