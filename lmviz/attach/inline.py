"""A recording inside a notebook: the page of its walk in a frame, without a server."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from typing import Any

from lmviz.attach.page import recording_of
from lmviz.errors import UserError, check_given
from lmviz.model.files import MEGABYTE
from lmviz.trace.step import Trace
from lmviz.ui.offline.page import first_page
from lmviz.ui.text import language_of

HEIGHT = 760  # pixels
LIMIT = 2 * MEGABYTE  # bytes that one display adds to a notebook


@dataclass(frozen=True)
class InlinePage:
    """A page that a notebook shows: Jupyter, VS Code and Colab ask it for its HTML."""

    html: str
    left_out: tuple[str, ...]  # sentences about what had no room
    height: int

    def __repr__(self) -> str:
        return f"<InlinePage: {len(self.html) / MEGABYTE:.1f} MB of HTML, which a notebook shows>"

    def _repr_html_(self) -> str:
        """The page as the text of a frame. It has scripts, and nothing of the notebook can be reached by them."""
        frame = 'sandbox="allow-scripts allow-downloads" loading="lazy" title="lmviz"'
        look = f"width: 100%; height: {self.height}px; border: 1px solid #8884; border-radius: 12px"
        return f'<iframe {frame} style="{look}" srcdoc="{escape(self.html)}"></iframe>'


def inline_page(
    trace: Trace,
    tokenizer: Any = None,
    title: str = "",
    lang: str = "en",
    height: int = HEIGHT,
    limit: int = LIMIT,
) -> InlinePage:
    """What `Trace.inline` does."""
    check_given("Trace.inline", "title", title, str)
    check_given("Trace.inline", "height", height, int, float)
    check_given("Trace.inline", "limit", limit, int, float)
    page = first_page(recording_of(trace, tokenizer, title), language_of(lang), limit)
    return InlinePage(page.html, page.left_out, height)


def display(page: InlinePage) -> None:
    """Show a page below the cell that runs.

    Raises:
        UserError: this is no notebook.
    """
    shown = sys.modules.get("IPython.display")
    if shown is None or "ipykernel" not in sys.modules:
        raise UserError("inline=True shows the walk in a notebook; this is none: leave it out, and a browser opens.")
    shown.display(page)
