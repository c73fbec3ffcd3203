"""The view and its address: what is written can be read, and what can't be read is left out and named."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.kinds import read_reference
from lmviz.ui.step_through.view import StepThroughView

CELLS = st.tuples(st.text(max_size=20), st.lists(st.integers(0, 99), max_size=4).map(tuple))
VIEWS = st.builds(
    StepThroughView,
    lang=st.sampled_from(["en", "fr"]),
    model=st.text(min_size=1, max_size=20).map(read_reference),
    prompt=st.none() | st.text(max_size=40),
    step=st.text(max_size=30),
    by=st.sampled_from(["stage", "line", "op"]),
    focus=st.integers(-1, 999),
    head=st.integers(0, 99),
    cell=st.none() | CELLS,
    trail=st.lists(CELLS, max_size=3).map(tuple),
    target=st.text(max_size=10),
    temperature=st.floats(0.01, 10),
    grad=st.booleans(),
    digits=st.sampled_from([2, 4]),
    edits=st.lists(
        st.builds(CellEdit, st.text(max_size=9), st.lists(st.integers(0, 9), max_size=3).map(tuple), st.floats(-9, 9))
        | st.builds(HeadOff, st.text(max_size=9), st.integers(0, 9)),
        max_size=3,
        unique=True,
    ).map(tuple),
    stops=st.lists(st.text(max_size=9), max_size=3, unique=True).map(tuple),
    watch=st.lists(CELLS, max_size=3, unique=True).map(tuple),
    b_prompt=st.text(max_size=9),
    b_plain=st.booleans(),
    present=st.booleans(),
    map=st.sampled_from(["", "mean", "all"]) | st.integers(0, 99).map(str),
)


@given(VIEWS)
def test_an_address_brings_back_its_view(view: StepThroughView) -> None:
    assert StepThroughView.parse(view.query()) == (view, ())


def test_the_default_view_has_an_empty_address() -> None:
    assert StepThroughView().query() == {}


@given(st.dictionaries(st.sampled_from(list(StepThroughView.__dataclass_fields__)), st.text(max_size=30)))
def test_no_address_is_an_error(query: dict[str, str]) -> None:
    view, wrong = StepThroughView.parse(query)
    assert isinstance(view, StepThroughView) and set(wrong) <= set(query)
    assert StepThroughView.parse(view.query()) == (view, ())


def test_half_a_character_in_an_address_is_left_out_and_named() -> None:
    assert StepThroughView.parse({"stops": '["\\ud800"]', "head": "1"}) == (StepThroughView(head=1), ("stops",))
