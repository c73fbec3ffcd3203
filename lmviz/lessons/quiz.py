"""The questions at the end of the course: a Markdown file like a chapter, each question with answers to tick.

## What does a language model do?

- [ ] It looks the answer up.
- [x] It says how likely each next piece is.

> It gives every piece a chance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from lmviz.lessons.front_matter import Wrong
from lmviz.lessons.reading import sections_of

FOLDER = Path(__file__).parent / "quiz"
_OPTION = re.compile(r"- \[([ x])\] (.+)")


@dataclass(frozen=True)
class QuizQuestion:
    """A question with answers, one of which is right, and why."""

    asked: str
    options: tuple[str, ...]
    right: int
    why: str


def read_quiz(text: str, file: str) -> tuple[QuizQuestion, ...]:
    """The questions of a file.

    Raises:
        UserError: one has not exactly one right answer, or no reason; with its line.
    """
    found = []
    for section in sections_of(text.splitlines(), 0):
        if not section.heading:
            continue
        options = _OPTION.findall(section.text)
        ticked = [i for i, (mark, _) in enumerate(options) if mark == "x"]
        if len(ticked) != 1 or len(options) < 2 or not section.quoted:
            raise Wrong(file)(section.line, "{file}, line {line}: a question has two answers or more, one of them with "
                              "“[x]”, and a reason behind “>”.")  # fmt: skip
        found.append(QuizQuestion(section.heading, tuple(said for _, said in options), ticked[0], section.quoted))
    return tuple(found)
