"""What one sees as files to keep: the recording, the numbers of a tensor, the list of all tensors."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from lmviz.bundle import RECORDING
from lmviz.errors import UserError
from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.services.snippet import READ_FROM_FILE, reads_recording, snippet
from lmviz.trace.exported import KINDS, exported, tensors_of
from lmviz.ui import picture_file, state, widgets
from lmviz.ui.dropped import dropped
from lmviz.ui.offline.page import page_of
from lmviz.ui.pictures import TEXT_AXES, lead_of
from lmviz.ui.step_through import ending
from lmviz.ui.step_through.recordings import request
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import code, shortened, visible

_SERVED = 56 * 2**20  # bytes of numbers in a recording that a visitor is sent, which can be dropped onto a page again
ALL = ""


def popover(services: Services, view: StepThroughView) -> None:
    """Buttons that save something, each file made when it is asked for; nothing of it in front of a room."""
    if view.present:
        return
    with st.popover(view.t("tools.take"), icon=":material/download:", on_change="rerun", key="take") as shown:
        if shown.open:
            _downloads(services, view)


def _downloads(services: Services, view: StepThroughView) -> None:
    t = view.t
    try:
        run = services.models.record(request(services, view))
    except UserError as error:
        st.error(t.error(error))
        return
    name = file_name(run)
    st.download_button(
        t("take.recording"),
        widgets.or_its_error(t, lambda: _saved(run)),
        f"{name}{RECORDING}",
        key="take.recording",
        icon=":material/save:",
        on_click="ignore",
    )
    st.caption(t("take.recording.help", command=code(f"lmviz {name}{RECORDING}")))
    st.download_button(
        t("take.page"),
        widgets.or_its_error(t, lambda: _page(services, run, view)),
        f"{name}.html",
        "text/html",
        key="take.page",
        icon=":material/html:",
        on_click="ignore",
    )
    st.caption(t("take.page.help"))
    _tensor(services, run, view, name)
    if found := dropped.field(t, "take.open"):
        state.go(model=found, prompt="", step="", focus=-1, head=0, cell=None, trail=(), edits=(), watch=(), target="")
        st.rerun()


def _tensor(services: Services, run: Recording, view: StepThroughView, name: str) -> None:
    """A tensor as numbers, as a picture, and as the code that makes it: the one that is shown, first of all."""
    t, addresses = view.t, list(tensors_of(run.trace))
    shown = next((one for one in (view.cell[0] if view.cell else "", view.step) if one in addresses), ALL)
    chosen = widgets.selectbox(
        t("take.tensor"),
        [ALL, *addresses],
        index=addresses.index(shown) + 1 if shown else 0,
        format_func=lambda address: address or t("take.all", n=len(addresses)),
        key=f"take.tensor {run.request.model} {shown}",
    )
    kind = widgets.segmented_control(
        t("take.kind"),
        [*KINDS, *(picture_file.KINDS if chosen else ())],
        format_func=lambda one: f".{one}",
        default=KINDS[0],
        required=True,
        key="take.kind",
        label_visibility="collapsed",
    )
    link = f"{st.context.url or ''}?{urlencode(view.query())}"  # here: whoever makes the file knows of no visitor
    is_picture, part = kind in picture_file.KINDS and chosen, f"-{_plain(chosen)}" if chosen else ""
    made = (lambda: _picture(run, view, chosen, kind, link)) if is_picture else (lambda: _numbers(run, chosen, kind))
    st.download_button(
        t("take.picture" if is_picture else "take.numbers"),
        widgets.or_its_error(t, made),
        f"{name}{part}.{kind}",
        key=f"take.numbers {kind}",
        icon=":material/image:" if is_picture else ":material/table:",
        on_click="ignore",
    )
    if chosen:
        cell = view.cell[1] if view.cell and view.cell[0] == chosen else None
        value = run.trace.value(chosen)
        is_gradient = view.grad and value is not None and value.grad is not None
        is_read = reads_recording(services.models, run)
        st.caption(t("take.code.recorded" if is_read else "take.code", file=code(READ_FROM_FILE)))
        st.code(snippet(services.models, run, chosen, cell, is_gradient), language="python", wrap_lines=True)


def _numbers(run: Recording, chosen: str, kind: str) -> bytes:
    value = run.trace.value(chosen)
    return exported(tensors_of(run.trace if value is None else value), kind)


def _picture(run: Recording, view: StepThroughView, chosen: str, kind: str, link: str) -> bytes:
    """The slice that the page shows, of the head that is chosen."""
    value = run.trace.value(chosen)
    assert value is not None  # it is one of the addresses
    lead = lead_of(value.shape, value.axes, view.head, run.row, run.config.n_heads)

    def label(axis: str, index: int) -> str:
        return visible(run.token(index)) if axis in TEXT_AXES and index < len(run.tokens) else str(index)

    title = f"{chosen} · {visible(str(run.request.model))} · {visible(shortened(run.tokens.text))}"
    return picture_file.saved(picture_file.drawn(value, lead, label, title, link, view.t, view.digits), kind)


def _page(services: Services, run: Recording, view: StepThroughView) -> bytes:
    """The walk, opening where it stands; at its end, what mattered most is said."""
    made = page_of(run, view, hint=lambda view, place: ending.why(services, run, view, place))
    return made.html.encode()


def _saved(run: Recording) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lmviz-") as folder:
        path = Path(folder) / f"one{RECORDING}"
        run.save(path, _SERVED)
        return path.read_bytes()


def file_name(run: Recording) -> str:
    """A name for files about a recording, from its model and its text: names-mar."""
    return "-".join(filter(None, (_plain(str(run.request.model)), _plain(run.tokens.text)))) or "recording"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text)[:40].strip("-.")
