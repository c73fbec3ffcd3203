"""What an explanation writes is arithmetic: read as a formula, it gives the explanation's own value."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from lmviz.explain import TERMS, Explanation, Operand, Piece
from lmviz.explain.line import shortest
from lmviz.trace.operations.explanation import Term, Terms, plain_number, write

_SPELLED = {
    **{"×": "*", "−": "-", "^": "**", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!="},
    **{"∧": " and ", "∨": " or ", "¬": " not ", " mod ": " % "},
}


def _bfloat16(x: float) -> float:
    return float(torch.tensor(x, dtype=torch.float32).to(torch.bfloat16))


def _whole(bits: int, signed: bool) -> Callable[[float], float]:
    """What a type of whole numbers holds: the lowest bits."""

    def held(x: float) -> float:
        size = 1 << bits
        number = int(x) % size
        return float(number - size if signed and number >= size // 2 else number)

    return held


def _special(name: str) -> Callable[[float], float]:
    return lambda x: float(getattr(torch.special, name)(torch.tensor(x)))


def _softplus(x: float) -> float:
    return float(np.logaddexp(0.0, x))


_FUNCTIONS = {
    **{name: getattr(np, name) for name in "exp expm1 log2 log10 log1p sqrt sin cos tan tanh sinh cosh".split()},
    **{
        "trunc": np.trunc,
        "ln": np.log,
        "asin": np.arcsin,
        "acos": np.arccos,
        "atan": np.arctan,
        "atan2": np.arctan2,
        "fmod": np.fmod,
    },
    **{"asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "sgn": np.sign, "arg": np.angle},
    **{"max": np.maximum, "min": np.minimum, "fmax": np.fmax, "fmin": np.fmin, "floor": np.floor, "ceil": np.ceil},
    **{
        "abs": abs,
        "erf": math.erf,
        "erfc": math.erfc,
        "lgamma": math.lgamma,
        "erfinv": _special("erfinv"),
        "digamma": _special("digamma"),
        "softplus": _softplus,
    },
    **{"round": lambda x, n=0: np.rint(x * 10**n) / 10**n, "Re": np.real, "Im": np.imag, "conj": np.conj, "i": 1j},
    **{"copysign": np.copysign, "logaddexp": np.logaddexp, "heaviside": lambda a, b: b if a == 0 else float(a > 0)},
    **{"xlogy": lambda a, b: b if b != b else 0.0 if a == 0 else a * np.log(b)},
    **{"bitand": lambda a, b: int(a) & int(b), "bitor": lambda a, b: int(a) | int(b)},
    **{"bitxor": lambda a, b: int(a) ^ int(b)},
    **{"Φ": lambda x: math.erfc(-x / math.sqrt(2)) / 2, "F": np.float64, "C": np.complex128},
    **{"inf": np.inf, "nan": np.nan, "float16": np.float16, "float32": np.float32, "bfloat16": _bfloat16},
    **{f"int{bits}": _whole(bits, True) for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": _whole(bits, False) for bits in (8, 16, 32, 64)},
    **{"bool": lambda x: float(x != 0)},
}


def text_of(pieces: tuple[Piece, ...], terms: Sequence[Term]) -> str:
    """What a reader sees. No parentheses are added, so those that are missing show."""
    return "".join(_text(piece, terms) for piece in pieces)


def _text(piece: Piece, terms: Sequence[Term]) -> str:
    if piece is TERMS:
        return " + ".join(_term(term) for term in terms) or "F(0)"
    if isinstance(piece, str):
        return piece
    number = piece.value if isinstance(piece, Operand) else piece
    if isinstance(number, complex):
        return f"C({number!r})"
    return f"-F({-number!r})" if number < 0 else f"F({number!r})"


def _term(term: Term) -> str:
    """A term that is itself a question counts as 1 or 0."""
    return _counted(text_of(term.pieces, ()))


def _counted(text: str) -> str:
    return f"float({text[1:-1].replace(' = ', ' == ')})" if text.startswith("[") and text.endswith("]") else text


def worked_out(explanation: Explanation) -> complex:
    """The number that the written arithmetic gives."""
    text = text_of(explanation.written, explanation.terms)
    text = re.split(r"→ |\] = ", text)[-1]  # before that stands where the number was found
    text = _counted(text)
    text = re.sub(r"\|(.+?)\|", r"abs(\1)", re.sub(r"⌊(.+?)⌋", r"floor(\1)", re.sub(r"⌈(.+?)⌉", r"ceil(\1)", text)))
    for sign, spelled in _SPELLED.items():
        text = text.replace(sign, spelled)
    with np.errstate(all="ignore"):
        return plain_number(eval(text, dict(_FUNCTIONS)))


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


def test_of_a_long_sum_the_largest_terms_are_written_in_their_order() -> None:
    values = np.array([0.1, -9.0, 0.2, 3.0, -0.3, 8.0, 0.4, -0.5])
    terms = Terms(values, lambda i: Term(str(i), (float(values[i]),), float(values[i])))
    why = Explanation("", terms, float(values.sum()))
    assert shortest(why, 3) == [1, 3, 5]
    assert shortest(why, 6) == list(range(8))  # hardly more would be left out
