"""All that lmviz knows of GPT-2 beside its lesson, in gpt2.py: on disk it has Hugging Face's names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lmviz.errors import NotInLesson
from lmviz.model.activations import read_activation, written_activation
from lmviz.model.architecture import IN_TRANSFORMERS, Architecture, Kept, Part, causal_mask
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.gpt2_cached import read_on
from lmviz.model.gpt2_nanogpt import read_nanogpt
from lmviz.model.sizes import size_in
from lmviz.model.source_edits import ATTENTION, LEARNED_POSITIONS, RESIDUALS, Edit
from lmviz.model.weights import StoredTensor, TensorLayout, is_tied

EMBEDDING, UNEMBEDDING = "transformer.wte.weight", "lm_head.weight"


# A folder -------------------------------------------------------------------------------------------------------------


def _read_config(config_json: dict[str, Any]) -> GPT2Config:
    _refuse_variants(config_json)
    d_model = size_in(config_json, "n_embd")
    return GPT2Config(
        d_vocab=size_in(config_json, "vocab_size"),
        n_ctx=size_in(config_json, "n_positions"),
        n_layers=size_in(config_json, "n_layer"),
        d_model=d_model,
        n_heads=size_in(config_json, "n_head"),
        d_mlp=4 * d_model if config_json.get("n_inner") is None else size_in(config_json, "n_inner"),
        activation=read_activation(config_json, "activation_function", "gelu_new"),
        norm_eps=config_json.get("layer_norm_epsilon", 1e-5),
        tied=config_json.get("tie_word_embeddings", True) is not False,
    )


def _refuse_variants(config_json: dict[str, Any]) -> None:
    """Variants of GPT-2 that compute something else, whose numbers the lesson would get wrong."""
    variants = {
        "scale_attn_weights": config_json.get("scale_attn_weights", True) is False,
        "scale_attn_by_inverse_layer_idx": config_json.get("scale_attn_by_inverse_layer_idx") is True
        and config_json.get("n_layer") != 1,  # the first layer is scaled by 1
        "add_cross_attention": config_json.get("add_cross_attention") is True,
    }
    for name, is_on in variants.items():
        if is_on:
            raise NotInLesson(
                "config.json sets {name}={setting}, a variant of GPT-2 that the lesson here leaves out.",
                name=name,
                setting=config_json[name],
            )


def _write_config(config: GPT2Config) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": config.d_vocab,
        "n_positions": config.n_ctx,
        "n_layer": config.n_layers,
        "n_embd": config.d_model,
        "n_head": config.n_heads,
        "n_inner": config.d_mlp,
        "activation_function": written_activation(config.activation),
        "layer_norm_epsilon": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "resid_pdrop": config.dropout,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _layout(config: GPT2Config) -> dict[str, TensorLayout]:
    d_model, d_mlp = config.d_model, config.d_mlp
    layout = {
        EMBEDDING: TensorLayout(("tok_embed.weight",), (config.d_vocab, d_model)),
        "transformer.wpe.weight": TensorLayout(("pos_embed.weight",), (config.n_ctx, d_model)),
        **_norm_layout("transformer.ln_f", "norm_final", d_model),
    }
    for layer in range(config.n_layers):
        theirs, ours = f"transformer.h.{layer}", f"blocks.{layer}"
        layout |= {
            **_norm_layout(f"{theirs}.ln_1", f"{ours}.norm_1", d_model),
            **_linear_layout(f"{theirs}.attn.c_attn", ours, ("attn.w_q", "attn.w_k", "attn.w_v"), d_model, 3 * d_model),
            **_linear_layout(f"{theirs}.attn.c_proj", ours, ("attn.w_o",), d_model, d_model),
            **_norm_layout(f"{theirs}.ln_2", f"{ours}.norm_2", d_model),
            **_linear_layout(f"{theirs}.mlp.c_fc", ours, ("mlp.w_in",), d_model, d_mlp),
            **_linear_layout(f"{theirs}.mlp.c_proj", ours, ("mlp.w_out",), d_mlp, d_model),
        }
    if not config.tied:
        layout[UNEMBEDDING] = TensorLayout(("unembed.weight",), (config.d_vocab, d_model))
    return layout


def _norm_layout(theirs: str, ours: str, d_model: int) -> dict[str, TensorLayout]:
    return {f"{theirs}.{part}": TensorLayout((f"{ours}.{part}",), (d_model,)) for part in ("weight", "bias")}


def _linear_layout(theirs: str, block: str, names: tuple[str, ...], d_in: int, d_out: int) -> dict[str, TensorLayout]:
    weights, biases = (tuple(f"{block}.{name}.{part}" for name in names) for part in ("weight", "bias"))
    return {
        f"{theirs}.weight": TensorLayout(weights, (d_in, d_out), transposed=True),
        f"{theirs}.bias": TensorLayout(biases, (d_out,)),
    }


def _rename(name: str) -> str | None:
    """Old files lack the prefix, and hold the causal mask of each block as if it were a weight."""
    if name.endswith((".attn.bias", ".attn.masked_bias")):
        return None
    return name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"


def _settle(config: GPT2Config, stored: dict[str, StoredTensor]) -> GPT2Config:
    return (
        config if is_tied(config.tied, stored, UNEMBEDDING, EMBEDDING) == config.tied else replace(config, tied=False)
    )


def _ties(config: GPT2Config) -> dict[str, str]:
    return {"unembed.weight": "tok_embed.weight"} if config.tied else {}


# Counts and memory ----------------------------------------------------------------------------------------------------


def _parts(config: GPT2Config) -> tuple[Part, ...]:
    """A tied unembedding is no part of its own."""
    d_model, d_mlp, d_vocab, n_layers = config.d_model, config.d_mlp, config.d_vocab, config.n_layers
    return (
        Part("tok_embed", 1, (d_vocab, d_model)),
        Part("pos_embed", 1, (config.n_ctx, d_model)),
        Part("w_qkv", 3 * n_layers, (d_model, d_model)),
        Part("w_o", n_layers, (d_model, d_model)),
        Part("w_in", n_layers, (d_model, d_mlp)),
        Part("w_out", n_layers, (d_mlp, d_model)),
        Part("biases", n_layers, (4 * d_model + d_mlp + d_model,)),  # of q, k, v, o; of w_in; of w_out
        Part("norms", 2 * (2 * n_layers + 1), (d_model,)),  # a scale and a shift; two norms a block, one at the end
        *(() if config.tied else (Part("unembed", 1, (d_model, d_vocab)),)),
    )


def _kept_by_block(config: GPT2Config, n_pos: int) -> tuple[Kept, ...]:
    """Two norms (centred, normed and what they give), q, k, v, joined; pre, hidden; pattern; two masks of dropout."""
    return (
        Kept(12 if config.dropout else 10, "d", (config.d_model,)),
        Kept(2, "m", (config.d_mlp,)),
        Kept(1, "HT", (config.n_heads, n_pos)),
    )


def _kept_around(config: GPT2Config) -> tuple[Kept, ...]:
    """The last norm (centred, normed and what it gives), and the log-probabilities."""
    return Kept(3, "d", (config.d_model,)), Kept(1, "V", (config.d_vocab,))


RECORD = Architecture(
    name="gpt2",
    config=GPT2Config,
    model=GPT2,
    read_config=_read_config,
    write_config=_write_config,
    layout=_layout,
    parts=_parts,
    kept_by_block=_kept_by_block,
    kept_around=_kept_around,
    use=IN_TRANSFORMERS,
    norm="layer",
    rename=_rename,
    settle=_settle,
    ties=_ties,
    tables=causal_mask,
    read_on=read_on,
    read_checkpoint=read_nanogpt,
    edits={
        **LEARNED_POSITIONS,
        **ATTENTION,
        **RESIDUALS,
        "norm_axis": (Edit("x.mean(dim=-1", "x.mean(dim=1"), Edit(".pow(2).mean(dim=-1", ".pow(2).mean(dim=1")),
        "no_final_norm": (Edit("final = self.norm_final(x)", "final = x"),),
        "residual_from_norm": (
            Edit(
                "        attn_out = self.attn(self.norm_1(x))  # [batch, pos, d_model]\n        x_mid = x + attn_out",
                "        x = self.norm_1(x)  # [batch, pos, d_model]\n"
                "        attn_out = self.attn(x)  # [batch, pos, d_model]\n        x_mid = x + attn_out",
            ),
        ),
        "wrong_gelu": (Edit("hidden = self.activation(pre)", "hidden = pre * torch.sigmoid(1.702 * pre)"),),
        "no_activation": (Edit("hidden = self.activation(pre)", "hidden = pre"),),
        "softmax_in_model": (Edit("logits = self.unembed(final)", "logits = F.softmax(self.unembed(final), dim=-1)"),),
        "untied": (Edit("        if cfg.tied:\n            self.unembed.weight = self.tok_embed.weight\n", ""),),
        "dropout_in_evaluation": (Edit("self.cfg.dropout, self.training)", "self.cfg.dropout)", times=2),),
    },
)
