"""The pitfalls of training made visible, a doctor for any model or run, a bug lab, a game and exercises."""

import streamlit as st

from lmviz.ui import choices, model_field, shared, shell, state
from lmviz.ui.debugging import doctor, exercises, game, lab, pitfalls
from lmviz.ui.debugging.view import DebuggingView, listed

SECTIONS = {"pitfalls": pitfalls, "doctor": doctor, "lab": lab, "game": game, "exercises": exercises}

view, services = state.here(DebuggingView), shared.services()

shell.look("debugging")
with shell.top(view):
    choices.section("debug.", view.t, listed(view))
model_field.notice(services, view.t, view.model)
with st.container(key="debugging"), shell.sentences(view.t):
    SECTIONS[view.section].section(services, view)
