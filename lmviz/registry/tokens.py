"""The tokens that a model reads: the end of a text, or one text of a batch."""

from __future__ import annotations

from torch import Tensor

from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokens


def tokens_of_row(checkpoint: Checkpoint, inputs: Tensor, row: int) -> Tokens:
    """One text of a batch, [batch, pos], as far as the batch is wide."""
    ids = tuple(inputs[min(row, len(inputs) - 1)].tolist())
    pieces = tuple(map(checkpoint.tokenizer.piece, ids))
    text = checkpoint.tokenizer.decode(ids)
    spans, end = [], 0
    for piece in pieces:  # in the text, with the spaces that stand between words
        start = max(text.find(piece, end), end)
        end = start + len(piece)
        spans.append((start, end))
    return Tokens(text, ids, pieces, tuple(spans), (False,) * len(ids), ())


def last_tokens(tokens: Tokens, count: int) -> Tokens:
    """The last `count` tokens of a text."""
    keep = slice(max(0, len(tokens) - count), None)
    return Tokens(
        tokens.text, tokens.ids[keep], tokens.pieces[keep], tokens.offsets[keep], tokens.unknown[keep], tokens.dropped
    )
