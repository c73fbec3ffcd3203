"""What an explanation writes is arithmetic: read as a formula, it gives the explanation's own value."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pytest

from lmviz.explain import TERMS, Explanation, Operand, Piece
from lmviz.explain.explanation import Term, Terms, write

_SPELLED = {
    **{"×": "*", "−": "-", "^": "**", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!="},
    **{"∧": " and ", "∨": " or ", "¬": " not ", " mod ": " % "},
}
_FUNCTIONS = {
    **{"exp": np.exp, "ln": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sgn": np.sign},
    **{"max": np.maximum, "min": np.minimum, "floor": np.floor, "trunc": np.trunc, "abs": np.abs, "erf": math.erf},
    **{"Φ": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, "F": np.float64, "inf": np.inf, "nan": np.nan},
}


def text_of(pieces: tuple[Piece, ...], terms: Sequence[Term]) -> str:
    """What a reader sees. No parentheses are added, so those that are missing show."""
    return "".join(_text(piece, terms) for piece in pieces)


def _text(piece: Piece, terms: Sequence[Term]) -> str:
    if piece is TERMS:
        return " + ".join(text_of(term.pieces, ()) for term in terms) or "F(0)"
    if isinstance(piece, str):
        return piece
    number = piece.value if isinstance(piece, Operand) else piece
    return f"-F({-number!r})" if number < 0 else f"F({number!r})"


def worked_out(explanation: Explanation) -> float:
    """The number that the written arithmetic gives."""
    text = text_of(explanation.written, explanation.terms)
    text = re.split(r"→ |\] = ", text)[-1]  # before that stands where the number was found
    if text.startswith("["):  # 1 if it holds, else 0
        text = f"float({text[1:-1].replace(' = ', ' == ')})"
    text = re.sub(r"\|(.+?)\|", r"abs(\1)", re.sub(r"⌊(.+?)⌋", r"floor(\1)", text))
    for sign, spelled in _SPELLED.items():
        text = text.replace(sign, spelled)
    with np.errstate(all="ignore"):
        return float(eval(text, dict(_FUNCTIONS)))


def test_a_template_names_its_pieces() -> None:
    x = Operand("x", "blocks.0.x", (0, 1), 0.25)
    assert write("{x} / √({terms} + {0.5})", x=x) == (x, " / √(", TERMS, " + ", 0.5, ")")


def test_a_term_is_written_as_its_factors_unless_it_says_otherwise() -> None:
    x = Operand("x", "x", (0,), 0.25)
    assert Term("0", (2.0, 0.25), 0.5, (None, x)).pieces == (2.0, " × ", x)
    assert Term("0", (4.0,), 4.0, written=("(", x, ") ^ ", 2.0)).pieces == ("(", x, ") ^ ", 2.0)


def test_terms_that_are_made_when_looked_at_are_as_good_as_a_tuple() -> None:
    terms = Terms(np.arange(4.0), lambda i: Term(str(i), (float(i),), float(i)))
    assert terms == tuple(terms)
    assert terms[1:3] == (terms[1], terms[2])
    assert terms[-1].label == "3"
    with pytest.raises(IndexError):
        terms[4]
