"""The teacher's notes in a window of their own: they follow the window in which the course is taken."""

from __future__ import annotations

import streamlit as st

from lmviz.lessons.chapter import DETAIL, Chapter
from lmviz.lessons.progress import Progress
from lmviz.ui import drawing, shell, state
from lmviz.ui.course.chapters import chapters
from lmviz.ui.course.pictures_types import Followed
from lmviz.ui.course.view import CourseView
from lmviz.ui.text import foreign

GAP = "…"


def for_teacher(view: CourseView) -> None:
    """What is to be done now, what should come of it, what follows, and the notes of the chapter."""
    t = view.t
    read, _ = chapters(view.lang)
    found = {one.name: one for one in read}.get(view.chapter)
    with st.container(horizontal=True, vertical_alignment="center", key="course_notes"):
        if found is None:
            st.markdown(t("course.notes.none"))
        else:
            before = sum(one.minutes for one in read[: read.index(found)])
            st.markdown(f"**{t('course.where', number=read.index(found) + 1, title=foreign(found.title))}**")
            st.caption(t("course.notes.minutes", n=found.minutes, before=before, all=sum(one.minutes for one in read)))
        at = f"{view.chapter}.{view.task}" if found else ""
        content = Followed(at=at, minutes=found.minutes if found else 0)
        drawing.show("course/follow", content, t, "follow_course", _on_event)
    if found is None:
        shell.link(t("course.all"), CourseView(lang=view.lang), "course", ":material/list:")
    else:
        _chapter(view, found)


def _chapter(view: CourseView, chapter: Chapter) -> None:
    t = view.t
    if chapter.notes:
        st.info(f"**{t('course.print.for_teacher')}** {foreign(chapter.notes)}")
    for i, task in enumerate(chapter.tasks[view.task : view.task + 2]):
        with st.container(border=i == 0):
            label = t("course.of", n=view.task + 1 + i, all=len(chapter.tasks)) if i == 0 else t("course.notes.then")
            st.caption(label)
            if i == view.task == 0 and chapter.story:  # which the card has no room for in front of a room
                st.markdown(foreign(chapter.story))
            st.markdown(foreign(task.do.replace("**\n\n", "** · ", 1)))
            if i == 0:
                st.markdown(f"→ {foreign(DETAIL.sub(GAP, task.answer))}")
    st.markdown(f"**{t('course.understood')}** {foreign(chapter.understood)}")


def _on_event(event: drawing.Event) -> None:
    """Where the other window is."""
    try:
        there = Progress.parse(str(event.get("at")))
    except ValueError:
        return
    state.go(chapter=there.chapter, task=there.task)
