"""What may come after a text, for whoever taps one word after the other."""

from __future__ import annotations

import re

import torch

from lmviz.generate.reading import next_logits, prompt_tokens
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.notes import check_length
from lmviz.services.greetings import Choice, NextWords

MOST = 6  # choices at a time


def next_words(checkpoint: Checkpoint, text: str, most: int = MOST) -> NextWords:
    """The likeliest tokens after a text, with their probabilities.

    Raises:
        UserError: the text has no token that the model knows, or is too long.
    """
    check_length(text)
    tokens, tokenizer = prompt_tokens(checkpoint.tokenizer, text), checkpoint.tokenizer
    probs = torch.softmax(next_logits(checkpoint, [tokens.ids])[0].double(), dim=-1)
    found = probs.topk(min(most, len(probs)))
    return NextWords(
        text=text,
        choices=tuple(
            Choice(tokenizer.piece(id), share, tokenizer.decode([*tokens.ids, id]))
            for id, share in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ),
        n_others=len(probs) - len(found.indices),
        n_pos=len(tokens),
        n_parameters=checkpoint.n_parameters,
        strange=_strange(tokenizer, text),
        is_full=len(tokens) >= checkpoint.config.n_ctx,
    )


def _strange(tokenizer: Tokenizer, text: str) -> tuple[str, ...]:
    """The words of a text that are cut into several tokens, each once."""
    words = dict.fromkeys(re.findall(r"\w+", text))
    return tuple(word for word in words if min(len(tokenizer.encode(before + word)) for before in ("", " ")) > 1)
