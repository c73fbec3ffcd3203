"""The chapters in the reader's language, read once for as long as their files stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from lmviz.errors import UserError
from lmviz.lessons import folders
from lmviz.lessons.chapter import Chapter, Known, Task
from lmviz.lessons.quiz import FOLDER, QuizQuestion, read_quiz
from lmviz.lessons.reading import read_chapter
from lmviz.ui.course.checks import CHECKS, Check
from lmviz.ui.course.views import place_of, senseless
from lmviz.ui.depth import DEPTHS, STORY, WHERE_SHOWN, Depth
from lmviz.ui.place import Place
from lmviz.ui.text import Language

KEPT = 400  # files


def _finds(check: Check) -> Callable[[str], frozenset[str] | None]:
    return lambda argument: check.details if check.knows(argument) else None


KNOWN = Known({name: _finds(check) for name, check in CHECKS.items()}, senseless)


def chapters(language: Language) -> tuple[tuple[Chapter, ...], tuple[UserError, ...]]:
    """All chapters that can be read, and what is wrong with the others."""
    found, errors = folders.found()
    read: list[Chapter] = []
    wrong = list(errors)
    for one in found:
        try:
            path = one.of(language)
            read.append(_read(path, one.name, _version(path)))
        except UserError as error:
            wrong.append(error)
    return tuple(read), tuple(wrong)


def quiz(language: Language) -> tuple[QuizQuestion, ...]:
    """The questions at the end."""
    files = (FOLDER / f"quiz{suffix}.md" for suffix in (f".{language}", ""))
    path = next(path for path in files if path.is_file())
    return read_quiz(folders.read_text(path), path.name)


def begin(chapter: Chapter, task: int, language: Language) -> tuple[str, Place]:
    """The page and the place where a task begins; where it has none of its own, that of the task before it."""
    view = [one.view for one in chapter.tasks[: task + 1] if one.view is not None][-1]  # the first has one
    return view.page, place_of(view, language)


def led_to(chapter: Chapter, task: int, language: Language, chosen: Depth | None) -> tuple[str, Place]:
    """Where a task begins, as deep as it needs: the story, unless the task needs more or the reader has chosen more.

    At less than that, one would look for something that is hidden. Whoever looks deeper already stays there.
    """
    page, place = begin(chapter, task, language)
    needed = depth_needed(chapter.tasks[task]) if task < len(chapter.tasks) else STORY
    return page, replace(place, depth=max(needed, chosen or STORY, key=DEPTHS.index))


def depth_needed(task: Task) -> Depth:
    """The least depth at which all is shown that a task asks for."""
    part = CHECKS[task.check].part
    return STORY if part is None else WHERE_SHOWN[part]


def _version(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


@lru_cache(KEPT)
def _checked(path: Path, name: str, version: tuple[int, int]) -> Chapter | UserError:
    try:
        return read_chapter(folders.read_text(path), name, path.name, KNOWN)
    except UserError as error:
        return error


def _read(path: Path, name: str, version: tuple[int, int]) -> Chapter:
    found = _checked(path, name, version)
    if isinstance(found, UserError):
        raise found
    return found
