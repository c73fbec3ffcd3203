"""Complex numbers: explained with both parts, written with both, and drawn by how large they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmviz.explain import explain
from lmviz.explain.line import explained
from lmviz.trace.operations.explanation import Explanation, Operand
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from lmviz.ui.pictures import drawable, encoded, parts
from lmviz.ui.step_through.inspector import agrees


class Rotary(nn.Module):
    """The rotary positions of Llama, as its authors wrote them, and a Fourier layer as in FNet."""

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))  # [batch, pos, d_pair]
        angle = torch.outer(torch.arange(x.shape[1]), torch.tensor([1.0, 0.01]))  # [pos, d_pair]
        turns = torch.polar(torch.ones_like(angle), angle)  # [pos, d_pair]
        turned = torch.view_as_real(pairs * turns).flatten(-2)  # [batch, pos, d]
        mixed = torch.fft.fft(torch.fft.fft(turned, dim=-1), dim=-2).real  # [batch, pos, d]
        return mixed + turned.norm(dim=-1, keepdim=True)


@pytest.fixture(scope="module")
def trace() -> Trace:
    torch.manual_seed(0)
    return record(Rotary(), torch.randn(1, 3, 4))


def test_every_number_on_the_way_through_complex_ones_is_explained(trace: Trace) -> None:
    for step in trace:
        array = step.outputs[0].array
        for cell in np.ndindex(*array.shape):
            why = explain(step, cell)
            assert why.known, step.op
            assert why.value == pytest.approx(array[cell].item(), abs=1e-5), step.op


def test_a_product_has_both_of_its_parts(trace: Trace) -> None:
    step = next(step for step in trace if step.op == "mul")
    why = explain(step, (0, 1, 0))
    pairs, turns = (value.array for value in step.inputs)
    assert why.value == pytest.approx(complex(pairs[0, 1, 0]) * complex(turns[1, 0]))
    assert isinstance(why.value, complex) and why.value.imag


def test_the_size_of_a_complex_number_is_not_that_of_its_real_part() -> None:
    trace = record(lambda x: torch.fft.fft(x).abs(), torch.tensor([1.0, 2.0, 4.0]))
    for cell in range(3):
        assert explain(trace[-1], (cell,)).value == pytest.approx(float(trace[-1].outputs[0].array[cell]))


def test_a_record_that_reckons_with_real_numbers_only_says_so() -> None:
    trace = record(lambda x: x.to(torch.complex64).sinh() + 1j, torch.tensor([1.0, 2.0]))
    assert [explain(step, (0,)).known for step in trace] == [True, False, True]


def test_an_axis_of_pairs_becomes_one_number_and_two_again(trace: Trace) -> None:
    assert trace["pairs"].outputs[0].axes == ("batch", "pos", "d_pair")
    assert trace["turned"].outputs[0].axes == ("batch", "pos", "d")


def test_both_parts_are_written_and_sent() -> None:
    z = Operand("z", "z", (0,), 1.5 - 0.25j)
    line = explained(Explanation("", (), 3 - 0.5j, (z, " × ", 2.0)), 2, [[]])
    assert (line.result, line.sign) == ("(3 - 0.5 i)", "≈")
    assert parts(1.5 - 2j) == {"re": 1.5, "im": -2.0}
    assert parts(2.0) == 2.0
    assert parts(complex("nan+infj")) == {"re": "NaN", "im": "Infinity"}


def test_the_picture_of_complex_numbers_shows_how_large_they_are() -> None:
    array = np.array([[3 + 4j, -2j]], np.complex64)
    assert np.array_equal(drawable(array), [[5.0, 2.0]])
    assert encoded(drawable(array)) == encoded(np.array([[5.0, 2.0]]))


def test_two_complex_numbers_agree_if_both_parts_do(trace: Trace) -> None:
    value = trace["pairs"].outputs[0]
    assert agrees(1 + 2j, 1 + 2.000001j, value)
    assert not agrees(1 + 2j, 1 - 2j, value)
    assert not agrees(1 + 2j, 1.01 + 2j, value)
