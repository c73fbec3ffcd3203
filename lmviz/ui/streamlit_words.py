"""What Streamlit itself says on a page, in the reader's language: it knows English only, so styles write over it.

A name that only a screen reader hears can't be reached by a style: `present/browser/names.js` puts ours there.
"""

from __future__ import annotations

import json
import re
from typing import Any

import streamlit as st

from lmviz.ui.present.present_types import Names
from lmviz.ui.text import Translator

_LARGEST_FILE = "server.maxUploadSize"  # Streamlit's setting, in megabytes: of a file whose field says nothing else
_LOST = '[data-testid="stApp"]:is([data-test-connection-state="PINGING_SERVER"],[data-test-connection-state^="DISC"])'
_DIALOG = f'body:has({_LOST}) [role="dialog"]:not(:has(.stVerticalBlock))'
_FIELD = '[data-testid="stFileUploaderDropzone"]'
_TEXTS = {  # the element that holds the words, by the key of ours
    "app.lost": f"{_DIALOG} > h2",
    "app.lost.say": f"{_DIALOG} > h2 + div > div",
    "app.skip": '[data-testid="stSkipToContent"]',
    "app.connecting": '[data-testid="stConnectionStatus"] > :last-child',
    "app.no_results": '[role="listbox"][data-empty="true"] [role="option"] > span',
    "app.enter": '[data-testid="InputInstructions"]:not(.stChatInput *) > :first-child',
    "app.enter.lines": '.stTextArea [data-testid="InputInstructions"] > :first-child',
    "app.file.choose": f"{_FIELD} > span p",
    "app.file.drop": f"{_FIELD} > div:not([data-testid]) > div:not([data-testid], :has(*))",
}
_NAMES = {  # Streamlit's own, by the key of ours; "…" is anything
    "app.pages": "App pages",
    "app.open": "Open",
    "app.close": "Close",
    "app.clear": "Clear value",
    "app.send": "Send message",
    "app.increment": "Increment",
    "app.decrement": "Decrement",
    "app.help_for": "Help for …",
    "app.fullscreen": "Fullscreen",
    "app.fullscreen.of": "Fullscreen: …",
    "app.chart.table": "Show data",
    "app.chart.table.of": "Show data: …",
    "app.chart.png": "Download as PNG",
    "app.chart.png.of": "Download as PNG: …",
    "app.chart.spec": "Copy Vega-Lite spec",
    "app.chart.spec.of": "Copy Vega-Lite spec: …",
    "app.chart.group": "group mark container",
    "app.fullscreen.close": "Close fullscreen",
    "app.table.columns": "Show/hide columns",
    "app.table.csv": "Download as CSV",
    "app.table.search": "Search",
    "app.table.unchoose": "Clear selection",
    "app.to_heading": "Link to heading",
    "app.notifications": "Notifications",
    "app.shortcut": "Shortcut …",
    "app.icon": "… icon",
    "app.choose": "Choose …",
    "app.chart": "visualization",
    "app.file.choose": "file upload",
}
_UNNAMED = {  # what has no name but by a style or an icon, or two
    "app.more_pages": ".rc-overflow-item-rest > button",
    "app.skip": _TEXTS["app.skip"],
    "chat.look": '[class*="st-key-chat-look-"] button',
    "chat.up": '[class*="st-key-chat-up-"] button',
    "chat.remove": '[class*="st-key-chat-remove-"] button',
}
_RULE = """
{at} {{ font-size: 0 !important; }}
{at}::after {{ content: {said}; font-size: max({size}, var(--lm-least, 0rem)); }}"""
_MORE = """
.rc-overflow-item-rest .stMarkdownEllipsis p {{ display: none; }} /* so that a name has ours alone */
.rc-overflow-item-rest .stMarkdownEllipsis::after {{
  content: {said}; font-size: max(0.875rem, var(--lm-least, 0rem)); }}"""
_REFUSED = """
{field}:has([aria-invalid="true"])::after {{
  content: {said}; font-size: 0.875rem; color: light-dark(#a5400a, #ffb27d); }}"""
_WHOLE = """
[data-testid="stToastText"] { display: block !important; } /* not cut, with a button in English for the rest */
[data-testid="stToastViewButton"] { display: none; }"""


def look(t: Translator) -> str:
    """The styles for what may stand on any page."""
    more = _WHOLE + _MORE.format(said=_quoted(t("app.more_pages")))
    return more + "".join(
        _over(at, t(key), "1.25rem" if at.endswith("h2") else "0.875rem") for key, at in _TEXTS.items()
    )


def names(t: Translator) -> Names:
    """What a screen reader hears of Streamlit, in the reader's language: by Streamlit's name, or by where it is."""
    return Names(
        ours={theirs: t(key) for key, theirs in _NAMES.items()},
        at={selector: t(key) for key, selector in _UNNAMED.items()},
    )


def file_uploader(t: Translator, label: str, endings: list[str], *, key: str, **more: Any) -> Any:
    """A field for files that says in the reader's language which it takes, and why it has taken none."""
    most = more.get("max_upload_size") or int(st.get_option(_LARGEST_FILE))
    said = {"kinds": ", ".join(f".{ending}" for ending in endings), "most": most}
    field = f".st-key-{re.sub(r'[^a-zA-Z0-9_-]', '-', key)}"
    limits = _over(f'{field} [data-testid="stFileUploaderDropzoneInstructions"] span', t("app.file.limits", **said))
    refused = _REFUSED.format(field=field, said=_quoted(t("app.file.refused", **said)))
    st.html(f"<style>{limits}{refused}</style>")
    return st.file_uploader(label, endings, key=key, **more)


def _over(at: str, said: str, size: str = "0.875rem") -> str:
    return _RULE.format(at=at, said=_quoted(said), size=size)


def _quoted(said: str) -> str:
    return json.dumps(said, ensure_ascii=False)
