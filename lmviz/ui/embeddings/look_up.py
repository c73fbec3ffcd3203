"""One-hot × matrix = the row: what looking up an embedding means."""

from __future__ import annotations

import streamlit as st

from lmviz.embed.lookup import token_embedding
from lmviz.services.embeddings import WorkedSum
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html, matrices, shell
from lmviz.ui.embeddings import tokens
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.matrices import Matrix
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import code, visible

HEIGHT = 350


def section(services: Services, view: EmbeddingsView) -> None:
    st.markdown(view.t("embeddings.look_up.say"))
    with st.container(horizontal=True, vertical_alignment="bottom", key="fields"):
        prompt = tokens.prompt(services, view)
        found = services.embeddings.look_up(view.model, prompt)
        pos = tokens.followed(found.recording, view)
        view = tokens.asked(view, "rows", pos, found.trace["rows"].outputs[0].shape[-1])
    shell.notes(view.t, found.recording.notes)
    _pictures(found, services.embeddings.pieces(view.model), view, pos)
    _where_from(found, view, pos)


def _pictures(found: WorkedSum, pieces: tuple[str, ...], view: EmbeddingsView, pos: int) -> None:
    one_hot, weight, rows = (found.trace.value(name) for name in ("one_hot", "weight", "rows"))
    assert one_hot is not None and weight is not None and rows is not None
    id = found.tokens.ids[pos]
    given = [
        Matrix(
            one_hot.array[0],
            "one_hot",
            ("pos", "d_vocab"),
            rows=found.tokens.pieces,
            cols=pieces,
            part="input",
            share=True,
            focus=pos,
            pinned=_pinned(view, "one_hot"),
        ),
        Matrix(
            weight.array,
            f"{token_embedding(found.recording.checkpoint.model)[0]}.weight",
            ("id", "d_model"),
            rows=pieces,
            sign="@",
            part="weight",
            focus=id,
            pinned=_pinned(view, "weight"),
            address="weight",
        ),
        Matrix(
            rows.array[0],
            "rows",
            ("pos", "d_model"),
            rows=found.tokens.pieces,
            sign="=",
            result=True,
            focus=pos,
            pinned=_pinned(view, "rows"),
        ),
    ]
    matrices.show(given, view.t, key="look_up", on_cell=tokens.pin, height=HEIGHT)


def _pinned(view: EmbeddingsView, address: str) -> tuple[int, ...] | None:
    return view.cell[1][-2:] if view.cell is not None and view.cell[0] == address else None


def _where_from(found: WorkedSum, view: EmbeddingsView, pos: int) -> None:
    """What the cell that was clicked is; before a click, what to do."""
    t = view.t
    if view.cell is None or len(view.cell[1]) != 2:
        st.caption(t("embeddings.click"))
        return
    address, (row, col) = view.cell
    why = found.explain(address, (0, row, col)) if address == "rows" else None
    value = found.trace.value(address)
    if value is None or row >= value.shape[-2] or col >= value.shape[-1]:
        st.caption(t("embeddings.click"))
    elif why is not None:
        piece = code(visible(found.tokens.pieces[row]))
        st.markdown(t("embeddings.look_up.row", piece=piece, id=found.tokens.ids[row], col=col))
        arithmetic_html.show(why, t)
    elif address == "weight":
        piece = code(visible(found.recording.piece(row)))
        written = t.number(float(value.array[row, col]), 4)
        st.markdown(t("embeddings.look_up.weight", piece=piece, id=row, col=col, value=written))
        _step_link(found, view, row, col)
    else:
        piece, there = code(visible(found.tokens.pieces[row])), found.tokens.ids[row]
        key = "embeddings.look_up.one" if col == there else "embeddings.look_up.zero"
        st.markdown(t(key, piece=piece, id=there, col=col))


def _step_link(found: WorkedSum, view: EmbeddingsView, row: int, col: int) -> None:
    """The same number in the step-through, where training's gradient and edits are."""
    path, _ = token_embedding(found.recording.checkpoint.model)
    place = StepThroughView(view.lang, view.model, view.prompt, path, cell=(f"{path}.weight", (row, col)))
    shell.link(view.t("embeddings.in_steps"), place)
