"""Token + position (+ segment): the sum that enters the first block, with its parts."""

from __future__ import annotations

import streamlit as st

from lmviz.explain import by_hand
from lmviz.services.embeddings import WorkedSum
from lmviz.services.services import Services
from lmviz.trace.operations.explanation import Explanation
from lmviz.ui import arithmetic_html, depth, matrices, shell, state, widgets
from lmviz.ui.embeddings import tokens
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.matrices import Matrix
from lmviz.ui.text import code, visible

HEIGHT = 430
SIGNS = {"tok": "", "pos": "+", "seg": "+", "x": "=", "x_seg": "="}


def section(services: Services, view: EmbeddingsView) -> None:
    st.markdown(view.t("embeddings.sum.say"))
    with st.container(horizontal=True, vertical_alignment="bottom", key="fields"):
        prompt = tokens.prompt(services, view)
        found = services.embeddings.add_up(view.model, prompt)
        pos = tokens.followed(found.recording, view)
        address = "x_seg" if 0 < view.second < len(found.tokens) else "x"
        view = tokens.asked(view, address, pos, found.trace["x"].outputs[0].shape[-1])
        if view.second or depth.shows(view.depth, "segments"):
            _segments_choice(found, view)
    if 0 < view.second < len(found.tokens):
        found = services.embeddings.add_up_segments(view.model, prompt, view.second, view.seed)
        st.caption(view.t("embeddings.sum.untrained"))
    shell.notes(view.t, found.recording.notes)
    _pictures(found, view, pos)
    _where_from(found, view)


def _segments_choice(found: WorkedSum, view: EmbeddingsView) -> None:
    """Where the second text begins, as BERT reads two at once; none by itself."""
    n = len(found.tokens)
    widgets.selectbox(
        view.t("embeddings.sum.second"),
        range(n),
        format_func=lambda i: visible(found.tokens.pieces[i]) if i else view.t("embeddings.sum.none"),
        width=220,
        **state.bound("second", view.second if view.second < n else 0, cell=None),
    )


def _pictures(found: WorkedSum, view: EmbeddingsView, pos: int) -> None:
    names = [name for name in SIGNS if name in found.trace]
    if "x_seg" in names:
        names.remove("x")
    values = [found.trace[name].outputs[0] for name in names]
    arrays = [value.array.reshape(value.shape[-2:]) for value in values]
    peak = max(float(abs(array).max()) for array in arrays)
    given = [
        Matrix(
            array,
            view.t(f"embeddings.sum.{name}"),
            ("pos", "d_model"),
            rows=found.tokens.pieces,
            sign=SIGNS[name],
            result=SIGNS[name] == "=",
            peak=peak,
            focus=pos,
            pinned=view.cell[1][-2:] if view.cell and view.cell[0] == name else None,
            address=name,
        )
        for name, array in zip(names, arrays, strict=True)
    ]
    matrices.show(given, view.t, key="sum", on_cell=tokens.pin, height=HEIGHT)


def _three(found: WorkedSum, cell: tuple[int, ...]) -> Explanation:
    """Token + position + segment: the three numbers that are in sight."""
    values = (found.trace[name].outputs[0].array for name in ("tok", "pos", "seg"))
    return by_hand.total([float(array[cell[-array.ndim :]]) for array in values])


def _where_from(found: WorkedSum, view: EmbeddingsView) -> None:
    t = view.t
    if view.cell is None or view.cell[0] not in found.trace:
        st.caption(t("embeddings.click"))
        return
    address, cell = view.cell
    shape = found.trace[address].outputs[0].shape
    whole = (*(0,) * (len(shape) - 2), *cell[-2:])
    why = _three(found, whole) if address == "x_seg" else found.explain(address, whole)
    if why is None or len(cell) != 2:
        st.caption(t("embeddings.click"))
        return
    piece, id = code(visible(found.tokens.pieces[cell[0]])), found.tokens.ids[cell[0]]
    say = t(f"embeddings.sum.cell.{address}", piece=piece, id=id, pos=cell[0], col=cell[1])
    st.markdown(say)
    arithmetic_html.show(why, t)
