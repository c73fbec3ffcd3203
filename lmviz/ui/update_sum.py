"""How an optimiser moves one weight, as a sum that can be watched: each line true as it is written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from lmviz.explain.arithmetic import parse
from lmviz.trace.operations.explanation import write
from lmviz.train.update_rules import Line, Update
from lmviz.ui import drawing
from lmviz.ui.arithmetic_html import equation
from lmviz.ui.text import Translator
from lmviz.ui.training.pictures_types import UpdateLine, UpdateSum

DIGITS = 6
NAMES = {  # of the rules' symbols: what their words are found by, and how they are shown
    "w": ("weight", "w"),
    r"\eta": ("rate", "η"),
    "g": ("gradient", "g"),
    "c": ("clipping", "c"),
    "g_c": ("clipped", "g_c"),
    r"\lambda": ("decay", "λ"),
    "g_d": ("with_decay", "g_d"),
    "w_d": ("shrunk", "w_d"),
    r"\mu": ("momentum", "μ"),
    "t": ("step", "t"),
    "m": ("mean", "m"),
    "v": ("square", "v"),
    r"\epsilon": ("epsilon", "ε"),
    "m'": ("mean_new", "m′"),
    "v'": ("square_new", "v′"),
    r"\hat m": ("mean_hat", "m̂"),
    r"\hat v": ("square_hat", "v̂"),
    r"\Delta": ("move", "Δ"),
    "w'": ("weight_new", "w′"),
}
_OF_MOMENTUM = {"v": "velocity", "v'": "velocity_new"}  # symbols that mean something else where nothing is squared
_TOKEN = re.compile("|".join([*map(re.escape, sorted(NAMES, key=len, reverse=True)), r"\d+(?:\.\d+)?"]))


def show(found: Update, t: Translator, key: str, of: str) -> None:
    """The lines of an optimiser's rule for one weight, and a button that plays them one after another.

    Args:
        of: tells one weight and step from another.
    """
    drawing.show("training/update", lines(found, t, of), t, key)


def lines(found: Update, t: Translator, of: str) -> UpdateSum:
    known = {line.symbol: line.value for line in found.lines}
    squares = r"\hat v" in known
    return {"of": of, "lines": [_line(line, known, squares, t) for line in found.lines]}


def _line(line: Line, known: dict[str, float], squares: bool, t: Translator) -> UpdateLine:
    name, shown = NAMES[line.symbol]
    say = t(f"train.update.{name if squares else _OF_MOMENTUM.get(line.symbol, name)}")
    if not line.formula:
        value = equation(t, "{x}", line.value, DIGITS, x=line.value)
        return UpdateLine(symbol=shown, say=say, formula="", numbers="", sign="=", value=value.result, uses=[])
    template = _plain(line.formula)
    uses = list(dict.fromkeys(one for one in _TOKEN.findall(template) if one in NAMES))
    named = {NAMES[one][0]: known[one] for one in uses}
    holes = _TOKEN.sub(_hole, template)
    written = equation(t, holes, _as_written(holes, named, line.value), DIGITS, **named)
    return UpdateLine(
        symbol=shown,
        say=say,
        formula=_TOKEN.sub(lambda one: NAMES[one[0]][1] if one[0] in NAMES else t.localised(one[0]), template),
        numbers=written.left,
        sign=written.sign,
        value=written.result,
        uses=[NAMES[one][1] for one in uses],
    )


def _as_written(template: str, named: Mapping[str, float], value: float) -> float:
    """The value of a line; where the line as it is written gives the same but for what floats leave behind, as it does:
    0.1 × 17 and (1 − 0.9) × 17 are both 1.7, nearly."""
    pieces = write(template, **named)
    formula = parse("".join(piece if isinstance(piece, str) else "\0" for piece in pieces))
    found = formula([float(piece) for piece in pieces if not isinstance(piece, str)])  # type: ignore[arg-type]
    return found if math.isclose(found, value, rel_tol=1e-9) else value


def _plain(formula: str) -> str:
    """LaTeX as it is read by a calculator: √ with brackets, ², and a true minus sign."""
    text = re.sub(r"\\sqrt\{([^{}]*)\}", r"√(\1)", formula.replace(r"\cdot", "×"))
    return text.replace("^2", "²").replace("-", "−")


def _hole(token: re.Match[str]) -> str:
    """A symbol's or a number's place in a template."""
    return f"{{{NAMES[token[0]][0] if token[0] in NAMES else token[0]}}}"
