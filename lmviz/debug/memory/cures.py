"""The guide's three cures for "out of memory", each as small a change as helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from lmviz.debug.memory.estimate import estimate
from lmviz.debug.memory.trial import Trial
from lmviz.train.initial import config_of

_SAFE_SHARE = 0.9  # of the limit: an estimate is not exact


@dataclass(frozen=True)
class Cure:
    """One of the three, and the trial that it makes of the one that failed."""

    name: str  # "batch", "model", "length"
    trial: Trial
    needed: int  # bytes, as estimated


def needed(trial: Trial) -> int:
    """Bytes that a trial needs, as estimated."""
    config = config_of(trial.model, trial.d_vocab)
    return estimate(config, trial.optimizer, trial.batch_size, trial.n_pos).total


def cures(trial: Trial) -> tuple[Cure, ...]:
    """The cures that bring a trial under its limit; one that alone is not enough is left out."""
    found = []
    for name, smaller in _CURES.items():
        for tried in smaller(trial):
            if needed(tried) <= _SAFE_SHARE * trial.limit:
                found.append(Cure(name, tried, needed(tried)))
                break
    return tuple(found)


def _smaller_batches(trial: Trial) -> Iterator[Trial]:
    while trial.batch_size > 1:
        trial = replace(trial, batch_size=trial.batch_size // 2)
        yield trial


def _smaller_models(trial: Trial) -> Iterator[Trial]:
    """Half as wide, then half as deep, and again."""
    while trial.model.d_model > 2 * trial.model.n_heads or trial.model.n_layers > 1:
        model = trial.model
        if model.d_model > 2 * model.n_heads:
            model = replace(model, d_model=model.d_model // 2, d_mlp=max(1, model.d_mlp // 2))
            trial = replace(trial, model=model)
            yield trial
        if model.n_layers > 1:
            trial = replace(trial, model=replace(model, n_layers=model.n_layers // 2))
            yield trial


def _shorter_texts(trial: Trial) -> Iterator[Trial]:
    while trial.n_pos > 1:
        trial = replace(trial, n_pos=trial.n_pos // 2)
        yield trial


_CURES: dict[str, Callable[[Trial], Iterator[Trial]]] = {
    "batch": _smaller_batches,
    "model": _smaller_models,
    "length": _shorter_texts,
}
