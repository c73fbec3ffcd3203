"""A model as training finds it: right sizes, weights drawn by the seed or taken from another model."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from lmviz.errors import UserError
from lmviz.model.architecture import Config
from lmviz.model.architectures import ARCHITECTURES, architecture_of
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.machine import check_free
from lmviz.random_state import seeded
from lmviz.train.memory import bytes_to_build
from lmviz.train.recipe import SHARED, ModelRecipe, own_settings


def first_model(recipe: ModelRecipe, d_vocab: int, seed: int, folder: Path) -> nn.Module:
    """The model that a recipe in `folder` starts from: another model's weights if it names one, else new ones."""
    if not recipe.start:
        return new_model(recipe, d_vocab, seed)
    started_from = load(folder / recipe.start)
    check_same_sizes(recipe, started_from)
    model = build(recipe, started_from.config.d_vocab)
    model.load_state_dict(started_from.model.state_dict())
    return model


def new_model(recipe: ModelRecipe, d_vocab: int, seed: int) -> nn.Module:
    """An untrained model in training mode. torch's own random numbers are left as they were."""
    with seeded(seed):
        model = build(recipe, d_vocab)
        ARCHITECTURES[recipe.architecture].draw_weights(model, recipe.initial_std)
    return model


def build(recipe: ModelRecipe, d_vocab: int) -> nn.Module:
    """The modules, with whatever weights torch gives them; a UserError if this machine has not the memory for them."""
    config = config_of(recipe, d_vocab)
    check_free(bytes_to_build(config))
    return ARCHITECTURES[recipe.architecture].model(config)


def config_of(recipe: ModelRecipe, d_vocab: int) -> Config:
    """The sizes of the model; a UserError says which of them can't be."""
    record = ARCHITECTURES[recipe.architecture]
    said = {name: getattr(recipe, name) for name in SHARED if name in record.settings}
    config: Config = record.config(d_vocab=d_vocab, **said, **dict(recipe.own))
    return config


def sizes_of(config: Config) -> ModelRecipe:
    """The recipe of a model like one that exists."""
    record = architecture_of(config)
    said = {name: getattr(config, name) for name in SHARED if name in record.settings}
    usual = {name: config.__dataclass_fields__[name].default for name in own_settings(record.name)}
    own = {name: getattr(config, name) for name in usual if getattr(config, name) != usual[name]}
    return ModelRecipe(architecture=record.name, **said, own=tuple(sorted(own.items())))


def check_same_sizes(recipe: ModelRecipe, started_from: Checkpoint) -> None:
    theirs, ours = _settings(sizes_of(started_from.config)), _settings(recipe)
    for name in {**theirs, **ours}:
        if ours.get(name) != theirs.get(name):
            raise UserError(
                "{name} must be {theirs}, as in the model that training starts from; got {ours}.",
                name=name,
                theirs=theirs.get(name),
                ours=ours.get(name),
            )


def _settings(recipe: ModelRecipe) -> dict[str, object]:
    """All that decides what a model with certain weights computes."""
    config = config_of(recipe, d_vocab=1)
    said = {name: getattr(config, name) for name in ARCHITECTURES[recipe.architecture].settings}
    return {"architecture": recipe.architecture, **said, "d_vocab": 0, "dropout": 0.0}
