"""The question: a sentence, what may come next with its chances, and what one can do when it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import streamlit as st

from lmviz.bundle import PAGES
from lmviz.errors import UserError
from lmviz.services.greetings import EXAMPLES, SAMPLE, NextWords, greeting
from lmviz.ui import server, shell, state
from lmviz.ui.first.view import LONGEST, FirstView
from lmviz.ui.place import Place
from lmviz.ui.text import Translator, plain, visible

_ENDS = (".", "!", "?")
STEP_THROUGH = PAGES / "step_through.py"


def question(view: FirstView) -> None:
    """The sentence, and what may come next: of the greeting at once, of others as soon as the model is here."""
    asked = greeting(view.lang)
    if view.text in ("", asked.text):
        _ask(view, asked)
        return
    try:
        found = _next_words(view.t, view.text)
    except UserError as error:
        st.error(view.t.error(error))
        _again(view.t)
        return
    if found.is_full or found.text.rstrip().endswith(_ENDS):
        _ended(view, found)
    else:
        _ask(view, found)


def _next_words(t: Translator, text: str) -> NextWords:
    loading = st.empty()
    if not server.is_imported():
        shell.wait_for_import(t, loading)
    from lmviz.registry.folder import Folder
    from lmviz.services.next_words import next_words
    from lmviz.ui import shared

    return next_words(shared.services().models.checkpoint(Folder(SAMPLE)), text)


def _ask(view: FirstView, asked: NextWords) -> None:
    t = view.t
    st.html(f'<h1 class="lm-first">{_sentence(view, asked.text)}<span class="gap" aria-hidden="true"></span></h1>')
    if not server.is_imported():  # a new server and its first visitor's browser have much to do at once
        shell.let_paint()
    st.html(f'<p class="lm-asks">{escape(t("first.question"))}</p>')
    with st.container(key="first_choices"):
        st.html(f"<style>{_bars(asked)}</style>")
        for index, choice in enumerate(asked.choices):
            st.button(
                f"{_shown(t, choice.piece)} **{plain(t.percent(choice.share))}**",
                key=f"first_choice_{index}",
                on_click=_choose,
                args=(asked.text, choice.text),
                width="stretch",
            )
    others = t("first.others", n=t.integer(asked.n_others), share=t.percent(asked.others))
    st.html(f'<p class="lm-rest">{escape(others)}</p>')
    if asked.strange:
        words = ", ".join(asked.strange[:5])
        shell.note(t("first.strange", n=len(asked.strange), words=plain(words)))
    if view.text:
        _again(t)


def _ended(view: FirstView, found: NextWords) -> None:
    """The sentence as it stands; and the door into the model, where its last word was chosen."""
    t = view.t
    st.html(f'<h1 class="lm-first">{_sentence(view, found.text)}</h1>')
    st.html(f'<p class="lm-asks">{escape(t("first.ended"))}</p>')
    with st.container(horizontal=True, horizontal_alignment="center", vertical_alignment="center", key="first_end"):
        st.page_link(
            STEP_THROUGH,
            label=t("first.see"),
            icon=":material/visibility:",
            query_params=_address(
                view, prompt=found.text, step="probabilities", focus=str(_last_word(found)), depth=_depth()
            ),
        )
        _again(t)


def _address(view: FirstView, **query: str) -> Mapping[str, str]:
    """Another page, in the same language; a text is read by the model of this one. Its own view would import torch."""
    model = {"model": SAMPLE} if "prompt" in query else {}
    return {**state.address(Place(lang=view.lang, depth=view.depth, present=view.present)), **model, **query}


def _depth() -> str:
    """How deep the door into the model leads: to its numbers, if the reader has not chosen otherwise."""
    return state.chosen_depth() or "numbers"


def _last_word(found: NextWords) -> int:
    """The position behind which the last word of a sentence was chosen, before what ends it."""
    return max(0, found.n_pos - (3 if found.text.rstrip().endswith(_ENDS) else 2))


def _again(t: Translator) -> None:
    st.button(
        t("first.again"), key="first_again", type="tertiary", icon=":material/replay:", on_click=state.go,
        kwargs={"text": "", "given": 0},
    )  # fmt: skip


def _choose(before: str, text: str) -> None:
    state.go(text=text[:LONGEST], given=state.view(FirstView).given or len(before))


def own(view: FirstView) -> None:
    """A beginning of one's own."""
    st.session_state["first_own"] = ""
    st.text_input(
        view.t("first.own"),
        key="first_own",
        placeholder=view.t("first.own_placeholder", example=EXAMPLES.get(view.lang, EXAMPLES["en"])),
        label_visibility="collapsed",
        max_chars=LONGEST,
        on_change=_begin,
    )


def _begin() -> None:
    typed = st.session_state["first_own"].strip()
    if typed:
        state.go(text=typed, given=len(typed))


def doors(view: FirstView) -> None:
    """What this is in three lines, and where to go."""
    t = view.t
    n = t.integer(greeting(view.lang).n_parameters)
    with st.container(key="first_doors"):
        st.markdown(f"{t('first.what')}\n\n{t('first.real', n=n)}")
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.page_link(
                PAGES / "course.py", label=t("first.course"), icon=":material/school:", query_params=_address(view)
            )
            st.page_link(
                STEP_THROUGH,
                label=t("first.explore"),
                icon=":material/footprint:",
                query_params=_address(view, prompt=view.text or greeting(view.lang).text),
            )


def _sentence(view: FirstView, text: str) -> str:
    """The words that were given, and those that were chosen."""
    given = view.given or len(text)
    return f'{escape(text[:given])}<span class="chosen">{escape(text[given:])}</span>'


def _shown(t: Translator, piece: str) -> str:
    """A token on its button: a word without the space before it; what is no word, told apart."""
    if piece in _ENDS:
        return t("first.stop", sign=plain(piece))
    word = piece.strip()
    is_word = piece.startswith(" ") and word != ""
    return plain(word if is_word else f"…{visible(piece)}" if word[:1].isalnum() else visible(piece))


def _bars(asked: NextWords) -> str:
    """Each button is its own bar: as long as its chance."""
    return "\n".join(
        f".st-key-first_choice_{index} button {{ --share: {100 * choice.share:.2f}%; }}"
        for index, choice in enumerate(asked.choices)
    )
