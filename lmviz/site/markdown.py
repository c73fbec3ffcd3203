"""Markdown as HTML. Tags in it are text, and no picture is loaded."""

from __future__ import annotations

from functools import cache

from markdown_it import MarkdownIt


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def html(text: str) -> str:
    """Paragraphs, lists, tables and code."""
    return str(_reader().render(text))


def inline(text: str) -> str:
    """One line, without a paragraph around it.

    >>> inline("*a* <b>")
    '<em>a</em> &lt;b&gt;'
    """
    return str(_reader().renderInline(text))
