"""What a visitor of the course is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lmviz.lessons.progress import MOST_TASKS
from lmviz.ui.place import Place, choice, flag, part, whole

SECTIONS = ("", "quiz", "print", "notes")
MOST_ANSWERS = 40


def _answers(written: str) -> tuple[int, ...]:
    found = json.loads(written)
    if (
        not isinstance(found, list)
        or len(found) > MOST_ANSWERS
        or not all(type(i) is int and -1 <= i < 20 for i in found)
    ):
        raise ValueError(written)
    return tuple(found)


@dataclass(frozen=True)
class CourseView(Place):
    """One visitor's place in the overview of the course."""

    chapter: str = part("", str)  # that is printed, empty: all; or whose notes are shown
    task: int = part(0, whole(0, MOST_TASKS))  # of that chapter, that the notes are for
    notes: bool = part(False, flag)  # the teacher's are printed too
    answers: tuple[int, ...] = part((), _answers)  # to the questions at the end; -1: none yet
    section: str = part("", choice(*SECTIONS))  # empty: the chapters

    def query(self) -> dict[str, str]:
        """With what is done, also when no chapter is on the way: a link to keep."""
        return super().query() | ({"course": str(self.course)} if self.course.done else {})
