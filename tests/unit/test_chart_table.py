"""Behind every chart is a table that a screen reader can walk."""

from __future__ import annotations

import ast
import re

import pytest

from lmviz.ui import charts
from lmviz.ui.chart_table import MOST, behind
from lmviz.ui.text import DEFAULT, Language, Translator, catalogue
from tests.conftest import ROOT
from tests.source import calls_in, last_name

EN, FR = Translator(Language("en")), Translator(Language("fr"))


def cells(html: str, tag: str) -> list[str]:
    return re.findall(rf"<{tag}(?: [^>]*)?>(.*?)</{tag}>", html)


def test_a_table_has_every_name_and_number_of_its_bars() -> None:
    html = behind(charts.bars(["a", "<b>"], [0.25, -1.5], FR).to_dict(), FR, "Deux <noms>")
    assert cells(html, "td") == ["a", "0,2500", "&lt;b&gt;", "−1,5000"] and cells(html, "th") == ["nom", "valeur"]
    assert cells(html, "caption") == ["Deux &lt;noms&gt;"] and html.count("<table") == 1


def test_a_curve_and_the_lines_in_it_have_the_titles_of_their_axes() -> None:
    chart = charts.curve([0, 5], [3.0, 2.0], 5, "step", "loss", lines=[("counting", 2.5)])
    html = behind(chart.to_dict(), EN)
    curve, lines = (cells(one, "td") for one in html.split("</table>")[:2])
    assert curve == ["3.0000", "0", "2.0000", "5"] and set(lines) == {"2.5000", "counting"}
    assert cells(html, "th")[:2] == ["loss", "step"] and "loss" in cells(html, "th")[2:]


def test_of_very_many_rows_some_are_told_with_both_ends() -> None:
    steps = list(range(1000))
    html = behind(charts.curve(steps, [float(one) for one in steps], 0, "step", "loss").to_dict(), EN)
    found = [int(one.replace(",", "")) for one in cells(html, "td")[1::2]]
    assert len(found) == MOST and found[0] == 0 and found[-1] == 999 and sorted(found) == found


@pytest.mark.slow
def test_no_chart_is_drawn_without_a_table() -> None:
    """It comes with `charts.show`; else Streamlit offers it, where it is given the data apart from the chart."""
    calls = [
        (path.name, ast.unparse(node))
        for path in (ROOT / "lmviz/ui").rglob("*.py")
        for node in calls_in(path)
        if last_name(node.func).endswith("_chart") and re.search(r"^(st|\w+\.st)\.", ast.unparse(node.func))
    ]
    bare = [call for name, call in calls if not re.match(r"st\.vega_lite_chart\((curves\.)?table_of\(", call)]
    assert len(calls) > 3 and bare == [
        "st.vega_lite_chart(at_window_scale(localised(spec, t)), width='stretch', key=key, alt=heard)"
    ]


def test_a_chart_is_heard_by_its_name_and_its_table_alone() -> None:
    """What Vega says of each point and axis is English."""
    config = charts.localised({"config": {"axis": {"grid": True}}}, FR)["config"]
    assert config["axis"] == {"grid": True, "aria": False} and config["mark"] == {"aria": False}
    for path in (ROOT / "lmviz/ui").rglob("*.py"):
        for node in calls_in(path):
            if last_name(node.func) == "show" and ast.unparse(node.func) in ("show", "shared.show", "charts.show"):
                for key in [one.value for one in node.args[2:3] if isinstance(one, ast.Constant)]:
                    assert f"saving.picture.chart_{key.replace('.', '-')}" in catalogue(DEFAULT), (path.name, key)
            elif last_name(node.func) == "vega_lite_chart" and ast.unparse(node.func) == "st.vega_lite_chart":
                assert {"alt", None} & {one.arg for one in node.keywords}, path.name
