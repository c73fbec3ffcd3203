"""Train the model of a recipe and write its folder: `python -m lmviz.train RECIPE.toml [--out FOLDER]`."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import torch

from lmviz.errors import UserError
from lmviz.model.architectures import config_in
from lmviz.model.card import Card
from lmviz.model.checkpoint import Checkpoint, save
from lmviz.quantise.aware import finish, prepare
from lmviz.train.data import batches_of, read_corpus
from lmviz.train.initial import first_model
from lmviz.train.loop import train
from lmviz.train.progress import Progress
from lmviz.train.recipe import read_recipe
from lmviz.train.report import card_text
from lmviz.train.store.files import sentences


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lmviz.train", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a TOML file; see sample_models/*/recipe.toml")
    parser.add_argument("--out", type=Path, help="where the folder goes; default: where the recipe is")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # quicker for models this small, and sums come out the same for any number of cores
    out = options.out or options.recipe.parent
    try:
        with sentences(out):
            make(options.recipe, out)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def make(path: Path, out: Path) -> Checkpoint:
    """Train by a recipe, showing how far it is, and write the folder, recipe and texts included."""
    recipe = read_recipe(path)
    corpus = read_corpus(recipe, path.parent)
    model = first_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed, path.parent)
    prepared = prepare(model, recipe.quantisation)
    stream = batches_of(corpus.train, recipe.training)
    progress = Progress(recipe.training.steps, sys.stdout)
    for snapshot in train(prepared, stream, recipe.training, corpus.held_out):
        progress.show(snapshot)
    model = finish(prepared, model)
    text = card_text(recipe, corpus, model, f"python -m lmviz.train {path.as_posix()}")
    card = Card(recipe.card.title, text, recipe.card.license, recipe.card.languages, recipe.card.prompts)
    checkpoint = Checkpoint(model.eval(), corpus.tokenizer, config_in(model), card, out)
    save(checkpoint, out)
    if out.resolve() != path.parent.resolve():
        for name in filter(None, (path.name, recipe.data.file)):
            shutil.copy(path.parent / name, out)
    return checkpoint


if __name__ == "__main__":
    sys.exit(main())
