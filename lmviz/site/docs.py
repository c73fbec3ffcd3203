"""The docs as pages: the Markdown files of `docs/`, the API from its docstrings, diagrams as tables."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from lmviz.errors import UserError
from lmviz.site.frame import SitePage, link, path_of
from lmviz.site.markdown import html, inline
from lmviz.ui.text import DEFAULT, Language, Translator

ORDER = ("own", "chapters", "server", "architecture", "extend", "doctor", "api")  # before the others
_DOCUMENTED = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ARROW = re.compile(r"^ *(\w+) *-{1,2}>{1,2} *(\w+)(?:: (.*))?$")
_NAMED = re.compile(r"^ *participant (\w+) as (.+)$")
_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Source):$", re.MULTILINE)
_TITLE = re.compile(r"^# +(.+)$", re.MULTILINE)


def pages(folder: Path, lang: Language) -> Iterator[SitePage]:
    """The list of them, and each; they are in English in every language.

    Raises:
        UserError: there is no such folder.
    """
    found = _files(folder)
    t, here = Translator(lang), path_of("docs/index", lang)
    texts = {name: path.read_text(encoding="utf-8") for name, path in found.items()}
    rows = "".join(
        f'<li><span lang="{DEFAULT}">{link(here, path_of(f"docs/{name}", lang), _title(text))}</span></li>'
        for name, text in texts.items()
    )
    said = f'<p class="lead">{escape(t("site.docs.say"))}</p>'
    yield SitePage(
        "docs/index", lang, t("site.door.docs"),
        f'<h1>{escape(t("site.door.docs"))}</h1>{said}<ul class="chapters">{rows}</ul>',
    )  # fmt: skip
    for name, text in texts.items():
        yield SitePage(f"docs/{name}", lang, _title(text), f'<article lang="{DEFAULT}">{_page_html(text)}</article>')


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(
            "The site is built from a checkout of lmviz, with its docs; there is no folder {folder}.",
            folder=str(folder),
        )
    names = sorted((path.stem for path in folder.glob("*.md") if path.stem != "index"), key=_place)
    return {name: folder / f"{name}.md" for name in names}


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def _title(text: str) -> str:
    found = _TITLE.search(text)
    return found[1] if found else ""


def _page_html(text: str) -> str:
    """A file of the docs as HTML.

    >>> _page_html("[a](own.md) and [b](own.md#c)")
    '<p><a href="own.html">a</a> and <a href="own.html#c">b</a></p>\\n'
    """
    without_comments = re.sub(r"<!--.*?-->\n?", "", text, flags=re.DOTALL)
    readable = _DIAGRAM.sub(lambda found: _diagram(found[1]), without_comments)
    parts = _DOCUMENTED.split(readable)
    drawn = [html(part) if i % 2 == 0 else _documented(part) for i, part in enumerate(parts)]
    return re.sub(r'href="(\w+)\.md(?=["#])', r'href="\1.html', "".join(drawn))


# -- diagrams --------------------------------------------------------------------------------------------------------


def _diagram(source: str) -> str:
    """A diagram of Mermaid's as a table in Markdown: what goes from where to where.

    >>> print(_diagram("flowchart TD\\n  a --> b\\n"))
    | from | to |
    | --- | --- |
    | a | b |
    """
    lines = source.splitlines()
    names = {found[1]: found[2] for line in lines if (found := _NAMED.match(line))}
    arrows = [found.groups() for line in lines if (found := _ARROW.match(line))]
    has_words = any(words for _, _, words in arrows)
    rows = [
        [names.get(a, a), names.get(b, b), *([(words or "").replace("|", "\\|")] if has_words else [])]
        for a, b, words in arrows
    ]
    head = ["from", "to", *(["what"] if has_words else [])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


# -- the API ---------------------------------------------------------------------------------------------------------


def _documented(path: str) -> str:
    """A function, or a class with its public methods."""
    module, _, name = path.rpartition(".")
    thing = getattr(importlib.import_module(module), name)
    parts = [_entry(name, thing, 2)]
    if inspect.isclass(thing):
        members = ((key, one) for key, one in vars(thing).items() if not key.startswith("_"))
        parts += [_entry(f"{name}.{key}", _plain(one), 3) for key, one in members if _is_documented(_plain(one))]
    return "".join(parts)


def _plain(member: object) -> object:
    """What stands behind a property or a class method."""
    if isinstance(member, property):
        return member.fget
    return getattr(member, "__func__", member)


def _is_documented(member: object) -> bool:
    return inspect.isfunction(member) and bool(member.__doc__)


def _entry(name: str, thing: object, level: int) -> str:
    heading = f'<h{level} id="{escape(name)}"><code>{escape(name)}</code></h{level}>'
    return f"{heading}{_signature(thing)}{_docstring(inspect.getdoc(thing) or '')}"


def _signature(thing: object) -> str:
    if not callable(thing):
        return ""
    name = getattr(thing, "__name__", "")
    try:
        parameters = inspect.signature(thing)
    except (TypeError, ValueError):
        return ""
    # what it says of types is long and full of modules: the docstring and the editor have them
    names = [str(one.replace(annotation=inspect.Parameter.empty)) for one in parameters.parameters.values()]
    return f'<pre tabindex="0"><code>{escape(name)}({escape(", ".join(names))})</code></pre>'


def _docstring(text: str) -> str:
    """What it does, in Markdown, then its sections as lists."""
    said, *sections = _SECTION.split(text)
    parts = [html(said)]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"<p><b>{title}</b></p><ul>{''.join(f'<li>{inline(one)}</li>' for one in _entries(body))}</ul>")
    return "".join(parts)


def _entries(body: str) -> list[str]:
    """The entries of a section: each begins at the least indent, and goes on deeper."""
    lines = [line for line in inspect.cleandoc(body).splitlines() if line.strip()]
    found: list[str] = []
    for line in lines:
        if line.startswith(" ") and found:
            found[-1] += f" {line.strip()}"
        else:
            found.append(line.strip())
    return found
