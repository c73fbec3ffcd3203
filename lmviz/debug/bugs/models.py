"""A bug put into a model: a broken one and a healthy one that differ in nothing else."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import ModuleType
from typing import Any

from torch import nn

from lmviz.debug import plain_loop
from lmviz.debug.bugs.bug import LOOP, Bug
from lmviz.debug.bugs.source import broken_module
from lmviz.debug.lesson_step import one_by_one
from lmviz.debug.subject import ids_of
from lmviz.errors import UserError
from lmviz.model.architectures import ARCHITECTURES, architecture_of
from lmviz.model.checkpoint import Checkpoint
from lmviz.random_state import seeded
from lmviz.train.initial import new_model, sizes_of

STEPS, RATE, SEED = 60, 0.01, 0  # of the short training that shows bugs whose effect is on the weights
LARGEST = 2_000_000  # parameters of a model that is trained for a bug


def architecture(checkpoint: Checkpoint) -> str:
    """Which of the sources a model was made from; empty if none of those that bugs are written for."""
    made = type(checkpoint.model).__name__
    return next((name for name, record in ARCHITECTURES.items() if record.model.__name__ == made), "")


def why_not(bug: Bug, checkpoint: Checkpoint) -> str:
    """Why a bug cannot be shown on a model: a key of a sentence; empty if it can."""
    config = checkpoint.config
    if not bug.in_loop and architecture(checkpoint) not in bug.edits:
        return "no_such_part"
    if config.n_heads < bug.least_heads:
        return "too_few_heads"
    if config.n_layers < bug.least_layers:
        return "too_few_layers"
    if bug.needs_sharing and not 1 < architecture_of(config).key_heads(config) < config.n_heads:
        return "no_sharing"
    if bug.needs_tie and not architecture_of(config).ties(config):
        return "not_tied"
    if bug.retrain and checkpoint.n_parameters > LARGEST:
        return "too_large"
    return ""


def healthy(checkpoint: Checkpoint, bug: Bug) -> Checkpoint:
    """What the broken model is compared with: the checkpoint's own weights, or weights trained in the same way."""
    _check(bug, checkpoint)
    return _shown_for(checkpoint, bug, None)


def broken(checkpoint: Checkpoint, bug: Bug) -> Checkpoint:
    """The checkpoint with the bug in its source, or trained by a loop that has it. Otherwise as `healthy`.

    Raises:
        UserError: the bug makes no difference to this model, or has no place in it.
    """
    _check(bug, checkpoint)
    return _shown_for(checkpoint, bug, bug)


def loop_of(bug: Bug | None) -> ModuleType:
    """The training loop with the bug in it, if that is where the bug is."""
    return broken_module(bug, LOOP) if bug is not None and bug.in_loop else plain_loop


def untrained(checkpoint: Checkpoint, bug: Bug | None = None) -> nn.Module:
    """A new model of the checkpoint's sizes, the same first weights every time."""
    recipe = replace(sizes_of(checkpoint.config), initial_std=0.1)
    first = new_model(recipe, checkpoint.config.d_vocab, SEED)
    return _of_weights(_kind(checkpoint, bug), checkpoint.config, first)


def _check(bug: Bug, checkpoint: Checkpoint) -> None:
    if why_not(bug, checkpoint):
        raise UserError(
            "The bug {bug} has no place in this model: choose another model for it, or another bug.", bug=bug.name
        )


def _shown_for(checkpoint: Checkpoint, bug: Bug, present: Bug | None) -> Checkpoint:
    """The model that is shown for a bug, with it if it is present."""
    if bug.retrain:
        model = untrained(checkpoint, present)
        _train_briefly(model, checkpoint, loop_of(present))
        return replace(checkpoint, model=model.eval())
    if present is None and not bug.needs_dropout:
        return checkpoint
    config: Any = checkpoint.config
    config = replace(config, dropout=bug.needs_dropout) if bug.needs_dropout else config
    model = _of_weights(_kind(checkpoint, present), config, checkpoint.model)
    return replace(checkpoint, model=model.eval(), config=config)


def _train_briefly(model: nn.Module, checkpoint: Checkpoint, loop: ModuleType, steps: int = STEPS) -> list[float]:
    """Some steps on the checkpoint's own texts; the losses. The same every time, and nothing random is left behind."""
    pairs = loop.make_pairs(ids_of(checkpoint), checkpoint.config.n_ctx)
    return list(one_by_one(loop.train(model, *pairs, steps, RATE)))


def _kind(checkpoint: Checkpoint, bug: Bug | None) -> Any:
    """The class of a checkpoint's model, from the source that the bug is in."""
    kind = type(checkpoint.model)
    if bug is None or bug.in_loop:
        return kind
    return getattr(broken_module(bug, architecture(checkpoint)), kind.__name__)


def _of_weights(kind: Any, config: Any, source: nn.Module) -> nn.Module:
    """A model with the weights of another. torch's random numbers are left as they were."""
    with seeded(0):  # what is drawn is replaced
        model: nn.Module = kind(config)
    model.load_state_dict(copy.deepcopy(source.state_dict()))
    return model
