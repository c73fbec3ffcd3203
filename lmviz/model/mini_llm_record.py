"""All that lmviz knows of the mini-LLM beside its lesson, in mini_llm.py. On disk it has our own names throughout."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from lmviz.model.architecture import Architecture, Kept, Part, Use, causal_mask
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.model.mini_llm_cached import read_on
from lmviz.model.sizes import size_in
from lmviz.model.source_edits import ATTENTION, LEARNED_POSITIONS, RESIDUALS, Edit
from lmviz.model.weights import TensorLayout


def _read_config(config_json: dict[str, Any]) -> MiniLLMConfig:
    return MiniLLMConfig(**{field.name: size_in(config_json, field.name) for field in fields(MiniLLMConfig)})


def _layout(config: MiniLLMConfig) -> dict[str, TensorLayout]:
    d_model, d_mlp = config.d_model, config.d_mlp
    shapes: dict[str, tuple[int, ...]] = {
        "tok_embed.weight": (config.d_vocab, d_model),
        "pos_embed.weight": (config.n_ctx, d_model),
        "unembed.weight": (config.d_vocab, d_model),
    }
    for layer in range(config.n_layers):
        shapes |= {f"blocks.{layer}.attn.{name}.weight": (d_model, d_model) for name in ("w_q", "w_k", "w_v")}
        shapes |= {f"blocks.{layer}.mlp.w_in.weight": (d_mlp, d_model), f"blocks.{layer}.mlp.w_in.bias": (d_mlp,)}
        shapes |= {f"blocks.{layer}.mlp.w_out.weight": (d_model, d_mlp), f"blocks.{layer}.mlp.w_out.bias": (d_model,)}
    return {name: TensorLayout((name,), shape) for name, shape in shapes.items()}


def _parts(config: MiniLLMConfig) -> tuple[Part, ...]:
    d_model, d_mlp, d_vocab, n_layers = config.d_model, config.d_mlp, config.d_vocab, config.n_layers
    return (
        Part("tok_embed", 1, (d_vocab, d_model)),
        Part("pos_embed", 1, (config.n_ctx, d_model)),
        Part("w_qkv", 3 * n_layers, (d_model, d_model)),
        Part("w_in", n_layers, (d_model, d_mlp)),
        Part("w_out", n_layers, (d_mlp, d_model)),
        Part("biases", n_layers, (d_mlp + d_model,)),
        Part("unembed", 1, (d_model, d_vocab)),
    )


def _kept_by_block(config: MiniLLMConfig, n_pos: int) -> tuple[Kept, ...]:
    """x, q, k, v, x_mid; hidden; pattern."""
    return (
        Kept(5, "d", (config.d_model,)),
        Kept(1, "m", (config.d_mlp,)),
        Kept(1, "HT", (config.n_heads, n_pos)),
    )


def _kept_around(config: MiniLLMConfig) -> tuple[Kept, ...]:
    """x, and the log-probabilities."""
    return Kept(1, "d", (config.d_model,)), Kept(1, "V", (config.d_vocab,))


RECORD = Architecture(
    name="mini_llm",
    config=MiniLLMConfig,
    model=MiniLLM,
    read_config=_read_config,
    write_config=asdict,
    layout=_layout,
    parts=_parts,
    kept_by_block=_kept_by_block,
    kept_around=_kept_around,
    use=Use(
        "`transformers` does not know this architecture; lmviz opens it. In this folder:",
        """\
import lmviz

checkpoint = lmviz.load(".")
ids = checkpoint.tokenizer.encode({prompt}).ids_tensor
print(checkpoint.tokenizer.piece(int(checkpoint.model(ids)[0, -1].argmax())))""",
    ),
    norm="none",
    tables=causal_mask,
    read_on=read_on,
    fixed={"activation": "relu", "tied": False, "dropout": 0},
    edits={
        **LEARNED_POSITIONS,
        **ATTENTION,
        **RESIDUALS,
        "no_activation": (Edit("hidden = F.relu(pre)", "hidden = pre"),),
        "softmax_in_model": (Edit("logits = self.unembed(x)", "logits = F.softmax(self.unembed(x), dim=-1)"),),
    },
)
