"""Models beside each other: rounded before, after or during a training, and what each of them can do."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lmviz.quantise.scheme import Scheme
from lmviz.registry.reference import Reference
from lmviz.services.quantisation import Rival
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html
from lmviz.ui.quantisation import measuring
from lmviz.ui.quantisation.view import QuantisationView
from lmviz.ui.text import visible

TEXTS = 3  # that each model writes


def after(rivals: Sequence[Rival], scheme: Scheme, steps: int, view: QuantisationView) -> None:
    """How much of what rounding cost the training got back; of a run that began with a fresh model, what it came to."""
    t, losses = view.t, {one.kind: one.loss for one in rivals}
    details = {"format": scheme.format.upper(), "steps": t.integer(steps)}
    details |= {kind: t.number(loss, measuring.DIGITS) for kind, loss in losses.items()}
    outcome = "from_nothing"
    if "ptq" in losses:
        gain = measuring.change(losses["qat"], losses["ptq"])
        cost = measuring.change(losses["fp32"], losses["ptq"])
        outcome = "worse" if gain < 0 else "better" if gain <= cost else "more"
        details |= {"gain": t.number(abs(gain), measuring.DIGITS), "cost": t.number(cost, measuring.DIGITS)}
    st.markdown(t(f"quantisation.aware.after.{outcome}", **details))


def show(services: Services, rivals: Sequence[Rival], scheme: Scheme, view: QuantisationView, model: Reference) -> None:
    """Each model: its size, its loss, and what it writes."""
    t = view.t
    prompt = services.models.first_prompt(model) if view.prompt is None else view.prompt
    rows = [
        (
            t(f"quantisation.rival.{one.kind}", format=scheme.format.upper()),
            t.integer(one.n_bytes),
            t.number(one.loss, 4),
            " · ".join(
                visible(written)
                for written in services.quantisation.texts(model, one.checkpoint, prompt, view.seed, view.temperature)[
                    :TEXTS
                ]
            ),
        )
        for one in rivals
    ]
    columns = ("which", "bytes", "loss", "writes")
    small = [row for row, one in enumerate(rivals) if one.kind not in ("fp32", "trained")]
    best = min(small, key=lambda row: rivals[row].loss)
    arithmetic_html.table([t(f"quantisation.{column}") for column in columns], rows, best)
