"""What a model says about the next token, given ids. Here and in cached.py alone a model runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.logits import logits_of
from lmviz.model.tokenizer import Tokenizer, Tokens


def prompt_tokens(tokenizer: Tokenizer, text: str) -> Tokens:
    """The tokens of a text.

    Raises:
        UserError: there is none, and what a text could have in it.
    """
    tokens = tokenizer.encode(text)
    if not len(tokens):
        pieces = (tokenizer.piece(i).strip() for i in range(min(len(tokenizer), 40)))
        raise UserError(
            "The model needs at least one token to read, and this text gives none: type something it knows, "
            "such as {known}.",
            known=" ".join([piece for piece in pieces if piece and not piece.startswith("<")][:8]),
        )
    return tokens


def prompt_ids(tokenizer: Tokenizer, text: str) -> tuple[int, ...]:
    """The ids of a text that has at least one."""
    return prompt_tokens(tokenizer, text).ids


def text_read_as(tokenizer: Tokenizer, ids: Sequence[int]) -> str:
    """A text that the tokenizer cuts into these very ids, if there is one; else the one that they stand for.

    A tokenizer may put a token of its own before every text, which then must not stand in the text too.
    """
    for own in (ids, ids[1:]):
        text = tokenizer.decode(own)
        if tokenizer.encode(text).ids == tuple(ids):
            return text
    return tokenizer.decode(ids)


def read_by(checkpoint: Checkpoint, ids: Sequence[int]) -> tuple[int, ...]:
    """The end of `ids` that fits into the context: what the model reads. The rest has slid out of it."""
    return tuple(ids[-checkpoint.config.n_ctx :])


def next_logits(checkpoint: Checkpoint, rows: Sequence[Sequence[int]]) -> Tensor:
    """The logits for the token after each row, [row, d_vocab], in float32 and with dropout off.

    Args:
        rows: ids, all rows of one length; what does not fit into the context is not read.

    Raises:
        UserError: the model raises, or its numbers are broken, so that nothing can be drawn from them.
    """
    with evaluating(checkpoint.model) as model, torch.no_grad():
        logits = logits_of(model, torch.tensor([read_by(checkpoint, ids) for ids in rows]))[:, -1].float()
    return checked(logits)


def checked(logits: Tensor) -> Tensor:
    """The same logits.

    Raises:
        UserError: the numbers are broken, so that nothing can be drawn from them.
    """
    n_broken = int((logits.isnan() | (logits == torch.inf)).sum())
    if n_broken or bool((logits == -torch.inf).all(-1).any()):
        raise UserError(
            "Nothing can be chosen: of the model's {total} scores for the next token, {n} are NaN or infinite.",
            total=logits.numel(),
            n=n_broken or logits.numel(),
        )
    return logits


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """The model in eval mode; if it was in training, it is again afterwards."""
    was_training = model.training
    if was_training:
        model.eval()
    try:
        yield model
    finally:
        if was_training:
            model.train()
