"""The bugs of the bug lab, in the order of the walk. Each was met in the wild or breaks an equation that is named."""

from __future__ import annotations

from lmviz.debug.bugs.bug import Bug, Edit
from lmviz.debug.sources import (
    BA,
    CROSS_ENTROPY,
    DETACH,
    HE,
    HENDRYCKS,
    OPTIMIZERS,
    PRESS,
    RADFORD,
    ROBBINS,
    SUM_ABOVE_1,
    TOO_LONG,
    TWO_SOFTMAXES,
    VASWANI,
    VIEW_OR_TRANSPOSE,
    XIONG,
    ZERO_GRAD,
)
from lmviz.errors import UserError

MODELS = ("gpt2", "mini_llm")


def _both(*edits: Edit) -> dict[str, tuple[Edit, ...]]:
    return dict.fromkeys(MODELS, edits)


_SPLIT = ".unflatten(-1, heads).transpose(1, 2)"
_SHUFFLED = ".view(x.shape[0], self.cfg.n_heads, n_pos, self.cfg.d_head)"
_JOIN = "z.transpose(1, 2).flatten(-2)"
_MASKED = "scores.masked_fill(~self.causal[:n_pos, :n_pos], -math.inf)"

_LIST = (
    # -- embeddings --------------------------------------------------------------------------------------------------
    Bug(
        "no_positions",
        "embeddings",
        _both(Edit("x = tok + pos", "x = tok")),
        seen_by=("positions",),
        source=VASWANI.at("3.5"),
    ),
    Bug(
        "positions_off_by_one",
        "embeddings",
        _both(Edit("torch.arange(ids.shape[1], device", "torch.arange(1, ids.shape[1] + 1, device")),
        seen_by=("whole_context",),
        level=2,
        source=TOO_LONG,
    ),
    # -- norm --------------------------------------------------------------------------------------------------------
    Bug(
        "norm_axis",
        "norm",
        {"gpt2": (Edit("x.mean(dim=-1", "x.mean(dim=1"), Edit(".pow(2).mean(dim=-1", ".pow(2).mean(dim=1"))},
        seen_by=("causality", "norm"),
        level=2,
        source=BA.at("eq. 3"),
    ),
    Bug(
        "no_final_norm",
        "final_norm",
        {"gpt2": (Edit("final = self.norm_final(x)", "final = x"),)},
        seen_by=("gradients_reach",),
        level=2,
        source=RADFORD.at("2.3"),
    ),
    # -- q, k, v -----------------------------------------------------------------------------------------------------
    Bug(
        "k_and_v_swapped",
        "qkv",
        _both(
            Edit("k = self.w_k(x)", "k = self.w_v(x)"),
            Edit("        v = self.w_v(x)", "        v = self.w_k(x)"),
        ),
        seen_by=(),
        level=3,
        source=VASWANI.at("eq. 1"),
    ),
    Bug(
        "heads_not_transposed",
        "qkv",
        _both(Edit(_SPLIT, _SHUFFLED, times=3), Edit(_JOIN, "z.reshape(x.shape)")),
        seen_by=("receptive_field",),
        level=3,
        least_heads=2,
        source=VIEW_OR_TRANSPOSE,
    ),
    Bug(
        "heads_joined_wrongly",
        "mix",
        _both(Edit(_JOIN, "z.reshape(x.shape)")),
        seen_by=("causality",),
        level=3,
        least_heads=2,
        source=VIEW_OR_TRANSPOSE,
    ),
    # -- scores ------------------------------------------------------------------------------------------------------
    Bug(
        "no_scale",
        "scores",
        _both(Edit(" / math.sqrt(self.cfg.d_head)", "")),
        seen_by=("scale",),
        source=VASWANI.at("3.2.1"),
    ),
    Bug(
        "no_mask",
        "scores",
        _both(Edit(_MASKED, "scores")),
        seen_by=("causality",),
        source=VASWANI.at("3.2.3"),
    ),
    Bug(
        "mask_with_zero",
        "scores",
        _both(Edit(_MASKED, _MASKED.replace("-math.inf", "0.0"))),
        seen_by=("causality",),
        level=2,
        source=VASWANI.at("3.2.3"),
    ),
    Bug(
        "wrong_triangle",
        "scores",
        _both(Edit("dtype=torch.bool).tril()", "dtype=torch.bool).triu()")),
        seen_by=("causality", "receptive_field"),
        source=VASWANI.at("3.2.3"),
    ),
    # -- softmax -----------------------------------------------------------------------------------------------------
    Bug(
        "mask_after_softmax",
        "scores",
        _both(
            Edit(f"        masked = {_MASKED}", "        seen = F.softmax(scores, dim=-1)"),
            Edit(
                "pattern = F.softmax(masked, dim=-1)", "pattern = seen.masked_fill(~self.causal[:n_pos, :n_pos], 0.0)"
            ),
        ),
        seen_by=("causality", "pattern_rows"),
        level=2,
        source=VASWANI.at("3.2.3"),
    ),
    Bug(
        "softmax_axis",
        "softmax",
        _both(Edit("F.softmax(masked, dim=-1)", "F.softmax(masked, dim=-2)")),
        seen_by=("causality", "pattern_rows"),
        source=VASWANI.at("eq. 1"),
    ),
    # -- residual stream ---------------------------------------------------------------------------------------------
    Bug(
        "no_residual",
        "residual",
        _both(Edit("x_mid = x + attn_out", "x_mid = attn_out")),
        seen_by=("stream",),
        source=HE.at("eq. 1"),
    ),
    Bug(
        "residual_from_norm",
        "residual",
        {
            "gpt2": (
                Edit(
                    "        attn_out = self.attn(self.norm_1(x))  # [batch, pos, d_model]\n"
                    "        x_mid = x + attn_out",
                    "        x = self.norm_1(x)  # [batch, pos, d_model]\n"
                    "        attn_out = self.attn(x)  # [batch, pos, d_model]\n        x_mid = x + attn_out",
                ),
            )
        },
        seen_by=("stream",),
        level=3,
        source=XIONG.at("figure 1"),
    ),
    Bug(
        "gradient_cut",
        "residual",
        _both(Edit("x_mid = x + attn_out", "x_mid = x + attn_out.detach()")),
        seen_by=("gradients_reach",),
        level=3,
        retrain=True,
        source=DETACH,
    ),
    # -- MLP ---------------------------------------------------------------------------------------------------------
    Bug(
        "wrong_gelu",
        "mlp",
        {"gpt2": (Edit("hidden = self.activation(pre)", "hidden = pre * torch.sigmoid(1.702 * pre)"),)},
        seen_by=(),
        level=3,
        source=HENDRYCKS.at("2"),
    ),
    Bug(
        "no_activation",
        "mlp",
        {
            "gpt2": (Edit("hidden = self.activation(pre)", "hidden = pre"),),
            "mini_llm": (Edit("hidden = F.relu(pre)", "hidden = pre"),),
        },
        seen_by=("bends",),
        level=2,
        source=VASWANI.at("eq. 2"),
    ),
    # -- logits ------------------------------------------------------------------------------------------------------
    Bug(
        "softmax_in_model",
        "logits",
        {
            "gpt2": (Edit("logits = self.unembed(final)", "logits = F.softmax(self.unembed(final), dim=-1)"),),
            "mini_llm": (Edit("logits = self.unembed(x)", "logits = F.softmax(self.unembed(x), dim=-1)"),),
        },
        seen_by=("double_softmax", "one_batch"),
        source=TWO_SOFTMAXES,
    ),
    Bug(
        "untied",
        "logits",
        {"gpt2": (Edit("        if cfg.tied:\n            self.unembed.weight = self.tok_embed.weight\n", ""),)},
        seen_by=("tied",),
        level=3,
        needs_tie=True,
        retrain=True,
        source=PRESS.at("1"),
    ),
    # -- anywhere ----------------------------------------------------------------------------------------------------
    Bug(
        "dropout_in_evaluation",
        "residual",
        {"gpt2": (Edit("self.cfg.dropout, self.training)", "self.cfg.dropout)", times=2),)},
        seen_by=("repeatable",),
        level=2,
        needs_dropout=0.2,
        source=SUM_ABOVE_1,
    ),
    # -- the training loop -------------------------------------------------------------------------------------------
    Bug(
        "targets_not_shifted",
        "training",
        {"plain_loop": (Edit("targets = padded[:, 1:]", "targets = padded[:, :-1]"),)},
        seen_by=("one_batch", "targets_shifted"),
        retrain=True,
        source=RADFORD.at("eq. 1"),
    ),
    Bug(
        "padding_trained_on",
        "training",
        {"plain_loop": (Edit("targets = padded[:, 1:]", "targets = padded[:, 1:].clamp(min=0)"),)},
        seen_by=("padding",),
        level=2,
        retrain=True,
        source=CROSS_ENTROPY.at("ignore_index"),
    ),
    Bug(
        "double_softmax",
        "training",
        {"plain_loop": (Edit("given = logits.flatten(0, 1)", "given = logits.flatten(0, 1).softmax(dim=-1)"),)},
        seen_by=("double_softmax",),
        retrain=True,
        source=TWO_SOFTMAXES,
    ),
    Bug(
        "zero_grad_missing",
        "training",
        {"plain_loop": (Edit("        optimizer.zero_grad()\n", ""),)},
        seen_by=("gradients_afresh",),
        retrain=True,
        source=ZERO_GRAD,
    ),
    Bug(
        "optimizer_forgets",
        "training",
        {"plain_loop": (Edit("Adam(model.parameters()", "Adam(model.blocks.parameters()"),)},
        seen_by=("all_move",),
        level=2,
        retrain=True,
        source=OPTIMIZERS,
    ),
    Bug(
        "climbs",
        "training",
        {"plain_loop": (Edit("loss.backward()", "(-loss).backward()"),)},
        seen_by=("one_batch",),
        retrain=True,
        source=ROBBINS,
    ),
)

BUGS: dict[str, Bug] = {bug.name: bug for bug in _LIST}


def bug_named(name: str) -> Bug:
    if name not in BUGS:
        raise UserError("There is no bug called {name}; there are {known}.", name=name, known=", ".join(BUGS))
    return BUGS[name]
