"""The course: nine chapters that are walked on the other pages, eight questions, a hand-out, and a teacher's notes."""

from lmviz.ui import shell, state
from lmviz.ui.course import hand_out, notes, overview, questions_at_the_end
from lmviz.ui.course.view import CourseView

SECTIONS = {
    "": overview.overview,
    "quiz": questions_at_the_end.at_the_end,
    "print": hand_out.on_paper,
    "notes": notes.for_teacher,
}

view = state.here(CourseView)

with shell.top(view):
    pass  # the language alone
with shell.sentences(view.t):
    SECTIONS[view.section](view)
