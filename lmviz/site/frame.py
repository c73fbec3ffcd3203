"""What stands around every page of the site: its head, the ways to the others, the other language."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from lmviz.ui.text import DEFAULT, LANGUAGES, Language, Translator

HOME = "index"
DOORS = ("course/index", "gallery/index", "docs/index", "install")
_LOOK = Path(__file__).parent / "look.css"
_ALLOWED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src 'self' file:"


@dataclass(frozen=True)
class SitePage:
    """A page in one language. Its body is HTML in which paths from the top of the site stand as `link` makes them."""

    name: str  # "course/attention"
    lang: Language
    title: str
    body: str

    @property
    def path(self) -> str:
        return path_of(self.name, self.lang)


def path_of(name: str, lang: Language) -> str:
    """A page's file, seen from the top of the site.

    >>> path_of("course/index", DEFAULT), path_of("install", Language("fr"))
    ('course/index.html', 'fr/install.html')
    """
    return f"{name}.html" if lang == DEFAULT else f"{lang}/{name}.html"


def way(here: str, there: str) -> str:
    """From one file of the site to another, which may have a place behind `#`.

    >>> way("fr/course/attention.html", "walks/names.html#step=q"), way("index.html", "install.html")
    ('../../walks/names.html#step=q', 'install.html')
    """
    path, mark, place = there.partition("#")
    return posixpath.relpath(path, posixpath.dirname(here) or ".") + mark + place


def link(here: str, there: str, words: str, **attributes: str) -> str:
    """A link between two files of the site; the words are text."""
    more = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    return f'<a href="{escape(way(here, there))}"{more}>{escape(words)}</a>'


def document(page: SitePage, names: frozenset[str]) -> str:
    """The whole file. `names` are the pages that there are, in every language."""
    t = Translator(page.lang)
    title = page.title if page.name == HOME else f"{page.title} · lmviz"
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{page.lang}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_ALLOWED}">',
            f'<meta name="description" content="{escape(t("site.lead"))}">',
            f'<title>{escape(title)}</title><link rel="icon" href="data:,">',
            f"<style>{_look()}</style></head><body>",
            f'<a class="skip" href="#main">{escape(t("site.skip"))}</a>',
            _header(page, t, names),
            f'<main id="main">{page.body}</main>',
            f"<footer>{escape(t('site.footer'))}</footer>",
            "</body></html>",
            "",
        )
    )


def _header(page: SitePage, t: Translator, names: frozenset[str]) -> str:
    doors = "".join(
        link(page.path, path_of(door, page.lang), t(f"site.door.{door.partition('/')[0]}"), **_current(page, door))
        for door in DOORS
        if door in names
    )
    tongues = "".join(
        link(page.path, path_of(page.name, lang), lang.upper(), lang=lang, hreflang=lang,
             **({"aria-current": "true"} if lang == page.lang else {}))
        for lang in LANGUAGES
    )  # fmt: skip
    home = link(page.path, path_of(HOME, page.lang), "lmviz", class_="home")
    return (
        f'<header>{home}<nav aria-label="{escape(t("site.pages"))}">{doors}</nav>'
        f'<nav class="tongues" aria-label="{escape(t("app.language"))}">{tongues}</nav></header>'
    )


def _current(page: SitePage, door: str) -> dict[str, str]:
    if page.name == door:
        return {"aria-current": "page"}
    is_inside = "/" in door and page.name.startswith(f"{posixpath.dirname(door)}/")
    return {"aria-current": "true"} if is_inside else {}


@cache
def _look() -> str:
    return _LOOK.read_text(encoding="utf-8")
