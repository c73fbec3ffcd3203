"""Texts that a model writes while a page watches: several at once, or as a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from lmviz.benches.cache import Cache
from lmviz.benches.live import Live
from lmviz.benches.run import check_length
from lmviz.generate.beam import BeamSearch, beam_searches
from lmviz.generate.generation import Writing
from lmviz.generate.reading import prompt_ids
from lmviz.generate.settings import Settings
from lmviz.generate.side_by_side import Outcome, of_generations, of_search
from lmviz.model.checkpoint import Checkpoint
from lmviz.workbench import Workbench

KEPT = 16

Asked = tuple[Checkpoint, str, Settings]  # how to write which prompt on
Draft = Callable[[], tuple[Outcome, ...]]  # what there is so far, made when it is looked at


class Drafting:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._searches, self._drafts, self._found = (Cache(KEPT) for _ in range(3))

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
        writings = [self._bench.writing(checkpoint, prompt, settings, text) for text in texts]
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
