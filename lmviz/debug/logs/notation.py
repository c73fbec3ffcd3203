"""How a text writes its numbers: 1,234.5 or 1.234,5."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

MISSING = frozenset(("", "-", "--", "—", "–", "?", "none", "null", "n/a", "na", "no log", "<na>", "nat", "…", "..."))
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "infinity": math.inf, "∞": math.inf}

# no quantifier is without a bound: reading takes as many steps as a text has characters, times a constant
_DOT = re.compile(r"(?<![\d.:/\-])(\d{1,20})\.(\d{1,20})(?![\d.])")
_COMMA = re.compile(r"(?<![\d.,:])(\d{1,20}),(\d{1,20})(?![\d,.])")
_LEADING_DOT = r"\.\d{1,40}"
_POWER = r"(?:[eE][-+]?\d{1,6}(?!\w))?"
_SIGN = r"(?:(?<![\w)\]}.])[-+−])?"
_FORMS = {
    "dot": r"\d{1,3}(?:,\d{3}){1,8}(?![\d,])(?:\.\d{1,40})?|\d{1,3}(?:_\d{3}){1,8}(?!\w)|\d{1,40}(?:\.\d{0,40})?",
    "comma": r"\d{1,3}(?:\.\d{3}){1,8}(?![\d.])(?:,\d{1,40})?|\d{1,40}(?:[.,]\d{1,40})?",
}
_PLAIN = re.compile(r"[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][-+]?[0-9]{1,6})?")
_THOUSANDS = re.compile(r"[-+−]?\d{1,3}(?:,\d{3}){1,8}")


@dataclass(frozen=True)
class Notation:
    """What stands before the decimals of a text's numbers. In one that has none but groups of three digits (1,000), a
    comma sets thousands apart in counts and decimals in everything else."""

    decimals: Literal["dot", "comma"]
    unclear: bool = False

    @property
    def number(self) -> str:
        """The pattern of a number, without names."""
        return f"{_SIGN}(?:{_FORMS[self.decimals]}|{_LEADING_DOT}){_POWER}"

    def value(self, written: str, is_count: bool = False) -> float:
        """The number that is written; NaN and infinities too.

        Raises:
            ValueError: it is none.
        """
        if self.decimals == "dot" and _PLAIN.fullmatch(written):
            return float(written)
        plain = written.strip().replace("−", "-")
        if (word := plain.lstrip("+-").lower()) in NOT_FINITE:
            return math.copysign(NOT_FINITE[word], -1.0 if plain.startswith("-") else 1.0)
        if self.decimals == "comma":
            has_thousands = "," in plain or re.fullmatch(r"[-+]?\d{1,3}(?:\.\d{3}){1,8}", plain) is not None
            plain = plain.replace(".", "") if has_thousands else plain
            return _float(plain.replace(",", "."))
        if self.unclear and not is_count and _THOUSANDS.fullmatch(plain):
            return _float(plain.replace(",", "."))
        return _float(plain.replace(",", "").replace("_", ""))


def _float(plain: str) -> float:
    if not plain.isascii() or "_" in plain:
        raise ValueError(plain)
    return float(plain)


def decimals_of(written: str) -> int:
    """How many digits stand after the last dot or comma."""
    at = max(written.rfind("."), written.rfind(","))
    return len(written) - 1 - at if at >= 0 else 0


def notation_of(text: str) -> Notation:
    """How the numbers of a text are written, by counting its dots and commas."""
    dots, commas = _DOT.findall(text), _COMMA.findall(text)
    n_dots, n_commas = (sum(not _may_be_thousands(*one) for one in found) for found in (dots, commas))
    if n_commas > n_dots and n_commas >= len(dots) - n_dots:
        return Notation("comma")
    return Notation("dot", unclear=bool(commas) and not dots)


def _may_be_thousands(whole: str, part: str) -> bool:
    """1,234 may be; 1,23 and 0,123 and 1234,567 are not."""
    return len(part) == 3 and len(whole) <= 3 and whole != "0"


@lru_cache
def cell_pattern(notation: Notation) -> re.Pattern[str]:
    """A cell of a table that holds a number and nothing else."""
    return re.compile(rf"(?:{notation.number}|[-+]?(?:nan|inf|infinity))", re.IGNORECASE)
