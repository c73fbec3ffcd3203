"""Formulas as pictures: LaTeX in, SVG out, so that they look the same in every browser and need no network."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=512)
def svg(latex: str, size: int = 20) -> str:
    """An SVG drawing of a formula in the colour of the text around it; empty if the formula can't be set."""
    if not latex:
        return ""
    from ziamath import Latex  # slow to import; the first page has no formula

    try:
        drawn: str = Latex(latex, size=size, color="currentColor").svg()
    except Exception:  # a formula made of a stranger's variable names is not worth losing the page
        return ""
    return drawn
