"""All that lmviz knows of Llama beside its lesson, in llama.py; how it stands in a folder is in llama_folder.py."""

from __future__ import annotations

from lmviz.model import llama_folder
from lmviz.model.architecture import IN_TRANSFORMERS, Architecture, Kept, Part, Table
from lmviz.model.llama import Llama, LlamaConfig, frequencies
from lmviz.model.llama_cached import read_on
from lmviz.model.source_edits import ATTENTION, RESIDUALS, Edit, Edits

_FLOAT = 4  # bytes


def _ties(config: LlamaConfig) -> dict[str, str]:
    return {"unembed.weight": "tok_embed.weight"} if config.tied else {}


def _tables(config: LlamaConfig) -> tuple[Table, ...]:
    return (Table("freq", _FLOAT * config.d_head, 1, lambda: frequencies(config)),)


# Counts and memory ----------------------------------------------------------------------------------------------------


def _parts(config: LlamaConfig) -> tuple[Part, ...]:
    """A tied unembedding is no part of its own."""
    c = config
    d_queries, d_keys = c.n_heads * c.d_head, c.n_kv_heads * c.d_head
    biases = c.bias_qkv * (d_queries + 2 * d_keys) + c.bias_o * c.d_model + c.bias_mlp * (2 * c.d_mlp + c.d_model)
    return (
        Part("tok_embed", 1, (c.d_vocab, c.d_model)),
        Part("w_q", c.n_layers, (c.d_model, d_queries)),
        Part("w_kv", 2 * c.n_layers, (c.d_model, d_keys)),
        Part("w_o", c.n_layers, (d_queries, c.d_model)),
        Part("w_gate", c.n_layers, (c.d_model, c.d_mlp)),
        Part("w_in", c.n_layers, (c.d_model, c.d_mlp)),
        Part("w_out", c.n_layers, (c.d_mlp, c.d_model)),
        *((Part("biases", c.n_layers, (biases,)),) if biases else ()),
        Part("norms", 2 * c.n_layers + 1, (c.d_model,)),
        *((Part("norms_qk", 2 * c.n_layers, (c.d_head,)),) if c.norm_qk else ()),
        *(() if c.tied else (Part("unembed", 1, (c.d_model, c.d_vocab)),)),
    )


def _kept_by_block(config: LlamaConfig, n_pos: int) -> tuple[Kept, ...]:
    """Two norms (x, normed and what they give), two masks of dropout; q, a quarter further, z; the same of keys and
    values; pre, gate, wide, hidden; pattern."""
    c = config
    normed = 2 if c.norm_qk else 0
    return (
        Kept(8 if c.dropout else 6, "d", (c.d_model,)),
        Kept(2 + normed, "Hh", (c.n_heads, c.d_head)),
        Kept(2 if c.n_kv_heads < c.n_heads else 1, "Hh", (c.n_heads, c.d_head)),
        Kept(1 + normed, "Gh", (c.n_kv_heads, c.d_head)),
        Kept(4, "m", (c.d_mlp,)),
        Kept(1, "HT", (c.n_heads, n_pos)),
    )


def _kept_around(config: LlamaConfig) -> tuple[Kept, ...]:
    """The last norm (x, normed and what it gives), and the log-probabilities."""
    return Kept(3, "d", (config.d_model,)), Kept(1, "V", (config.d_vocab,))


# Bugs -----------------------------------------------------------------------------------------------------------------

_MASKED = "scores.masked_fill(~causal, -math.inf)"
_JOIN = "z.transpose(1, 2).flatten(-2)"
_JOINED_WRONGLY = "z.reshape(x.shape[0], n_pos, -1)"
_SHUFFLED = ".view(x.shape[0], -1, n_pos, self.cfg.d_head)"

_ATTENTION: Edits = {
    **{name: ATTENTION[name] for name in ("no_scale", "softmax_axis")},
    "k_and_v_swapped": (
        Edit("k = self.norm_k(self.w_k(x)", "k = self.norm_k(self.w_v(x)"),
        Edit("        v = self.w_v(x)", "        v = self.w_k(x)"),
    ),
    "heads_not_transposed": (
        Edit("(self.w_q(x).unflatten(-1, heads)).transpose(1, 2)", f"(self.w_q(x){_SHUFFLED})"),
        Edit("(self.w_k(x).unflatten(-1, kv_heads)).transpose(1, 2)", f"(self.w_k(x){_SHUFFLED})"),
        Edit("self.w_v(x).unflatten(-1, kv_heads).transpose(1, 2)", f"self.w_v(x){_SHUFFLED}"),
        Edit(_JOIN, _JOINED_WRONGLY),
    ),
    "heads_joined_wrongly": (Edit(_JOIN, _JOINED_WRONGLY),),
    "no_mask": (Edit(_MASKED, "scores"),),
    "mask_with_zero": (Edit(_MASKED, _MASKED.replace("-math.inf", "0.0")),),
    "wrong_triangle": (Edit("device=x.device).tril()", "device=x.device).triu()"),),
    "mask_after_softmax": (
        Edit(f"        masked = {_MASKED}", "        seen = F.softmax(scores, dim=-1)"),
        Edit("pattern = F.softmax(masked, dim=-1)", "pattern = seen.masked_fill(~causal, 0.0)"),
    ),
}
_Q_QUARTER, _K_QUARTER = "torch.cat((-q_2, q_1), dim=-1)", "torch.cat((-k_2, k_1), dim=-1)"
_Q_ROT, _K_ROT = "q_rot = q * cos + q_quarter * sin", "k_rot = k * cos + k_quarter * sin"
_ROTATION: Edits = {
    "rotation_left_out": (Edit(_Q_ROT, "q_rot = q"), Edit(_K_ROT, "k_rot = k")),
    "rotated_backwards": (
        Edit(_Q_QUARTER, "torch.cat((q_2, -q_1), dim=-1)"),
        Edit(_K_QUARTER, "torch.cat((k_2, -k_1), dim=-1)"),
    ),
    "neighbours_paired": (
        Edit("q_1, q_2 = q.chunk(2, dim=-1)", "q_1, q_2 = q[..., ::2], q[..., 1::2]"),
        Edit(_Q_QUARTER, "torch.stack((-q_2, q_1), dim=-1).flatten(-2)"),
        Edit("k_1, k_2 = k.chunk(2, dim=-1)", "k_1, k_2 = k[..., ::2], k[..., 1::2]"),
        Edit(_K_QUARTER, "torch.stack((-k_2, k_1), dim=-1).flatten(-2)"),
    ),
    "keys_from_one": (
        Edit("pos = torch.arange(ids.shape[1], device", "pos = torch.arange(ids.shape[1] + 1, device"),
        Edit(_Q_ROT, "q_rot = q * cos[:-1] + q_quarter * sin[:-1]"),
        Edit(_K_ROT, "k_rot = k * cos[1:] + k_quarter * sin[1:]"),
    ),
    "keys_in_wrong_order": (
        Edit("k_rot.repeat_interleave(n_sharing, dim=1)", "k_rot.repeat(1, n_sharing, 1, 1)"),
        Edit("v.repeat_interleave(n_sharing, dim=1)", "v.repeat(1, n_sharing, 1, 1)"),
    ),
}
_BESIDE_ATTENTION: Edits = {
    "norm_axis": (Edit("x.pow(2).mean(dim=-1", "x.pow(2).mean(dim=1"),),
    "norm_without_scale": (Edit("scaled = normed * self.weight", "scaled = normed"),),
    "no_final_norm": (Edit("final = self.norm_final(x)", "final = x"),),
    "residual_from_norm": (
        Edit(
            "        attn_out = self.attn(self.norm_1(x), angle)  # [batch, pos, d_model]\n"
            "        x_mid = x + attn_out",
            "        x = self.norm_1(x)  # [batch, pos, d_model]\n"
            "        attn_out = self.attn(x, angle)  # [batch, pos, d_model]\n        x_mid = x + attn_out",
        ),
    ),
    "no_activation": (Edit("hidden = gate * wide", "hidden = wide"),),  # pre * wide would still bend
    "softmax_in_model": (Edit("logits = self.unembed(final)", "logits = F.softmax(self.unembed(final), dim=-1)"),),
    "untied": (Edit("        if cfg.tied:\n            self.unembed.weight = self.tok_embed.weight\n", ""),),
    "dropout_in_evaluation": (Edit("self.cfg.dropout, self.training)", "self.cfg.dropout)", times=2),),
}


RECORD = Architecture(
    name="llama",
    config=LlamaConfig,
    model=Llama,
    model_types=llama_folder.RELATIVES,
    read_config=llama_folder.read_config,
    write_config=llama_folder.write_config,
    layout=llama_folder.layout,
    rename=llama_folder.rename,
    settle=llama_folder.settle,
    parts=_parts,
    kept_by_block=_kept_by_block,
    kept_around=_kept_around,
    use=IN_TRANSFORMERS,
    norm="rms",
    key_heads=lambda config: config.n_kv_heads,
    ties=_ties,
    tables=_tables,
    read_on=read_on,
    fixed={"activation": "silu"},
    edits={**_ATTENTION, **_ROTATION, **RESIDUALS, **_BESIDE_ATTENTION},
)
