"""Random GPT-2s, saved by `transformers`. All weights are from N(0, 1), since GPT-2's own small ones hide bugs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from lmviz.model.tokenizer import Tokenizer

MakeGPT2 = Callable[..., transformers.GPT2LMHeadModel]


@pytest.fixture(scope="session", autouse=True)
def _quiet() -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


@pytest.fixture
def make_gpt2() -> MakeGPT2:
    """A tiny GPT-2 of `transformers` in eval mode; keyword arguments go to its config."""

    def make(**settings: object) -> transformers.GPT2LMHeadModel:
        torch.manual_seed(0)
        sizes = {"vocab_size": 11, "n_positions": 9, "n_embd": 8, "n_layer": 2, "n_head": 2}
        config = transformers.GPT2Config(**{**sizes, "bos_token_id": None, "eos_token_id": None, **settings})
        model = transformers.GPT2LMHeadModel(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_()
        return model

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a tokenizer of eleven letters, and no model yet."""
    Tokenizer.characters("abcdefghijk").save(tmp_path / "tokenizer.json")
    return tmp_path
