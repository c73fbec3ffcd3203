"""What a recipe comes to before anything is trained: texts cut into windows, numbers counted, memory estimated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lmviz.model.architecture import Config, Part
from lmviz.model.tokenizer import Tokenizer
from lmviz.train.counts import parts
from lmviz.train.data import Corpus, read_corpus, split
from lmviz.train.initial import config_of
from lmviz.train.memory import Memory, check_memory, memory_of
from lmviz.train.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Plan:
    """A training as it would be."""

    recipe: Recipe
    corpus: Corpus
    config: Config

    @property
    def parts(self) -> tuple[Part, ...]:
        return parts(self.config)

    @property
    def n_parameters(self) -> int:
        return sum(part.count for part in self.parts)

    @property
    def n_kept(self) -> int:
        """Texts that are never trained on."""
        data = self.recipe.data
        return len(split(data.texts, data.held_out, self.recipe.training.seed)[1]) if len(data.texts) > 1 else 0

    @property
    def batch_size(self) -> int:
        """Windows per step."""
        n_windows = len(self.corpus.train)
        return min(self.recipe.training.batch_size or n_windows, n_windows)

    @property
    def memory(self) -> Memory:
        return memory_of(self.config, self.recipe.training.optimizer, self.batch_size)

    def check(self, limit: int) -> None:
        """A UserError if it would need more than `limit` bytes of memory."""
        check_memory(self.config, self.recipe.training, len(self.corpus.train), limit)


def cut(recipe: Recipe, tokenizer: Tokenizer | None = None) -> Corpus:
    """The windows of a recipe whose texts are in it."""
    return read_corpus(recipe, Path(), tokenizer)


def plan_of(recipe: Recipe, corpus: Corpus) -> Plan:
    """Raises a UserError if the sizes cannot be."""
    return Plan(recipe, corpus, config_of(recipe.model, corpus.tokenizer.d_vocab))
