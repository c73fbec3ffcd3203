"""Our Llama against the four of `transformers` that it opens, on the same weights, in float64."""

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
from torch.overrides import TorchFunctionMode

from lmviz.errors import UserError
from lmviz.model.checkpoint import load, save

IDS = torch.tensor([[0, 7, 3, 3, 10, 1, 2, 9, 5], [4, 4, 4, 8, 0, 6, 10, 2, 1]])  # [batch, pos]
SIZES: dict[str, Any] = {
    "vocab_size": 11,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 7,
    "max_position_embeddings": 9,
    "head_dim": 2,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
    "rope_theta": 500_000.0,
}

Make = Callable[..., Any]


class KeepsFloat64(TorchFunctionMode):
    """`transformers` takes norms and softmax in float32, whatever the weights are; here they stay in float64."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if args and isinstance(args[0], Tensor) and args[0].dtype == torch.float64:
            if func is Tensor.to and torch.float32 in args:
                return args[0]
            if kwargs.get("dtype") == torch.float32:
                del kwargs["dtype"]
        return func(*args, **kwargs)


@pytest.fixture
def make(folder: Path) -> Make:
    """Save a tiny model of a family of `transformers`; keyword arguments go to its config."""

    def made(family: str = "Llama", dtype: torch.dtype = torch.float32, shards: str = "5GB", **settings: Any) -> Path:
        torch.manual_seed(0)
        tokens = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
        config = getattr(transformers, f"{family}Config")(**{**SIZES, **tokens, **settings})
        model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_()
        model.to(dtype).save_pretrained(folder, max_shard_size=shards)
        return folder

    return made


def theirs(folder: Path, **settings: Any) -> Tensor:
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager", **settings
    )
    with torch.no_grad(), KeepsFloat64():
        return model(IDS).logits


def ours(folder: Path) -> Tensor:
    with torch.no_grad():
        return load(folder, dtype=torch.float64).model(IDS)


def assert_same_logits(folder: Path) -> None:
    logits = theirs(folder)
    assert logits.dtype == torch.float64
    assert logits.std() > 0.5  # far from the small numbers that would hide a difference
    torch.testing.assert_close(ours(folder), logits, rtol=1e-9, atol=1e-9)


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    config = {key: value for key, value in (json.loads(path.read_text()) | changes).items() if value != "gone"}
    path.write_text(json.dumps(config))


SETTINGS = [
    {},
    {"tie_word_embeddings": True},
    {"num_key_value_heads": 1},
    {"num_key_value_heads": 4},
    {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 8},
    {"head_dim": 6},
    {"head_dim": 10, "num_hidden_layers": 3},
    {"intermediate_size": 1, "hidden_size": 4},
    {"vocab_size": 13, "max_position_embeddings": 131_072},
    {"rms_norm_eps": 0.1},
    {"rope_parameters": {"rope_type": "default", "rope_theta": 100.0}},
    {"rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": 10_000.0}, "head_dim": 6},
    {"rope_parameters": LLAMA3, "head_dim": 16},
    {"attention_dropout": 0.9},
    *({"hidden_act": name} for name in ("gelu", "relu", "swish", "tanh", "gelu_pytorch_tanh")),
]
OF_FAMILY = [
    *(("Llama", {"attention_bias": a, "mlp_bias": m}) for a, m in ((True, False), (False, True), (True, True))),
    ("Mistral", {"sliding_window": None, "hidden_size": 10, "head_dim": 4}),
    ("Mistral", {"sliding_window": 9}),
    ("Qwen2", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 2}),
    ("Qwen3", {"attention_bias": True}),
    ("Qwen3", {"use_sliding_window": False, "sliding_window": 3, "head_dim": 6}),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("family", ["Llama", "Mistral", "Qwen2", "Qwen3"])
def test_logits_equal_those_of_transformers(make: Make, family: str, settings: dict[str, Any]) -> None:
    window = {"sliding_window": None} if family == "Mistral" else {}
    assert_same_logits(make(family, **window, **settings))


@pytest.mark.parametrize(("family", "settings"), OF_FAMILY, ids=str)
def test_every_flag_of_a_family_is_known(make: Make, family: str, settings: dict[str, Any]) -> None:
    assert_same_logits(make(family, **settings))


def test_the_slow_the_middle_and_the_fast_pairs_of_llama_3_are_all_met(make: Make) -> None:
    """Between the slow and the fast ones, its scaling is a mixture."""
    scaled = load(make(rope_parameters=LLAMA3, head_dim=16)).model.freq[:8]
    usual = load(make(rope_parameters={"rope_type": "default", "rope_theta": 5e5}, head_dim=16)).model.freq[:8]
    share = (scaled / usual).tolist()
    assert share[0] == 1 and share[-1] == 1 / 8 and any(1 / 8 < one < 1 for one in share)


@pytest.mark.parametrize("kind", ["default", "linear", "llama3"])
@pytest.mark.parametrize("name", ["type", "rope_type"])
def test_the_older_spelling_of_the_rotation_is_read(make: Make, kind: str, name: str) -> None:
    scaling = {"default": None, "linear": {"factor": 3.0}, "llama3": {k: LLAMA3[k] for k in list(LLAMA3)[1:5]}}[kind]
    written = None if scaling is None else {**scaling, name: kind}
    folder = make(head_dim=8)
    edit(folder, rope_parameters="gone", rope_theta=500.0, rope_scaling=written)
    assert_same_logits(folder)
    assert (load(folder).config.rotary_scaling, load(folder).config.rotary_base) == (kind, 500.0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["num_key_value_heads", "rms_norm_eps", "tie_word_embeddings", "rope_parameters"])
def test_what_config_json_does_not_say_is_what_transformers_takes_it_for(make: Make, name: str) -> None:
    folder = make(num_key_value_heads=4)
    edit(folder, **{name: "gone"})
    assert_same_logits(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision_are_read(make: Make, dtype: torch.dtype) -> None:
    folder = make(dtype=dtype)
    assert_same_logits(folder)
    assert load(folder).weight_dtype == dtype


def test_a_model_in_shards_is_read_whole(make: Make) -> None:
    folder = make(num_hidden_layers=4, shards="2KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    assert_same_logits(folder)


def test_old_files_with_frequencies_are_read(make: Make) -> None:
    folder = make()
    weights = load_file(folder / "model.safetensors")
    weights |= {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(1) for i in range(2)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert_same_logits(folder)


@pytest.mark.parametrize("equal", [True, False])
def test_of_two_tied_matrices_on_disk_the_unembedding_is_believed(make: Make, equal: bool) -> None:
    folder = make(tie_word_embeddings=True)
    weights = load_file(folder / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = embedding.clone() if equal else torch.randn_like(embedding)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert_same_logits(folder)
    assert load(folder).config.tied is equal  # type: ignore[attr-defined]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("family", "settings"),
    [
        *OF_FAMILY,
        ("Llama", {}),
        ("Llama", {"tie_word_embeddings": True, "hidden_act": "gelu"}),
        ("Llama", {"rope_parameters": LLAMA3, "head_dim": 16}),
        ("Qwen2", {"rope_parameters": {"rope_type": "linear", "factor": 3.0, "rope_theta": 77.0}}),
        ("Qwen3", {"head_dim": 6}),
    ],
    ids=str,
)
def test_transformers_opens_what_we_save(make: Make, family: str, settings: Any, dtype: torch.dtype) -> None:
    folder = make(family, dtype=dtype, **settings)
    save(load(folder), folder / "ours")
    _, loading = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "ours", dtype=torch.float64, output_loading_info=True
    )
    assert not any(loading.values()), loading
    assert theirs(folder / "ours").equal(theirs(folder))
    assert ours(folder / "ours").equal(ours(folder))
    assert json.loads((folder / "ours" / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(
    ("family", "changes", "sentence"),
    [
        ("Llama", {"rope_parameters": {"rope_type": "never heard of"}}, "in one of the ways default, linear, llama3"),
        ("Llama", {"rope_parameters": [1]}, "must be an object"),
        ("Llama", {"rope_parameters": {"rope_type": "linear"}}, "factor in config.json must be a number; got None"),
        ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 0}}, "rotary_factor must be .* above 0; got 0"),
        ("Llama", {"rope_parameters": {"rope_type": []}}, "in one of the ways default, linear, llama3"),
        ("Llama", {"rope_parameters": {**LLAMA3, "high_freq_factor": 1.0}}, "above 0; got 0"),
        ("Llama", {"rope_parameters": {**LLAMA3, "original_max_position_embeddings": "x"}}, "rotary_n_ctx must be"),
        ("Llama", {"rope_parameters": "gone", "rope_theta": "10000"}, "rope_theta in config.json must be a number"),
        ("Llama", {"head_dim": 3}, "d_head must be even"),
        ("Llama", {"num_key_value_heads": 3}, "n_heads must be a multiple of n_kv_heads"),
        ("Llama", {"num_key_value_heads": 0}, "num_key_value_heads in config.json must be a whole number"),
        ("Llama", {"hidden_act": "shiny"}, "hidden_act in config.json is 'shiny'"),
        ("Llama", {"attention_bias": "yes"}, "attention_bias in config.json must be true or false"),
        ("Llama", {"rms_norm_eps": None}, "norm_eps must be a finite number above 0"),
        ("Llama", {"max_position_embeddings": 0}, "max_position_embeddings in config.json must be"),
        ("Mistral", {"sliding_window": "wide"}, "sliding_window in config.json must be a whole number"),
    ],
    ids=str,
)
def test_a_config_that_makes_no_model_is_refused_in_a_sentence(
    make: Make, family: str, changes: dict[str, Any], sentence: str
) -> None:
    folder = make(family, **({"sliding_window": None} if family == "Mistral" else {}))
    edit(folder, **changes)
    with pytest.raises(UserError, match=sentence):
        load(folder)


@pytest.mark.parametrize(
    ("family", "changes", "why"),
    [
        ("Llama", {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 99.0}}, "'yarn'"),
        ("Llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 99.0}}, "'dynamic'"),
        ("Llama", {"rope_parameters": "gone", "rope_scaling": {"type": "yarn", "factor": 4.0}}, "'yarn'"),
        ("Llama", {"hidden_act": "leaky_relu"}, "hidden_act in config.json is 'leaky_relu'"),
        ("Mistral", {"sliding_window": 3}, "sliding_window=3, fewer than the 9 tokens"),
        ("Mistral", {"sliding_window": "gone", "max_position_embeddings": 8192}, "sliding_window=4096, fewer than"),
        ("Qwen2", {"use_sliding_window": True, "sliding_window": 3, "max_window_layers": 1, "layer_types": None}, "=3"),
        ("Qwen3", {"use_sliding_window": True, "sliding_window": 3, "layer_types": ["sliding_attention"] * 2}, "=3"),
    ],
    ids=str,
)
def test_what_the_lesson_leaves_out_opens_as_transformers_builds_it(
    make: Make, family: str, changes: dict[str, Any], why: str
) -> None:
    folder = make(family, head_dim=4, **({"sliding_window": None} if family == "Mistral" else {}))
    edit(folder, **changes)
    with KeepsFloat64():
        logits = ours(folder)
    torch.testing.assert_close(logits, theirs(folder), rtol=1e-9, atol=1e-9)
    assert why in str(load(folder).not_the_lesson)
