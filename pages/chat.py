"""A chat: messages with roles, the one text that the model really reads of them, and what it answers."""

import streamlit as st

from lmviz.ui import choices, model_field, shared, shell, state
from lmviz.ui.chat import answering, messages, reading
from lmviz.ui.chat.view import UNWRITTEN, ChatView

view, services = state.here(ChatView), shared.services()

with shell.top(view):
    choices.model(services, view.t, view.model, view.t("chat.without"), template="", **UNWRITTEN)
    st.markdown(view.t("chat.title"), width="stretch")
model_field.notice(services, view.t, view.model, UNWRITTEN)
left, right = st.columns([1, 1.5], gap="large")
with left:
    messages.editor(view, lambda at: answering.below(services, view, at))
    answering.field(view)
    answering.controls(services, view)
    messages.controls(view)
    messages.template_inputs(view)
with right, shell.sentences(view.t):
    reading.choices(services, view)
    reading.what_is_read(services, view)
