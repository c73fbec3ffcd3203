"""A KV cache gives the logits that the lesson gives without one, on N(0, 1) weights in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmviz.model.architecture import Architecture
from lmviz.model.architectures import ARCHITECTURES
from lmviz.model.gpt2 import GPT2Config
from lmviz.model.kv_cache import KVCache, n_cached
from lmviz.model.llama import LlamaConfig
from lmviz.model.mini_llm import MiniLLMConfig

N_CTX = 11
SIZES: dict[str, Any] = {"d_vocab": 13, "n_ctx": N_CTX, "d_model": 12, "n_heads": 3, "d_mlp": 20}
CONFIGS = [
    GPT2Config(**SIZES, n_layers=1),
    GPT2Config(**SIZES, n_layers=3, tied=False, dropout=0.5),
    LlamaConfig(**{**SIZES, "n_heads": 6}, n_layers=2),
    LlamaConfig(
        **{**SIZES, "n_heads": 6},
        n_layers=2,
        n_kv_heads=2,
        d_head=10,
        norm_qk=True,
        tied=False,
        rotary_scaling="llama3",
        rotary_n_ctx=8,
        rotary_factor=3.0,
        dropout=0.5,
    ),
    LlamaConfig(**SIZES, n_layers=2, n_kv_heads=1, bias_qkv=True, d_head=4),
    MiniLLMConfig(**SIZES, n_layers=1),
    MiniLLMConfig(**SIZES, n_layers=2),  # without norms, logits grow a thousandfold with each further layer
]


def drawn(config: Any) -> tuple[Architecture[Any], nn.Module]:
    (record,) = [one for one in ARCHITECTURES.values() if one.config is type(config)]
    torch.manual_seed(0)
    model = record.model(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return record, model


@pytest.fixture(params=CONFIGS, ids=lambda config: f"{type(config).__name__}-{config.n_layers}")
def case(request: pytest.FixtureRequest) -> tuple[Architecture[Any], nn.Module]:
    return drawn(request.param)


def far(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@torch.no_grad()
def test_token_by_token_the_logits_are_those_of_the_whole_text(case: tuple[Architecture[Any], nn.Module]) -> None:
    record, model = case
    assert record.read_on is not None
    ids = torch.randint(SIZES["d_vocab"], (2, N_CTX), generator=torch.Generator().manual_seed(1))
    cache: KVCache = ()
    for pos in range(N_CTX):
        logits, cache = record.read_on(model, ids[:, pos : pos + 1], cache)
        assert n_cached(cache) == pos + 1 and logits.shape == (2, 1, SIZES["d_vocab"])
        assert far(logits[:, -1], model(ids[:, : pos + 1])[:, -1]) < 1e-9


@torch.no_grad()
@pytest.mark.parametrize("first", range(1, N_CTX))
def test_several_new_positions_do_not_see_one_another_ahead(
    case: tuple[Architecture[Any], nn.Module], first: int
) -> None:
    record, model = case
    assert record.read_on is not None
    ids = torch.randint(SIZES["d_vocab"], (1, N_CTX), generator=torch.Generator().manual_seed(2))
    whole = model(ids)
    early, cache = record.read_on(model, ids[:, :first], ())
    late, cache = record.read_on(model, ids[:, first:], cache)
    assert far(torch.cat([early, late], dim=1), whole) < 1e-9
    assert n_cached(cache) == N_CTX
