"""What one sees as files to keep: the recording, the numbers of a tensor, the list of all tensors."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.recorded import SUFFIX
from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.trace.exported import KINDS, exported, tensors_of
from lmviz.trace.step import Value
from lmviz.ui import state, widgets
from lmviz.ui.dropped import dropped
from lmviz.ui.offline.page import page_of
from lmviz.ui.step_through import ending
from lmviz.ui.step_through.recordings import request
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, code

SERVED = 256 * 2**20  # bytes of numbers in a recording that a visitor is sent
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
        lambda: _saved(run),
        f"{name}{SUFFIX}",
        key="take.recording",
        icon=":material/save:",
        on_click="ignore",
    )
    st.caption(t("take.recording.help", command=code(f"lmviz {name}{SUFFIX}")))
    st.download_button(
        t("take.page"),
        lambda: _page(services, run, view),
        f"{name}.html",
        "text/html",
        key="take.page",
        icon=":material/html:",
        on_click="ignore",
    )
    st.caption(t("take.page.help"))
    _numbers(run, t, name)
    if found := dropped.field(t, "take.open"):
        state.go(model=found, prompt="", step="", focus=-1, head=0, cell=None, trail=(), edits=(), watch=(), target="")
        st.rerun()


def _numbers(run: Recording, t: Translator, name: str) -> None:
    addresses = list(tensors_of(run.trace))
    shown = state.view(StepThroughView).step
    first = addresses.index(shown) + 1 if shown in addresses else 0
    chosen = widgets.selectbox(
        t("take.tensor"),
        [ALL, *addresses],
        index=first,
        format_func=lambda address: address or t("take.all", n=len(addresses)),
        key=f"take.tensor {run.request.model}",
    )
    kind = widgets.segmented_control(
        t("take.kind"),
        list(KINDS),
        format_func=lambda one: f".{one}",
        default=KINDS[0],
        required=True,
        key="take.kind",
        label_visibility="collapsed",
    )
    found = tensors_of(run.trace) if not chosen else {chosen: run.trace.value(chosen)}
    part = f"-{_plain(chosen)}" if chosen else ""
    st.download_button(
        t("take.numbers"),
        _content({address: value for address, value in found.items() if value is not None}, kind or KINDS[0]),
        f"{name}{part}.{kind or KINDS[0]}",
        key="take.numbers",
        icon=":material/table:",
        on_click="ignore",
    )


def _content(tensors: dict[str, Value], kind: str) -> Callable[[], bytes]:
    def made() -> bytes:
        try:
            return exported(tensors, kind)
        except UserError as error:  # what can't be written is said in the file: no page is there to say it
            return str(error).encode()

    return made


def _page(services: Services, run: Recording, view: StepThroughView) -> bytes:
    """The walk, opening where it stands; at its end, what mattered most is said."""
    made = page_of(run, view, hint=lambda view, place: ending.why(services, run, view, place))
    return made.html.encode()


def _saved(run: Recording) -> bytes:
    with tempfile.TemporaryDirectory(prefix="lmviz-") as folder:
        path = Path(folder) / f"one{SUFFIX}"
        run.save(path, SERVED)
        return path.read_bytes()


def file_name(run: Recording) -> str:
    """A name for files about a recording, from its model and its text: names-mar."""
    return "-".join(filter(None, (_plain(str(run.request.model)), _plain(run.tokens.text)))) or "recording"


def _plain(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text)[:40].strip("-.")
