"""A run made ready to train: its texts cut into windows, its model and optimiser as they were last saved."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from lmviz.errors import UserError
from lmviz.model.files import read_json_object
from lmviz.model.gpt2 import GPT2
from lmviz.model.mini_llm import MiniLLM
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
from lmviz.train.store.files import UNFINISHED
from lmviz.train.store.shelf import Shelf

RECIPE = "recipe.json"
TOKENIZER = "tokenizer.json"
MOST_MEASURED = 512  # windows that a loss is measured on while a run trains
MEASURING_SHARE = 0.01  # the part of the time that this takes, or a little less;
NAMING_SHARE = 0.003  # and where nothing is held out, so that it only tells which checkpoint is the best


@dataclass(frozen=True)
class Prepared:
    """All that training needs. The model and the optimiser move on; the rest stays as it is."""

    recipe: Recipe
    corpus: Corpus
    model: GPT2 | MiniLLM
    optimizer: torch.optim.Optimizer
    step: int  # that they have made
    measured: Windows  # some of the windows held out, or, if there are none, of those trained on
    measure_every: int
    prompt: str  # what samples begin with
    facts: Mapping[str, object]  # for who watches the run

    @property
    def metric(self) -> str:
        return "measured_loss" if self.corpus.held_out is None else "held_out_loss"


def prepare(folder: Path, shelf: Shelf, logged: int, memory: int) -> Prepared:
    """Read a run's folder, and its newest checkpoint that is whole and not ahead of what was logged.

    Raises:
        UserError: the recipe can't be followed on these texts, or needs more than so many bytes of memory.
    """
    recipe = read_run_recipe(folder)
    tokenizer = Tokenizer.from_file(folder / TOKENIZER) if (folder / TOKENIZER).is_file() else None
    corpus = read_corpus(recipe, folder, tokenizer)
    if tokenizer is None:
        _write_tokenizer(corpus.tokenizer, folder)
    check_memory(config_of(recipe.model, corpus.tokenizer.d_vocab), recipe.training, len(corpus.train), memory)
    model = first_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed, folder)
    model = aware.prepare(model, recipe.quantisation)
    optimizer = make_optimizer(model, recipe.training)
    shelf.tidy()
    step = _restore_newest(shelf, logged, model, optimizer)
    windows = corpus.held_out or corpus.train
    share = MEASURING_SHARE if corpus.held_out else NAMING_SHARE
    every = math.ceil(min(len(windows), MOST_MEASURED) / (3 * share * _batch_size(recipe, corpus)))
    prompt = first_words(recipe, corpus.tokenizer)
    facts = _facts(recipe, corpus, model, prompt)
    return Prepared(recipe, corpus, model, optimizer, step, _some(windows), _round_up(every), prompt, facts)


def read_run_recipe(folder: Path) -> Recipe:
    """The recipe of a run, with its texts."""
    return stored_recipe(read_json_object(folder / RECIPE, LARGEST_FILE))


def _restore_newest(shelf: Shelf, logged: int, model: GPT2 | MiniLLM, optimizer: torch.optim.Optimizer) -> int:
    """A checkpoint that a failing disk has damaged is passed over for the one before it."""
    for saved in reversed(shelf.saved()):
        if saved.step <= logged:
            try:
                restore(model, shelf.get(saved.step), optimizer)
            except UserError:
                continue
            return saved.step
    return 0


def _some(windows: Windows) -> Windows:
    """As many windows as may be measured, always the same ones, from all over the texts."""
    if len(windows) <= MOST_MEASURED:
        return windows
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    return windows[order[:MOST_MEASURED]]


def _batch_size(recipe: Recipe, corpus: Corpus) -> int:
    return min(recipe.training.batch_size or len(corpus.train), len(corpus.train))


def _round_up(number: int) -> int:
    """To 10, 20, 50, 100, ...: steps that a chart's axis shows too."""
    power: int = 10 ** max(1, len(str(number)) - 1)
    return next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= number)


def _facts(recipe: Recipe, corpus: Corpus, model: GPT2 | MiniLLM, prompt: str) -> dict[str, object]:
    return {
        "n_parameters": sum(weight.numel() for weight in model.parameters()),
        "d_vocab": model.cfg.d_vocab,
        "n_windows": len(corpus.train),
        "n_targets": corpus.train.n_targets,
        "n_held_out": corpus.held_out.n_targets if corpus.held_out else 0,
        "batch_size": _batch_size(recipe, corpus),
        "prompt": prompt,
        "baselines": asdict(baselines(corpus.train, corpus.tokenizer.d_vocab)),
    }


def _write_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    unfinished = folder / (TOKENIZER + UNFINISHED)
    tokenizer.save(unfinished)
    unfinished.replace(folder / TOKENIZER)


def write_run_recipe(recipe: Mapping[str, object], folder: Path) -> None:
    (folder / RECIPE).write_text(json.dumps(recipe, ensure_ascii=False), encoding="utf-8")
