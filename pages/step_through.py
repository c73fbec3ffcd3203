"""Step through one forward pass, and ask any cell where its number comes from."""

import streamlit as st

from lmviz.ui import depth, model_field, shared, shell, state
from lmviz.ui.step_through import attached, ending, recordings, take_away, time, tools, top, whole_model
from lmviz.ui.step_through.debugger import debugger
from lmviz.ui.step_through.view import StepThroughView

view, services = state.here(StepThroughView), shared.services()

with st.container(horizontal=True, vertical_alignment="center", key="top"):
    top.row(services, view)
    take_away.popover(services, view)
with st.container(key="body"):
    shell.link_notes(view.t)
    top.hint(services, view)
    model_field.notice(services, view.t, view.model)
    time.slider(services, view)
    attached.status(view)
    if recording := recordings.opened(services, view):
        above = st.container(key="whole_frame")
        with st.container(key="debugger_frame"):
            debugger(services)
        with above:  # drawn when the debugger is there
            whole_model.picture(services)
        with recordings.as_far_as_it_makes_sense(view):
            if depth.shows(view.depth, "tensors"):
                tools.ledger(recording, view)
            tools.card(services, recording, view)
            ending.asked(services, recording, view)
