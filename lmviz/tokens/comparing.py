"""Characters, words and byte pairs on the same text: what each costs in length, in vocabulary, and in what it loses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lmviz.model.tokenizer import Tokenizer, Tokens


@dataclass(frozen=True)
class Cut:
    """One way to cut a text."""

    kind: str
    tokenizer: Tokenizer
    tokens: Tokens

    @property
    def d_vocab(self) -> int:
        return self.tokenizer.d_vocab

    @property
    def ln_d_vocab(self) -> float:
        """The loss, in nats per token, of a model that thinks all tokens equally likely."""
        return math.log(self.d_vocab)

    @property
    def nats(self) -> float:
        """The loss of that model for the whole text: length × ln d_vocab, by which ways to cut can be compared."""
        return len(self.tokens) * self.ln_d_vocab

    @property
    def n_dropped(self) -> int:
        """Characters of the text that no token stands for."""
        return sum(len(part) for _, part in self.tokens.dropped)

    @property
    def is_whole(self) -> bool:
        """Whether nothing of the text was lost: only then can its nats be compared with those of another cut."""
        return not self.n_dropped and not any(self.tokens.unknown)

    @property
    def characters_per_token(self) -> float:
        """Of the characters that tokens stand for."""
        n_read = len(self.tokens.text) - self.n_dropped
        return n_read / len(self.tokens) if len(self.tokens) else 0.0


def cuts(text: str, tokenizers: Mapping[str, Tokenizer]) -> tuple[Cut, ...]:
    """The text cut by each of some tokenizers."""
    return tuple(Cut(kind, tokenizer, tokenizer.encode(text)) for kind, tokenizer in tokenizers.items())
