"""How numbers are kept: the format, which of them share a scale, and what is clipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmviz.quantise.scheme import Scheme
from lmviz.ui import shell, state, widgets
from lmviz.ui.quantisation.view import FORMATS, GRANULARITIES, GROUPS, INTEGERS, QuantisationView
from lmviz.ui.text import Translator


def choose(view: QuantisationView, formats: tuple[str, ...] = FORMATS, keep: bool = True, **and_then: Any) -> None:
    """The choices of this page. `and_then` lets go of what depends on them."""
    t = view.t
    scheme = view.scheme_of(view.format if view.format in formats else formats[0])

    def bound(name: str) -> dict[str, Any]:
        return state.bound(name, scheme.format if name == "format" else None, **and_then)

    scheme_choice(t, scheme, bound, formats)
    if keep and scheme.is_integer:
        widgets.slider(
            t,
            t("quantisation.keep"),
            0.05,
            1.0,
            step=0.05,
            width=140,
            help=t("quantisation.keep.help"),
            **state.bound("keep"),
        )


def note(view: QuantisationView) -> None:
    """Where only whole numbers can be chosen: what became of another choice."""
    if view.format not in INTEGERS:
        details = {"format": view.format.upper(), "shown": INTEGERS[0].upper()}
        shell.note(view.t("quantisation.only_integers", **details))


def scheme_choice(
    t: Translator, scheme: Scheme, bound: Callable[[str], dict[str, Any]], formats: tuple[str, ...]
) -> None:
    """The format, and what is left to choose then: floats have no scale."""
    widgets.segmented_control(
        t("quantisation.format"), formats, format_func=str.upper, required=True, **bound("format")
    )
    if not scheme.is_integer:
        return
    widgets.segmented_control(
        t("quantisation.granularity"),
        GRANULARITIES,
        format_func=lambda name: t(f"quantisation.granularity.{name}"),
        required=True,
        **bound("granularity"),
    )
    if scheme.granularity == "group":
        widgets.selectbox(t("quantisation.group"), GROUPS, width=110, **bound("group"))
    widgets.segmented_control(
        t("quantisation.codes"),
        (True, False),
        format_func=lambda symmetric: t("quantisation.symmetric" if symmetric else "quantisation.affine"),
        required=True,
        **bound("symmetric"),
    )
