"""Presenting: the link as a code that a phone reads, charts that grow, and styles that can."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import zxingcpp

from lmviz.ui.charts import larger
from lmviz.ui.formula import svg
from lmviz.ui.present.present import LONGEST, QUIET, code
from tests.conftest import ROOT

STYLES = sorted((ROOT / "lmviz/ui").rglob("*.css"))
IN_PIXELS = re.compile(r"([^{}]*)\{[^{}]*?\bfont(?:-size)?:[^;}]*?(?<![\w.])(?!0px)[\d.]+px")
DRAWN = re.compile(r"^(?:\.whole-model:not\(\.room\) )?(?::is\()?\.(?:name|part|after|chance|share)\b")  # in an SVG


def read(rows: list[str]) -> str:
    """What a phone reads of a code."""
    dark = np.array([[int(square) for square in row] for row in rows], dtype=np.uint8)
    image = np.kron(255 * (1 - dark), np.ones((4, 4), dtype=np.uint8))
    (found,) = zxingcpp.read_barcodes(image)
    return str(found.text)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8501/",
        "https://école.example/lm/step_through?model=names&prompt=.m%C3%A9&cell=%5B%22logits%22%2C%5B0%2C3%5D%5D",
        "http://192.168.1.20:8501/generation?prompt=" + "a" * (LONGEST - 60),
    ],
)
def test_a_code_is_read_as_the_address_and_has_its_quiet_zone(address: str) -> None:
    made = code(address)
    assert made["address"] == address and read(made["rows"]) == address
    dark = np.array([[int(square) for square in row] for row in made["rows"]])
    assert dark.shape[0] == dark.shape[1]
    edge = dark.copy()
    edge[QUIET:-QUIET, QUIET:-QUIET] = 0
    assert not edge.any() and dark[QUIET, QUIET] == 1


def test_an_address_that_no_code_holds_makes_none() -> None:
    assert code("http://a.example/?prompt=" + "a" * LONGEST)["rows"] == []


def test_a_larger_chart_shows_the_same() -> None:
    spec = {
        "height": 100,
        "config": {"axis": {"labelFontSize": 14, "labelLimit": 200}, "locale": {"number": {"grouping": [3]}}},
        "data": {"values": [{"height": 7, "size": 3}]},
        "layer": [
            {"mark": {"type": "point", "size": 100, "opacity": 0.5, "filled": True, "strokeDash": [6, 4]}},
            {"mark": {"type": "text", "fontSize": {"expr": "datum.size"}}},
            {"encoding": {"y": {"scale": {"domain": [0, 10]}}}, "mark": {"type": "bar", "height": {"band": 0.7}}},
        ],
    }
    assert larger(spec, 2) == {
        "height": 200,
        "config": {"axis": {"labelFontSize": 28, "labelLimit": 400}, "locale": {"number": {"grouping": [3]}}},
        "data": {"values": [{"height": 7, "size": 3}]},
        "layer": [
            {"mark": {"type": "point", "size": 400, "opacity": 0.5, "filled": True, "strokeDash": [12, 8]}},
            {"mark": {"type": "text", "fontSize": {"expr": "2 * (datum.size)"}}},
            {"encoding": {"y": {"scale": {"domain": [0, 10]}}}, "mark": {"type": "bar", "height": {"band": 0.7}}},
        ],
    }
    spec["layer"].pop(1)  # type: ignore[attr-defined]
    assert larger(spec, 1.0) == spec


def test_a_formula_grows_with_the_letters() -> None:
    width, height = re.findall(r'<svg [^>]*?width="([^"]+)" height="([^"]+)"', svg("a_i"))[0]
    assert width.endswith("rem") and height.endswith("rem")


@pytest.mark.parametrize("path", STYLES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_no_letters_have_a_size_of_their_own_that_a_room_cannot_enlarge(path: Path) -> None:
    found = [selector.strip() for selector in IN_PIXELS.findall(path.read_text(encoding="utf-8"))]
    assert not [one for one in found if not DRAWN.match(one) and "html" not in one.split("\n")[-1].split("(")[0]]
