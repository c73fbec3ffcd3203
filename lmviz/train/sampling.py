"""What a model writes by itself, to be read while it learns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from lmviz.model.tokenizer import Tokenizer
from lmviz.train.recipe import Recipe

N_TEXTS = 3
MOST_TOKENS = 24
_REPEATED = 4  # the same token so often in a row says nothing new


def first_words(recipe: Recipe, tokenizer: Tokenizer) -> str:
    """What the samples of a training begin with: what opens every text, the card's first prompt, or a first token."""
    for prompt in (recipe.data.around, *recipe.card.prompts[:1]):
        tokens = tokenizer.encode(prompt)
        if 0 < len(tokens) <= recipe.model.n_ctx and not tokens.dropped and not any(tokens.unknown):
            return prompt
    firsts = (piece for text in recipe.data.texts for piece in tokenizer.encode(text).pieces[:1])
    return next(firsts, tokenizer.piece(0))


def samples(model: nn.Module, tokenizer: Tokenizer, recipe: Recipe, prompt: str, seed: int) -> tuple[str, ...]:
    """A few texts written on from a prompt, up to what closes a text; none where the model's numbers aren't finite."""
    ids = tokenizer.encode(prompt).ids
    n_tokens = min(MOST_TOKENS, 2 * recipe.model.n_ctx)
    written = draw(model, ids, N_TEXTS, n_tokens, recipe.model.n_ctx, seed)
    end = tokenizer.encode(recipe.data.around).ids[:1]
    return tuple(tokenizer.decode([*ids, *_up_to(end, new)]) for new in written)


@torch.no_grad()
def draw(
    model: nn.Module, ids: Sequence[int], n_texts: int, n_tokens: int, n_ctx: int, seed: int
) -> tuple[tuple[int, ...], ...]:
    """The tokens that follow `ids` in each of several texts, drawn one by one from the model's probabilities.

    The same model and seed give the same tokens, and torch's own random numbers are left as they were.
    """
    was_training = model.training
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    texts = torch.tensor([list(ids)] * n_texts)  # [text, pos]
    for _ in range(n_tokens):
        probs = torch.softmax(model(texts[:, -n_ctx:])[:, -1], dim=-1)  # [text, d_vocab]
        if not probs.isfinite().all():
            model.train(was_training)
            return ()
        texts = torch.cat([texts, torch.multinomial(probs, 1, generator=generator)], dim=1)
    model.train(was_training)
    return tuple(tuple(text[len(ids) :]) for text in texts.tolist())


def _up_to(end: Sequence[int], ids: Sequence[int]) -> Sequence[int]:
    """The tokens up to the first that closes a text, or until one token has come _REPEATED times in a row."""
    for n in range(1, len(ids) + 1):
        if ids[n - 1] in end or (n >= _REPEATED and len(set(ids[n - _REPEATED : n])) == 1):
            return ids[:n]
    return ids
