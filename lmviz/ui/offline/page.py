"""The file itself: the app's own JavaScript and styles, the first scene as it is, and the walk behind it, compressed.

It asks nothing of anybody: what it may load is forbidden in its head. All of it is ASCII, and nothing of a stranger's
text can end an element.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import struct
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from pathlib import Path

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE
from lmviz.registry.recorded import Recorded
from lmviz.registry.recording import Recording
from lmviz.ui import matrices
from lmviz.ui.offline.spoken import Hint
from lmviz.ui.offline.walk import Limits, title_of, unasked, walk_of
from lmviz.ui.offline.walk_types import Opening, Walk
from lmviz.ui.scripts import expression
from lmviz.ui.step_through import component, events
from lmviz.ui.step_through.inspector import inspector
from lmviz.ui.step_through.scene import scene
from lmviz.ui.step_through.scene_types import Scene
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Language
from lmviz.whole_file import check_place, save_whole

LIMIT = 6 * MEGABYTE  # bytes of a page
_AROUND = 700_000  # bytes that a page takes beside its numbers
_TRIES, _MARGIN = 3, 1.2  # of a page that has come out too large
_GROWS = 1.3  # numbers hardly shrink, and letters for bytes are a third more
_BROWSER = Path(__file__).parent / "browser"
_STEP_THROUGH = component.BROWSER
FORBIDDEN = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:"


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and the sentences that it says about what is not in it."""

    html: str
    left_out: tuple[str, ...]
    opening: str = ""  # of the HTML, what is this walk's own: its first scene,
    packed: str = ""  # and all of it


def page_of(run: Recording, view: StepThroughView, limit: int = LIMIT, hint: Hint | None = None) -> Page:
    """A recording as one page of HTML.

    Args:
        view: where it opens, and in which language.
        limit: bytes; what has no room is left out, the last and largest tensors first, and the page says so. The
            source, the words and a window of each tensor are in it in any case.
        hint: what is said at a place beside the words of its stage.

    Raises:
        UserError: what is in it in any case is more than the limit.
    """
    check_limit(limit)
    page = small_page(run, view, limit, hint)
    check_size(page, limit)
    return page


def small_page(run: Recording, view: StepThroughView, limit: int, hint: Hint | None = None) -> Page:
    """As `page_of`; where the words alone are more than the limit, a page that has little else."""
    view = replace(view, model=Recorded("page"), grad=False)  # nothing can be asked of it
    limits = Limits(int((limit - _AROUND) / _GROWS))
    page = _made(run, view, limits, hint)
    for _ in range(_TRIES):
        over = len(page.html) - limit
        if over <= 0:
            return page
        limits = Limits(max(0, limits.n_bytes - int(_MARGIN * over / _GROWS)), limits.n_cells // 2)
        smaller = _made(run, view, limits, hint)
        if len(smaller.html) >= len(page.html):
            break  # what is left is words
        page = smaller
    return page if len(page.html) <= limit else _made(run, view, Limits(0, 0), hint)


def check_size(page: Page, limit: int) -> None:
    """Raises:
    UserError: the page is larger than that.
    """
    if len(page.html) > limit:
        raise UserError(
            "This page is at most {limit} MB, and its words and its source alone take {n} MB: allow as much, or take a "
            "shorter text.",
            limit=round(limit / MEGABYTE, 1),
            n=math.ceil(10 * len(page.html) / MEGABYTE) / 10,
        )


def _made(run: Recording, view: StepThroughView, limits: Limits, hint: Hint | None) -> Page:
    try:
        walk, numbers, left_out = walk_of(run, view, limits, hint)
        opening = _opening(run, view, walk["run"])
    except Exception as error:
        if run.trace.segments or isinstance(error, UserError):
            raise
        raise UserError(  # it was read from a file, which may say anything
            "This recording contradicts itself, as none that lmviz makes does: ask whoever gave you the file to save "
            "it again."
        ) from error
    sentences = tuple(view.t(key, **details) for key, details in left_out)
    shown, whole = _json(opening), packed(walk, numbers)
    return Page(_html(opening, shown, whole), sentences, shown, whole)


def save_page(
    run: Recording, path: Path, lang: Language, limit: int = LIMIT, hint: Hint | None = None
) -> tuple[str, ...]:
    """Write a recording's page, which opens at the beginning of its walk; returns what is not in it, in sentences.

    Raises:
        UserError: it can't be written there, or the limit is too small.
    """
    check_place(path)
    page = first_page(run, lang, limit, hint)
    write_page(page, path)
    return page.left_out


def first_page(run: Recording, lang: Language, limit: int = LIMIT, hint: Hint | None = None) -> Page:
    """A recording's page, which opens at the beginning of its walk."""
    return page_of(run, StepThroughView(lang=lang), limit, hint)


def check_limit(limit: int, least: int = MEGABYTE) -> None:
    """Raises:
    UserError: no page is so small.
    """
    if limit < least:
        raise UserError("A page needs {least} bytes at least; got {limit}.", least=least, limit=limit)


def write_page(page: Page, path: Path) -> None:
    """Raises:
    UserError: nothing can be written there.
    """
    save_whole(path, lambda place: place.write_text(page.html, encoding="ascii", newline="\n"))


def _opening(run: Recording, view: StepThroughView, name: str) -> Opening:
    """The first scene, as the app draws it."""
    found = scene(run, view, events.place(run, view), {}, inspector(run, view))
    first: Scene = {
        **found,
        "picture": found["picture"] if found["picture"]["kind"] in ("tensors", "tokens") else unasked(found["picture"]),
        "bar": {**found["bar"], "can_grad": False},
        "run": f"{view.lang} {name}",
        "edits": [],  # none can be taken back: the title says them
        "ahead": [],
        "frame": "",
        "seq": 0,
        "compared": "",
        "search": None,
        "words": {**component.words(view.t), **view.t.texts("offline.", "saving.")},
    }
    return {"scene": first, "title": title_of(run)}


# -- HTML ------------------------------------------------------------------------------------------------------------


def _html(opening: Opening, shown: str, whole: str) -> str:
    lang = opening["scene"]["lang"].partition("-x-")[0]
    return "\n".join(
        (
            "<!doctype html>",
            f'<html lang="{lang}"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{FORBIDDEN}">',
            f'<title>{ascii_text(opening["title"])} · lmviz</title><link rel="icon" href="data:,">'.replace(
                "·", "&#183;"
            ),
            f"<style>{_style('page.css')}</style></head><body>",
            _body(opening["scene"]["words"]),
            f'<script type="application/json" id="opening">{shown}</script>',
            f'<script type="text/plain" id="walk">{whole}</script>',
            f"<script>{_walk_script()}</script>",
            "</body></html>",
            "",
        )
    )


def packed(walk: Walk, numbers: bytes) -> str:
    """The walk and its numbers: the length of the walk, the walk as JSON, and the numbers from a multiple of 8 on."""
    text = json.dumps(walk, separators=(",", ":")).encode()
    head = struct.pack("<I", len(text)) + text
    return base64.b64encode(gzip.compress(head + b"\0" * (-len(head) % 8) + numbers, 9, mtime=0)).decode()


def _json(data: object) -> str:
    """JSON that may stand in a script: it is ASCII, and has no "<" that could begin a tag."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def ascii_text(text: str) -> str:
    """Any text in HTML; half a character, which nothing can show, becomes a question mark."""
    shown = escape(text).replace("\0", "").encode("utf-16", "replace").decode("utf-16", "replace")
    return shown.encode("ascii", "xmlcharrefreplace").decode()


def _body(words: dict[str, str]) -> str:
    frame = (_BROWSER / "page.html").read_text(encoding="utf-8")
    filled = {
        "no_script": ascii_text(words["offline.no_script"]),
        "too_old": ascii_text(words["offline.too_old"]),
        "whole_look": css(matrices.look().replace(".lm", ".whole-model") + _read(_STEP_THROUGH / "whole.css")),
        "whole_frame": _read(_STEP_THROUGH / "whole.html"),
        "debugger_look": css(matrices.look() + _read(_STEP_THROUGH / "look.css")) + _style("absent.css"),
        "debugger_frame": _read(_STEP_THROUGH / "frame.html"),
    }
    for name, text in filled.items():
        frame = frame.replace(f"{{{name}}}", text)
    return frame


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _style(name: str) -> str:
    return css(_read(_BROWSER / name))


def css(text: str) -> str:
    """Styles in ASCII."""
    return "".join(one if one.isascii() else f"\\{ord(one):x} " for one in text)


def script(path: Path) -> str:
    """A page's code, which begins at once."""
    return _in_html(f"({expression(path)})();")


@cache
def _walk_script() -> str:
    """The page's code and that of the app's two components, each with names of its own."""
    components = {"debug": _STEP_THROUGH / "main.js", "whole": _STEP_THROUGH / "whole.js"}
    made = ",".join(f"{name}:{expression(path)}" for name, path in components.items())
    return _in_html(f"({expression(_BROWSER / 'page.js')})({{{made}}});")


def _in_html(code: str) -> str:
    return "".join(one if one.isascii() else _escaped(one) for one in code).replace("</", "<\\/")


def _escaped(character: str) -> str:
    """As JavaScript writes it in strings, templates and regular expressions: nowhere else is one that is not ASCII."""
    units = character.encode("utf-16-be")
    return "".join(f"\\u{int.from_bytes(units[i : i + 2]):04x}" for i in range(0, len(units), 2))
