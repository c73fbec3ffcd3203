"""The row on top: model, prompt, language, settings. Widgets mirror the view; changing one changes the view."""

from __future__ import annotations

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.edits import HeadOff
from lmviz.registry.kinds import read_reference
from lmviz.registry.notes import PROMPT_LIMIT
from lmviz.registry.run import RunModel, RunStep
from lmviz.services.services import Services
from lmviz.ui import choices, own_text, shell, state, widgets
from lmviz.ui.choices import listed
from lmviz.ui.depth import shows
from lmviz.ui.parts import WEIGHTS
from lmviz.ui.step_through import tools
from lmviz.ui.step_through.view import StepThroughView

RUNS_LISTED = 5


def row(services: Services, view: StepThroughView) -> None:
    """Model, text, language, and what is compared, stopped at and set."""
    t = view.t
    opened = view.model.run if isinstance(view.model, RunModel | RunStep) else ""
    models = choices.attached(services, t) | choices.with_runs(
        services, t, RUNS_LISTED, without=opened
    )  # the slider has the other times
    st.session_state["model"] = str(view.model)
    widgets.selectbox(
        t("top.model"),
        listed(models, str(view.model)),
        key="model",
        format_func=lambda written: choices.model_name(services, t, read_reference(written)),
        label_visibility="collapsed",
        width=170,
        accept_new_options=True,
        on_change=lambda: tools.open_model(services, read_reference(st.session_state["model"])),
    )
    st.session_state["prompt"] = prompt(services, view)
    st.text_input(
        t("top.prompt"),
        key="prompt",
        label_visibility="collapsed",
        placeholder=t(_placeholder(view)),
        max_chars=PROMPT_LIMIT,
        disabled=view.model.trains or not view.model.reads,
        on_change=lambda: read(own_text.typed(services, StepThroughView, "prompt")),
    )
    shell.reader_choices()
    with st.popover(t("tools.compare"), icon=":material/compare_arrows:"):
        tools.compare(services, view)
    if shows(view.depth, "stops"):
        with st.popover(t("tools.stops"), icon=":material/adjust:"):
            tools.breakpoints(view)
    with st.popover(t("tools.settings"), icon=":material/tune:"):
        tools.settings(view)


def _placeholder(view: StepThroughView) -> str:
    return "top.prompt_placeholder" if view.model.reads else "attach.prompt" if view.model.live else "recorded.prompt"


def hint(services: Services, view: StepThroughView) -> None:
    """How a text for this model is written, on a phone while one writes; nothing of it in front of a room."""
    with st.container(key="hint"):  # always: what stands below it keeps its place
        if not view.present and not view.model.trains:
            own_text.hint(services, view.t, view.model, prompt(services, view), read)


def prompt(services: Services, view: StepThroughView) -> str:
    """The text to read: the view's, or the model's own first one."""
    if view.prompt is not None:
        return view.prompt
    try:
        return services.models.first_prompt(view.model)
    except UserError:
        return ""


def read(new: str) -> None:
    """Another text: what was pinned or edited at a position of the old one is let go; edited weights stay edited."""
    view = state.view(StepThroughView)
    weights = tuple(edit for edit in view.edits if isinstance(edit, HeadOff) or edit.address.endswith(WEIGHTS))
    state.go(prompt=new, focus=-1, cell=None, trail=(), edits=weights)
