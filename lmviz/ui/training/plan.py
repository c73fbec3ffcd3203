"""The plan of a training: data, model, optimiser, and the button that starts it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.train.plan import Plan
from lmviz.train.recipe import Recipe
from lmviz.train.texts import PRESETS
from lmviz.ui import state
from lmviz.ui.text import Translator
from lmviz.ui.training import data_card, manage, model_card, owner, training_card
from lmviz.ui.training.planned import own_text, recipe_of
from lmviz.ui.training.view import OWN, TWO_WORDS, TrainingView


def plan(services: Services, view: TrainingView, row: st.delta_generator.DeltaGenerator) -> None:
    """Data, model, optimiser; and Train, in the row on top, so that it is always in sight."""
    t = view.t
    left, middle, right = st.columns(3, gap="medium")
    data, model, training = (column.container(border=True) for column in (left, middle, right))
    for i, (place, name) in enumerate(((data, "data"), (model, "model"), (training, "optimizer")), start=1):
        place.markdown(f"## {i} · {t(f'train.{name}.title')}")
    recipe = _recipe(services, view, data)
    with data:
        data_card.choices(services, view, recipe)
    if recipe is None:
        for card in (model, training):
            card.caption(t("train.waits"))
        _go(row, t)
        return
    with model:
        above = st.container()
        model_card.choices(services, view, recipe)
    with training:
        training_card.choices(view, recipe)
    planned = _planned(services, view, recipe, data)
    if planned is None:
        _go(row, t)
        return
    with data:
        data_card.preview(planned, view)
    with above:
        model_card.count(planned, view)
    with model:
        model_card.more(services, planned, view)
    with training:
        training_card.more(planned, view)
    _go(row, t, lambda: start(services))
    if view.data != OWN:
        manage.earlier(services, view)
    if failure_notice := state.take("train.trouble", None):
        st.error(failure_notice)


def _recipe(services: Services, view: TrainingView, where: st.delta_generator.DeltaGenerator) -> Recipe | None:
    """The recipe of the choices; None, and a sentence, if they cannot be followed."""
    try:
        if view.data == OWN and not own_text(services, view).strip():
            return None  # the empty box says what to do
        return _chosen(services, view)
    except UserError as error:
        where.warning(view.t.error(error))
        return None


def _chosen(services: Services, view: TrainingView) -> Recipe:
    return data_card.with_stride(recipe_of(services, view), view)


def _planned(
    services: Services, view: TrainingView, recipe: Recipe, where: st.delta_generator.DeltaGenerator
) -> Plan | None:
    """What the recipe comes to; None, and a sentence beside the choices, if it cannot be."""
    try:
        return services.training.plan(recipe, view.start)
    except UserError as error:
        where.warning(view.t.error(error))
        return None


def _go(row: st.delta_generator.DeltaGenerator, t: Translator, train: Callable[[], None] | None = None) -> None:
    """The button that trains. It stays in sight where there is nothing to train yet."""
    row.button(
        t("train.go"),
        key="go",
        type="primary",
        icon=":material/play_arrow:",
        disabled=train is None,
        on_click=train and state.unbroken(train),
    )


def start(services: Services) -> None:
    """What Train does: put the run into the queue and look at it. What was chosen a moment before the press counts."""
    view = state.view(TrainingView)
    try:
        planned = services.training.plan(_chosen(services, view), view.start)
        run = services.training.train(planned.recipe, name_of(services, planned, view), view.start, owner.tokens()[-1])
    except UserError as error:
        state.keep("train.trouble", view.t.error(error))
        return
    state.go(run=run, tab="", step=-1, b_step=-1, opened=0, beside=(), cell=None)


def name_of(services: Services, planned: Plan, view: TrainingView) -> str:
    """The card's title, or what the texts are called, numbered if there is such a run already."""
    name = planned.recipe.card.title
    if view.data == TWO_WORDS:
        name = " → ".join(planned.recipe.data.texts[0].split())
    elif view.data in PRESETS:
        name = view.t(f"train.data.{view.data}.short")
    name = name or view.t("train.data.own.short")
    taken = {run.name for run in services.models.runs.all()}
    numbers = (f"{name} {n}" for n in range(2, len(taken) + 3))
    return name if name not in taken else next(one for one in numbers if one not in taken)
