"""From the text of a file to a chapter. Whatever is wrong is told in a sentence, with its line."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from lmviz.lessons.chapter import DETAIL, Chapter, Known, Link, Task
from lmviz.lessons.front_matter import Part, Wrong, read_head

MOST_TASKS = 12
LONGEST = {"title": 60, "goal": 200, "understood": 400, "notes": 3000, "view": 2000, "check": 100}
NEEDED, ALLOWED = ("title", "goal", "minutes", "tasks", "understood"), ("notes",)
HEADING, QUOTE = "## ", ">"


@dataclass(frozen=True)
class _Section:
    """What stands below one heading of the body, the heading with it."""

    heading: str
    line: int
    text: str
    quoted: str  # what stands behind ">"
    quoted_line: int


def read_chapter(text: str, name: str, file: str, known: Known) -> Chapter:
    """A chapter from the text of its file; `name` is what it is kept by.

    Raises:
        UserError: what is wrong with it, and in which line.
    """
    wrong, lines = Wrong(file), text.splitlines()
    head, begin = read_head(lines, wrong)
    parts = head.mapping(NEEDED, ALLOWED)
    story, *sections = sections_of(lines, begin)
    tasks = parts["tasks"].entries(MOST_TASKS)
    if len(sections) != len(tasks):
        raise wrong(sections[-1].line if sections else begin, "{file}, line {line}: the head lists {tasks} tasks, "
                    "and the text has {sections} parts that begin with “##”.",
                    tasks=len(tasks), sections=len(sections))  # fmt: skip
    first = tasks[0].mapping(("check",), ("view",))
    if "view" not in first:
        raise wrong(tasks[0].line, "{file}, line {line}: the first task needs a view, where it begins.")
    said = {key: parts[key].text(LONGEST[key]) for key in ("title", "goal", "understood")}
    return Chapter(
        name=name,
        minutes=parts["minutes"].whole(1, 60),
        story=story.text,
        tasks=tuple(_task(*one, known) for one in zip(tasks, sections, strict=True)),
        notes=parts["notes"].text(LONGEST["notes"]) if "notes" in parts else "",
        **said,
    )


def sections_of(lines: list[str], begin: int) -> list[_Section]:
    """What comes before the first heading, then each heading with what stands below it."""
    starts = [begin, *(i for i, line in enumerate(lines) if i >= begin and line.startswith(HEADING))]
    return [_section(lines, *span) for span in zip(starts, [*starts[1:], len(lines)], strict=True)]


def _section(lines: list[str], start: int, end: int) -> _Section:
    heading = lines[start].removeprefix(HEADING).strip() if start < end and lines[start].startswith(HEADING) else ""
    body = list(range(start + bool(heading), end))
    quoted = [i for i in body if lines[i].startswith(QUOTE)]
    plain = "\n".join(lines[i] for i in body if i not in quoted).strip()
    answer = "\n".join(lines[i].removeprefix(QUOTE).strip() for i in quoted).strip()
    return _Section(heading, start + 1, plain, answer, (quoted or [start])[0] + 1)


def _task(part: Part, section: _Section, known: Known) -> Task:
    found = part.mapping(("check",), ("view",))
    check, _, argument = found["check"].text(LONGEST["check"]).partition(" ")
    details = _details(found["check"], check, argument.strip(), known)
    if not section.quoted:
        raise part.wrong(section.line, "{file}, line {line}: the task “{name}” needs an answer, in lines that begin "
                         "with “>”.", name=section.heading)  # fmt: skip
    for detail in DETAIL.findall(section.quoted):
        if detail not in details:
            raise part.wrong(section.quoted_line, "{file}, line {line}: the check finds no “{name}”; it finds {known}.",
                             name=detail, known=", ".join(sorted(details)) or "–")  # fmt: skip
    do = "\n\n".join(filter(None, (f"**{section.heading}**", section.text)))
    view = _link(found["view"], known) if "view" in found else None
    return Task(do, section.quoted, check, argument.strip(), view)


def _details(part: Part, check: str, argument: str, known: Known) -> frozenset[str]:
    """What a check finds."""
    if check not in known.checks:
        raise part.wrong(part.line, "{file}, line {line}: there is no check “{name}”; there are {known}.",
                         name=check, known=", ".join(known.checks))  # fmt: skip
    details = known.checks[check](argument)
    if details is None:
        raise part.wrong(part.line, "{file}, line {line}: the check “{name}” knows nothing of “{argument}”.",
                         name=check, argument=argument)  # fmt: skip
    return details


def _link(part: Part, known: Known) -> Link:
    """A view of a page of lmviz, never of another place."""
    written = part.text(LONGEST["view"])
    try:
        url = urlsplit(written)
        found = Link(
            url.path.strip("/"), dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
        )
        senseless = None if url.scheme or url.netloc else known.senseless(found)
    except ValueError:
        senseless = None
    if senseless is None:
        raise part.wrong(part.line, "{file}, line {line}: “{view}” is no view of a page of lmviz, such as "
                         "“step_through?model=names”.", view=written[:80])  # fmt: skip
    if senseless:
        raise part.wrong(part.line, "{file}, line {line}: these parts of the view make no sense: {parts}.",
                         parts=", ".join(senseless))  # fmt: skip
    return found
