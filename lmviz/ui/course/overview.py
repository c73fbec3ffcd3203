"""The chapters, how far one has come in each, and the way to begin or to go on."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from lmviz.lessons.chapter import Chapter
from lmviz.ui import shell, state
from lmviz.ui.course import card, kept
from lmviz.ui.course.chapters import chapters, led_to
from lmviz.ui.course.view import CourseView
from lmviz.ui.text import foreign

COLUMNS = 3


def overview(view: CourseView) -> None:
    t = view.t
    shell.look("course")
    read, wrong = chapters(view.lang)
    for error in wrong:
        st.warning(t.error(error))
    progress = state.course()
    st.markdown(f"## {t('course.title')}")
    minutes = sum(chapter.minutes for chapter in read)
    st.markdown(t("course.say", n=len(read), minutes=minutes))
    following = next((one for one in read if progress.count(one.name) < len(one.tasks)), None)
    with st.container(horizontal=True, vertical_alignment="center", key="course_begin"):
        if following is not None:
            label = t("course.go_on" if progress.done else "course.begin")
            _open(view, following, label, ":material/play_arrow:")
        else:
            st.markdown(f":green[:material/trophy:] **{t('course.all_done')}**", width="content")
            card.doors(view)
    for row in range(0, len(read), COLUMNS):
        columns = st.columns(COLUMNS)
        for i, chapter in enumerate(read[row : row + COLUMNS], row):
            with columns[i - row].container(border=True, height="stretch"):
                _chapter(view, i + 1, chapter)
    _more(view)
    kept.on_the_device(t, "chapters")


def _chapter(view: CourseView, number: int, chapter: Chapter) -> None:
    """A chapter: its goal, how long it takes, and what is done of it."""
    t, progress = view.t, state.course()
    n, done = len(chapter.tasks), progress.count(chapter.name)
    tick = ":green[:material/check_circle:] " if done >= n else ""
    st.markdown(f"{tick}**{t('course.where', number=number, title=foreign(chapter.title))}**")
    st.markdown(foreign(chapter.goal))
    st.space("stretch")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("course.minutes", n=chapter.minutes) + " · " + t("course.done_of", n=done, all=n), width="content")
        st.space("stretch")
        _open(view, chapter, t("course.open"), ":material/arrow_forward:")


def _open(view: CourseView, chapter: Chapter, label: str, icon: str) -> None:
    """A link to the first thing of a chapter that is still to be done."""
    progress, tasks = state.course(), range(len(chapter.tasks))
    task = next((i for i in tasks if not progress.has(chapter.name, i)), 0)
    page, place = led_to(chapter, task, view.lang, state.chosen_depth())
    shell.link(label, replace(place, course=progress.at(chapter.name, task)), page, icon)


def _more(view: CourseView) -> None:
    """The questions, the hand-out, and the way back to the beginning."""
    t = view.t
    with st.container(horizontal=True, vertical_alignment="center", key="course_more"):
        shell.link(t("course.to_quiz"), replace(view, section="quiz"), "course", ":material/quiz:")
        shell.link(t("course.to_print"), replace(view, section="print"), "course", ":material/print:")
        shell.link(t("course.to_notes"), replace(view, section="notes"), "course", ":material/sticky_note_2:")
        if state.course().done:
            st.button(t("course.anew"), icon=":material/replay:", key="course_anew", type="tertiary",
                      on_click=state.unbroken(kept.begin_anew))  # fmt: skip
    st.caption(t("course.kept"))
