"""Our GPT-2 against the one of `transformers`, on the same weights, in float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.checkpoint import load, save

IDS = torch.tensor([[0, 7, 3, 3, 10, 1, 2, 9, 5], [4, 4, 4, 8, 0, 6, 10, 2, 1]])  # [batch, pos]

MakeGPT2 = Callable[..., Any]


def theirs(folder: Path) -> Tensor:
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64)
    with torch.no_grad():
        return model(IDS).logits


def ours(folder: Path) -> Tensor:
    with torch.no_grad():
        return load(folder, dtype=torch.float64).model(IDS)


def assert_same_logits(folder: Path) -> None:
    logits = theirs(folder)
    assert logits.dtype == torch.float64
    assert logits.std() > 1  # far from the small numbers that would hide a difference
    torch.testing.assert_close(ours(folder), logits, rtol=1e-9, atol=1e-9)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"tie_word_embeddings": False},
        {"n_inner": 5},
        {"n_head": 1},
        {"n_head": 8},
        {"n_layer": 5},
        {"n_embd": 2, "n_head": 1},
        {"layer_norm_epsilon": 0.1},
        {"scale_attn_by_inverse_layer_idx": True, "n_layer": 1},
        {"reorder_and_upcast_attn": True},
        {"resid_pdrop": 0.9, "attn_pdrop": 0.9, "embd_pdrop": 0.9},
        *({"activation_function": name} for name in ("gelu", "relu", "silu", "swish", "tanh", "gelu_pytorch_tanh")),
    ],
    ids=str,
)
def test_logits_equal_those_of_transformers(make_gpt2: MakeGPT2, folder: Path, settings: dict[str, object]) -> None:
    make_gpt2(**settings).save_pretrained(folder)
    assert_same_logits(folder)


def test_gelu_fast_is_the_tanh_gelu_with_a_rounded_constant(make_gpt2: MakeGPT2, folder: Path) -> None:
    make_gpt2(activation_function="gelu_fast").save_pretrained(folder)
    torch.testing.assert_close(ours(folder), theirs(folder), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "variant",
    [
        {"scale_attn_weights": False},
        {"scale_attn_by_inverse_layer_idx": True},
        {"add_cross_attention": True},
        {"activation_function": "leaky_relu"},
    ],
    ids=str,
)
def test_what_the_lesson_leaves_out_opens_as_transformers_builds_it(
    make_gpt2: MakeGPT2, folder: Path, variant: dict[str, object]
) -> None:
    make_gpt2(**variant).save_pretrained(folder)
    assert_same_logits(folder)
    assert all(name in str(load(folder).not_the_lesson) for name in variant)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"activation_function": "sine"}, "has the activations gelu_new, .* is 'sine'. transformers cannot open this"),
        (
            {"add_cross_attention": True},
            "must have transformer.h.0.crossattention.* as config.json says; it is missing",
        ),
    ],
)
def test_what_neither_knows_is_a_sentence(
    make_gpt2: MakeGPT2, folder: Path, change: dict[str, object], sentence: str
) -> None:
    make_gpt2().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=sentence):
        load(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_read(make_gpt2: MakeGPT2, folder: Path, dtype: torch.dtype) -> None:
    make_gpt2().to(dtype).save_pretrained(folder)
    assert_same_logits(folder)
    assert load(folder).weight_dtype == dtype


def test_a_model_in_shards_is_read_whole(make_gpt2: MakeGPT2, folder: Path) -> None:
    make_gpt2(n_layer=4).save_pretrained(folder, max_shard_size="3KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert_same_logits(folder)


@pytest.mark.parametrize("tied", [True, False])
def test_old_files_without_prefix_and_with_masks_are_read(make_gpt2: MakeGPT2, folder: Path, tied: bool) -> None:
    make_gpt2(tie_word_embeddings=tied).save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    if tied:
        weights = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
    prefix = "" if tied else "transformer."
    for layer in range(2):
        weights[f"{prefix}h.{layer}.attn.bias"] = torch.ones(9, 9).tril()[None, None]
        weights[f"{prefix}h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert_same_logits(folder)


@pytest.mark.parametrize("equal", [True, False])
def test_of_two_tied_matrices_on_disk_the_unembedding_is_believed(
    make_gpt2: MakeGPT2, folder: Path, equal: bool
) -> None:
    make_gpt2().save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    embedding = weights["transformer.wte.weight"]
    weights["lm_head.weight"] = embedding.clone() if equal else torch.randn_like(embedding)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert_same_logits(folder)
    assert load(folder).config.tied is equal


@pytest.mark.parametrize("settings", [{}, {"tie_word_embeddings": False, "n_inner": 5, "activation_function": "relu"}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_transformers_opens_what_we_save(
    make_gpt2: MakeGPT2, folder: Path, settings: dict[str, object], dtype: torch.dtype
) -> None:
    make_gpt2(**settings).to(dtype).save_pretrained(folder)
    save(load(folder), folder / "ours")
    model, loading = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "ours", dtype=torch.float64, output_loading_info=True
    )
    assert not any(loading.values()), loading
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, theirs(folder), rtol=0, atol=0)
    assert ours(folder / "ours").equal(ours(folder))
    assert json.loads((folder / "ours" / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")
