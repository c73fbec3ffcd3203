"""The end of the walk: what came out and why, and what one can do next."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from lmviz.errors import UserError
from lmviz.registry.folder import Folder
from lmviz.registry.notes import PROMPT_LIMIT
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recording import Recording
from lmviz.services.influence import AT_ONCE, Influence, cost, influence
from lmviz.services.services import Services
from lmviz.stages.navigation import Location
from lmviz.train.texts import PRESETS
from lmviz.ui import own_text, shell, state
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.step_through.events import ENDING
from lmviz.ui.step_through.scene import at_depth, focus_position
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import plain, visible
from lmviz.ui.training.view import TrainingView

_OTHER_TEXT = "end.other_text"  # that the page shows another text, without the window


def why(services: Services, run: Recording, view: StepThroughView, location: Location) -> str:
    """What came out and why, where the walk ends, as far as that is measured at once; empty elsewhere."""
    stage = run.navigator.stage(location)
    at_end = stage.kind == "probabilities" or stage.index == run.navigator.stages[-1].index
    if location.grain != "stage" or not at_end or view.grad or cost(run) > AT_ONCE:
        return ""
    return _measured(services, run, view, with_what=stage.kind != "probabilities")  # whose own words say that


def _measured(services: Services, run: Recording, view: StepThroughView, with_what: bool) -> str:
    pos = focus_position(run, view)
    try:
        found = influence(services.models, run, run.read_out_at(pos))
    except UserError:  # a model that does not run without a head of its own
        return ""
    return _in_words(view, run, found, pos, with_what)


def _in_words(view: StepThroughView, run: Recording, found: Influence | None, pos: int, with_what: bool) -> str:
    """The sentences of a measurement, and before them what came out; empty without one."""
    if found is None:
        return ""
    t = view.t
    said = {"best": visible(run.piece(found.token_id)), "share": t.percent(found.share)}
    parts = [t("end.out", token=visible(run.token(run.read_out_at(pos))), **said)] if with_what else []
    if found.head is not None:
        details = {"head": found.head.head, "block": found.head.block or "0", "without": t.percent(found.head.without)}
        key = "end.head.of_block" if found.by_block else "end.head"
        parts.append(t(at_depth(view, key), n=found.n_heads, **details, **said))
        if found.head.without > found.share:
            parts.append(t("end.against", **said))
    if found.token is not None:
        hidden = {"hidden": visible(run.token(found.token.pos)), "without": t.percent(found.token.without)}
        parts.append(t(at_depth(view, "end.token"), n=found.n_tokens, **hidden, **said))
    return " ".join(parts)


def asked(services: Services, run: Recording, view: StepThroughView) -> None:
    """What now? In a window over the page, when somebody has asked."""
    if state.take(ENDING, False):
        st.dialog(view.t("end.title"), width="large")(_now)(services, run, view)


def _now(services: Services, run: Recording, view: StepThroughView) -> None:
    if state.take(_OTHER_TEXT, False):
        st.rerun()
    t = view.t
    if run.own is None:
        with st.spinner(t("end.measuring")):
            said = _measured(services, run, view, with_what=True)
        st.markdown(plain(said) if said else t("end.not_measured"))
    if not view.model.trains and view.model.reads:
        _another_text(services, view)
    with st.container(horizontal=True):
        for label, place, page in _doors(view):
            shell.link(t(f"end.{label}"), place, page)


def _another_text(services: Services, view: StepThroughView) -> None:
    st.session_state["end.text"] = ""
    st.text_input(
        view.t("end.text"),
        key="end.text",
        placeholder=view.t("top.prompt_placeholder"),
        max_chars=PROMPT_LIMIT,
        on_change=lambda: _read(own_text.typed(services, StepThroughView, "end.text")),
    )


def _read(text: str) -> None:
    """Another text, from its beginning."""
    if text:
        state.update(prompt=text, step="", by="stage", line=-1, focus=-1, cell=None, trail=(), edits=(), target="")
        state.keep(_OTHER_TEXT, True)


def _doors(view: StepThroughView) -> list[tuple[str, Place, str]]:
    """What is next: a name, the place that it opens, and its page."""
    lang, model = view.lang, view.model
    if isinstance(model, PuzzleModel):
        return [("game", DebuggingView(lang=lang, section="game"), "debugging")]
    presets = (name for name, one in PRESETS.items() if one.of == "all" and model == Folder(one.sample))
    doors: list[tuple[str, Place, str]] = [
        ("train", replace(TrainingView(lang=lang), data=next(presets, TrainingView().data)), "training")
    ]
    if model.reads and not model.trains:
        doors.append(("break", DebuggingView(lang=lang, section="lab", model=model), "debugging"))
        doors.append(("write", GenerationView(lang=lang, model=model, prompt=view.prompt), "generation"))
    return doors
