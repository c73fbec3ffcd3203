"""The button that every page has, and what it opens: all is larger, for a room, and one can point at things."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import streamlit as st

from lmviz.ui import mounted, state, streamlit_words
from lmviz.ui.present.present_types import Code, Presenting

BROWSER = Path(__file__).parent / "browser"
LONGEST = 900  # characters of an address: a QR code holds some more, and a camera reads no finer one
QUIET = 4  # light squares around a code, as its standard asks (ISO/IEC 18004)
_CODE, _ANEW = "present.code", "present.anew"


@lru_cache(maxsize=1)
def look() -> str:
    """The styles of a page in front of a room."""
    return (BROWSER / "room.css").read_text(encoding="utf-8")


@st.fragment
def button() -> None:
    """Begins to present, or ends it; while one presents, its keys are listened to."""
    if state.take(_ANEW, False):
        st.rerun()
    t, at = state.translator(), state.course()
    data = Presenting(
        lang=t.language,
        names=streamlit_words.names(t),
        words=t.texts("present."),
        on=state.presenting(),
        scale=state.scale(),
        course=f"{at.chapter}.{at.task}" if at.chapter else "",
        code=state.take(_CODE, None),
    )
    mounted.component("lmviz.present", BROWSER / "present.js", "present")(
        data=[data], key="presenting", on_event_change=state.unbroken(_on_event), height="content", width="content"
    )


def _on_event() -> None:
    """What the browser tells: that one presents, how large its window is, which address is to be shown."""
    event = getattr(st.session_state.get("presenting"), "event", None)
    if not isinstance(event, Mapping):
        return
    scale, address = event.get("scale"), event.get("address")
    if isinstance(scale, int | float) and scale > 0:
        state.keep_scale(float(scale))
        state.keep(_ANEW, True)
    if isinstance(event.get("on"), bool):
        state.choose_presenting(event["on"])
        state.keep(_ANEW, True)
    if isinstance(address, str):
        state.keep(_CODE, code(address))


@lru_cache(maxsize=16)
def code(address: str) -> Code:
    """An address as a QR code, with its quiet zone; without a row where it is too long for one."""
    if not 0 < len(address) <= LONGEST:
        return Code(address=address, rows=[])
    import segno  # for who asks for a code

    made = segno.make_qr(address, error="l")
    rows = ["".join(map(str, row)) for row in made.matrix_iter(border=QUIET)]
    return Code(address=address, rows=rows)
