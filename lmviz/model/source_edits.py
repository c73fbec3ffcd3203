"""Edits of a source, and those that put the same bug into every lesson that is written in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """Text that stands in a source, whole lines or a part of one, and what takes its place."""

    old: str
    new: str
    times: int = 1  # how often `old` stands there


Edits = Mapping[str, tuple[Edit, ...]]  # by the bug's name

_SPLIT = ".unflatten(-1, heads).transpose(1, 2)"
_SHUFFLED = ".view(x.shape[0], self.cfg.n_heads, n_pos, self.cfg.d_head)"
_JOIN = "z.transpose(1, 2).flatten(-2)"
_MASKED = "scores.masked_fill(~self.causal[:n_pos, :n_pos], -math.inf)"

LEARNED_POSITIONS: Edits = {
    "no_positions": (Edit("x = tok + pos", "x = tok"),),
    "positions_off_by_one": (
        Edit("torch.arange(ids.shape[1], device", "torch.arange(1, ids.shape[1] + 1, device"),
    ),
}  # fmt: skip
ATTENTION: Edits = {
    "k_and_v_swapped": (
        Edit("k = self.w_k(x)", "k = self.w_v(x)"),
        Edit("        v = self.w_v(x)", "        v = self.w_k(x)"),
    ),
    "heads_not_transposed": (Edit(_SPLIT, _SHUFFLED, times=3), Edit(_JOIN, "z.reshape(x.shape)")),
    "heads_joined_wrongly": (Edit(_JOIN, "z.reshape(x.shape)"),),
    "no_scale": (Edit(" / math.sqrt(self.cfg.d_head)", ""),),
    "no_mask": (Edit(_MASKED, "scores"),),
    "mask_with_zero": (Edit(_MASKED, _MASKED.replace("-math.inf", "0.0")),),
    "wrong_triangle": (Edit("dtype=torch.bool).tril()", "dtype=torch.bool).triu()"),),
    "mask_after_softmax": (
        Edit(f"        masked = {_MASKED}", "        seen = F.softmax(scores, dim=-1)"),
        Edit("pattern = F.softmax(masked, dim=-1)", "pattern = seen.masked_fill(~self.causal[:n_pos, :n_pos], 0.0)"),
    ),
    "softmax_axis": (Edit("F.softmax(masked, dim=-1)", "F.softmax(masked, dim=-2)"),),
}
RESIDUALS: Edits = {
    "no_residual": (Edit("x_mid = x + attn_out", "x_mid = attn_out"),),
    "gradient_cut": (Edit("x_mid = x + attn_out", "x_mid = x + attn_out.detach()"),),
}
