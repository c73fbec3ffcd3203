"""Written arithmetic, read back: what a line of an explanation gives when a reader types it into a calculator.

A line is text with numbers between, as in `Explanation.written`: "exp(", x, " − ", m, ") / ", total. It is parsed once
and can then be worked out for any numbers in those places, the rounded ones that are on screen for instance.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from lmviz.trace.operations.dtypes import BITS, cast
from lmviz.trace.operations.records.arithmetic import heaviside
from lmviz.trace.operations.records.functions import digamma, erf_inverse

_Numbers = Sequence[float]
Formula = Callable[[_Numbers], float]


class NotArithmetic(Exception):
    """The text is not arithmetic that is known here."""


def _safe(function: Callable[..., float]) -> Callable[..., float]:
    def tried(*values: float) -> float:
        try:
            return float(function(*values))
        except (ValueError, ZeroDivisionError, OverflowError):
            with np.errstate(all="ignore"):
                return float(_NUMPY.get(function, _nan)(*map(np.float64, values)))

    return tried


def _nan(*_: np.float64) -> float:
    return math.nan


_NUMPY: dict[Callable[..., float], Callable[..., float]] = {
    math.exp: np.exp,
    math.log: np.log,
    math.sqrt: np.sqrt,
    math.log1p: np.log1p,
}


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def _sign(x: float) -> float:
    return float(np.sign(x))


def _round(x: float, decimals: float = 0.0) -> float:
    return float(np.rint(x * 10**decimals) / 10**decimals)


def _softplus(x: float) -> float:
    return float(np.logaddexp(0.0, x))


def _x_log_y(x: float, y: float) -> float:
    return 0.0 if x == 0 else x * math.log(y)


def _as(dtype: str) -> Callable[[float], float]:
    """A number as a type of torch's holds it: whole numbers wrap around."""
    return lambda x: cast(int(x) if dtype in BITS else x, dtype).real


_TYPES = ("bool", "float16", "bfloat16", "float32", *BITS)

_FUNCTIONS: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf", "erfc")},
    **{name: getattr(math, name) for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
    **{"trunc": np.trunc, "ceil": np.ceil, "floor": np.floor},
    **{"ln": math.log, "log2": math.log2, "log10": math.log10, "log1p": math.log1p, "expm1": math.expm1},
    **{"√": math.sqrt, "sqrt": math.sqrt, "max": max, "min": min, "abs": abs, "atan2": math.atan2},
    **{"Φ": _normal, "sgn": _sign, "round": _round, "lgamma": math.lgamma},
    **{"softplus": _softplus, "logaddexp": np.logaddexp, "xlogy": _x_log_y, "heaviside": heaviside},
    **{"erfinv": erf_inverse, "digamma": digamma},
    **{"fmod": math.fmod, "fmax": np.fmax, "fmin": np.fmin, "copysign": math.copysign},
    **{"arg": np.angle, "conj": np.conj},  # of real numbers; lines of complex ones are not read
    **{"bitand": lambda a, b: int(a) & int(b), "bitor": lambda a, b: int(a) | int(b)},
    **{"bitxor": lambda a, b: int(a) ^ int(b)},
    **{dtype: _as(dtype) for dtype in _TYPES},
}
_AROUND: dict[str, Callable[..., float]] = {"|": abs, "⌊": np.floor, "⌈": np.ceil}
_TOKEN = re.compile(r"\s*(\0|\d+\.?\d*(?:e[-−]?\d+)?|[A-Za-z√Φ][A-Za-z0-9]*|⌊|⌋|⌈|⌉|[|()\[\],+−×÷/^²<>=≤≥≠∧∨¬%-])")
_FOUND = re.compile(r".*(?:→|\]\s*=(?!.*\])|:\s)")  # before that stands where a number was found, not how it was made


def parse(text: str) -> Formula:
    """The formula that a text stands for; \\0 marks the place of each number that is given later.

    Raises:
        NotArithmetic: it has a sign, a name or an order that is not known.

    >>> parse("exp(\\0 − \\0) / 2")([1.0, 1.0])
    0.5
    """
    found = _FOUND.match(text)
    before = found.end() if found else 0
    n_before = text[:before].count("\0")
    parser = _Parser(text[before:], n_before)
    formula = parser.comparison()
    if parser.kind is not None:
        raise NotArithmetic(text)
    return formula


class _Parser:
    """Recursive descent; each method reads one level of precedence and returns what works it out."""

    def __init__(self, text: str, n_before: int) -> None:
        self.tokens: list[str] = []
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise NotArithmetic(text)
            self.tokens.append(match.group(1))
            at = match.end()
        self.at, self.place = 0, n_before

    @property
    def kind(self) -> str | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, *wanted: str) -> str | None:
        if self.kind is not None and self.kind in wanted:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def need(self, wanted: str) -> None:
        if self.take(wanted) is None:
            raise NotArithmetic(f"{wanted} expected")

    def comparison(self) -> Formula:
        left = self.sum()
        while sign := self.take("<", ">", "≤", "≥", "=", "≠", "∧", "∨"):
            left = _binary(_COMPARED[sign], left, self.sum())
        return left

    def sum(self) -> Formula:
        left = self.product()
        while sign := self.take("+", "−", "-"):
            left = _binary(_OPERATORS["−" if sign == "-" else sign], left, self.product())
        return left

    def product(self) -> Formula:
        left = self.signed()
        while sign := self.take("×", "/", "÷", "mod", "%"):
            left = _binary(_OPERATORS[sign], left, self.signed())
        return left

    def signed(self) -> Formula:
        if self.take("−", "-"):
            of = self.signed()
            return lambda numbers: -of(numbers)
        if self.take("¬"):
            negated = self.signed()
            return lambda numbers: float(negated(numbers) == 0)
        return self.power()

    def power(self) -> Formula:
        base = self.atom()
        while sign := self.take("^", "²"):
            exponent = self.signed() if sign == "^" else _constant(2.0)
            base = _binary(_power, base, exponent)
        return base

    def atom(self) -> Formula:
        token = self.kind
        if token is None:
            raise NotArithmetic("the end came too soon")
        self.at += 1
        if token == "\0":
            place = self.place
            self.place += 1
            return lambda numbers: numbers[place]
        if token[0].isdigit():
            return _constant(float(token.replace("−", "-")))
        if closing := {"(": ")", "[": "]", "|": "|", "⌊": "⌋", "⌈": "⌉"}.get(token):
            inside = self.comparison()
            self.need(closing)
            return _applied(_AROUND.get(token), [inside])
        if token in _FUNCTIONS:
            self.need("(")
            arguments = [self.comparison()]
            while self.take(","):
                arguments.append(self.comparison())
            self.need(")")
            return _applied(_safe(_FUNCTIONS[token]), arguments)
        raise NotArithmetic(token)


def _constant(value: float) -> Formula:
    return lambda numbers: value


def _binary(operator: Callable[[float, float], float], left: Formula, right: Formula) -> Formula:
    return lambda numbers: operator(left(numbers), right(numbers))


def _applied(function: Callable[..., float] | None, arguments: list[Formula]) -> Formula:
    if function is None:
        return arguments[0]
    return lambda numbers: float(function(*(argument(numbers) for argument in arguments)))


def _divided(a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.float64(a) / np.float64(b))


def _power(a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.power(np.float64(a), np.float64(b)))


def _remainder(a: float, b: float) -> float:
    with np.errstate(all="ignore"):
        return float(np.mod(np.float64(a), np.float64(b)))


_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "−": lambda a, b: a - b,
    "×": lambda a, b: a * b,
    "/": _divided,
    "÷": _divided,
    "mod": _remainder,
    "%": _remainder,
}
_COMPARED: dict[str, Callable[[float, float], float]] = {
    "<": lambda a, b: float(a < b),
    ">": lambda a, b: float(a > b),
    "≤": lambda a, b: float(a <= b),
    "≥": lambda a, b: float(a >= b),
    "=": lambda a, b: float(a == b),
    "≠": lambda a, b: float(a != b),
    "∧": lambda a, b: float(bool(a) and bool(b)),
    "∨": lambda a, b: float(bool(a) or bool(b)),
}
