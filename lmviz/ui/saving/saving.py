"""The button at the foot of every page: each picture of it as a file, SVG or PNG, as it is on screen.

Charts, tensors and whatever a script of ours has drawn are found by the browser, which writes them out with their
title, axes, legend and link. A script gets the picture of a tensor from `lmviz.picture`, which draws by itself.
"""

from __future__ import annotations

from pathlib import Path

from lmviz.ui import mounted
from lmviz.ui.text import Translator

_SAVING = Path(__file__).parent / "browser" / "saving.js"
WORDS = "saving."


def button(t: Translator) -> None:
    """Opens the list of the page's pictures."""
    data = {"lang": t.language, "words": t.texts(WORDS)}
    mounted.component("lmviz.saving", _SAVING, "saving")(data=[data], key="saving", height="content", width="content")
