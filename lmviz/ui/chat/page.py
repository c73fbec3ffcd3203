"""The whole page: the messages on the left, the one text and its tokens on the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import shell
from lmviz.ui.chat import messages, reading
from lmviz.ui.chat.view import View
from lmviz.ui.text import error_text, text

if TYPE_CHECKING:
    from lmviz.services.services import Services


def page(view: View) -> None:
    """Draw the page. The shell is painted before torch is imported."""
    with shell.top(view):
        st.markdown(text(view.lang, "chat.title"), width="stretch")
    left, right = st.columns([1, 1.5], gap="large")
    with left:
        messages.editor(view)
        messages.given(view)
    with right:
        services = shell.services(view.lang)
        try:
            _read(services, view)
        except UserError as error:
            st.error(error_text(view.lang, error))


def _read(services: Services, view: View) -> None:
    reading.choices(services, view)
    reading.what_is_read(services, view)
