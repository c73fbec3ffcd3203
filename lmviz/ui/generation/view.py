"""What a visitor of the generation page is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.reference import Reference
from lmviz.ui.parts import model_part
from lmviz.ui.place import Place, choice, flag, part, real, whole

WAYS = ("one", "several", "beam", "compare")
STRATEGIES = ("sample", "greedy")
WEIGHTS = ("trained", "untrained")
EARLY = ("estimate", "first", "never")
SHOWN = ("scores", "shares")
COLUMNS = ("logits", "repetition_penalty", "no_repeat_ngram", "temperature", "top_k", "top_p", "min_p")
LONGEST = 200  # new tokens: what a page can show in one text
REPEATS = 4  # times that the same may come in a row before a text ends
KEPT = ("temperature", "top_k", "top_p", "min_p", "penalty", "ngram", "seed")  # what settings set aside are made of
MOST_KEPT = 2
EDGE = "."  # opens and closes a name

Kept = tuple[float, ...]  # in the order of KEPT


@dataclass(frozen=True)
class GenerationView(Place):
    """One visitor's place on the generation page: with it the same text comes again."""

    model: Reference = model_part("names")
    weights: str = part("trained", choice(*WEIGHTS))
    prompt: str | None = part(None, str)  # None: the model's own first prompt
    way: str = part("one", choice(*WAYS))
    strategy: str = part("sample", choice(*STRATEGIES))
    temperature: float = part(1.0, real(0, 1000))
    top_k: int = part(0, whole(0, 2**31))
    top_p: float = part(1.0, real(0, 1))
    min_p: float = part(0.0, real(0, 1))
    penalty: float = part(1.0, real(0.01, 100))
    ngram: int = part(0, whole(0, LONGEST))
    seed: int = part(0, whole(0, 2**32 - 1))
    length: int = part(20, whole(1, LONGEST))  # new tokens at most
    stop: str | None = part(None, str)  # the token that ends a text; None: the model's own
    n: int = part(0, whole(0, LONGEST))  # new tokens so far
    at: int = part(-1, whole(-1, LONGEST - 1))  # the step that is looked at; -1: the latest
    text: int = part(0, whole(0, 99))  # which of several texts
    texts: int = part(5, whole(1, 20))  # how many texts at once
    both: bool = part(False, flag)  # the untrained model's texts beside the trained one's
    kept: tuple[Kept, ...] = part((), lambda written: _kept(json.loads(written)))  # settings set aside to compare
    beams: int = part(3, whole(1, 8))
    reward: float = part(1.0, real(-10, 10))  # of long texts in a beam search: the length penalty
    early: str = part("estimate", choice(*EARLY))
    token: int | None = part(None, whole(0, 10_000_000))  # the row that is looked at
    column: str = part("", choice(*COLUMNS))  # of that row; empty: all
    shown: str = part("scores", choice(*SHOWN))
    top: int = part(0, whole(0, 100))  # only so many rows; 0: all
    cache: bool = part(False, flag)  # one text is written with a KV cache

    def settings(self, checkpoint: Checkpoint, strategy: str = "") -> Settings:
        """As the engine reads them.

        Raises:
            UserError: one of the numbers is impossible.
        """
        return Settings(
            strategy=strategy or self.strategy,
            repetition_penalty=self.penalty,
            no_repeat_ngram=self.ngram,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            max_new_tokens=self.length,
            stop=_stop_ids(checkpoint, self.stop),
            stop_repeats=REPEATS,
            seed=self.seed,
            n_sequences=self.texts if self.way in ("several", "compare") else 1,
            n_beams=self.beams,
            length_penalty=self.reward,
            early_stopping=self.early,
        )

    def first(self, checkpoint: Checkpoint) -> str:
        """The prompt: one's own, or the model's first."""
        if self.prompt is not None:
            return self.prompt
        return checkpoint.card.prompts[0] if checkpoint.card.prompts else "Hello"


def _kept(found: Any) -> tuple[Kept, ...]:
    """Settings as a link has them, each number read as that part of the view would be."""
    parts = GenerationView.__dataclass_fields__
    return tuple(
        tuple(parts[name].metadata["read"](json.dumps(value)) for name, value in zip(KEPT, one, strict=True))
        for one in found[:MOST_KEPT]
    )


def _stop_ids(checkpoint: Checkpoint, stop: str | None) -> tuple[int, ...]:
    """The token that ends a text. A model whose prompts open with a dot ends its names with one."""
    if stop is None:
        stop = EDGE if any(prompt.startswith(EDGE) for prompt in checkpoint.card.prompts) else ""
    found = checkpoint.tokenizer.id(stop)
    return () if found is None else (found,)
