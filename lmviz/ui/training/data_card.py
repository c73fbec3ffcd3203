"""The first part of a plan: which texts, what a token is, and how they are cut into inputs and targets."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import streamlit as st

from lmviz.errors import UserError
from lmviz.services.services import Services
from lmviz.train.plan import Plan
from lmviz.train.preview import aligned, check_data
from lmviz.train.recipe import Recipe
from lmviz.train.texts import LARGEST_OWN, PRESETS, own_texts
from lmviz.ui import state, widgets
from lmviz.ui.choices import listed
from lmviz.ui.streamlit_words import file_uploader
from lmviz.ui.text import Translator, code, visible
from lmviz.ui.training import words
from lmviz.ui.training.manage import attempt
from lmviz.ui.training.planned import bound, keep_own_text, own_text
from lmviz.ui.training.view import OWN, TWO_WORDS, TrainingView

_WINDOWS_SHOWN = 2
_TRIED_LIMIT = 400  # characters of the text for the round trip
_VOCABULARY_SHOWN = 300
_TEXTS_SHOWN = 200


def choices(services: Services, view: TrainingView, recipe: Recipe | None) -> None:
    """The texts, and the tokenizer."""
    t = view.t
    names = [*PRESETS, OWN]
    widgets.selectbox(
        t("train.data.texts"),
        listed(names, view.data),
        format_func=lambda name: _name(services, t, name),
        **state.bound("data", changes=(), start=None, window=0),
    )
    if view.data == OWN:
        own(services, view)
    if view.data == TWO_WORDS:
        two_words(view)
    if recipe is None:
        return
    kinds = ["characters", "words", "bpe"]
    widgets.segmented_control(
        t("train.tokenizer"),
        kinds,
        format_func=lambda kind: t(f"train.tokenizer.{kind}"),
        required=True,
        disabled=bool(view.start),
        help=t("train.tokenizer.help"),
        **bound(recipe, "tokenizer.kind"),
    )
    if recipe.tokenizer.kind == "bpe" and not view.start:
        st.number_input(t("train.tokenizer.size"), 257, 8192, step=64, **bound(recipe, "tokenizer.d_vocab"))


def _name(services: Services, t: Translator, name: str) -> str:
    if name in PRESETS or name == OWN:
        return t(f"train.data.{name}")
    try:
        return t("train.data.again", name=services.models.runs.get(name).name)
    except UserError:
        return name


def two_words(view: TrainingView) -> None:
    """After the first word comes the second: a whole model for two words of one's own."""
    t = view.t
    st.caption(t("train.data.two_words.say"))
    for column, name, place in zip(st.columns(2), ("first", "second"), (0, 1), strict=True):
        key = f"word {name}"
        st.session_state[key] = view.words[place]
        column.text_input(
            t(f"train.data.two_words.{name}"),
            key=key,
            max_chars=30,
            on_change=lambda: state.go(words=_typed()),
        )


def _typed() -> tuple[str, str]:
    return st.session_state["word first"], st.session_state["word second"]


def own(services: Services, view: TrainingView) -> None:
    """A text of one's own: typed, pasted or from a file."""
    t = view.t
    with contextlib.suppress(UserError):  # the page says that it is gone; the box is empty
        st.session_state["own_text"] = own_text(services, view)
    st.text_area(
        t("train.data.own"),
        key="own_text",
        max_chars=LARGEST_OWN,
        height=widgets.px(110),
        placeholder=t("train.data.own_placeholder"),
        on_change=lambda: attempt(lambda: keep_own_text(services, st.session_state["own_text"])),
    )
    file = file_uploader(t, t("train.data.file"), ["txt", "md", "csv"], key="own_file", max_upload_size=1)
    if file is not None and state.remember("own_file_id", "") != file.file_id:
        state.keep("own_file_id", file.file_id)
        try:
            keep_own_text(services, "\n".join(own_texts(file.getvalue())))
        except UserError as error:
            st.error(t.error(error))
        else:
            st.rerun()


def preview(plan: Plan, view: TrainingView) -> None:
    """Some windows as two rows, the target of every position under it; below, what can be changed about them."""
    t, corpus = view.t, plan.corpus
    n_windows = len(corpus.train)
    first = min(view.window, n_windows - 1)
    shown = aligned(corpus.train, corpus.tokenizer, first, _WINDOWS_SHOWN)
    for one in shown:
        st.html(
            words.rows(
                [
                    (t("train.data.inputs"), "inputs", one.inputs),
                    (t("train.data.targets"), "targets", one.targets),
                ]
            )
        )
    n_texts, n_kept = len(plan.recipe.data.texts), plan.n_kept
    st.caption(
        t(
            _sentence(plan),
            n=n_texts - n_kept,
            texts=t.integer(n_texts - n_kept),
            kept=t.integer(n_kept),
            windows=t.integer(n_windows),
            targets=t.integer(corpus.train.n_targets),
            d_vocab=t.integer(corpus.tokenizer.d_vocab),
        )
    )
    with st.expander(t("train.data.more"), on_change="rerun", key="data_more") as more:
        if more.open:
            _more(plan, view, n_windows)


def _sentence(plan: Plan) -> str:
    """Which sentence says how the texts are cut: of a text that is alone, the end may be kept."""
    if plan.n_kept:
        return "train.data.cut_and_kept"
    return "train.data.cut" if plan.corpus.held_out is None else "train.data.cut_and_end"


def _more(plan: Plan, view: TrainingView, n_windows: int) -> None:
    t, recipe = view.t, plan.recipe
    if n_windows > _WINDOWS_SHOWN:
        st.slider(t("train.data.window"), 0, n_windows - 1, **state.bound("window"))
    fractions = [0.0, 0.05, 0.1, 0.2, 0.3]
    widgets.select_slider(
        t("train.data.held_out"),
        fractions,
        format_func=lambda part: t("train.data.percent", n=round(100 * part)),
        help=t("train.data.held_out_help"),
        **bound(recipe, "data.held_out", fractions),
    )
    st.caption(t("train.data.corpus", n=len(recipe.data.texts)))
    lines = "".join(map(_line, recipe.data.texts[:_TEXTS_SHOWN]))
    st.html(f'<div class="lt-texts" tabindex="0" role="group">{lines}</div>')  # it scrolls
    tried = st.text_input(t("train.data.try"), recipe.data.texts[0][:_TRIED_LIMIT], key="tried", max_chars=_TRIED_LIMIT)
    round_trip(plan, t, tried)
    pieces = [
        visible(plan.corpus.tokenizer.piece(i)) for i in range(min(plan.corpus.tokenizer.d_vocab, _VOCABULARY_SHOWN))
    ]
    st.caption(t("train.data.vocabulary", n=plan.corpus.tokenizer.d_vocab))
    st.html(words.in_a_row(f"<code>{words.escaped('  '.join(pieces))}</code>"))


def _line(written: str) -> str:
    return f"<div>{words.escaped(visible(written[:_TRIED_LIMIT]))}</div>"


def round_trip(plan: Plan, t: Translator, tried: str) -> None:
    """The guide's check of data: a text into ids and back, and what was lost on the way."""
    if not tried:
        return
    found = check_data(plan.corpus.tokenizer, tried)
    st.html(
        words.rows(
            [
                (t("train.data.pieces"), "inputs", found.tokens.pieces),
                (t("train.data.ids"), "plain", [str(i) for i in found.tokens.ids]),
            ]
        )
    )
    key = "train.data.exact" if found.is_exact else "train.data.differs"
    icon = ":material/check:" if found.is_exact else ":material/difference:"
    st.caption(f"{icon} " + t(key, decoded=code(visible(found.decoded))))
    lost = [part for part, fate in found.parts if fate != "kept"]
    if lost:
        st.caption(":material/warning: " + t("train.data.lost", parts=code(visible(" ".join(lost[:10])))))


def with_stride(recipe: Recipe, view: TrainingView) -> Recipe:
    """Windows of one's own text follow each other without a gap, whatever the context; none may skip a token."""
    n_ctx = recipe.model.n_ctx
    stride = n_ctx if view.data == OWN else min(recipe.data.stride, n_ctx)
    return replace(recipe, data=replace(recipe.data, stride=stride))
