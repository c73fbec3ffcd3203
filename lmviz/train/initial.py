"""A model as training finds it: right sizes, weights drawn by the seed."""

from __future__ import annotations

import torch
from torch import nn

from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.train.recipe import ModelRecipe


def new_model(recipe: ModelRecipe, d_vocab: int, seed: int) -> GPT2 | MiniLLM:
    """An untrained model in training mode. torch's own random numbers are left as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(recipe, d_vocab)
        _draw_weights(model, recipe.initial_std)
    return model


def _model(recipe: ModelRecipe, d_vocab: int) -> GPT2 | MiniLLM:
    sizes = (d_vocab, recipe.n_ctx, recipe.n_layers, recipe.d_model, recipe.n_heads, recipe.d_mlp)
    if recipe.architecture == "mini_llm":
        return MiniLLM(MiniLLMConfig(*sizes))
    return GPT2(GPT2Config(*sizes, activation=recipe.activation, tied=recipe.tied, dropout=recipe.dropout))


def _draw_weights(model: nn.Module, std: float) -> None:
    """Matrices from N(0, std), biases 0: at first every token is about as likely as any other (Radford et al. 2019)."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
