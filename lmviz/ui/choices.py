"""Choices that several pages offer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.benches.names import BROKEN
from lmviz.errors import UserError
from lmviz.ui import state, widgets
from lmviz.ui.text import error_text, has, text

if TYPE_CHECKING:
    from lmviz.workbench import Workbench


def listed(options: Collection[str], chosen: str) -> list[str]:
    """What there is to choose from; what a link names beside it is there too."""
    return list(options) if chosen in options else [*options, chosen]


def one_of(label: str, names: Mapping[str, str], chosen: str, bound: Mapping[str, Any], **look: Any) -> None:
    """A choice from a list of names in the reader's language; what a link names beside them keeps its own name."""
    widgets.selectbox(label, listed(names, chosen), format_func=lambda one: names.get(one, one), **look, **bound)


def model(bench: Workbench, lang: str, chosen: str, **and_then: Any) -> None:
    """The model that a page is about, one at hand or the folder of another; `and_then`
    lets go of what belonged to the one before."""
    widgets.selectbox(
        text(lang, "top.model"),
        listed(bench.models(), chosen),
        label_visibility="collapsed",
        width=230 if chosen.startswith(BROKEN) else 170,
        accept_new_options=True,
        format_func=lambda one: name(lang, one),
        **state.bound("model", **and_then),
    )


def name(lang: str, model: str) -> str:
    """What a model of the debugging page is called: by its bug, or its training step; and a folder, by its last part.
    Others keep their names."""
    kind, _, rest = model.partition("/")
    what, _, base = rest.partition("@")
    if base and kind == "bug":
        bug = text(lang, f"bug.{what}") if has(lang, f"bug.{what}") else what
        return text(lang, "choice.with_bug", model=base, bug=bug)
    if base and kind == "cured":
        return text(lang, "choice.healthy", model=base)
    if base and kind == "moment":
        lesson, _, step = what.partition(".")[0].partition("!")
        pitfall = f"pitfall.{base.partition('/')[0]}"
        shown = text(lang, pitfall) if lesson == "pitfall" and has(lang, pitfall) else name(lang, base)
        return text(lang, "choice.moment", model=shown, step=step)
    return f"…/{PurePath(model).name}" if model.startswith(("/", "~", ".")) else model


def section(label: str, names: Mapping[str, str], **and_then: Any) -> None:
    """Which section of a page is shown, by their names in the reader's language; `and_then` lets go of what belonged
    to the one before."""
    widgets.segmented_control(
        label,
        list(names),
        format_func=names.__getitem__,
        label_visibility="collapsed",
        required=True,
        **state.bound("section", **and_then),
    )


def draw_section(page: str, bench: Workbench, view: Any) -> None:
    """Draw the section that is chosen: `section(bench, view)` of the module of that name."""
    try:
        import_module(f"lmviz.ui.{page}.{view.section}").section(bench, view)
    except UserError as error:
        st.error(error_text(view.lang, error))
