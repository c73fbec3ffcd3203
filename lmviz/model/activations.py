"""Activations as config.json names them, and as the lessons do."""

from __future__ import annotations

from typing import Any

from lmviz.errors import NotInLesson, UserError

NAMES = {  # Hugging Face's name -> ours; the first of each is what we write
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


def read_activation(config_json: dict[str, Any], key: str, usual: str) -> str:
    """Our name of the activation under a key of config.json; `usual` is what it is if nothing is said."""
    activation = config_json.get(key, usual)
    if not isinstance(activation, str):
        raise UserError(
            "{key} in config.json must name an activation; got {activation!r}.", key=key, activation=activation
        )
    if activation not in NAMES:
        raise NotInLesson(
            "The lesson here has the activations {known}; {key} in config.json is {activation!r}.",
            key=key,
            known=", ".join(NAMES),
            activation=activation,
        )
    return NAMES[activation]


def written_activation(activation: str) -> str:
    return next(name for name, ours in NAMES.items() if ours == activation)
