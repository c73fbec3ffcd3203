"""Formulas as pictures: LaTeX in, SVG out, so that they look the same in every browser and need no network; and as
MathML behind each picture, for who has it read out."""

from __future__ import annotations

import re
from functools import lru_cache

ROOT = 16  # pixels of the page's root letters, with which a formula grows in front of a room
_LENGTH = re.compile(r'\b(width|height)="([\d.]+)"')


@lru_cache(maxsize=512)
def svg(latex: str, size: int = 20) -> str:
    """An SVG drawing of a formula in the colour of the text around it, and the formula for ears; empty if it can't be
    set."""
    if not latex:
        return ""
    from ziamath import Latex  # slow to import; the first page has no formula
    from ziamath.tex import tex2mml

    try:
        drawn: str = Latex(latex, size=size, color="currentColor").svg()
        spoken: str = tex2mml(latex)
    except Exception:  # a formula made of a stranger's variable names is not worth losing the page
        return ""
    sized = _LENGTH.sub(lambda found: f'{found[1]}="{float(found[2]) / ROOT:.4g}rem"', drawn, count=2)
    return sized.replace("<svg ", '<svg aria-hidden="true" ', 1) + spoken
