"""Reads lines of arithmetic as they stand on screen, as a reader with a calculator would; knows nothing of lmviz."""

from __future__ import annotations

import html
import math
import re

import numpy as np

SPELLED = {
    **{"×": "*", "÷": "/", "−": "-", "^": "**", "√": "sqrt", "≤": "<=", "≥": ">=", "≠": "!=", "²": "**2", "∞": "inf"},
    **{"∧": " and ", "∨": " or ", "¬": " not ", " mod ": " % "},
}
FUNCTIONS = {
    **{"exp": np.exp, "ln": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sgn": np.sign},
    **{"max": np.maximum, "min": np.minimum, "floor": np.floor, "trunc": np.trunc, "abs": np.abs, "erf": math.erf},
    **{"Φ": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2, "inf": np.inf, "NaN": np.nan, "round": round},
}
NUMBER = r"−?\d[\d\u202f]*(?:,\d{3}(?=\.))*(?:[.,]\d+)?(?:e−?\d+)?|−?∞|NaN"


def plain(line: str) -> str:
    """A line without its markup."""
    line = html.unescape(re.sub(r"<[^>]+>", "", line)).replace("**", "").replace("`", "")
    return re.sub(r"\((?:\d+) (?:more|de plus)\)", "", line).replace("  ", " ")


def ungrouped(shown: str, lang: str = "") -> str:
    """Numbers without the English mark of thousands, which without a point is one only where the language is known."""
    return re.sub(r"(?<=\d),(?=\d{3}(?:,\d{3})*" + ("(?!\\d))" if lang == "en" else "\\.)"), "", shown)


def number(shown: str, lang: str = "") -> float:
    """A number as either language writes it."""
    return float(ungrouped(shown, lang).replace("\u202f", "").replace(",", ".").replace("−", "-").replace("∞", "inf"))


def half_unit(shown: str, lang: str = "") -> float:
    """Half of one in the last place of a written number."""
    mantissa, _, power = ungrouped(shown, lang).replace("−", "-").replace(",", ".").partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 0.5 * 10.0 ** (int(power or 0) - decimals)


def worked_out(arithmetic: str, lang: str) -> float:
    """What an arithmetic gives, by Python's own rules: no bracket is added, so those that are missing show."""
    text = re.split(r"→ |\] = ", arithmetic)[-1]
    text = re.sub(r"(\d),(\d)", r"\1.\2", text).replace("\u202f", "") if lang == "fr" else ungrouped(text, lang)
    text = re.sub(r"(\d)e−(\d)", r"\1e-\2", text)
    if text.strip().startswith("["):
        text = f"float({text.strip()[1:-1].replace(' = ', ' == ')})"
    text = re.sub(r"\|(.+?)\|", r"abs(\1)", re.sub(r"⌊(.+?)⌋", r"floor(\1)", text))
    for sign, spelled in SPELLED.items():
        text = text.replace(sign, spelled)
    try:
        with np.errstate(all="ignore"):
            return float(eval(text, dict(FUNCTIONS)))
    except ZeroDivisionError:
        return math.nan


def holds(line: str, lang: str) -> bool:
    """Whether a line "arithmetic = result" is true as it is written; with ≈, whether it is nearly so."""
    left, sign, right = re.match(r"(.*) (=|≈) (.+)$", plain(line).strip()).groups()  # type: ignore[union-attr]
    found, stated = worked_out(left, lang), number(right, lang)
    if not math.isfinite(stated):
        return repr(found) == repr(stated)
    if sign == "≈":
        return math.isclose(found, stated, rel_tol=0.05, abs_tol=0.2)
    return abs(found - stated) <= half_unit(right, lang) * (1 + 1e-6)


def lines_in(markup: str) -> list[str]:
    """The lines of arithmetic in the tables and boxes of worked numbers, each with its result."""
    cells = re.findall(r'<td>([^<]*(?:<b>|<span)?.*?)</td>|<div class="arithmetic">(.*?)</div>', markup)
    lines = [plain(left or right) for left, right in cells]
    named = (re.sub(r"^\w = (?=.* [=≈] )", "", line) for line in lines)
    return [line for line in named if re.search(rf"\S [=≈] (?:{NUMBER})$", line) and re.search(r"[+×÷/(]| − ", line)]
