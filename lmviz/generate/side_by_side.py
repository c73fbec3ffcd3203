"""Several ways to write one prompt on, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lmviz.generate.beam import BeamSearch
from lmviz.generate.generation import Generation
from lmviz.generate.measures import Diversity, diversity
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint


@dataclass(frozen=True)
class Outcome:
    """What one choice of settings made of a prompt: one entry per text."""

    settings: Settings
    texts: tuple[str, ...]  # prompt included
    new_ids: tuple[tuple[int, ...], ...]
    log_probs: tuple[float, ...]  # ln of the probability of the new tokens together, in nats
    diversity: Diversity
    finals: tuple[float | None, ...] = ()  # of a beam search: the scores by which its texts are ranked


def of_generations(checkpoint: Checkpoint, generations: Sequence[Generation]) -> Outcome:
    new_ids = tuple(generation.new_ids for generation in generations)
    log_probs = tuple(generation.log_prob for generation in generations)
    texts = tuple(checkpoint.tokenizer.decode(generation.ids) for generation in generations)
    return Outcome(generations[0].settings, texts, new_ids, log_probs, diversity(new_ids))


def of_search(checkpoint: Checkpoint, search: BeamSearch) -> Outcome:
    """The `n_sequences` best texts of a search; their log_probs are its scores, penalties for repeating included."""
    best = search.best[: search.settings.n_sequences]
    new_ids = tuple(search.ids(node)[len(search.prompt) :] for node in best)
    texts = tuple(checkpoint.tokenizer.decode(search.ids(node)) for node in best)
    scores = tuple(search.nodes[node].score for node in best)
    finals = tuple(search.nodes[node].final for node in best)
    return Outcome(search.settings, texts, new_ids, scores, diversity(new_ids), finals)
