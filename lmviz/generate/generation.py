"""A run: token after token, until a token that stops it, the length, or nothing is left to choose from."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmviz.generate.cached import CachedReader
from lmviz.generate.settings import Settings
from lmviz.generate.token_step import TokenStep, next_token
from lmviz.model.checkpoint import Checkpoint

_LONGEST_RUN = 4  # tokens of a run that is taken for a repetition


@dataclass(frozen=True, eq=False)
class Generation:
    """A prompt and the steps that wrote it on. Greedy or sampled; for a beam search see `beam`."""

    prompt: tuple[int, ...]
    settings: Settings
    steps: tuple[TokenStep, ...]
    ended: str  # "stop": a stop token came; "repeats": the same again and again; "length": max_new_tokens; "nothing":
    # no token was left; "": goes on

    @property
    def new_ids(self) -> tuple[int, ...]:
        return tuple(step.chosen for step in self.steps if step.chosen is not None)

    @property
    def ids(self) -> tuple[int, ...]:
        return self.prompt + self.new_ids

    @property
    def log_prob(self) -> float:
        """ln of the probability of the new tokens together under the model itself, filters aside, in nats."""
        return sum(step.log_prob for step in self.steps if step.chosen is not None)


def token_steps(
    checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings, sequence: int = 0
) -> Iterator[TokenStep]:
    """One step at a time, for as long as the run goes on. The same arguments give the same steps."""
    ids = tuple(prompt)
    for index in range(settings.max_new_tokens):
        step = next_token(checkpoint, ids, settings, index, sequence)
        yield step
        if step.chosen is None or step.chosen in settings.stop:
            return
        ids = (*ids, step.chosen)
        if settings.stop_repeats and repeats(ids[len(prompt) :], settings.stop_repeats):
            return


def generate(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings, sequence: int = 0) -> Generation:
    """Run to the end. Text `sequence` is the same whether it is asked for alone or with others."""
    steps = tuple(token_steps(checkpoint, prompt, settings, sequence))
    return Generation(tuple(prompt), settings, steps, _ended(steps, settings))


def generate_all(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings) -> tuple[Generation, ...]:
    """All `n_sequences` texts; one, if nothing is drawn, since the others would be the same."""
    n_texts = settings.n_sequences if settings.draws else 1
    return tuple(generate(checkpoint, prompt, settings, sequence) for sequence in range(n_texts))


class Writing:
    """A run that is made as far as it is looked at. Safe to use from several threads."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        prompt: Sequence[int],
        settings: Settings,
        sequence: int = 0,
        cached: CachedReader | None = None,
    ) -> None:
        self._cached = cached
        self._checkpoint, self._settings, self._sequence = checkpoint, settings, sequence
        self._prompt = tuple(prompt)
        self._steps: list[TokenStep] = []
        self._lock = threading.Lock()

    def first(self, n: int) -> Generation:
        """The run after n tokens, or where it ended before."""
        steps = self._steps_up_to(n)
        return Generation(self._prompt, self._settings, steps, _ended(steps, self._settings))

    def step(self, index: int) -> TokenStep | None:
        """One step, also one whose token is still to come; None if the run ends before."""
        steps = self._steps_up_to(index + 1)
        return steps[index] if index < len(steps) else None

    @property
    def n_bytes(self) -> int:
        """What the steps made so far take, nearly all of it logits, and what is kept for the next."""
        kept = self._cached.n_bytes if self._cached is not None else 0
        return kept + sum(step.logits.nbytes for step in self._steps)

    def _steps_up_to(self, n: int) -> tuple[TokenStep, ...]:
        with self._lock:
            while len(self._steps) < n and not _ended(self._steps, self._settings):
                so_far = Generation(self._prompt, self._settings, tuple(self._steps), "")
                index = len(self._steps)
                step = next_token(self._checkpoint, so_far.ids, self._settings, index, self._sequence, self._cached)
                self._steps.append(step)
            return tuple(self._steps[:n])


def repeats(ids: Sequence[int], times: int) -> bool:
    """Whether a text ends with the same run of up to _LONGEST_RUN tokens, so many times in a row."""
    for n in range(1, _LONGEST_RUN + 1):
        end = tuple(ids[-n * times :])
        if len(end) == n * times and end == end[:n] * times:
            return True
    return False


def _ended(steps: Sequence[TokenStep], settings: Settings) -> str:
    if not steps:
        return ""
    last = steps[-1].chosen
    if last is None or last in settings.stop:
        return "nothing" if last is None else "stop"
    if settings.stop_repeats:
        longest = _LONGEST_RUN * settings.stop_repeats
        chosen = [step.chosen for step in steps[-longest:] if step.chosen is not None]
        if repeats(chosen, settings.stop_repeats):
            return "repeats"
    return "length" if len(steps) == settings.max_new_tokens else ""
