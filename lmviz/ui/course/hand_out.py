"""The chapters on paper: what to do, with room for what one sees, and, for the teacher, notes."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from lmviz.lessons.chapter import DETAIL, Chapter
from lmviz.ui import shell, state, widgets
from lmviz.ui.course.chapters import chapters
from lmviz.ui.course.view import CourseView
from lmviz.ui.text import foreign

GAP = "____"


def on_paper(view: CourseView) -> None:
    t = view.t
    shell.look("course")
    read, _ = chapters(view.lang)
    names = {"": t("course.print.all")} | {one.name: one.title for one in read}
    with st.container(horizontal=True, vertical_alignment="bottom", key="course_paper"):
        widgets.selectbox(
            t("course.print.chapter"), list(names), format_func=names.__getitem__, width=320,
            **state.bound("chapter", shown=view.chapter if view.chapter in names else ""),
        )  # fmt: skip
        st.toggle(t("course.print.notes"), **state.bound("notes"))
        shell.link(t("course.all"), replace(view, section=""), "course", ":material/list:")
        st.caption(t("course.print.say"))
    for number, chapter in enumerate(read, start=1):
        if view.chapter not in names or view.chapter in ("", chapter.name):
            with st.container(key=f"paper_{chapter.name}"):
                _chapter(view, number, chapter)


def _chapter(view: CourseView, number: int, chapter: Chapter) -> None:
    t = view.t
    st.markdown(f"## {t('course.where', number=number, title=foreign(chapter.title))}")
    st.markdown(f"*{foreign(chapter.goal)}* · {t('course.minutes', n=chapter.minutes)}")
    if chapter.story:
        st.markdown(foreign(chapter.story))
    for task in chapter.tasks:
        st.markdown("☐ " + foreign(task.do.replace("**\n\n", "** · ", 1)))
        if view.notes:
            st.markdown(f"→ {foreign(DETAIL.sub(GAP, task.answer))}")
        else:
            st.markdown(f"{t('course.print.seen')} {'. ' * 60}")
    if view.notes:
        st.markdown(f"**{t('course.understood')}** {foreign(chapter.understood)}")
        if chapter.notes:
            st.markdown(f"**{t('course.print.for_teacher')}** {foreign(chapter.notes)}")
