"""What a breakpoint is called on screen."""

from __future__ import annotations

from lmviz.errors import UserError
from lmviz.stages.breakpoints import Breakpoint
from lmviz.ui.text import Translator


def named(stop: Breakpoint, t: Translator) -> str:
    """In the reader's language; an address and a line are called what they are."""
    if stop.kind in ("above", "entropy"):
        return t(f"stops.at.{stop.kind}", limit=t.exact(float(stop.argument)))
    if stop.kind == "stage":
        return t("stops.at.stage", stage=t(f"stage.{stop.argument}"))
    return stop.argument or t("stops.at.nan")


def label(written: str, t: Translator) -> str:
    """Of a breakpoint as a link has it, which may be none."""
    try:
        return named(Breakpoint.parse(written), t)
    except UserError:
        return written
