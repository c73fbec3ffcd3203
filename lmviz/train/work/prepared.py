"""A run made ready to train: its texts cut into windows, its model and optimiser as they were last saved."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from lmviz.errors import UserError
from lmviz.model.architectures import config_in
from lmviz.model.files import MissingFile, json_object
from lmviz.model.tokenizer import Tokenizer
from lmviz.quantise import aware
from lmviz.train.baselines import baselines
from lmviz.train.data import LARGEST_FILE, Corpus, Windows, read_corpus
from lmviz.train.initial import config_of, first_model
from lmviz.train.loop import make_optimizer
from lmviz.train.memory import check_memory
from lmviz.train.recipe import Recipe, stored_recipe
from lmviz.train.sampling import first_words
from lmviz.train.state import restore
from lmviz.train.store.checkpoints import Checkpoints
from lmviz.train.store.files import DamagedFile, check_listed, read_listed, write_listed

RECIPE = "recipe.json"
TOKENIZER = "tokenizer.json"
_MOST_MEASURED = 512  # windows that a loss is measured on while a run trains
_MEASURING_SHARE = 0.01  # the part of the time that this takes, or a little less;
_NAMING_SHARE = 0.003  # and where nothing is held out, so that it only tells which checkpoint is the best


@dataclass(frozen=True)
class Prepared:
    """All that training needs. The model and the optimiser move on; the rest stays as it is."""

    recipe: Recipe
    corpus: Corpus
    model: nn.Module
    optimizer: torch.optim.Optimizer
    step: int  # that they have made
    measured: Windows  # some of the windows held out, or, if there are none, of those trained on
    measure_every: int
    prompt: str  # what samples begin with
    facts: Mapping[str, object]  # for who watches the run
    damage: tuple[UserError, ...] = ()  # what was found damaged and passed over

    @property
    def metric(self) -> str:
        return "measured_loss" if self.corpus.held_out is None else "held_out_loss"


def prepare(folder: Path, checkpoints: Checkpoints, logged: int, memory: int) -> Prepared:
    """Read a run's folder, and its newest checkpoint that is whole and not ahead of what was logged.

    Raises:
        UserError: the recipe can't be followed on these texts, or needs more than so many bytes of memory.
    """
    recipe = read_run_recipe(folder)
    if recipe.model.start:
        check_listed(folder, recipe.model.start)
    tokenizer = read_run_tokenizer(folder)
    corpus = read_corpus(recipe, folder, tokenizer)
    if tokenizer is None:
        write_listed(folder, {TOKENIZER: corpus.tokenizer.text().encode()})
    check_memory(config_of(recipe.model, corpus.tokenizer.d_vocab), recipe.training, len(corpus.train), memory)
    model = first_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed, folder)
    model = aware.prepare(model, recipe.quantisation)
    optimizer = make_optimizer(model, recipe.training)
    checkpoints.remove_unfinished()
    step, damage = _restore_newest(checkpoints, logged, model, optimizer)
    windows = corpus.held_out or corpus.train
    share = _MEASURING_SHARE if corpus.held_out else _NAMING_SHARE
    every = math.ceil(min(len(windows), _MOST_MEASURED) / (3 * share * _batch_size(recipe, corpus)))
    prompt = first_words(recipe, corpus.tokenizer)
    facts = _facts(recipe, corpus, model, prompt)
    every = _round_up(every)
    return Prepared(recipe, corpus, model, optimizer, step, _some(windows), every, prompt, facts, damage)


def read_run_recipe(folder: Path) -> Recipe:
    """The recipe of a run, with its texts."""
    return stored_recipe(json_object(read_listed(folder, RECIPE, LARGEST_FILE).decode("utf-8", "replace"), RECIPE))


def read_run_tokenizer(folder: Path) -> Tokenizer | None:
    """The tokenizer that a run trains with; None if there is none yet."""
    try:
        return Tokenizer.parse(read_listed(folder, TOKENIZER, LARGEST_FILE).decode("utf-8", "replace"))
    except MissingFile:
        return None


def _restore_newest(
    checkpoints: Checkpoints, logged: int, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, tuple[UserError, ...]]:
    """The newest checkpoint that is whole; those that a failing disk has damaged are passed over, named, and dropped:
    their steps are made again."""
    damaged: list[int] = []
    for step in [saved.step for saved in reversed(checkpoints.saved()) if saved.step <= logged]:
        try:
            restore(model, checkpoints.get(step), optimizer)
        except UserError as error:
            damaged.append(step)
            if isinstance(error, DamagedFile):
                checkpoints.drop([step])
        else:
            return step, _passed_over(damaged, step)
    return 0, _passed_over(damaged, 0)


def _passed_over(damaged: list[int], step: int) -> tuple[UserError, ...]:
    return tuple(
        UserError(
            "The checkpoint of step {step} is damaged: the run went on from the one of step {before}.",
            step=one,
            before=step,
        )
        for one in damaged
    )


def _some(windows: Windows) -> Windows:
    """As many windows as may be measured, always the same ones, from all over the texts."""
    if len(windows) <= _MOST_MEASURED:
        return windows
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    return windows[order[:_MOST_MEASURED]]


def _batch_size(recipe: Recipe, corpus: Corpus) -> int:
    return min(recipe.training.batch_size or len(corpus.train), len(corpus.train))


def _round_up(number: int) -> int:
    """To 10, 20, 50, 100, ...: steps that a chart's axis shows too."""
    power: int = 10 ** max(1, len(str(number)) - 1)
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= number)


def _facts(recipe: Recipe, corpus: Corpus, model: nn.Module, prompt: str) -> dict[str, object]:
    return {
        "n_parameters": sum(weight.numel() for weight in model.parameters()),
        "d_vocab": config_in(model).d_vocab,
        "n_windows": len(corpus.train),
        "n_targets": corpus.train.n_targets,
        "n_held_out": corpus.held_out.n_targets if corpus.held_out else 0,
        "batch_size": _batch_size(recipe, corpus),
        "prompt": prompt,
        "baselines": asdict(baselines(corpus.train, corpus.tokenizer.d_vocab)),
    }


def recipe_file(recipe: Mapping[str, object]) -> dict[str, bytes]:
    """The file from which `read_run_recipe` reads a recipe back."""
    return {RECIPE: json.dumps(recipe, ensure_ascii=False).encode("utf-8", "replace")}
