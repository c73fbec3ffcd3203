"""What is sent to be drawn: the right window of the numbers, under its own labels, on the right scale."""

from __future__ import annotations

import numpy as np
import pytest

from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.ui.matrices import Matrix, _panel
from lmviz.ui.pictures import Slice, domain, window_of
from lmviz.ui.step_through.tables import BARS, bars

NUMBERS = np.arange(200, dtype=np.float32).reshape(2, 100) - 100


def test_the_end_of_a_scale_is_the_largest_size_whatever_its_sign() -> None:
    assert domain([np.array([-3.0, 1.0]), np.array([2, -1])]) == 3
    assert domain([np.array([np.nan, -np.inf, 0.5])]) == 0.5
    assert domain([]) == 0


def test_a_window_has_the_labels_of_its_own_cells() -> None:
    value = Matrix(NUMBERS, "x", ("pos", "d_model"), address="x")
    shown = window_of(value, NUMBERS, Slice((), 1, 90), lambda axis, index: f"{axis} {index}", ("signed", 100.0))
    assert (shown["row_labels"], shown["window"]) == (["pos 1"], [1, 10])
    assert (shown["col_labels"][0], shown["col_labels"][-1]) == ("d_model 90", "d_model 99")


@pytest.mark.parametrize(("share", "scale"), [(True, ("share", 1.0)), (False, ("signed", 100.0))])
def test_only_shares_are_drawn_from_0_to_1(share: bool, scale: tuple[str, float]) -> None:
    shown = _panel(Matrix(NUMBERS, "x", ("pos", "d_model"), share=share, peak=None if share else 100.0), None)
    assert (shown["scale"], shown["peak"]) == scale


def test_bars_say_how_many_tokens_they_leave_out_and_what_those_have() -> None:
    run = Models().record(Request(read_reference("names"), "mar"))
    stage = next(stage for stage in run.navigator.stages if stage.kind == "probabilities")
    shown, probs = bars(run, stage, 2, None), run.trace["readout.probs"].outputs[0].array[0, 2]
    left = np.sort(probs)[:-BARS]
    assert shown["others"] == len(left) == len(probs) - BARS
    assert shown["rest"] == pytest.approx(float(left.sum()), abs=1e-6)
    assert [bar["p"] for bar in shown["rows"]] == sorted(probs.tolist(), reverse=True)[:BARS]


def test_after_the_last_token_two_texts_are_compared_whatever_their_lengths() -> None:
    run, other = (Models().record(Request(read_reference("names"), text)) for text in ("mar", "kathe"))
    stage = next(stage for stage in run.navigator.stages if stage.kind == "probabilities")
    theirs = other.trace["readout.probs"].outputs[0].array[0]
    for pos, row in ((2, theirs[-1]), (1, theirs[1])):
        assert [bar["b"] for bar in bars(run, stage, pos, other)["rows"]] == [
            pytest.approx(float(row[bar["id"]])) for bar in bars(run, stage, pos, other)["rows"]
        ]
