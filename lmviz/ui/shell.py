"""The frame around every page: set-up, the pages by their names in the reader's language, and the language itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from lmviz.bundle import PAGES
from lmviz.errors import UserError
from lmviz.ui import server, sources, state, streamlit_words, widgets
from lmviz.ui.depth import CODE, DEPTHS
from lmviz.ui.dropped import dropped
from lmviz.ui.glossary import glossary
from lmviz.ui.place import Place
from lmviz.ui.present import present
from lmviz.ui.saving import saving
from lmviz.ui.text import LANGUAGES, Translator, code, shortened, visible

_ICON = Path(__file__).parent / "browser" / "icon.png"  # a symbol of Streamlit's would be fetched from a font host
PAINTED = 0.2  # seconds in which what was sent reaches the browser and is drawn
LISTED = (  # the pages in their order; the first opens where a link names none
    ("first", ":material/home:"),
    ("step_through", ":material/footprint:"),
    ("course", ":material/school:"),
    ("training", ":material/trending_down:"),
    ("generation", ":material/edit_note:"),
    ("tokenizer", ":material/content_cut:"),
    ("chat", ":material/forum:"),
    ("embeddings", ":material/scatter_plot:"),
    ("quantisation", ":material/compress:"),
    ("debugging", ":material/bug_report:"),
)

PAGE_NAMES = [name for name, _ in LISTED]
FIRST = PAGE_NAMES[0]  # which needs no torch

_CSS = """
.stMain:focus-visible { box-shadow: inset 0 3px 0 var(--st-primary-color, #1f5fbf) !important; }
.stMainBlockContainer, .block-container { padding: 3.9rem 1.4rem 0.6rem; max-width: none; }
.stVerticalBlock { gap: 0.55rem; }
header.stAppHeader { height: 3.3rem; min-height: 3.3rem; }
.st-key-whole_frame { min-height: 46px; }
.st-key-debugger_frame { min-height: calc(100vh - 10rem); }
.st-key-top [data-testid="InputInstructions"] { display: none; }
.st-key-top > :has(.st-key-reader) { margin-left: auto; order: 9; }
.st-key-reader { gap: 0.5rem; flex-wrap: nowrap; }
.st-key-course_slot, [data-testid="stLayoutWrapper"]:has(> .st-key-course_slot) { display: contents; }
[data-testid="stLayoutWrapper"]:has(> .stVerticalBlock:empty:not([class*="st-key-"])) { display: none; }
.lm-loading { opacity: 0.7; margin: 0; }
[data-testid="stCaptionContainer"] { opacity: 1 !important; }
[data-testid="stCaptionContainer"] :is(p, li) { color: color-mix(in srgb, currentColor 76%, transparent); }
[data-testid^="stBaseButton-primary"]:enabled p { color: light-dark(#fff, #0b1020); }
.stMarkdown pre, .stMarkdown pre code { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.stCode .token:is(.string, .attr-value) { color: light-dark(#096a48, #7be3b4) !important; }
.stCode .token:is(.number, .boolean, .constant) { color: light-dark(#1f5fbf, #8fc0ff) !important; }
.stCode .token:is(.property, .key, .keyword) { color: light-dark(#86309a, #d9a0ff) !important; }
.stCode .token:is(.class-name, .function, .builtin) { color: light-dark(#a5400a, #ffb27d) !important; }
.stCode .token:is(.comment, .operator, .punctuation) { color: light-dark(#565f6c, #b4bcc8) !important; }
button kbd { color: inherit !important; opacity: 0.85 !important; }
[data-testid="stWidgetLabel"] { color: inherit !important; }
.st-key-dropped { display: none; }
body.lm-file-held .st-key-dropped { display: block; position: fixed; inset: 0; z-index: 1000000; padding: 2rem;
  background: color-mix(in srgb, light-dark(#fff, #14171d) 80%, transparent); }
body.lm-file-held .st-key-dropped :is(div, section):has(input[type="file"]) { height: 100%; }
body.lm-file-held .st-key-dropped section { border: 3px dashed currentColor; }
body.lm-file-held .st-key-dropped section > * { visibility: hidden; }
body.lm-file-held .st-key-dropped label p { font-size: 1.5rem; }
.stElementContainer:has(.lm-page, .lm-behind) { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
.stMainBlockContainer h2 { font-size: 1.25rem; padding: 0.5rem 0; } /* the parts of a page, whose name the menu has */
.stMainBlockContainer h3 { font-size: 1.05rem; padding: 0.3rem 0; }
@media (forced-colors: active) {
  [data-testid="stButtonGroup"] :is(button, label):is([aria-checked="true"], [data-selected="true"]) {
    forced-color-adjust: none; background: Highlight !important; color: HighlightText !important; }
}
@media (pointer: coarse) { /* a finger that scrolls moves no slider: the thumb takes touches; a tap, swipe.js */
  .stSlider [role="group"] > [data-orientation], .stSlider [data-orientation] > [style*="left"] {
    touch-action: pan-y !important; }
  .stSlider [role="group"] > [data-orientation] { pointer-events: none; }
  .stSlider [data-orientation] > [style*="left"] { pointer-events: auto; }
  .stSlider [data-orientation] > [style*="left"]::before {
    content: ""; position: absolute; inset: -0.9rem -0.3rem; }
  button kbd, button [data-testid="stMarkdownContainer"] kbd { display: none; }
}
@media (max-height: 480px) {
  .stMainBlockContainer, .block-container { padding-top: 3rem !important; }
  .stApp .st-key-whole_frame { position: absolute; min-height: 0; height: 0; overflow: hidden; }
  .st-key-body > .stElementContainer:has([data-testid="stCaptionContainer"]) { display: none; }
  .st-key-top { flex-wrap: nowrap !important; overflow-x: auto; }
  .st-key-top > * { flex-shrink: 0 !important; }
}
@media (max-width: 820px) {
  [data-testid="stPageLink"] p { white-space: normal !important; }
  [data-testid="stButtonGroup"] [role="radiogroup"] { flex-wrap: wrap; }
  .st-key-top .stPopover p { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stPopover button :is(.stMarkdownEllipsis, p) { white-space: normal !important; }
  .st-key-top { gap: 0.5rem; }
  .st-key-top > :has(> .st-key-reader) { position: fixed; top: 0.4rem; right: 0.7rem; z-index: 999990; width: auto; }
  .stMainBlockContainer, .block-container { padding: 3.3rem 0.7rem 0.6rem; }
  /* the course asks about this model and this text: while it does, they have no row of their own */
  .stApp:has(.st-key-course_bar):has(.st-key-debugger_frame) .st-key-top > :has(> .stPopover),
  .stApp:has(.st-key-course_bar .stRadio):has(.st-key-debugger_frame) .st-key-top > :not(:has(> .st-key-reader)) {
    display: none; }
  /* how one writes a text is said below its field while one writes, over the picture, which keeps its place */
  .st-key-body { position: relative; }
  :has(> .st-key-hint):not(:has(button)) { position: absolute; top: 0; left: 0; right: 0; z-index: 80; width: auto;
    padding: 0.3rem 0.6rem; border-radius: 0.5rem; background: Canvas; box-shadow: 0 4px 14px rgb(0 0 0 / 0.3); }
  .stMainBlockContainer:not(:has(.st-key-top .stTextInput input:focus)) :has(> .st-key-hint):not(:has(button)) {
    display: none; } }
"""


def _frame() -> bool:
    """What comes before anything else on every page; whether its icon is among it."""
    has_icon = _reads_icons()
    st.set_page_config(page_icon=_ICON if has_icon else "🟦", layout="wide")
    words = streamlit_words.look(state.translator())
    st.html(f"<style>{_CSS}{words}{present.look() if state.presenting() else ''}</style>")
    return has_icon


def _reads_icons() -> bool:
    """Whether Streamlit can read an icon without importing numpy and PIL for it: before, a square stands there."""
    return "numpy" in sys.modules


def look(page: str) -> None:
    """The styles of a page's own: `look.css` in its package."""
    st.html(Path(__file__).parent / page / "look.css")


def navigate(navigation: Any, around: Callable[[str], AbstractContextManager[None]]) -> None:
    """Run the chosen page, with what stands `around` it."""
    has_icon = _frame()
    t = state.translator()
    pages = [
        st.Page(
            PAGES / f"{name}.py",
            title=t(f"page.{name}"),
            icon=icon,
            url_path=name,
            default=name == FIRST,
        )
        for name, icon in LISTED
    ]
    chosen = navigation(pages, position="top")
    name = LISTED[pages.index(chosen)][0]
    st.set_page_config(page_title=f"{chosen.title} · lmviz")
    if name == FIRST and server.is_of_step_through(st.query_params):  # no server of ours has sent this visitor there
        st.switch_page(pages[PAGE_NAMES.index("step_through")], query_params=st.query_params.to_dict())
    loading = st.empty()  # always: what stands below it keeps its place, which a press that is on its way names
    if name == FIRST:
        server.import_later()
    elif not server.is_imported():
        wait_for_import(t, loading)
    if name != FIRST:  # whose question is its heading
        st.html(f'<h1 class="lm-page">{escape(chosen.title)}</h1>')
    with around(name):
        chosen.run()
    if found := dropped.taken(t):
        here = Place(lang=state.language(), depth=state.depth(), present=state.presenting())
        place = {"model": str(found), **here.query()}
        st.switch_page(pages[PAGE_NAMES.index("step_through")], query_params=place)
    if name != FIRST and not state.presenting():
        saving.button(state.translator())
    sources.footer(state.translator(), name)
    if not has_icon and _reads_icons():
        st.set_page_config(page_icon=_ICON)


def wait_for_import(t: Translator, place: Any) -> None:
    """Import torch and the services, under a word that is painted at once: a spinner would first be fetched."""
    place.html(f'<p class="lm-loading" role="status">{escape(t("app.loading"))}</p>')
    let_paint()  # torch's libraries hold the interpreter while they load
    server.import_shared()
    place.empty()


def let_paint() -> None:
    """Wait until a browser has drawn what was sent: with what follows, all would be drawn at the end."""
    time.sleep(PAINTED)


def _language_choice() -> None:
    """EN | FR. The canonical choice is in the view; the widget mirrors it."""
    chosen = state.language()
    st.session_state["language"] = chosen
    widgets.segmented_control(
        state.translator()("app.language"),
        list(LANGUAGES),
        default=None,
        format_func=str.upper,
        key="language",
        label_visibility="collapsed",
        required=True,
        on_change=lambda: state.go(lang=st.session_state["language"] or chosen),
    )


def _depth_choice() -> None:
    """Story, Numbers, Formula, Code: how deep this reader looks, on every page."""
    t = state.translator()
    st.session_state["depth"] = state.depth()
    widgets.selectbox(
        t("app.depth"),
        DEPTHS,
        format_func=lambda depth: t(f"app.depth.{depth}"),
        key="depth",
        label_visibility="collapsed",
        help=t("app.depth.help"),
        width=118,
        on_change=lambda: state.choose_depth(st.session_state["depth"]),
    )


def reader_choices() -> None:
    """What every page has in its top row: how deep one looks, the language, the glossary, and presenting."""
    with st.container(horizontal=True, vertical_alignment="center", width="content", key="reader"):
        _depth_choice()
        _language_choice()
        glossary.button(state.translator())
        present.button()


@contextmanager
def sentences(t: Translator) -> Iterator[None]:
    """What can't be shown is said, in the place where it would have been."""
    try:
        yield
    except UserError as error:
        st.error(t.error(error))


@contextmanager
def top(place: Place) -> Iterator[Any]:
    """The row on top of a page: a title, the depth and the language; what is drawn inside stands between them. Says
    what was wrong with a link."""
    row = st.container(horizontal=True, vertical_alignment="center", key="top")
    with row:
        yield row
        reader_choices()
    link_notes(place.t)


@widgets.placeholder()
def link_notes(t: Translator) -> None:
    """What was wrong with the link that was followed."""
    if names := state.unknown():
        st.info(t("note.unknown", n=len(names), names=", ".join(code(shortened(visible(one), 40)) for one in names)))
    if parts := state.notes():
        left_out(t, *parts)


def left_out(t: Translator, *parts: str) -> None:
    """Some parts of a link make no sense."""
    st.info(t("note.link", parts=", ".join(parts)))


@widgets.placeholder()
def notes(t: Translator, said: Iterable[tuple[str, dict[str, object]]]) -> None:
    """What happened to a text on its way into a model: sentences and their details."""
    for sentence, details in said:
        shown = {
            name: shortened(visible(value)) if isinstance(value, str) else value for name, value in details.items()
        }
        note(t.error(UserError(sentence, **shown)))


def note(sentence: str) -> None:
    st.caption(f":orange-badge[!] {sentence}")


def link(label: str, place: Place, page: str = "step_through", icon: str | None = None) -> None:
    """A link that opens a page of `LISTED` at a place, as deep as the reader looks if it says nothing of that."""
    place = replace(place, present=state.presenting())
    if place.depth == CODE:
        place = replace(place, depth=state.depth())
    st.page_link(PAGES / f"{page}.py", label=label, icon=icon or dict(LISTED)[page], query_params=state.address(place))
