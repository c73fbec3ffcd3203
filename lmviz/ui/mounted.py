"""A component of the page: one element, set up by a script, whose look lies beside the script."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st

from lmviz.ui.scripts import bundle


@lru_cache
def component(name: str, script: Path, root: str, look: str = "") -> Any:
    """What Streamlit mounts under a name.

    Args:
        root: the class of the element.
        look: styles before those of the script's own, `NAME.css` beside `NAME.js`, if there are any.
    """
    own = script.with_suffix(".css")
    css = look + (own.read_text(encoding="utf-8") if own.is_file() else "")
    html = f'<div class="{root}"></div>'
    return st.components.v2.component(name, html=html, css=css or None, js=bundle(script))
