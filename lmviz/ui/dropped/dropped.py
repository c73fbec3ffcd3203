"""A recording that is dropped onto a page, whichever, opens in the step-through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from lmviz.bundle import RECORDING
from lmviz.errors import UserError
from lmviz.ui import mounted, state
from lmviz.ui.text import Translator

if TYPE_CHECKING:
    from lmviz.registry.reference import Reference

DRAGGING = Path(__file__).parent / "browser" / "dragging.js"


def taken(t: Translator) -> Reference | None:
    """The model of a file that was dropped onto this page just now; None if none was.

    The field for it is seen only while a file is held over the window, all of which is then a place to drop it on.
    """
    with st.container(key="dropped"):
        mounted.component("lmviz.dragging", DRAGGING, "held")(data=[{}], key="dragging")
        found = field(t, "dropped.file")
    return found


def field(t: Translator, key: str) -> Reference | None:
    """A field that takes a recording; the model that it has brought, once."""
    file = st.file_uploader(t("dropped.label"), type=RECORDING, key=f"{key}.field")
    if file is None or file.file_id == state.remember(key, ""):
        return None
    state.keep(key, file.file_id)
    from lmviz.registry.recorded import take_recording  # torch comes with it

    try:
        return take_recording(file, file.name)
    except UserError as error:
        st.toast(t.error(error), icon=":material/error:", duration="infinite")  # seen wherever the page is scrolled to
        return None
