"""A choice's value is its option, whatever its label says or said."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lmviz.ui import widgets
from tests.source import nodes_of

Open = Callable[..., AppTest]

CHOICES = ("selectbox", "radio", "segmented_control", "pills", "select_slider", "multiselect")


def choosing() -> None:
    """A page with one choice whose labels say what they are told to."""
    import streamlit as st

    from lmviz.ui import widgets

    kind, mark = st.session_state["kind"], st.session_state["mark"]
    st.session_state.setdefault("choice", ["a"] if kind == "multiselect" else "a")
    getattr(widgets, kind)(
        "Which",
        ["a", "b"],
        key="choice",
        format_func=lambda name: f"{mark} {name}",
        on_change=lambda: st.session_state.update(n_changes=st.session_state.get("n_changes", 0) + 1),
    )


def opened(kind: str) -> AppTest:
    app = AppTest.from_function(choosing)
    app.session_state["kind"], app.session_state["mark"] = kind, "▶"
    return app.run()


def stale(app: AppTest) -> AppTest:
    """The labels change, and then a browser that has not drawn them yet sends the one that it knows."""
    known = app._tree.get_widget_states()
    app.session_state["mark"] = "✓"
    app._run(known)
    return app._run(known)


@pytest.mark.parametrize("kind", CHOICES)
def test_a_label_of_before_changes_nothing(kind: str) -> None:
    app = stale(opened(kind))
    assert not app.exception
    assert app.session_state["choice"] == (["a"] if kind == "multiselect" else "a")
    assert "n_changes" not in app.session_state


def twins() -> None:
    import streamlit as st

    from lmviz.ui import widgets

    st.session_state.setdefault("choice", 0)
    widgets.selectbox("Which", range(3), key="choice", format_func=lambda i: "nna"[i])


def test_options_that_read_alike_can_each_be_chosen() -> None:
    app = AppTest.from_function(twins).run()
    labels = app.selectbox(key="choice").options
    assert labels == ["n", "n (2)", "a"]
    for i, label in enumerate(labels):
        assert app.selectbox(key="choice").set_value(label).run().session_state["choice"] == i


def test_every_choice_is_made_by_widgets(root: Path) -> None:
    """Streamlit's own choices are called in one file only."""
    found = []
    for path in (root / "lmviz" / "ui").rglob("*.py"):
        if path == Path(widgets.__file__):
            continue
        for node in nodes_of(path):
            if isinstance(node, ast.Attribute) and node.attr in CHOICES:
                owner = node.value.id if isinstance(node.value, ast.Name) else "?"
                if owner != "widgets":
                    found.append(f"{path.name}:{node.lineno} {owner}.{node.attr}")
    assert not found


def counting() -> None:
    """A page with the curve of a training that has no loss yet."""
    import math

    from lmviz.ui.charts import curve, show
    from lmviz.ui.text import DEFAULT, Translator

    show(curve([0], [math.nan], 0, "step", "loss"), Translator(DEFAULT), key="loss")


def test_a_chart_that_has_no_numbers_yet_is_drawn() -> None:
    app = AppTest.from_function(counting).run()
    assert not app.exception and app.get("vega_lite_chart")


@pytest.mark.parametrize(
    ("page", "query"),
    [("quantisation", {"keep": "0.83"}), ("embeddings", {"section": "answers", "temperature": "0.83"})],
)
def test_a_slider_writes_decimals_as_the_language_does(open_on: Open, page: str, query: dict[str, str]) -> None:
    (slider,) = [one for one in open_on(page, lang="fr", **query).select_slider if "0,83" in one.options]
    assert slider.value == 0.83, "also a value of a link that is no step of the slider"
    assert {"0,1", "0,9", "1"} < set(slider.options) and not [one for one in slider.options if "." in one]
