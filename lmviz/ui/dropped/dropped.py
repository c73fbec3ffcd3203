"""A recording that is dropped onto a page, whichever, opens in the step-through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.bundle import RECORDING
from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE
from lmviz.ui import mounted, state
from lmviz.ui.streamlit_words import file_uploader
from lmviz.ui.text import Translator

if TYPE_CHECKING:
    from lmviz.registry.reference import Reference

_DRAGGING = Path(__file__).parent / "browser" / "dragging.js"


def taken(t: Translator) -> Reference | None:
    """The model of a file that was dropped onto this page just now; None if none was.

    The field for it is seen only while a file is held over the window, all of which is then a place to drop it on.
    """
    with st.container(key="dropped"):
        megabytes = int(st.get_option("server.maxUploadSize"))
        dragging = mounted.component("lmviz.dragging", _DRAGGING, "held")
        shown = dragging(
            data=[{"ending": RECORDING, "most": megabytes * MEGABYTE}], key="dragging", on_refused_change=lambda: None
        )
        if isinstance(shown.refused, dict):
            _show_error(t, _refusal(shown.refused, megabytes))
        found = field(t, "dropped.file")
    return found


def _refusal(file: dict[str, Any], megabytes: int) -> UserError:
    """Why a file was not even taken, which the field says where nobody sees it."""
    name = str(file.get("name"))
    if not name.lower().endswith(RECORDING):
        return UserError(
            "A file that is dropped here must be a recording, whose name ends in {ending}; {file} is none.",
            ending=RECORDING,
            file=name,
        )
    return UserError(
        "A recording that is dropped onto a page has at most {most} MB; {file} has more: open it with lmviz FILE.",
        most=megabytes,
        file=name,
    )


def _show_error(t: Translator, error: UserError) -> None:
    st.toast(t.error(error), icon=":material/error:", duration="infinite")  # seen wherever the page is scrolled to


def field(t: Translator, key: str) -> Reference | None:
    """A field that takes a recording; the model that it has brought, once."""
    file = file_uploader(t, t("dropped.label"), [RECORDING.removeprefix(".")], key=f"{key}.field")
    if file is None or file.file_id == state.remember(key, ""):
        return None
    state.keep(key, file.file_id)
    from lmviz.registry.recorded import take_recording  # torch comes with it

    try:
        return take_recording(file, file.name)
    except UserError as error:
        _show_error(t, error)
        return None
