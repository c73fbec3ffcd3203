"""Texts that a model writes while a page watches: one token by token, several at once, or as a search."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from lmviz.generate.beam import BeamSearch, beam_searches
from lmviz.generate.cached import CachedReader, can_cache
from lmviz.generate.generation import Writing
from lmviz.generate.reading import prompt_ids
from lmviz.generate.settings import Settings
from lmviz.generate.side_by_side import Outcome, of_generations, of_search
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.models import Models
from lmviz.registry.notes import Notes, check_length, notes_of_model, notes_of_prompt
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunModel
from lmviz.services.live import Live
from lmviz.train.initial import check_same_sizes, new_model, sizes_of
from lmviz.train.recipe import read_recipe

KEPT = 16  # searches, and drafts
_WRITINGS_KEPT = 64

TRAINED, UNTRAINED = "trained", "untrained"

Asked = tuple[Checkpoint, str, Settings]  # how to write which prompt on
Draft = Callable[[], tuple[Outcome, ...]]  # what there is so far, made when it is looked at


class Generation:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._writings = models.cache(_WRITINGS_KEPT)
        self._searches, self._drafts, self._found = (models.cache(KEPT) for _ in range(3))

    def writer(self, model: Reference, weights: str = TRAINED) -> Checkpoint:
        """The model, or the same one before its training, with the weights that its recipe's seed draws."""
        checkpoint = self._models.checkpoint(model)
        if weights == TRAINED:
            return checkpoint
        return self._models.kept((UNTRAINED, checkpoint), lambda: self._untrained(model, checkpoint))

    def _untrained(self, model: Reference, checkpoint: Checkpoint) -> Checkpoint:
        runs = self._models.runs if isinstance(model, RunModel) else None
        if isinstance(model, RunModel) and runs is not None and runs.ends(model.run)[0] == 0:
            return runs.model_at(model.run, 0)
        return _as_drawn(checkpoint)

    def notes(self, checkpoint: Checkpoint, prompt: str) -> Notes:
        """What becomes of a prompt: tokens that the vocabulary lacks, or that don't fit; and what the model is."""
        of_prompt = notes_of_prompt(checkpoint.tokenizer.encode(prompt), checkpoint.config.n_ctx)
        return (*notes_of_model(checkpoint), *of_prompt)

    def writing(
        self, checkpoint: Checkpoint, prompt: str, settings: Settings, sequence: int = 0, with_cache: bool = False
    ) -> Writing:
        """A text that is written on, token by token, as far as one looks.

        Raises:
            UserError: the prompt has no token that the model knows, or is too long.
        """
        check_length(prompt)
        ids = prompt_ids(checkpoint.tokenizer, prompt)
        return self.writing_from(checkpoint, ids, settings, sequence, with_cache)

    def writing_from(
        self,
        checkpoint: Checkpoint,
        ids: tuple[int, ...],
        settings: Settings,
        sequence: int = 0,
        with_cache: bool = False,
    ) -> Writing:
        """The same, from tokens; with a KV cache only where `offers_cache`."""

        def begun() -> Writing:
            return Writing(checkpoint, ids, settings, sequence, CachedReader(checkpoint) if with_cache else None)

        return self._writings.get((checkpoint.model, ids, settings, sequence, with_cache), begun)

    def offers_cache(self, checkpoint: Checkpoint) -> bool:
        """Whether the model can write with a KV cache."""
        return can_cache(checkpoint)

    def searches(self, checkpoint: Checkpoint, prompt: str, settings: Settings) -> Live[BeamSearch]:
        """A beam search at every step, from the bare prompt to its end.

        Raises:
            UserError: the prompt has no token that the model knows, or is too long.
        """
        check_length(prompt)
        ids, n_states = prompt_ids(checkpoint.tokenizer, prompt), settings.max_new_tokens + 1
        key = (checkpoint.model, ids, settings)
        return self._searches.get(key, lambda: Live(self._search(checkpoint, ids, settings), n_states, n_states))

    def outcomes(self, asked: Sequence[Asked]) -> Live[Draft]:
        """What some settings make of a prompt, one after the other; in the last draft every text has come to its end.

        Raises:
            UserError: as above.
        """
        for checkpoint, prompt, _ in asked:
            check_length(prompt)
            prompt_ids(checkpoint.tokenizer, prompt)
        key = tuple((checkpoint.model, prompt, settings) for checkpoint, prompt, settings in asked)
        total = 2 + sum(settings.max_new_tokens * _n_texts(settings) for _, _, settings in asked)
        return self._drafts.get(key, lambda: Live(_drafts([self._ways(*one) for one in asked]), total, keep=1))

    def _search(self, checkpoint: Checkpoint, ids: tuple[int, ...], settings: Settings) -> Iterator[BeamSearch]:
        key = (checkpoint.model, ids, settings)
        known: tuple[BeamSearch, ...] = self._found.peek(key) or ()
        found = []
        for search in known or beam_searches(checkpoint, ids, settings):
            found.append(search)
            yield search
        self._found.get(key, lambda: tuple(found))

    def _ways(self, checkpoint: Checkpoint, prompt: str, settings: Settings) -> Iterator[Callable[[], Outcome]]:
        """The outcome so far, after every token of every text."""
        if settings.strategy == "beam":
            for search in self._search(checkpoint, prompt_ids(checkpoint.tokenizer, prompt), settings):
                yield partial(of_search, checkpoint, search)
            return
        texts = range(_n_texts(settings))
        writings = [self.writing(checkpoint, prompt, settings, text) for text in texts]
        for n in range(1, settings.max_new_tokens + 1):
            for at, writing in enumerate(writings, start=1):
                writing.first(n)
                yield partial(_so_far, checkpoint, writings, n, at)
            if all(writing.first(n).ended for writing in writings):
                return


def _drafts(ways: Sequence[Iterator[Callable[[], Outcome]]]) -> Iterator[Draft]:
    """First nothing; then all that was written, and how far the present way has come; last, outcomes alone."""
    done: tuple[Outcome, ...] = ()
    yield tuple
    for way in ways:
        for outcome in way:
            yield partial(_with, done, outcome)
        done = (*done, outcome())
    yield lambda: done


def _with(done: tuple[Outcome, ...], outcome: Callable[[], Outcome]) -> tuple[Outcome, ...]:
    return (*done, outcome())


def _so_far(checkpoint: Checkpoint, writings: Sequence[Writing], n: int, at: int) -> Outcome:
    """The first `at` texts have n tokens, the others one less."""
    return of_generations(checkpoint, [writing.first(n - (i >= at)) for i, writing in enumerate(writings)])


def _n_texts(settings: Settings) -> int:
    """Greedy texts are all one."""
    return settings.n_sequences if settings.draws else 1


def _as_drawn(checkpoint: Checkpoint) -> Checkpoint:
    """The same architecture and tokenizer, with the weights that the model's recipe starts from."""
    recipe = None if checkpoint.folder is None else checkpoint.folder / "recipe.toml"
    sizes, seed = sizes_of(checkpoint.config), 0
    if recipe is not None and os.path.lexists(recipe):
        found = read_recipe(recipe)
        check_same_sizes(found.model, checkpoint)
        sizes, seed = found.model, found.training.seed
    return replace(checkpoint, model=new_model(sizes, checkpoint.config.d_vocab, seed).eval())
