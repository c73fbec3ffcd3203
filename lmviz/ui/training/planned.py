"""The recipe that the page's choices come to: the one that comes with the texts, and what was changed of it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.model.architectures import ARCHITECTURES
from lmviz.services.services import Services
from lmviz.train.initial import sizes_of
from lmviz.train.recipe import ModelRecipe, Recipe, lacks, of_architecture, own_settings
from lmviz.train.texts import PRESETS, own_data, preset, two_words
from lmviz.ui import state
from lmviz.ui.training.view import OWN, TWO_WORDS, TrainingView

END = "<end>"  # around a text that is cut into words, where a line break would be lost
_OWN_TEXT = "own text"  # what was typed or uploaded, with the name that it is kept by


def own_text(services: Services, view: TrainingView) -> str:
    """What was typed or uploaded: of this session, or, after a reload or behind a link, what was kept.

    Raises:
        UserError: it is not kept any more.
    """
    known: tuple[str, str] = state.remember(_OWN_TEXT, ("", ""))
    if known[0] != view.own:
        known = (view.own, services.models.runs.kept_text(view.own) if view.own else "")
        state.keep(_OWN_TEXT, known)
    return known[1]


def keep_own_text(services: Services, written: str) -> None:
    """Take a text for one's own. It stays in sight even where it cannot be kept.

    Raises:
        UserError: it is too large, or there is no room for it.
    """
    state.keep(_OWN_TEXT, (state.view(TrainingView).own, written))
    name = services.models.runs.keep_text(written) if written.strip() else ""
    state.keep(_OWN_TEXT, (name, written))
    state.go(own=name, window=0)


def _base_recipe(services: Services, view: TrainingView) -> Recipe:
    """Where the plan starts: the recipe of a sample's texts, of one's own text, or of an earlier run."""
    if view.data == TWO_WORDS:
        return two_words(*view.words)
    if view.data == OWN:
        recipe = preset("names")
        own = own_data(own_text(services, view), n_ctx=recipe.model.n_ctx)
        return replace(recipe, data=own, card=replace(recipe.card, title="", about="", prompts=(), languages=()))
    if view.data in PRESETS:
        return preset(view.data)
    return services.models.runs.recipe(view.data)


def recipe_of(services: Services, view: TrainingView) -> Recipe:
    """The recipe as it would be trained now.

    Raises:
        UserError: a setting cannot be, or the texts cannot be read.
    """
    recipe = with_mark(changed(_base_recipe(services, view), view.changes))
    if view.start:
        theirs = sizes_of(services.models.checkpoint(view.start).config)
        ours = of_architecture(recipe.model, theirs.architecture)
        kept = {name: getattr(ours, name) for name in ("dropout", "initial_std", "start")}
        recipe = replace(recipe, model=replace(theirs, **kept))
    return recipe


def with_mark(recipe: Recipe) -> Recipe:
    """What stands around every text must be a token: among words, it is a word of its own, and not white space."""
    around = recipe.data.around
    if recipe.tokenizer.kind != "words" or not around:
        return recipe
    return replace(recipe, data=replace(recipe.data, around=f" {around.strip() or END} "))


def changed(recipe: Recipe, changes: tuple[tuple[str, Any], ...]) -> Recipe:
    """The recipe with some of its settings, by path ("training.steps"), set to other values."""
    for path, value in changes:
        section, _, name = path.partition(".")
        known = getattr(recipe, section, None)
        kind = None if known is None else _kinds(known).get(name)
        if kind is None:
            raise UserError("A recipe has no setting {name}.", name=path)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise UserError("{name} in a recipe cannot be {value}.", name=path, value=value)
        recipe = replace(recipe, **{section: _with(known, name, value)})
    return recipe


def _kinds(section: Any) -> dict[str, type]:
    """The types of what can be changed in a section."""
    kinds = {field.name: type(getattr(section, field.name)) for field in fields(section)}
    own = own_settings(section.architecture) if isinstance(section, ModelRecipe) else {}
    return {name: kind for name, kind in (kinds | own).items() if name not in ("texts", "file", "start", "own")}


def _with(section: Any, name: str, value: Any) -> Any:
    """A section with one setting changed; what the architecture of a model lacks stays as it is."""
    if not isinstance(section, ModelRecipe):
        return replace(section, **{name: value})
    if name == "architecture" and value in ARCHITECTURES:
        return of_architecture(section, value)
    if name in own_settings(section.architecture):
        return replace(section, own=tuple(sorted({**dict(section.own), name: value}.items())))
    return section if lacks(section.architecture, name) else replace(section, **{name: value})


def with_change(view: TrainingView, path: str, value: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted({**dict(view.changes), path: value}.items()))


def bound(recipe: Recipe, path: str, options: Any = None) -> dict[str, Any]:
    """`key` and `on_change` for a widget that mirrors one setting of the recipe."""
    section, _, name = path.partition(".")
    key = f"recipe {path}"
    value = getattr(getattr(recipe, section), name)
    shown = value if options is None or value in options else nearest(options, value)
    st.session_state[key] = shown

    def change() -> None:
        if st.session_state[key] != shown:
            state.go(changes=with_change(state.view(TrainingView), path, st.session_state[key]))

    return {"key": key, "on_change": change}


def nearest(options: Any, value: Any) -> Any:
    return min(options, key=lambda option: abs(option - value))
