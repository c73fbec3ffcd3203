"""Let a model write on, one token at a time, and see how each was chosen."""

import streamlit as st

from lmviz.ui import choices, model_field, shared, shell, state
from lmviz.ui.generation import beam, compare, knobs, one, presets, several
from lmviz.ui.generation.view import GenerationView

WAYS = {"one": one.stepping, "several": several.several, "beam": beam.beam, "compare": compare.compare}

view, services = state.here(GenerationView), shared.services()

shell.look("generation")
with shell.top(view):
    knobs.model_and_prompt(services, view)
model_field.notice(services, view.t, view.model)
with shell.sentences(view.t):
    knobs.hint(services, view)
    with st.container(horizontal=True, vertical_alignment="center", key="generation_ways"):
        choices.section("generation.way.", view.t, WAYS, part="way", label="generation.way", token=None)
        presets.presets(services, view)
    knobs.knobs(view)
    knobs.notes(services, view)
    WAYS[view.way](services, view)
