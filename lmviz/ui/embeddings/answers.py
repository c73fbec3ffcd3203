"""How alike several answers are: the course's average distance, on the vectors of a real model."""

from __future__ import annotations

import streamlit as st

from lmviz.embed.answers import AnswerDistances
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html, matrices, state, widgets
from lmviz.ui.embeddings import apart, tokens
from lmviz.ui.embeddings.view import METRICS, MOST_ANSWERS, TEMPERATURES, TEXT_LIMIT, EmbeddingsView
from lmviz.ui.matrices import Matrix
from lmviz.ui.text import Translator, visible


def section(services: Services, view: EmbeddingsView) -> None:
    t = view.t
    st.markdown(t("embeddings.answers.say"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        prompt = tokens.prompt(services, view, open_ended=True)
        st.slider(t("embeddings.answers.n"), 2, MOST_ANSWERS, width=widgets.px(150), **state.bound("n_answers"))
        widgets.slider(
            t,
            t("embeddings.answers.temperature"),
            *TEMPERATURES,
            step=0.1,
            width=190,
            **state.bound("temperature"),
        )
        st.number_input(t("embeddings.seed"), 0, 9999, width=widgets.px(130), **state.bound("seed"))
        widgets.segmented_control(
            t("embeddings.metric"),
            METRICS,
            format_func=lambda name: t(f"embeddings.metric.{name}"),
            required=True,
            **state.bound("metric"),
        )
        _own(view)
    with st.spinner(t("replay.making")):
        n, temperature, seed = view.n_answers, view.temperature, view.seed
        answers = view.answers or services.embeddings.answers(view.model, prompt, n, temperature, seed)
        found = services.embeddings.answer_distances(view.model, answers, view.metric)
    left, right = st.columns([1, 1], gap="medium")
    with left:
        _list(answers, found, view)
        asked = _asked(view, len(answers))
        if asked:
            (a, b), vectors = asked, found.vectors
            apart.between((answers[a], vectors[a]), (answers[b], vectors[b]), view.metric, t)
        else:
            st.caption(t("embeddings.click"))
    with right:
        _between(answers, found, asked, t)


def _own(view: EmbeddingsView) -> None:
    """Answers of one's own, one a line."""
    key = "embeddings.own_answers"
    st.session_state[key] = "\n".join(view.answers)

    def changed() -> None:
        lines = [line for line in st.session_state[key].splitlines() if line.strip()]
        state.go(answers=tuple(lines[:MOST_ANSWERS]))

    with st.popover(view.t("embeddings.answers.own"), icon=":material/edit_note:"):
        st.text_area(
            view.t("embeddings.answers.own_help", n=MOST_ANSWERS),
            key=key,
            max_chars=TEXT_LIMIT,
            height=widgets.px(180),
            on_change=changed,
        )


def _list(answers: tuple[str, ...], found: AnswerDistances, view: EmbeddingsView) -> None:
    t = view.t
    columns = [t("embeddings.answers.answer"), t("embeddings.answers.to_first")]
    apart = ["–", *(t.number(one, 3) for one in found.to_first)]
    arithmetic_html.table(["", *columns], [(str(i + 1), visible(answers[i]), apart[i]) for i in range(len(answers))])
    named = {f"d{i}": float(one) for i, one in enumerate(found.to_first)}
    template = f"({' + '.join(f'{{{name}}}' for name in named)}) / {{n}}"
    line = arithmetic_html.equation(t, template, float(found.average), 3, n=len(named), **named)
    arithmetic_html.steps([(t("embeddings.answers.average"), line.html)])


def _asked(view: EmbeddingsView, n: int) -> tuple[int, ...]:
    """The two answers whose distance is asked for, if there are two."""
    asked = view.cell[1][-2:] if view.cell and view.cell[0] == "between" else ()
    return asked if len(asked) == 2 and max(asked) < n else ()


def _between(answers: tuple[str, ...], found: AnswerDistances, asked: tuple[int, ...], t: Translator) -> None:
    names = [str(i + 1) for i in range(len(answers))]
    given = [
        Matrix(
            found.all,
            t("embeddings.answers.between"),
            ("answer", "answer"),
            rows=names,
            cols=names,
            result=True,
            pinned=asked or None,
            address="between",
        )
    ]
    matrices.show(given, t, key="answers", on_cell=lambda a, c: state.go(cell=(a, c)), height=330)
    st.caption(t("embeddings.answers.vectors"))
