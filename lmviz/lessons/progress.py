"""How far a visitor has come, as a text that fits into a link: "attention.2~guess.7~tokens.3"."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lmviz.lessons.chapter import NAME

BETWEEN, AT = "~", "."
MOST_CHAPTERS, MOST_TASKS = 60, 16


@dataclass(frozen=True)
class Progress:
    """Where one is, and what is done.

    The text is the chapter and the task that one is at, or nothing; then, for each chapter, the tasks that are done, as
    the bits of a hexadecimal number.
    """

    chapter: str = ""  # that is under way; empty: none
    task: int = 0  # that is shown; as many as the chapter has: its end
    done: tuple[tuple[str, int], ...] = ()  # by chapter, in the order of their names

    @classmethod
    def parse(cls, text: str) -> Progress:
        """
        >>> str(Progress.parse("attention.2~guess.7")), Progress.parse("attention.2~guess.7").count("guess")
        ('attention.2~guess.7', 3)
        """
        at, *done = text.split(BETWEEN)
        chapter, task = _entry(at, 10) if at else ("", 0)
        marks = dict(_entry(one, 16) for one in done)
        if len(done) > MOST_CHAPTERS or task > MOST_TASKS or any(not 0 < n < 2**MOST_TASKS for n in marks.values()):
            raise ValueError(text)
        return cls(chapter, task, tuple(sorted(marks.items())))

    def __str__(self) -> str:
        at = f"{self.chapter}{AT}{self.task}" if self.chapter else ""
        return BETWEEN.join((at, *(f"{name}{AT}{marks:x}" for name, marks in self.done)))

    def has(self, chapter: str, task: int) -> bool:
        """Whether a task is done."""
        return bool(self._marks(chapter) >> task & 1)

    def count(self, chapter: str) -> int:
        """How many tasks of a chapter are done."""
        return self._marks(chapter).bit_count()

    def with_done(self, chapter: str, task: int) -> Progress:
        return self.joined(Progress(done=((chapter, 1 << task),)))

    def at(self, chapter: str, task: int = 0) -> Progress:
        """The same, at another place."""
        return replace(self, chapter=chapter, task=task)

    def joined(self, other: Progress) -> Progress:
        """What is done here or there; at this place."""
        names = sorted({name for name, _ in (*self.done, *other.done)})[:MOST_CHAPTERS]
        return replace(self, done=tuple((name, self._marks(name) | other._marks(name)) for name in names))

    def _marks(self, chapter: str) -> int:
        return dict(self.done).get(chapter, 0)


def _entry(text: str, base: int) -> tuple[str, int]:
    name, _, number = text.partition(AT)
    if not NAME.fullmatch(name) or not number.isalnum() or len(number) > 4:
        raise ValueError(text)
    return name, int(number, base)
