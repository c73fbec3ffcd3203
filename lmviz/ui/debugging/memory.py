"""Out of memory: an estimate by part, measured for real, and a real process that really runs out, and is cured."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from lmviz.debug.memory.cures import Cure, cures
from lmviz.debug.memory.estimate import Estimate, estimate
from lmviz.debug.memory.trial import MARGIN, Outcome, Trial
from lmviz.model.files import MEGABYTE
from lmviz.services.services import Services
from lmviz.train.initial import config_of
from lmviz.train.recipe import ModelRecipe
from lmviz.ui import charts as shared
from lmviz.ui import state, widgets
from lmviz.ui.debugging import charts
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.debugging.words import code
from lmviz.ui.depth import shows
from lmviz.ui.text import Translator

D_VOCAB, N_HEADS = 1000, 4
_WIDTHS = (16, 32, 64, 128, 256, 512)
ASKED = "debug.memory"  # which trials were asked for


def section(services: Services, view: DebuggingView) -> None:
    t, trial = view.t, trial_of(view)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown(f"## {t('pitfall.out_of_memory')}")
        st.markdown(t("pitfall.out_of_memory.why"))
        with st.container(key="memory_sliders"):
            _sliders(view)
    found = estimate(config_of(trial.model, trial.d_vocab), trial.optimizer, trial.batch_size, trial.n_pos)
    with right:
        _estimated(view, found)
    with left:
        _measuring(services, view, trial, found)
    with right:
        _limited(services, view)


def trial_of(view: DebuggingView) -> Trial:
    width = max(width for width in _WIDTHS if width <= view.d_model)
    model = ModelRecipe("gpt2", view.length, view.layers, width, N_HEADS, 4 * width)
    return Trial(model, D_VOCAB, view.batch, view.length)


def _sliders(view: DebuggingView) -> None:
    t = view.t
    widgets.select_slider(t("memory.batch"), (1, 2, 4, 8, 16, 32, 64, 128, 256), **_near(view, "batch"))
    widgets.select_slider(t("memory.d_model"), _WIDTHS, **_near(view, "d_model", _WIDTHS))
    st.slider(t("memory.layers"), 1, 12, **state.bound("layers"))
    widgets.select_slider(t("memory.length"), (8, 16, 32, 64, 128, 256), **_near(view, "length"))
    widgets.select_slider(t("memory.budget"), (16, 32, 64, 128, 192, 256, 384, 512, 1024), **_near(view, "budget"))


_AS_TEXT = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]<>$~:"})
_STEPS = {
    "batch": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "length": (8, 16, 32, 64, 128, 256),
    "budget": (16, 32, 64, 128, 192, 256, 384, 512, 1024),
}


def _near(view: DebuggingView, name: str, steps: tuple[int, ...] = ()) -> dict[str, Any]:
    """A slider that jumps, at the step that is nearest to what the link asks for."""
    steps = steps or _STEPS[name]
    return state.bound(name, shown=min(steps, key=lambda step: abs(step - getattr(view, name))))


def _estimated(view: DebuggingView, found: Estimate) -> None:
    t = view.t
    fits = found.total <= view.budget * MEGABYTE
    icon = ":green[:material/check_circle:]" if fits else ":orange[:material/error:]"
    total = t("memory.total", total=_mb(t, found.total), budget=t.integer(view.budget))
    st.markdown(f"{icon} {total}. {t('memory.fits' if fits else 'memory.too_much')}")
    names = [t(f"memory.{part.name}") for part in found.parts]
    sizes = [part.n_bytes * part.times / MEGABYTE for part in found.parts]
    shared.show(charts.parts(names, sizes, view.budget, t("memory.mb"), height=210), t, "memory.parts")
    if not shows(view.depth, "formula"):
        return
    with st.expander(t("memory.formula"), icon=":material/function:"):
        for part, name in zip(found.parts, names, strict=True):
            times = f" {t('memory.times', n=part.times)}" if part.times > 1 else ""
            worked = f"${part.formula} = {part.numbers} = {_latex(part.n_bytes)}$"
            st.markdown(t("memory.worked", part=name + times, worked=worked))
        st.markdown(t("memory.sum", n_bytes=t.integer(found.total), total=_mb(t, found.total)))
        st.caption(t("memory.legend"))


def _measuring(services: Services, view: DebuggingView, trial: Trial, found: Estimate) -> None:
    t = view.t
    st.button(
        t("memory.measure"),
        icon=":material/straighten:",
        help=t("memory.measure_help"),
        key="memory.measure",
        on_click=lambda: _ask(trial_of(state.view(DebuggingView))),
        disabled=found.total > 1024 * MEGABYTE,
    )
    if trial not in _asked():
        return
    outcome = _tried(services, t, trial)
    if outcome.ended == "finished":
        share = t.percent(found.total / outcome.peak)
        sizes = {"measured": _mb(t, outcome.peak), "estimated": _mb(t, found.total)}
        st.success(t("memory.measured", percent=share, **sizes), icon=":material/straighten:")
    else:
        _ended(view, outcome)


def _asked() -> set[Trial]:
    found: set[Trial] = state.remember(ASKED, set())
    return found


def _ask(trial: Trial) -> None:
    _asked().add(trial)


def _with_limit(view: DebuggingView) -> Trial:
    return replace(trial_of(view), limit=view.budget * MEGABYTE)


def _limited(services: Services, view: DebuggingView) -> None:
    """The same with the budget as a real limit; and, where that fails, the cures."""
    t = view.t
    limited = _with_limit(view)
    st.button(
        t("memory.try", budget=t.integer(view.budget)),
        icon=":material/rocket_launch:",
        type="primary",
        help=t("memory.try_help"),
        key="memory.try",
        on_click=lambda: _ask(_with_limit(state.view(DebuggingView))),
    )
    if limited not in _asked():
        return
    outcome = _tried(services, t, limited)
    _ended(view, outcome)
    if outcome.ended == "out_of_memory":
        _cures(services, view, limited)


def _ended(view: DebuggingView, outcome: Outcome) -> None:
    t = view.t
    if outcome.ended == "out_of_memory":
        during = t(f"memory.during.{outcome.during}")
        sizes = {"held": _mb(t, outcome.held), "asked": _mb(t, outcome.asked), "margin": _mb(t, MARGIN)}
        sizes["budget"] = t.integer(view.budget)
        st.error(t("memory.failed", during=during, **sizes), icon=":material/memory:")
        if outcome.line:
            st.markdown(t("memory.line", place=code(outcome.place)))
            st.code(outcome.line, language="python")
        st.caption(outcome.message.translate(_AS_TEXT))
    elif outcome.ended == "finished":
        st.success(t("memory.finished", budget=t.integer(view.budget)), icon=":material/check:")
    elif outcome.ended == "timed_out":
        st.warning(t("memory.timed_out"))
    else:
        st.error(t("memory.killed", message=code(outcome.message)))


def _cures(services: Services, view: DebuggingView, limited: Trial) -> None:
    t = view.t
    st.markdown(f"**{t('memory.cures')}**")
    found = cures(limited)
    for cure in found:
        words = {"cure": t(f"cure.{cure.name}"), "change": _change(limited, cure)}
        st.button(
            t("memory.cure_does", needed=_mb(t, cure.needed), **words),
            icon=":material/healing:",
            key=f"memory.cure.{cure.name}",
            on_click=_ask,
            args=(cure.trial,),
        )
        if cure.trial in _asked():
            ended = _tried(services, t, cure.trial).ended
            if ended == "finished":
                st.success(t("memory.cured", cure=words["cure"]), icon=":material/check:")
            else:
                st.warning(t("memory.not_cured", cure=words["cure"]))
    if not found:
        st.markdown(t("memory.no_cure"))


def _change(before: Trial, cure: Cure) -> str:
    """What a cure changes: 32 → 8."""
    after = cure.trial
    pairs = [(before.batch_size, after.batch_size), (before.n_pos, after.n_pos)]
    pairs += [(before.model.d_model, after.model.d_model), (before.model.n_layers, after.model.n_layers)]
    return ", ".join(f"{was} → {now}" for was, now in pairs if was != now)


def _tried(services: Services, t: Translator, trial: Trial) -> Outcome:
    place = st.empty()

    def waiting(before: int) -> None:
        place.caption(t("pitfall.waiting", n=before))

    with st.spinner(t("memory.trying")):
        outcome = services.pitfalls.try_out(trial, waiting)
    place.empty()
    return outcome


def _latex(count: int) -> str:
    """A count with its thousands set apart, in LaTeX."""
    return f"{count:,}".replace(",", r"\,")


def _mb(t: Translator, n_bytes: int) -> str:
    return t.number(n_bytes / MEGABYTE, 1)
