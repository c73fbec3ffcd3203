"""Eight questions about the whole course, judged at once."""

from __future__ import annotations

import streamlit as st

from lmviz.lessons.quiz import QuizQuestion
from lmviz.ui import shell, state, widgets
from lmviz.ui.course import card, kept
from lmviz.ui.course.chapters import quiz
from lmviz.ui.course.view import CourseView
from lmviz.ui.text import foreign

_NONE = -1


def at_the_end(view: CourseView) -> None:
    shell.look("course")
    t, questions = view.t, quiz(view.lang)
    given = (*view.answers, *(_NONE for _ in questions))[: len(questions)]
    right = sum(one.right == chosen for one, chosen in zip(questions, given, strict=True))
    answered = sum(chosen != _NONE for chosen in given)
    st.markdown(f"## {t('course.quiz.title')}")
    st.markdown(t("course.quiz.say", n=len(questions)))
    for i, question in enumerate(questions):
        with st.container(border=True):
            _asked(view, i, question, given)
    if answered:
        st.markdown(f"**{t('course.quiz.result', right=right, n=answered)}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        if answered:
            st.button(t("course.quiz.again"), icon=":material/replay:", key="quiz_again",
                      on_click=lambda: state.go(answers=()))  # fmt: skip
        shell.link(t("course.all"), CourseView(lang=view.lang), "course", ":material/list:")
        card.doors(view)
    kept.on_the_device(t, "quiz")


def _asked(view: CourseView, i: int, question: QuizQuestion, given: tuple[int, ...]) -> None:
    """One question; an answer once given stays, and is told right or wrong, and why."""
    chosen, key = given[i] if given[i] < len(question.options) else _NONE, f"quiz {i}"
    st.session_state[key] = None if chosen == _NONE else chosen

    def answer() -> None:
        now = st.session_state[key]
        if now is not None:
            state.go(answers=(*given[:i], now, *given[i + 1 :]))

    widgets.radio(
        f"**{i + 1}.** {foreign(question.asked)}",
        list(range(len(question.options))),
        format_func=lambda at: foreign(question.options[at]),
        key=key,
        disabled=chosen != _NONE,
        on_change=answer,
    )
    if chosen == _NONE:
        return
    if chosen == question.right:
        st.markdown(f":green[:material/check:] **{view.t('course.quiz.right')}** {foreign(question.why)}")
    else:
        said = view.t("course.quiz.wrong", answer=foreign(question.options[question.right]))
        st.markdown(f":orange[:material/close:] **{said}** {foreign(question.why)}")
