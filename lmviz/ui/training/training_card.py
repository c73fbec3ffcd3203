"""The third part of a plan: how the numbers of the model move."""

from __future__ import annotations

import streamlit as st

from lmviz.train.plan import Plan
from lmviz.train.recipe import Recipe, lacks
from lmviz.ui import state, widgets
from lmviz.ui.quantisation import schemes
from lmviz.ui.quantisation.view import FORMATS
from lmviz.ui.text import Translator
from lmviz.ui.training.planned import bound, with_change
from lmviz.ui.training.view import TrainingView

RATES = [round(digit * 10.0**power, 6) for power in range(-5, 1) for digit in (1, 2, 3, 5)] + [10.0, 100.0]
STEPS = [10, 50, 100, 200, 500, 600, 1000, 1500, 2000, 3000, 5000, 10_000, 20_000, 50_000, 100_000]
_BATCHES = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]


def choices(view: TrainingView, recipe: Recipe) -> None:
    """Optimiser, learning rate, steps."""
    t = view.t
    widgets.segmented_control(
        t("train.optimizer"),
        ["sgd", "momentum", "adam", "adamw"],
        format_func=lambda name: t(f"train.optimizer.{name}"),
        required=True,
        help=t(f"train.optimizer.{recipe.training.optimizer}.help"),
        **bound(recipe, "training.optimizer"),
    )
    rate = recipe.training.learning_rate
    widgets.select_slider(
        t("train.learning_rate"),
        sorted({*RATES, rate}),
        format_func=lambda value: t.exact(value),
        help=t("train.learning_rate.help"),
        **bound(recipe, "training.learning_rate"),
    )
    widgets.select_slider(
        t("train.steps"),
        sorted({*STEPS, recipe.training.steps}),
        format_func=lambda value: t.integer(value),
        help=t("train.steps.help"),
        **bound(recipe, "training.steps"),
    )
    if recipe.quantisation.rounds:
        st.caption(":material/compress: " + t("train.rounding.on", format=recipe.quantisation.format.upper()))


def rounding(recipe: Recipe, t: Translator) -> None:
    """Quantisation-aware training: in how many bits the model reads its matrices while it learns."""
    st.caption(t("train.rounding.say"))
    schemes.scheme_choice(
        t,
        recipe.quantisation,
        lambda name: bound(recipe, "quantisation." + {"group": "group_size"}.get(name, name)),
        FORMATS,
    )


def _epochs(plan: Plan, t: Translator) -> None:
    """The steps as passes over the texts. One that is not whole is shown with its fraction."""
    key, steps = "epochs", plan.recipe.training.steps
    n_batches = -(-len(plan.corpus.train) // plan.batch_size)
    st.session_state[key] = round(steps / n_batches, 2)

    def changed() -> None:
        wanted = max(1, round(st.session_state[key] * n_batches))
        state.go(changes=with_change(state.view(TrainingView), "training.steps", wanted))

    st.number_input(
        t("train.epochs"),
        0.01,
        1e6,
        step=1.0,
        key=key,
        help=t("train.epochs.help", n=n_batches),
        on_change=changed,
    )


def more(plan: Plan, view: TrainingView) -> None:
    """Everything else that decides the curve."""
    t, recipe = view.t, plan.recipe
    with st.expander(t("train.optimizer.more"), on_change="rerun", key="training_more") as shown:
        if not shown.open:
            return
        _epochs(plan, t)
        _batches_and_schedule(recipe, t)
        left, right = st.columns(2)
        with left:
            _step_sizes(recipe, t)
        with right:
            _regularisation(recipe, t)
        rounding(recipe, t)


def _batches_and_schedule(recipe: Recipe, t: Translator) -> None:
    """What one step learns from, and how its rate changes."""
    widgets.select_slider(
        t("train.batch"),
        sorted({*_BATCHES, recipe.training.batch_size}),
        format_func=lambda n: t.integer(n) if n else t("train.batch.all"),
        help=t("train.batch.help"),
        **bound(recipe, "training.batch_size"),
    )
    widgets.segmented_control(
        t("train.targets"),
        ["all", "last"],
        format_func=lambda which: t(f"train.targets.{which}"),
        required=True,
        help=t("train.targets.help"),
        **bound(recipe, "data.targets"),
    )
    widgets.segmented_control(
        t("train.schedule"),
        ["constant", "cosine"],
        format_func=lambda name: t(f"train.schedule.{name}"),
        required=True,
        **bound(recipe, "training.schedule"),
    )


def _step_sizes(recipe: Recipe, t: Translator) -> None:
    """What bounds a step, and the seed."""
    st.number_input(t("train.warm_up"), 0, 100_000, step=10, **bound(recipe, "training.warm_up"))
    st.number_input(
        t("train.clip"),
        0.0,
        1000.0,
        step=0.5,
        help=t("train.clip.help"),
        **bound(recipe, "training.clip"),
    )
    st.number_input(
        t("train.seed"),
        0,
        2**31 - 1,
        step=1,
        help=t("train.seed.help"),
        **bound(recipe, "training.seed"),
    )


def _regularisation(recipe: Recipe, t: Translator) -> None:
    """What keeps weights small or uncertain; and momentum, where the optimiser has it."""
    st.number_input(
        t("train.weight_decay"),
        0.0,
        0.99,
        step=0.05,
        help=t("train.weight_decay.help"),
        **bound(recipe, "training.weight_decay"),
    )
    st.number_input(
        t("train.dropout"),
        0.0,
        0.9,
        step=0.1,
        disabled=lacks(recipe.model.architecture, "dropout"),
        help=t("train.dropout.help"),
        **bound(recipe, "model.dropout"),
    )
    if recipe.training.optimizer == "momentum":
        st.number_input(t("train.momentum"), 0.0, 0.999, step=0.05, **bound(recipe, "training.momentum"))
