"""A recording that is dropped onto a page, whichever, opens in the step-through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import drawing, state
from lmviz.ui.text import Translator

if TYPE_CHECKING:
    from lmviz.registry.reference import Reference

SUFFIX = "lmviz"  # of the files that are taken


def taken(t: Translator) -> Reference | None:
    """The model of a file that was dropped onto this page just now; None if none was.

    The field for it is seen only while a file is held over the window, all of which is then a place to drop it on.
    """
    with st.container(key="dropped"):
        drawing.show("dropped/dragging", {}, t, "dragging")
        found = field(t, "dropped.file")
    return found


def field(t: Translator, key: str) -> Reference | None:
    """A field that takes a recording; the model that it has brought, once."""
    turn = state.remember(key, 0)
    file = st.file_uploader(t("dropped.label"), type=SUFFIX, key=f"{key} {turn}")
    if file is None:
        return None
    state.keep(key, turn + 1)  # a field that is empty again, so that the same file can be given again
    from lmviz.registry.recorded import take_recording  # torch comes with it

    try:
        return take_recording(file, file.name)
    except UserError as error:
        st.toast(t.error(error), icon=":material/error:", duration="infinite")  # seen wherever the page is scrolled to
        return None
