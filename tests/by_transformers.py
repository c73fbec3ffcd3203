"""Folders of models that have no lesson here, tiny, as `transformers` saves them. All weights are from N(0, 1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM

from lmviz.model.tokenizer import Tokenizer

LETTERS = " abcdefghijklmnopqrstuvwxyz.'"
SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 36,
    "max_position_embeddings": 32,
}
GROUPED = {**SIZES, "num_key_value_heads": 2}
KINDS: dict[str, dict[str, Any]] = {
    "gpt_neox": SIZES,  # Pythia's
    "gpt_neo": {
        **SIZES,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 4,
    },
    "opt": {**SIZES, "ffn_dim": 36, "word_embed_proj_dim": 24},
    "gemma2": {**GROUPED, "head_dim": 8, "sliding_window": 4},
    "gemma3_text": {**GROUPED, "head_dim": 8, "sliding_window": 4},
    "phi3": {**GROUPED, "pad_token_id": 0},
    "mixtral": {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2},
    "bloom": {"vocab_size": 40, "hidden_size": 24, "n_layer": 2, "n_head": 4},
}
_ROUTED = {"num_experts_per_tok": 2, "moe_intermediate_size": 20}
_GROUPS = {
    **_ROUTED,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "first_k_dense_replace": 0,
    "n_group": 4,
    "topk_group": 2,
}
ROUTERS: dict[str, dict[str, Any]] = {  # each chooses among its experts in another way
    "mixtral": KINDS["mixtral"],
    "qwen2_moe": {**GROUPED, **_ROUTED, "num_experts": 4, "shared_expert_intermediate_size": 28},  # one works always
    "ernie4_5_moe": {**GROUPED, **_ROUTED, "moe_num_experts": 4, "moe_k": 2, "moe_layer_start_index": 0},
    "deepseek_v3": {  # groups of experts first
        **SIZES,
        **_GROUPS,
        "num_key_value_heads": 4,
        "kv_lora_rank": 8,
        "q_lora_rank": 8,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4,
        "v_head_dim": 6,
    },
    "olmoe": {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2},
}


def of_transformers(kind: str, **settings: object) -> Any:
    """A model of the library's, in eval mode, its attention written out."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.manual_seed(0)
    ends = {"bos_token_id": None, "eos_token_id": None}
    config = AutoConfig.for_model(kind, **{**ends, **(KINDS | ROUTERS).get(kind, SIZES), **settings})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def save_kind(kind: str, folder: Path, **settings: object) -> Any:
    """Make such a folder, with a tokenizer of letters; returns the model that was saved."""
    model = of_transformers(kind, **settings)
    model.save_pretrained(folder)
    Tokenizer.characters(LETTERS).save(folder / "tokenizer.json")
    return model
