"""The guide's tips: shapes, predictions, data; and where lmviz does what comes next."""

from __future__ import annotations

import numpy as np
import streamlit as st

from lmviz.registry.recording import Recording, Request
from lmviz.services.services import Services
from lmviz.train.preview import DROPPED, UNKNOWN, check_data
from lmviz.ui import choices, own_text, pieces, shell, state
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.debugging.words import code
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import visible
from lmviz.ui.training.view import TrainingView

TOP = 5
MOST_IDS = 64  # shown


def section(services: Services, view: DebuggingView) -> None:
    t = view.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choices.model(services, t, view.model, prompt=None, pos=-1)
        prompt = view.prompt if view.prompt is not None else services.models.first_prompt(view.model)
        own_text.field(services, t, view.model, "prompt", prompt, t("tips.top.text"), max_chars=300)
    run = services.models.record(Request(view.model, prompt))
    shell.notes(t, run.notes)
    left, middle, right = st.columns(3, gap="medium")
    with left, st.container(border=True):
        _shapes(view, run, prompt)
    with middle, st.container(border=True):
        _predictions(view, run)
    with right, st.container(border=True):
        _data(services, view, prompt)
    _next(view)


def _shapes(view: DebuggingView, run: Recording, prompt: str) -> None:
    t = view.t
    st.markdown(f"## {t('tips.shapes')}")
    st.markdown(t("tips.shapes.say"))
    named = [step.outputs[0] for step in run.trace if step.outputs and "." not in step.outputs[0].name]
    for value in named[:6]:
        named_sizes = zip(value.axes, value.shape, strict=True)
        shape = " × ".join(f"{size} {axis}" if axis != str(size) else axis for axis, size in named_sizes)
        st.markdown(f"{code(value.address)} {shape}")
    shell.link(t("tips.shapes.go"), StepThroughView(lang=t.language, model=view.model, prompt=prompt))


def _predictions(view: DebuggingView, run: Recording) -> None:
    """The guide's `inspect_prediction`, after the token that is clicked."""
    t, last = view.t, len(run.tokens) - 1
    pos = view.pos if 0 <= view.pos <= last else last
    st.markdown(f"## {t('tips.top')}")
    st.markdown(t("tips.top.say"))
    boxes = [pieces.Piece(run.token(i), marks=("given",) if i <= pos else ("later",), key=i) for i in range(last + 1)]
    pieces.show(boxes, t, "tips.positions", lambda i: state.go(pos=i), chosen=pos, height=120)
    shares = run.trace["readout.probs"].outputs[0].array[0, pos]
    for i in np.argsort(-shares, kind="stable")[:TOP]:
        share = float(shares[i])
        st.progress(min(1.0, share), f"{code(run.piece(int(i)))} {t.percent(share)}")
    place = StepThroughView(
        lang=t.language, model=run.request.model, prompt=run.request.prompt, step="probabilities", focus=pos
    )
    shell.link(t("tips.shapes.go"), place)


def _data(services: Services, view: DebuggingView, prompt: str) -> None:
    """The guide's `check_data`: there and back, with what was lost."""
    t = view.t
    st.markdown(f"## {t('tips.data')}")
    st.markdown(t("tips.data.say"))
    back = check_data(services.models.checkpoint(view.model).tokenizer, prompt)
    marks = {UNKNOWN: (("unknown",), "?"), DROPPED: (("lost",), "×")}
    shown = [pieces.Piece(part, marks=marks.get(fate, ((), ""))[0], sign=marks.get(fate, ((), ""))[1])
             for part, fate in back.parts]  # fmt: skip
    pieces.show(shown, t, "tips.pieces")
    st.markdown(" ".join(f"`{id}`" for id in back.tokens.ids[:MOST_IDS]))
    key = "tips.data.same" if back.is_exact else "tips.data.changed"
    st.markdown(t(key, decoded=code(visible(back.decoded))))


def _next(view: DebuggingView) -> None:
    t = view.t
    st.markdown(f"## {t('tips.next')}")
    with st.container(horizontal=True, gap="medium"):
        shell.link(t("tips.more_data"), TrainingView(lang=t.language, data="names"), "training")
        shell.link(t("tips.sizes"), TrainingView(lang=t.language), "training")
        shell.link(t("tips.temperature"), GenerationView(lang=t.language), "generation")
        shell.link(t("tips.beam"), GenerationView(lang=t.language, way="beam"), "generation")
