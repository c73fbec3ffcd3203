"""Trainings of the training page that round their weights, each beside its twin that does not."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from lmviz.errors import UserError
from lmviz.quantise.scheme import Scheme
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.train.store.run_table import TrainingRun
from lmviz.train.texts import PRESETS
from lmviz.ui import shell, state
from lmviz.ui.choices import one_of
from lmviz.ui.quantisation import measuring, rivals_table
from lmviz.ui.quantisation.view import QuantisationView
from lmviz.ui.text import Translator
from lmviz.ui.training import owner
from lmviz.ui.training.view import OWN, TrainingView

REDRAW_SECONDS = 1.0  # seconds between two looks at a twin that trains


def choose(runs: Mapping[str, TrainingRun], view: QuantisationView) -> None:
    """A training here, or one of the training page."""
    names = {"": view.t("quantisation.run.here")}
    names |= {run.id: f"{run.name} · {run.recipe.quantisation.format.upper()}" for run in runs.values()}
    label, bound = view.t("quantisation.run"), state.bound("run")
    one_of(label, names, view.run, bound, label_visibility="collapsed", width=320)


def plan(view: QuantisationView, scheme: Scheme) -> TrainingView:
    """The training page with the same choices filled in."""
    sample = str(view.model)
    known = next((name for name, one in PRESETS.items() if (one.sample, one.of) == (sample, "all")), OWN)
    settings: dict[str, str | int | float | bool] = {
        "quantisation.format": scheme.format,
        "quantisation.granularity": scheme.granularity,
        "quantisation.group_size": scheme.group_size,
        "quantisation.symmetric": scheme.symmetric,
        "training.steps": view.steps,
        "training.learning_rate": view.rate,
        "training.warm_up": 0,
        "training.schedule": "cosine",
    }
    return TrainingView(
        lang=view.lang,
        data=view.model.run if isinstance(view.model, RunModel) else known,
        start=view.model,
        changes=tuple(sorted(settings.items())),
    )


def section(services: Services, run: TrainingRun | None, view: QuantisationView) -> None:
    if run is None:
        st.info(view.t("train.gone"))
        return
    trains = _trains(services.quantisation.twin(run))
    st.fragment(_compared, run_every=REDRAW_SECONDS if trains else None)(services, run, trains)


def _trains(twin: TrainingRun | None) -> bool:
    return twin is not None and twin.is_active


def _compared(services: Services, run: TrainingRun, trained: bool) -> None:
    view = state.view(QuantisationView)
    try:
        twin = services.quantisation.twin(run)
        if trained and not _trains(twin):
            st.rerun()  # the whole page once more, without a clock
        rivals = services.quantisation.rivals_of(run, twin, view.text)
    except UserError as error:
        st.error(view.t.error(error))
        measuring.choose(view)
        return
    kinds = [one.kind for one in rivals]
    if "trained_ptq" in kinds:
        rivals_table.after(rivals, run.recipe.quantisation, run.step, view)
    else:
        _missing(services, run, twin, view)
    rivals_table.show(services, rivals, run.recipe.quantisation, view, _model(services, run))
    with st.container(horizontal=True):
        beside = (twin.id,) if twin else ()
        shell.link(view.t("quantisation.run.open"), TrainingView(lang=view.lang, run=run.id, beside=beside), "training")
    measuring.on(services, view, _model(services, run))


def _missing(services: Services, run: TrainingRun, twin: TrainingRun | None, view: QuantisationView) -> None:
    """The fair comparison is with a training that is as long and rounds only afterwards."""
    t = view.t
    if twin is None:
        st.markdown(t("quantisation.run.fair", n=t.integer(run.steps)))
        st.button(
            t("quantisation.run.twin"),
            icon=":material/play_arrow:",
            type="primary",
            on_click=lambda: _train_twin(services, run, t),
        )
    else:
        said = t("quantisation.run.going", step=t.integer(twin.step), steps=t.integer(twin.steps))
        st.progress(min(1.0, twin.step / twin.steps), said)


def _train_twin(services: Services, run: TrainingRun, t: Translator) -> None:
    try:
        services.quantisation.train_twin(run, owner.tokens()[-1])
    except UserError as error:
        st.toast(t.error(error), icon=":material/error:")


def _model(services: Services, run: TrainingRun) -> RunModel:
    return RunModel(run.id, services.models.runs.ends(run.id)[1])
