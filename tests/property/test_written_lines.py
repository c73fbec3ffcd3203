"""Every line of arithmetic that is written evaluates to its result, as both are written."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmviz.explain import by_hand
from lmviz.registry.kinds import read_reference
from lmviz.registry.recording import Recording, Request
from lmviz.services.services import Services
from lmviz.trace.step import Value
from lmviz.train.recipe import TrainingRecipe
from lmviz.train.update_rules import update
from lmviz.ui import arithmetic_html, update_sum
from lmviz.ui.step_through.inspector import inspector
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator
from tests.conftest import PROMPTS, SAMPLES
from tests.examples import times
from tests.words import ENGLISH
from tests.written import holds, number, plain


@cache
def services() -> Services:
    return Services()


@cache
def run(model: str) -> Recording:
    return services().models.record(Request(read_reference(model), PROMPTS[model], gradients=True))


def text_of(pieces: list[dict[str, Any]], is_short: bool) -> str:
    """A line's pieces one after the other, as the browser writes them."""
    return "".join(piece.get("text") or number_of(piece) or sum_of(piece, is_short) for piece in pieces)


def number_of(piece: dict[str, Any]) -> str:
    shown = str(piece.get("shown", ""))
    return f"({shown})" if piece.get("held") else shown


def sum_of(piece: dict[str, Any], is_short: bool) -> str:
    chosen = piece["short"] if is_short else range(len(piece["terms"]))
    rest = piece["rest"][0 if is_short else 1]
    terms = [text_of(piece["terms"][i]["pieces"], is_short) for i in chosen]
    return " + ".join([*terms, *([number_of(rest)] if rest["n"] else [])]) or "0"


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("model", SAMPLES)
@pytest.mark.parametrize(("digits", "lang"), [(2, "en"), (4, "fr")])
@times(5)
@given(data=st.data())
def test_a_line_of_the_inspector_is_true_as_it_is_written(
    model: str, digits: int, lang: str, data: st.DataObject
) -> None:
    found = run(model)
    values = [value for step in found.trace if step.index >= 0 for value in step.outputs if value.array.size]
    value: Value = data.draw(st.sampled_from(values))
    cell = tuple(data.draw(st.integers(0, size - 1)) for size in value.shape)
    gradient = value.grad is not None and data.draw(st.booleans())
    view = StepThroughView(
        model=read_reference(model), cell=(value.address, cell), grad=gradient, digits=digits, lang=lang
    )
    shown = inspector(found, view)
    assert shown is not None
    for line in shown["lines"]:
        for is_short in (True, False):
            written = f"{text_of(line['pieces'], is_short)} {line['sign']} {line['value']}"
            assert holds(written, lang), written
        is_long = written.count("×") > 2 or written.count("exp(") > 8  # no digits that one would read make it exact
        assert line["sign"] == "=" or is_long, written


VECTORS = st.lists(st.floats(-1e3, 1e3, width=32), min_size=2, max_size=40).map(np.array)


@pytest.mark.slow
@times(8)
@given(st.sampled_from(["en", "fr"]), VECTORS, st.sampled_from([2, 3, 4]), st.data())
def test_a_line_of_a_page_of_widgets_is_true_as_it_is_written(
    lang: str, a: np.ndarray[Any, Any], digits: int, data: st.DataObject
) -> None:
    b = np.roll(a, 1) * 0.37 - 0.01
    lines = [by_hand.total(a), by_hand.dot(a, b), by_hand.length(a), by_hand.softmax(a, 0)]
    lines += [why for metric in ("euclidean", "cosine") for _, why in by_hand.distance(a, b, metric)]
    lines += [by_hand.mean([(float(x), float(n + 1)) for n, x in enumerate(a)])]
    for why in lines:
        assert holds(arithmetic_html._arithmetic(why, Translator(lang), digits), lang), plain(
            arithmetic_html._arithmetic(why, Translator(lang), digits)
        )


@times(16)
@given(
    st.sampled_from(["{a} ÷ {b}", "{a} × {b}", "{a} − {b}", "({a} + {b}) / {3}", "exp(−{b}) × {a}"]),
    st.floats(-1e4, 1e4),
    st.floats(1e-4, 30),
    st.sampled_from([2, 4, 6]),
    st.sampled_from(["en", "fr"]),
)
def test_an_equation_is_true_as_it_is_written(template: str, a: float, b: float, digits: int, lang: str) -> None:
    result = {"÷": a / b, "×": a * b, "−": a - b, "+": (a + b) / 3, "e": np.exp(-b) * a}
    sign = "e" if template.startswith("exp") else next(one for one in "÷×−+" if one in template)
    line = arithmetic_html.equation(Translator(lang), template, float(result[sign]), digits, a=a, b=b)
    assert holds(line.text, lang), line.text


FLOATS = st.floats(-50, 50, width=32)


@times(12)
@given(
    st.sampled_from(["en", "fr"]),
    st.sampled_from(["sgd", "momentum", "adam", "adamw"]),
    FLOATS,
    FLOATS,
    st.floats(1e-6, 3),
    st.data(),
)
def test_every_line_of_an_update_is_true_as_it_is_written(
    lang: str, rule: str, weight: float, gradient: float, rate: float, data: st.DataObject
) -> None:
    recipe = TrainingRecipe(steps=1, learning_rate=rate, optimizer=rule, momentum=0.9)
    decay, clipping = data.draw(st.sampled_from([0.0, 0.01])), data.draw(st.sampled_from([1.0, 0.37123]))
    mean, square = data.draw(FLOATS), abs(data.draw(FLOATS))
    remembered = {"step": 7.0, "exp_avg": mean, "exp_avg_sq": square, "momentum_buffer": mean}
    known = data.draw(st.sampled_from([{}, remembered]))
    found = update(recipe, weight, gradient, rate, clipping=clipping, decay=decay, remembered=known)
    shown = update_sum.lines(found, Translator(lang), "w")["lines"]
    symbols = [line["symbol"] for line in shown]
    assert shown[-1]["symbol"] == "w′" and len({*symbols}) == len(symbols)
    for i, line in enumerate(shown):
        assert not line["say"].startswith("train.update.")
        assert {*line["uses"]} <= {*symbols[:i]}, "a line is made from those above it"
        if line["formula"]:
            assert holds(f"{line['numbers']} {line['sign']} {line['value']}", lang), line
            assert line["sign"] == "=" or any(one in line["numbers"] for one in "^√−"), line


def test_a_comparison_is_true_as_it_is_written() -> None:
    for a, sign, b in ((0.441, "≥", 0.439), (0.4399, "<", 0.4401), (0.5, "≥", 0.5)):
        left, _, right = arithmetic_html.compared(ENGLISH, sign, a, b).partition(f" {sign} ")
        assert number(left) >= number(right) if sign == "≥" else number(left) < number(right)
