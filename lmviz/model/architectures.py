"""The architectures that lmviz knows, from the simplest on: each is one record beside its lesson."""

from __future__ import annotations

from typing import Any

from torch import nn

from lmviz.errors import UserError
from lmviz.model.architecture import Architecture, Config
from lmviz.model.gpt2_record import RECORD as GPT2
from lmviz.model.llama_record import RECORD as LLAMA
from lmviz.model.mini_llm_record import RECORD as MINI_LLM

_LISTED: tuple[Architecture[Any], ...] = (
    MINI_LLM,
    GPT2,
    LLAMA,
)
ARCHITECTURES = {record.name: record for record in _LISTED}
NAMES = tuple(sorted(ARCHITECTURES))
MODEL_TYPES = {name: record for record in _LISTED for name in (record.name, *record.model_types)}  # of config.json


def architecture_of(config: Config) -> Architecture[Any]:
    """The record of the architecture whose sizes these are.

    Raises:
        UserError: the model has no lesson here, so that nothing is known of it but what it computes.
    """
    found = record_of(config)
    if found is None:
        raise UserError("This needs a model whose architecture has a lesson here: {known}.", known=", ".join(NAMES))
    return found


def record_of(config: object) -> Architecture[Any] | None:
    """The same; None for a model that is of none of the architectures that we know."""
    return next((record for record in ARCHITECTURES.values() if type(config) is record.config), None)


def config_in(model: nn.Module) -> Config:
    """The sizes that a model of ours was built from."""
    config: Any = model.cfg
    return config  # type: ignore[no-any-return]
