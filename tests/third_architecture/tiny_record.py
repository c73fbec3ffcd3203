"""The record of that architecture."""

from __future__ import annotations

import math
from dataclasses import asdict, fields

import torch
from lmviz.model.tiny import Tiny, TinyConfig

from lmviz.model.architecture import Architecture, Kept, Part, Table, Use
from lmviz.model.source_edits import Edit
from lmviz.model.weights import Slot


def shapes(c: TinyConfig) -> dict[str, tuple[int, int]]:
    d, h, wide = c.d_model, c.d_head, c.n_heads * c.d_head
    return {
        "w_q": (wide, d),
        "w_k": (h, d),
        "w_v": (h, d),
        "w_o": (d, wide),
        "gate": (c.d_mlp, d),
        "w_in": (c.d_mlp, d),
        "w_out": (d, c.d_mlp),
    }


def slots(c: TinyConfig) -> dict[str, Slot]:
    found = {"tok_embed.weight": (c.d_vocab, c.d_model)}
    if not c.tied:
        found["unembed.weight"] = (c.d_vocab, c.d_model)
    for layer in range(c.n_layers):
        found |= {f"blocks.{layer}.{name}.weight": shape for name, shape in shapes(c).items()}
    return {name: Slot((name,), shape) for name, shape in found.items()}


def parts(c: TinyConfig) -> tuple[Part, ...]:
    inside = tuple(Part(name, c.n_layers, shape) for name, shape in shapes(c).items())
    ends = (Part("tok_embed", 1, (c.d_vocab, c.d_model)), Part("unembed", 1, (c.d_vocab, c.d_model)))
    return ends[:1] + inside + (() if c.tied else ends[1:])


def tables(c: TinyConfig) -> tuple[Table, ...]:
    def make() -> torch.Tensor:
        pos = torch.arange(c.n_ctx)
        return (c.slope * (pos - pos[:, None])).masked_fill(pos > pos[:, None], -math.inf)

    return (Table("falling", 4 * c.n_ctx**2, c.n_layers, make),)


def kept_by_block(c: TinyConfig, n_pos: int) -> tuple[Kept, ...]:
    wide = (c.n_heads, c.d_head)
    return (
        Kept(2, "d", (c.d_model,)),
        Kept(4, "m", (c.d_mlp,)),
        Kept(2, "Hh", wide),
        Kept(2, "h", (c.d_head,)),
        Kept(1, "HT", (c.n_heads, n_pos)),
    )


RECORD = Architecture(
    name="tiny",
    config=TinyConfig,
    model=Tiny,
    read_config=lambda found: TinyConfig(**{f.name: found[f.name] for f in fields(TinyConfig)}),
    write_config=asdict,
    slots=slots,
    parts=parts,
    tables=tables,
    kept_by_block=kept_by_block,
    kept_around=lambda c: (Kept(1, "d", (c.d_model,)), Kept(1, "V", (c.d_vocab,))),
    ties=lambda c: {"unembed.weight": "tok_embed.weight"} if c.tied else {},
    use=Use("lmviz opens it:", "lmviz.load('.')"),
    norm="none",
    fixed={"activation": "silu", "dropout": 0},
    formulas={"mlp": r"\mathrm{out} = (f(x\,W_g) \cdot x\,W_{in})\,W_{out}"},
    edits={"no_scale": (Edit(" / math.sqrt(self.cfg.d_head)", ""),)},
)
