"""The places on the pages of embeddings and quantisation: every link that is written can be read, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmviz.quantise.scheme import Scheme
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.place import Place
from lmviz.ui.quantisation.view import FORMATS, QuantisationView

TEXTS = st.text(max_size=20)
EMBEDDINGS = st.builds(
    EmbeddingsView,
    section=st.sampled_from(["look_up", "sum", "fasttext"]),
    prompt=st.none() | TEXTS,
    token=st.integers(-1, 99),
    cell=st.none() | st.tuples(TEXTS, st.lists(st.integers(0, 99), max_size=3).map(tuple)),
    answers=st.lists(TEXTS, max_size=8).map(tuple),
    temperature=st.floats(0, 3),
    kind=st.sampled_from(["skip-gram", "cbow"]),
    word=TEXTS,
    step=st.integers(-1, 200),
)
QUANTISATION = st.builds(
    QuantisationView,
    section=st.sampled_from(["weight", "model", "calibration", "aware"]),
    cell=st.tuples(st.integers(0, 999), st.integers(0, 999)),
    format=st.sampled_from(FORMATS),
    symmetric=st.booleans(),
    granularity=st.sampled_from(["tensor", "channel", "group"]),
    group=st.sampled_from([8, 32, 128]),
    keep=st.floats(0.05, 1),
    text=TEXTS,
    trains=st.booleans(),
)


@given(EMBEDDINGS | QUANTISATION)
def test_an_address_brings_back_its_place(place: Place) -> None:
    assert type(place).parse(place.query()) == (place, ())


@pytest.mark.parametrize("kind", [EmbeddingsView, QuantisationView])
def test_no_address_is_an_error(kind: type[Place]) -> None:
    assert kind().query() == {}

    @given(st.dictionaries(st.sampled_from(list(kind.__dataclass_fields__)), st.text(max_size=30)))
    def holds(query: dict[str, str]) -> None:
        place, wrong = kind.parse(query)
        assert isinstance(place, kind) and set(wrong) <= set(query)
        assert kind.parse(place.query()) == (place, ())

    holds()


@given(QUANTISATION)
def test_every_place_has_a_scheme(place: QuantisationView) -> None:
    assert isinstance(place.scheme, Scheme)
    assert place.scheme.format == place.format
