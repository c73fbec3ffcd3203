"""One matrix in fewer bits, and one of its numbers worked out from its bits or to its code and back."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from lmviz.quantise.quantised import Quantised
from lmviz.quantise.round_trip import error_map, float_bits, work_out
from lmviz.quantise.scheme import FLOATS
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html, matrices, state, widgets
from lmviz.ui.charts import show
from lmviz.ui.matrices import Matrix
from lmviz.ui.quantisation import charts, schemes
from lmviz.ui.quantisation.view import QuantisationView

HEIGHT = 290
DIGITS = 4


def section(services: Services, view: QuantisationView) -> None:
    st.markdown(view.t("quantisation.weight.say"))
    shapes = services.quantisation.weights(view.model)
    name = view.weight if view.weight in shapes else _first(list(shapes))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choose_weight(list(shapes), name, view)
        schemes.choose(view)
    quantised = services.quantisation.weight(view.model, name, view.scheme)
    n_rows, n_cols = shapes[name]
    cell = (min(view.cell[0], n_rows - 1), min(view.cell[1], n_cols - 1))
    _pictures(quantised, name, view, cell)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _worked_out(quantised, view, cell)
    with right:
        _number_line(quantised, view, cell)


def _first(names: list[str]) -> str:
    return next((name for name in names if name.startswith("blocks.")), names[0])


def _choose_weight(names: list[str], name: str, view: QuantisationView) -> None:
    widgets.selectbox(view.t("quantisation.weight.which"), names, width=215, **state.bound("weight", name, cell=(0, 0)))


def _pictures(quantised: Quantised, name: str, view: QuantisationView, cell: tuple[int, int]) -> None:
    t, original, axes = view.t, quantised.original.numpy(), ("d_out", "d_in")
    given = [Matrix(original, "weight", axes, part="weight", pinned=cell)]
    if quantised.codes is not None:
        codes = quantised.codes.numpy()
        given.append(Matrix(codes, t("quantisation.code"), axes, part="q", pinned=cell, address="codes"))
        errors, shown = error_map(quantised).numpy(), t("quantisation.error_steps")
    else:
        errors, shown = quantised.error.numpy(), t("quantisation.error")
    given.append(Matrix(errors, shown, axes, part="pattern", pinned=cell, address="error"))
    matrices.show(given, t, key="weight", on_cell=lambda _, at: state.go(cell=at[-2:]), height=HEIGHT, together=True)


def _worked_out(quantised: Quantised, view: QuantisationView, cell: tuple[int, int]) -> None:
    if quantised.codes is None:
        _bits(quantised, view, cell)
    else:
        _codes(quantised, view, cell)


def _codes(quantised: Quantised, view: QuantisationView, cell: tuple[int, int]) -> None:
    t, found, scheme = view.t, work_out(quantised, cell), quantised.scheme

    def line(template: str, result: float, **numbers: float) -> str:
        return arithmetic_html.equation(t, template, result, DIGITS, **numbers).html

    weight, scale, code, zero = found.weight, found.scale, found.code, found.zero_point
    if scheme.symmetric:
        template, edges = "max(|{low}|, |{high}|) / {most}", (found.low, found.high)
    else:
        template, edges = "({high} − {low}) / {most}", (min(found.low, 0.0), max(found.high, 0.0))
    kept = f"[{scheme.lowest}, {scheme.highest}]".replace("-", "−")
    fate = t("quantisation.clipped" if found.is_clipped else "quantisation.not_clipped", edges=kept)
    shifted = line("{rounded} + {zero}", found.shifted, rounded=found.rounded, zero=zero)
    code_shown = t.number(code, 0)
    lines = [
        ("weight", f"x = <b>{t.number(weight, DIGITS)}</b>"),
        ("scale", "s = " + line(template, scale, low=edges[0], high=edges[1], most=scheme.highest)),
        ("zero", f"z = <b>{t.number(zero, 0)}</b>"),
        ("steps", line("{weight} / {scale}", found.steps, weight=weight, scale=scale)),
        ("round", line("round({steps})", found.rounded, steps=found.steps)),
        ("code", f"q = {shifted}, {escape(fate)} → <b>{code_shown}</b>"),
        ("back", line("({code} − {zero}) × {scale}", found.restored, code=code, zero=zero, scale=scale)),
        ("error", line("{restored} − {weight}", found.error, restored=found.restored, weight=weight)),
    ]
    arithmetic_html.steps([(t(f"quantisation.step.{key}"), shown) for key, shown in lines])


def _bits(quantised: Quantised, view: QuantisationView, cell: tuple[int, int]) -> None:
    """The same number in every format of floating point, bit by bit."""
    t, weight = view.t, float(quantised.original[cell])
    rows = []
    for name in FLOATS:
        bits = float_bits(weight, name)
        parts = "".join(
            f'<span class="{part}">{escape(getattr(bits, part))}</span>' for part in ("sign", "exponent", "fraction")
        )
        rows.append((name.upper(), f'<span class="bits">{parts}</span> = <b>{t.number(bits.value, 8)}</b>'))
    arithmetic_html.steps(rows)
    st.caption(t("quantisation.bits.say"))


def _number_line(quantised: Quantised, view: QuantisationView, cell: tuple[int, int]) -> None:
    if quantised.codes is None:
        return
    t = view.t
    counts = np.bincount(quantised.codes.numpy().ravel() - quantised.scheme.lowest)
    codes = [quantised.scheme.lowest + i for i in range(len(counts))]
    show(
        charts.histogram(
            codes,
            counts.tolist(),
            int(quantised.codes[cell]),
            t("quantisation.code"),
            t("quantisation.how_many"),
        ),
        t,
        "quantisation.codes",
        alt=t("quantisation.how_many.alt"),
    )
