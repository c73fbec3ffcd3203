"""The bugs of the bug lab, in the order of the walk. Each was met in the wild or breaks an equation that is named.

How one is put into a model is said by the record of its architecture."""

from __future__ import annotations

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.sources import (
    AINSLIE,
    BA,
    CROSS_ENTROPY,
    DETACH,
    HE,
    HENDRYCKS,
    OPTIMIZERS,
    PRESS,
    RADFORD,
    RMS,
    ROBBINS,
    SU,
    SUM_ABOVE_1,
    TOO_LONG,
    TWO_SOFTMAXES,
    VASWANI,
    VIEW_OR_TRANSPOSE,
    XIONG,
    ZERO_GRAD,
)
from lmviz.errors import UserError
from lmviz.model.source_edits import Edit

_LIST = (
    # -- embeddings --------------------------------------------------------------------------------------------------
    Bug(
        "no_positions",
        "embeddings",
        seen_by=("positions",),
        source=VASWANI.at("3.5"),
    ),
    Bug(
        "positions_off_by_one",
        "embeddings",
        seen_by=("whole_context",),
        level=2,
        source=TOO_LONG,
    ),
    # -- norm --------------------------------------------------------------------------------------------------------
    Bug(
        "norm_axis",
        "norm",
        seen_by=("causality", "norm"),
        level=2,
        source=BA.at("eq. 3"),
    ),
    Bug(
        "norm_without_scale",
        "norm",
        seen_by=("gradients_reach",),
        level=2,
        source=RMS.at("eq. 4"),
    ),
    Bug(
        "no_final_norm",
        "final_norm",
        seen_by=("gradients_reach",),
        level=2,
        source=RADFORD.at("2.3"),
    ),
    # -- q, k, v -----------------------------------------------------------------------------------------------------
    Bug(
        "k_and_v_swapped",
        "qkv",
        seen_by=(),
        level=3,
        source=VASWANI.at("eq. 1"),
    ),
    Bug(
        "heads_not_transposed",
        "qkv",
        seen_by=("receptive_field",),
        level=3,
        least_heads=2,
        source=VIEW_OR_TRANSPOSE,
    ),
    Bug(
        "heads_joined_wrongly",
        "mix",
        seen_by=("causality",),
        level=3,
        least_heads=2,
        source=VIEW_OR_TRANSPOSE,
    ),
    # -- rotation, and keys that are shared --------------------------------------------------------------------------
    Bug(
        "rotation_left_out",
        "rotation",
        seen_by=("positions",),
        source=SU.at("eq. 14"),
    ),
    Bug(
        "rotated_backwards",
        "rotation",
        seen_by=(),
        level=3,
        source=SU.at("eq. 13"),
    ),
    Bug(
        "neighbours_paired",
        "rotation",
        seen_by=(),
        level=3,
        source=SU.at("eq. 34"),
    ),
    Bug(
        "keys_from_one",
        "rotation",
        seen_by=(),
        level=3,
        source=SU.at("eq. 16"),
    ),
    Bug(
        "keys_in_wrong_order",
        "sharing",
        seen_by=(),
        level=3,
        needs_sharing=True,
        source=AINSLIE.at("2.2"),
    ),
    # -- scores ------------------------------------------------------------------------------------------------------
    Bug(
        "no_scale",
        "scores",
        seen_by=("scale",),
        source=VASWANI.at("3.2.1"),
    ),
    Bug(
        "no_mask",
        "scores",
        seen_by=("causality",),
        source=VASWANI.at("3.2.3"),
    ),
    Bug(
        "mask_with_zero",
        "scores",
        seen_by=("causality",),
        level=2,
        source=VASWANI.at("3.2.3"),
    ),
    Bug(
        "wrong_triangle",
        "scores",
        seen_by=("causality", "receptive_field"),
        source=VASWANI.at("3.2.3"),
    ),
    # -- softmax -----------------------------------------------------------------------------------------------------
    Bug(
        "mask_after_softmax",
        "scores",
        seen_by=("causality", "pattern_rows"),
        level=2,
        source=VASWANI.at("3.2.3"),
    ),
    Bug(
        "softmax_axis",
        "softmax",
        seen_by=("causality", "pattern_rows"),
        source=VASWANI.at("eq. 1"),
    ),
    # -- residual stream ---------------------------------------------------------------------------------------------
    Bug(
        "no_residual",
        "residual",
        seen_by=("stream",),
        source=HE.at("eq. 1"),
    ),
    Bug(
        "residual_from_norm",
        "residual",
        seen_by=("stream",),
        level=3,
        source=XIONG.at("figure 1"),
    ),
    Bug(
        "gradient_cut",
        "residual",
        seen_by=("gradients_reach",),
        level=3,
        retrain=True,
        source=DETACH,
    ),
    # -- MLP ---------------------------------------------------------------------------------------------------------
    Bug(
        "wrong_gelu",
        "mlp",
        seen_by=(),
        level=3,
        source=HENDRYCKS.at("2"),
    ),
    Bug(
        "no_activation",
        "mlp",
        seen_by=("bends",),
        level=2,
        source=VASWANI.at("eq. 2"),
    ),
    # -- logits ------------------------------------------------------------------------------------------------------
    Bug(
        "softmax_in_model",
        "logits",
        seen_by=("double_softmax", "one_batch"),
        source=TWO_SOFTMAXES,
    ),
    Bug(
        "untied",
        "logits",
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
        seen_by=("repeatable",),
        level=2,
        needs_dropout=0.2,
        source=SUM_ABOVE_1,
    ),
    # -- the training loop -------------------------------------------------------------------------------------------
    Bug(
        "targets_not_shifted",
        "training",
        seen_by=("one_batch", "targets_shifted"),
        retrain=True,
        source=RADFORD.at("eq. 1"),
        loop=(Edit("targets = padded[:, 1:]", "targets = padded[:, :-1]"),),
    ),
    Bug(
        "padding_trained_on",
        "training",
        seen_by=("padding",),
        level=2,
        retrain=True,
        source=CROSS_ENTROPY.at("ignore_index"),
        loop=(Edit("targets = padded[:, 1:]", "targets = padded[:, 1:].clamp(min=0)"),),
    ),
    Bug(
        "double_softmax",
        "training",
        seen_by=("double_softmax",),
        retrain=True,
        source=TWO_SOFTMAXES,
        loop=(Edit("given = logits.flatten(0, 1)", "given = logits.flatten(0, 1).softmax(dim=-1)"),),
    ),
    Bug(
        "zero_grad_missing",
        "training",
        seen_by=("gradients_afresh",),
        retrain=True,
        source=ZERO_GRAD,
        loop=(Edit("        optimizer.zero_grad()\n", ""),),
    ),
    Bug(
        "optimizer_forgets",
        "training",
        seen_by=("all_move",),
        level=2,
        retrain=True,
        source=OPTIMIZERS,
        loop=(Edit("Adam(model.parameters()", "Adam(model.blocks.parameters()"),),
    ),
    Bug(
        "climbs",
        "training",
        seen_by=("one_batch",),
        retrain=True,
        source=ROBBINS,
        loop=(Edit("loss.backward()", "(-loss).backward()"),),
    ),
)

BUGS: dict[str, Bug] = {bug.name: bug for bug in _LIST}


def bug_named(name: str) -> Bug:
    if name not in BUGS:
        raise UserError("There is no bug called {name}; there are {known}.", name=name, known=", ".join(BUGS))
    return BUGS[name]
