"""A run at any of its steps again: the model as it was, and the step that came next, as it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.architectures import config_in
from lmviz.model.card import Card
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.files import MissingFile
from lmviz.model.tokenizer import Tokenizer
from lmviz.quantise.aware import finish, prepare
from lmviz.random_state import seeded
from lmviz.train.data import Corpus, Windows, batches_of, read_corpus
from lmviz.train.initial import build
from lmviz.train.loop import make_optimizer, train
from lmviz.train.recipe import Recipe
from lmviz.train.state import restore, tensors_of
from lmviz.train.store.checkpoints import Checkpoints
from lmviz.train.store.files import DamagedFile
from lmviz.train.store.space import checkpoints_of
from lmviz.train.work.prepared import TOKENIZER, read_run_recipe, read_run_tokenizer

MOST_REPLAYED = 200  # steps made again to get from a checkpoint to the step that was asked for


@dataclass(frozen=True, eq=False)
class BeforeStep:
    """A run just before one of its steps: all that decides what the step does."""

    step: int  # the one about to be made
    model: nn.Module  # in training mode
    tensors: Mapping[str, Tensor]  # the model's weights, and what the optimiser remembers
    batch: Windows
    seed: int  # of this step's dropout


def corpus_of(root: Path, run: str) -> tuple[Recipe, Corpus]:
    """A run's recipe and what it trains on, as its trainer has them. The last few are kept; neither ever changes."""
    return _corpus(root / run)


@lru_cache(4)
def _corpus(folder: Path) -> tuple[Recipe, Corpus]:
    recipe = read_run_recipe(folder)
    return recipe, read_corpus(recipe, folder, _tokenizer(folder))


def _tokenizer(folder: Path) -> Tokenizer:
    found = read_run_tokenizer(folder)
    if found is None:
        raise MissingFile("There is no file {file} in {folder}.", file=TOKENIZER, folder=folder)
    return found


def model_at(
    root: Path, run: str, step: int, recipe: Recipe, d_vocab: int, name: str, is_rounded: bool = True
) -> Checkpoint:
    """The model that a checkpoint holds, ready to run. Its dropout is left out: it is for training only.

    Args:
        is_rounded: as it is used, if its training was quantisation-aware; else with the weights behind the rounding.
    """
    tensors = checkpoints_of(root, run).get(step)
    with seeded(0):
        model = build(replace(recipe.model, dropout=0.0), d_vocab)
    restore(model, tensors)
    if is_rounded:
        model = finish(prepare(model, recipe.quantisation), model)
    tokenizer = _tokenizer(root / run)
    card = Card(title=name, languages=recipe.card.languages, prompts=recipe.card.prompts)
    return Checkpoint(model.eval(), tokenizer, config_in(model), card)


def before_step(root: Path, run: str, step: int, d_vocab: int) -> BeforeStep:
    """The run as it was before a step: from the last checkpoint before it, with the steps between them made again.

    On one thread the same numbers come out, bit for bit.

    Raises:
        UserError: the nearest checkpoint is more than MOST_REPLAYED steps away; the sentence names it.
    """
    recipe, corpus = corpus_of(root, run)
    checkpoints, training = checkpoints_of(root, run), recipe.training
    before = [saved.step for saved in checkpoints.saved() if saved.step < step]
    if not 1 <= step <= training.steps or not before or step - 1 - before[-1] > MOST_REPLAYED:
        raise UserError(
            "A step opens up to {most} steps after a checkpoint; step {step} is not there: take the one after {near}.",
            most=MOST_REPLAYED,
            step=step,
            near=before[-1] if before else 0,
        )
    with seeded(0):
        model = prepare(build(recipe.model, d_vocab), recipe.quantisation)
    optimizer = make_optimizer(model, training)
    done = _restore_last(checkpoints, [one for one in before if step - 1 - one <= MOST_REPLAYED], model, optimizer)
    stream = batches_of(corpus.train, training, done=done)
    _make(step - 1 - done, train(model, stream, training, optimizer=optimizer, done=done))
    return BeforeStep(step, model.train(), tensors_of(model, optimizer), next(stream), training.seed + step)


def _restore_last(
    checkpoints: Checkpoints, steps: Sequence[int], model: nn.Module, optimizer: torch.optim.Optimizer
) -> int:
    """The last of some checkpoints that is whole: from whichever one starts, the same numbers come out."""
    damage = None
    for step in reversed(steps):
        try:
            restore(model, checkpoints.get(step), optimizer)
        except DamagedFile as error:
            damage = damage or error
        else:
            return step
    assert damage is not None  # there is one at least
    raise damage


def before_bad_step(root: Path, run: str, d_vocab: int) -> BeforeStep:
    """The run before the step that could not be made, with the batch that it could not be made with."""
    recipe = read_run_recipe(root / run)
    step, tensors = checkpoints_of(root, run).bad_step()
    batch = Windows(tensors.pop("inputs"), tensors.pop("targets"))
    with seeded(0):
        model = prepare(build(recipe.model, d_vocab), recipe.quantisation)
    restore(model, tensors)
    return BeforeStep(step, model.train(), tensors, batch, recipe.training.seed + step)


def _make(n_steps: int, steps: Iterator[object]) -> None:
    for _ in range(n_steps):
        next(steps)
