"""How a Llama, a Mistral, a Qwen 2 or a Qwen 3 stands in a folder: Hugging Face's config.json and names of tensors."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from lmviz.errors import NotInLesson, UserError
from lmviz.model.activations import read_activation, written_activation
from lmviz.model.llama import SCALINGS, LlamaConfig
from lmviz.model.sizes import size_in
from lmviz.model.weights import StoredTensor, TensorLayout, is_tied

RELATIVES = ("mistral", "qwen2", "qwen3")
EMBEDDING, UNEMBEDDING = "model.embed_tokens.weight", "lm_head.weight"
_USUAL: dict[str, dict[str, Any]] = {  # what is meant where config.json says nothing
    "llama": {"num_key_value_heads": None, "max_position_embeddings": 2048, "sliding_window": None},
    "mistral": {"num_key_value_heads": 8, "max_position_embeddings": 131_072, "sliding_window": 4096},
    "qwen2": {"num_key_value_heads": 32, "max_position_embeddings": 32_768, "sliding_window": 4096},
    "qwen3": {"num_key_value_heads": 32, "max_position_embeddings": 32_768, "sliding_window": 4096, "head_dim": 128},
}


# config.json ----------------------------------------------------------------------------------------------------------


def read_config(config_json: dict[str, Any]) -> LlamaConfig:
    model_type = config_json["model_type"]
    said = {**_USUAL[model_type], **config_json}
    _refuse_window(said)
    attention_bias = model_type == "qwen2" or (model_type != "mistral" and _flag(said, "attention_bias"))
    return LlamaConfig(
        d_vocab=size_in(said, "vocab_size"),
        n_ctx=size_in(said, "max_position_embeddings"),
        n_layers=size_in(said, "num_hidden_layers"),
        d_model=size_in(said, "hidden_size"),
        n_heads=size_in(said, "num_attention_heads"),
        d_mlp=size_in(said, "intermediate_size"),
        n_kv_heads=0 if said["num_key_value_heads"] is None else size_in(said, "num_key_value_heads"),
        d_head=0 if said.get("head_dim") is None else size_in(said, "head_dim"),
        activation=read_activation(said, "hidden_act", "silu"),
        norm_eps=said.get("rms_norm_eps", 1e-6),
        tied=_flag(said, "tie_word_embeddings"),
        bias_qkv=attention_bias,
        bias_o=attention_bias and model_type != "qwen2",
        bias_mlp=model_type == "llama" and _flag(said, "mlp_bias"),
        norm_qk=model_type == "qwen3",
        **_rotation(said),
    )


def write_config(config: LlamaConfig) -> dict[str, Any]:
    model_type = _model_type(config)
    return {
        "model_type": model_type,
        "architectures": [f"{model_type.capitalize()}ForCausalLM"],
        "vocab_size": config.d_vocab,
        "max_position_embeddings": config.n_ctx,
        "num_hidden_layers": config.n_layers,
        "hidden_size": config.d_model,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.d_head,
        "intermediate_size": config.d_mlp,
        "hidden_act": written_activation(config.activation),
        "rms_norm_eps": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "attention_bias": config.bias_qkv,
        "mlp_bias": config.bias_mlp,
        "rope_theta": config.rotary_base,
        "rope_scaling": _written_scaling(config),
        "sliding_window": None,
        "use_sliding_window": False,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _model_type(config: LlamaConfig) -> str:
    """As what its flags are read back. Of these, Llama alone wants d_model to be a multiple of n_heads."""
    if config.norm_qk:
        return "qwen3"
    if config.bias_qkv and not config.bias_o:
        return "qwen2"
    return "mistral" if config.d_model % config.n_heads and not (config.bias_qkv or config.bias_mlp) else "llama"


def _flag(said: dict[str, Any], name: str) -> bool:
    flag = said.get(name, False)
    if not isinstance(flag, bool) and flag is not None:
        raise UserError("{name} in config.json must be true or false; got {flag!r}.", name=name, flag=flag)
    return bool(flag)


def _refuse_window(said: dict[str, Any]) -> None:
    """A layer that sees the last few positions only; where that is as many as the model can read, it sees all."""
    if said["sliding_window"] is None or not _has_windows(said):
        return
    window, n_ctx = size_in(said, "sliding_window"), size_in(said, "max_position_embeddings")
    if window < n_ctx:
        raise NotInLesson(
            "config.json sets sliding_window={window}, fewer than the {n_ctx} tokens that the model reads: "
            "the lesson here has no layers that see the last tokens only.",
            window=window,
            n_ctx=n_ctx,
        )


def _has_windows(said: dict[str, Any]) -> bool:
    if said["model_type"] == "mistral":
        return True
    if not _flag(said, "use_sliding_window"):
        return False
    layers = said.get("layer_types")
    if isinstance(layers, list):
        return "sliding_attention" in layers
    return size_in(said, "num_hidden_layers") > size_in({"max_window_layers": 28, **said}, "max_window_layers")


def _rotation(said: dict[str, Any]) -> dict[str, Any]:
    """The settings of the rotation, in the older spelling of config.json or in today's."""
    spelled = said.get("rope_scaling") or said.get("rope_parameters") or {}
    if not isinstance(spelled, dict):
        raise UserError("The rotation in config.json must be an object, {{...}}; got {found!r}.", found=spelled)
    kind = spelled.get("rope_type", spelled.get("type", "default"))
    if kind not in SCALINGS or spelled.get("partial_rotary_factor", said.get("partial_rotary_factor", 1)) != 1:
        raise NotInLesson(
            "The lesson here turns whole heads, and scales the rotation in one of the ways {known}; "
            "config.json asks for {found}.",
            known=", ".join(SCALINGS),
            found=spelled,
        )
    found: dict[str, Any] = {
        "rotary_base": float(_number(spelled, "rope_theta", said.get("rope_theta", 10_000.0))),
        "rotary_scaling": kind,
    }
    if kind != "default":
        found["rotary_factor"] = float(_number(spelled, "factor"))
    if kind == "llama3":
        first = said.get("original_max_position_embeddings") or spelled.get("original_max_position_embeddings")
        found["rotary_low"] = float(_number(spelled, "low_freq_factor"))
        found["rotary_high"] = float(_number(spelled, "high_freq_factor"))
        found["rotary_n_ctx"] = first or size_in(said, "max_position_embeddings")
    return found


def _number(spelled: dict[str, Any], name: str, usual: object = None) -> float:
    number = spelled.get(name, usual)
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not math.isfinite(number):
        raise UserError("{name} in config.json must be a number; got {number!r}.", name=name, number=number)
    return number


def _written_scaling(config: LlamaConfig) -> dict[str, Any] | None:
    scaling: dict[str, Any] = {"rope_type": config.rotary_scaling, "factor": config.rotary_factor}
    if config.rotary_scaling == "llama3":
        scaling["low_freq_factor"], scaling["high_freq_factor"] = config.rotary_low, config.rotary_high
        scaling["original_max_position_embeddings"] = config.rotary_n_ctx
    return None if config.rotary_scaling == "default" else scaling


# Weights --------------------------------------------------------------------------------------------------------------


def layout(config: LlamaConfig) -> dict[str, TensorLayout]:
    c = config
    d_queries, d_keys = c.n_heads * c.d_head, c.n_kv_heads * c.d_head
    found = {
        EMBEDDING: TensorLayout(("tok_embed.weight",), (c.d_vocab, c.d_model)),
        "model.norm.weight": TensorLayout(("norm_final.weight",), (c.d_model,)),
    }
    for layer in range(c.n_layers):
        theirs, ours = f"model.layers.{layer}", f"blocks.{layer}"
        found |= {
            f"{theirs}.input_layernorm.weight": TensorLayout((f"{ours}.norm_1.weight",), (c.d_model,)),
            **_linear(f"{theirs}.self_attn.q_proj", f"{ours}.attn.w_q", (d_queries, c.d_model), c.bias_qkv),
            **_linear(f"{theirs}.self_attn.k_proj", f"{ours}.attn.w_k", (d_keys, c.d_model), c.bias_qkv),
            **_linear(f"{theirs}.self_attn.v_proj", f"{ours}.attn.w_v", (d_keys, c.d_model), c.bias_qkv),
            **_linear(f"{theirs}.self_attn.o_proj", f"{ours}.attn.w_o", (c.d_model, d_queries), c.bias_o),
            f"{theirs}.post_attention_layernorm.weight": TensorLayout((f"{ours}.norm_2.weight",), (c.d_model,)),
            **_linear(f"{theirs}.mlp.gate_proj", f"{ours}.mlp.w_gate", (c.d_mlp, c.d_model), c.bias_mlp),
            **_linear(f"{theirs}.mlp.up_proj", f"{ours}.mlp.w_in", (c.d_mlp, c.d_model), c.bias_mlp),
            **_linear(f"{theirs}.mlp.down_proj", f"{ours}.mlp.w_out", (c.d_model, c.d_mlp), c.bias_mlp),
        }
        if c.norm_qk:
            found[f"{theirs}.self_attn.q_norm.weight"] = TensorLayout((f"{ours}.attn.norm_q.weight",), (c.d_head,))
            found[f"{theirs}.self_attn.k_norm.weight"] = TensorLayout((f"{ours}.attn.norm_k.weight",), (c.d_head,))
    if not c.tied:
        found[UNEMBEDDING] = TensorLayout(("unembed.weight",), (c.d_vocab, c.d_model))
    return found


def _linear(theirs: str, ours: str, shape: tuple[int, int], bias: bool) -> dict[str, TensorLayout]:
    found = {f"{theirs}.weight": TensorLayout((f"{ours}.weight",), shape)}
    return {**found, f"{theirs}.bias": TensorLayout((f"{ours}.bias",), shape[:1])} if bias else found


def rename(name: str) -> str | None:
    """Old files hold the frequencies of each block as if they were weights; a base model's names lack the prefix."""
    if name.endswith(".rotary_emb.inv_freq"):
        return None
    return name if name.startswith(("model.", "lm_head.")) else f"model.{name}"


def settle(config: LlamaConfig, stored: dict[str, StoredTensor]) -> LlamaConfig:
    return (
        config if is_tied(config.tied, stored, UNEMBEDDING, EMBEDDING) == config.tied else replace(config, tied=False)
    )
