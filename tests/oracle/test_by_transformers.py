"""Models that have no lesson here give what `transformers` gives, and older tokenizers cut texts as it does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPTNeoXForCausalLM

import lmviz
from lmviz.errors import UserError
from lmviz.model.tokenizer_folder import tokenizer_in
from lmviz.tokens.gpt2 import gpt2
from tests.by_transformers import KINDS, save_kind

TEXTS = (
    "Hello world, it's  a test\n\n of 12345 things.",
    "  élan — naïve café\u202f!",
    "日本語とemoji 🙂🙂",
    "<|endoftext|>two<|endoftext|> three",
    "",
    "\t\r\n x",
)


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_transformers(tmp_path: Path, kind: str) -> None:
    save_kind(kind, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(
        tmp_path, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager"
    )
    ours = lmviz.load(tmp_path, torch.float64)
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    with torch.no_grad():
        torch.testing.assert_close(ours.model(ids), theirs(ids).logits, rtol=0, atol=1e-9)
    assert (ours.config.d_vocab, ours.config.n_layers, ours.config.n_heads, ours.config.d_model) == (40, 2, 4, 24)


def test_numbers_that_json_lacks_are_read_as_the_library_writes_them(tmp_path: Path) -> None:
    save_kind("mamba2", tmp_path, state_size=8, num_heads=6, head_dim=8, n_groups=1, expand=2)
    assert "Infinity" in (tmp_path / "config.json").read_text(encoding="utf-8")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.no_grad():
        torch.testing.assert_close(lmviz.load(tmp_path).model(ids), theirs(ids).logits)


@pytest.mark.parametrize("shards", [1, 3])
def test_weights_in_half_precision_and_in_several_files_open(tmp_path: Path, shards: int) -> None:
    model = save_kind("gpt_neox", tmp_path).bfloat16()
    (tmp_path / "model.safetensors").unlink()
    model.save_pretrained(tmp_path, max_shard_size="6KB" if shards > 1 else "5GB")
    assert len(list(tmp_path.glob("*.safetensors"))) >= shards
    checkpoint = lmviz.load(tmp_path)
    assert checkpoint.weight_dtype == torch.bfloat16
    ids = torch.tensor([[3, 1, 4]])
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.model(ids), model.float()(ids).logits)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_hidden_layers": 3}, "The weights must have"),
        ({"num_hidden_layers": 1}, "which this architecture lacks"),
        ({"num_hidden_layers": 10**9}, "the weights have only"),
        ({"hidden_size": 28}, "shape|cannot open"),
        ({"hidden_size": 0}, "hidden_size in config.json must be a whole number|cannot open"),
        ({"vocab_size": 10**12}, "needs about|cannot open"),
        ({"model_type": "never_heard_of"}, "must be one that lmviz or transformers knows"),
        ({"model_type": "vit"}, "no causal language model"),
        ({"model_type": 3}, "must name an architecture"),
        ({"quantization_config": {"quant_method": "gptq"}}, "the weights are quantised"),
        ({"hidden_act": "__import__"}, "cannot open"),
    ],
)
def test_what_does_not_fit_is_a_sentence(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    save_kind("gpt_neox", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(UserError, match=sentence):
        lmviz.load(tmp_path)


def test_masks_that_older_files_keep_beside_the_weights_are_no_weights(tmp_path: Path) -> None:
    """Pythia's files have them."""
    model = save_kind("gpt_neox", tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    for layer in range(2):
        weights[f"gpt_neox.layers.{layer}.attention.bias"] = torch.ones(32, 32).bool().tril()[None, None]
        weights[f"gpt_neox.layers.{layer}.attention.masked_bias"] = torch.tensor(-1e9)
    save_file({name: weights[name] for name in sorted(weights)}, tmp_path / "model.safetensors", {"format": "pt"})
    checkpoint, ids = lmviz.load(tmp_path), torch.tensor([[3, 1, 4, 1, 5]])
    assert checkpoint.weight_dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.model(ids), model(ids).logits)


def test_a_package_that_the_library_lacks_is_named_and_not_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ImportError("GPTNeoX requires the fast-kernels library")

    save_kind("gpt_neox", tmp_path)
    monkeypatch.setattr(GPTNeoXForCausalLM, "_from_config", lacking)
    with pytest.raises(UserError, match="cannot open this model, 'gpt_neox': GPTNeoX requires the fast-kernels"):
        lmviz.load(tmp_path)


def older(folder: Path, name: str, **settings: object) -> None:
    """GPT-2's vocabulary as its first folders had it."""
    content = json.loads(gpt2().text())
    vocabulary = content["model"]["vocab"] | {one["content"]: one["id"] for one in content["added_tokens"]}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    merges = (pair if isinstance(pair, str) else " ".join(pair) for pair in content["model"]["merges"])
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
    ends = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name, **ends, **settings}))


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("GPT2Tokenizer", {}),
        ("GPT2TokenizerFast", {"add_prefix_space": True}),
        ("GPT2Tokenizer", {"add_bos_token": True}),
        ("Qwen2Tokenizer", {"added_tokens_decoder": {"50257": {"content": "<|im_start|>", "special": True}}}),
    ],
)
def test_an_older_tokenizer_cuts_texts_as_transformers_does(
    tmp_path: Path, name: str, settings: dict[str, object]
) -> None:
    older(tmp_path, name, **settings)
    theirs, ours = AutoTokenizer.from_pretrained(tmp_path), tokenizer_in(tmp_path)
    for text in (*TEXTS, "<|im_start|>user"):
        assert list(ours.encode(text).ids) == theirs(text)["input_ids"], text


def test_an_older_tokenizer_of_another_kind_is_a_sentence(tmp_path: Path) -> None:
    older(tmp_path, "MarianTokenizer")
    with pytest.raises(UserError, match=r"tokenizer_class in tokenizer_config\.json is Marian"):
        tokenizer_in(tmp_path)
