"""A model as training finds it: right sizes, weights drawn by the seed or taken from another model."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

from torch import nn

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.machine import check_free
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.random_state import seeded
from lmviz.train.memory import bytes_to_build
from lmviz.train.recipe import ModelRecipe

SIZES = ("n_ctx", "n_layers", "d_model", "n_heads", "d_mlp")


def first_model(recipe: ModelRecipe, d_vocab: int, seed: int, folder: Path) -> GPT2 | MiniLLM:
    """The model that a recipe in `folder` starts from: another model's weights if it names one, else new ones."""
    if not recipe.start:
        return new_model(recipe, d_vocab, seed)
    started_from = load(folder / recipe.start)
    check_same_sizes(recipe, started_from)
    model = build(recipe, started_from.config.d_vocab)
    model.load_state_dict(started_from.model.state_dict())
    return model


def new_model(recipe: ModelRecipe, d_vocab: int, seed: int) -> GPT2 | MiniLLM:
    """An untrained model in training mode. torch's own random numbers are left as they were."""
    with seeded(seed):
        model = build(recipe, d_vocab)
        _draw_weights(model, recipe.initial_std)
    return model


def build(recipe: ModelRecipe, d_vocab: int) -> GPT2 | MiniLLM:
    """The modules, with whatever weights torch gives them; a UserError if this machine has not the memory for them."""
    config = config_of(recipe, d_vocab)
    check_free(bytes_to_build(config))
    return GPT2(config) if isinstance(config, GPT2Config) else MiniLLM(config)


def config_of(recipe: ModelRecipe, d_vocab: int) -> GPT2Config | MiniLLMConfig:
    """The sizes of the model; a UserError says which of them can't be."""
    sizes = (d_vocab, *(getattr(recipe, name) for name in SIZES))
    if recipe.architecture == "mini_llm":
        return MiniLLMConfig(*sizes)
    d_vocab, n_ctx, n_layers, d_model, n_heads, d_mlp = sizes
    return GPT2Config(
        d_vocab, n_ctx, n_layers, d_model, n_heads, d_mlp, recipe.activation, tied=recipe.tied, dropout=recipe.dropout
    )


def sizes_of(config: GPT2Config | MiniLLMConfig) -> ModelRecipe:
    """The recipe of a model like one that exists."""
    known = {field.name for field in fields(ModelRecipe)}
    sizes = {name: size for name, size in asdict(config).items() if name in known}
    return ModelRecipe(architecture="gpt2" if isinstance(config, GPT2Config) else "mini_llm", **sizes)


def check_same_sizes(recipe: ModelRecipe, started_from: Checkpoint) -> None:
    theirs = sizes_of(started_from.config)
    for name in ("architecture", *SIZES, "activation", "tied"):
        if getattr(recipe, name) != getattr(theirs, name):
            raise UserError(
                "{name} must be {theirs}, as in the model that training starts from; got {ours}.",
                name=name,
                theirs=getattr(theirs, name),
                ours=getattr(recipe, name),
            )


def _draw_weights(model: nn.Module, std: float) -> None:
    """Matrices from N(0, std), biases 0: at first every token is about as likely as any other (Radford et al. 2019)."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
