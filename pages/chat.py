"""Messages with roles, as the model really reads them: one text, cut into tokens."""

import streamlit as st

from lmviz.ui import shared, shell, state
from lmviz.ui.chat import messages, reading
from lmviz.ui.chat.view import ChatView

view, services = state.here(ChatView), shared.services()

with shell.top(view):
    st.markdown(view.t("chat.title"), width="stretch")
left, right = st.columns([1, 1.5], gap="large")
with left:
    messages.editor(view)
    messages.given(view)
with right, shell.sentences(view.t):
    reading.choices(services, view)
    reading.what_is_read(services, view)
