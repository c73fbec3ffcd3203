"""A run: token after token, until a token that stops it, the length, or nothing is left to choose from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmviz.generate.settings import Settings
from lmviz.generate.token_step import TokenStep, next_token
from lmviz.model.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class Generation:
    """A prompt and the steps that wrote it on. Greedy or sampled; for a beam search see `beam`."""

    prompt: tuple[int, ...]
    settings: Settings
    steps: tuple[TokenStep, ...]
    ended: str  # "stop": a stop token came; "length": max_new_tokens; "nothing": no token was left

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


def generate(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings, sequence: int = 0) -> Generation:
    """Run to the end. Text `sequence` is the same whether it is asked for alone or with others."""
    steps = tuple(token_steps(checkpoint, prompt, settings, sequence))
    last = steps[-1].chosen
    ended = "nothing" if last is None else "stop" if last in settings.stop else "length"
    return Generation(tuple(prompt), settings, steps, ended)


def generate_all(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings) -> tuple[Generation, ...]:
    """All `n_sequences` texts; one, if nothing is drawn, since the others would be the same."""
    n_texts = settings.n_sequences if settings.draws else 1
    return tuple(generate(checkpoint, prompt, settings, sequence) for sequence in range(n_texts))
