"""What a cell was made from, by what records say of axes, against the operands of its explanation."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from lmviz.explain import explain
from lmviz.stages.navigation import Location, Navigator
from lmviz.stages.origins import origins
from lmviz.stages.panels import panels_at
from lmviz.trace.operations.reads import ABSENT, Cells, reads
from lmviz.trace.recorder import record
from lmviz.trace.step import Cell, Step, Trace
from tests.property.test_explain import MODELS, forward
from tests.property.test_operations import CALLS, run
from tests.zoo.other_kinds import Rwkv

MOST = 12  # cells of each output that are looked at


def spelled_out(cells: Cells, shape: tuple[int, ...], cell: Cell) -> set[Cell]:
    """All cells that are meant, one by one."""
    lists = []
    for index, size in zip(cells, shape, strict=False):
        if index is None:
            lists.append([*range(size)])
        else:
            at = index.start + sum(int(along.table[cell[along.axis]]) for along in index.along)
            lists.append([at] if at >= ABSENT // 2 else [])
    return set(itertools.product(*lists))


def some_cells(shape: tuple[int, ...]) -> list[Cell]:
    every = [*np.ndindex(*shape)]
    return every[:: max(1, len(every) // MOST)]


def check_step(step: Step) -> list[str]:
    wrong = []
    for output, value in enumerate(step.outputs):
        if 0 in value.shape or value.before is not None:
            continue
        found = reads(step, output)
        for cell in some_cells(value.shape):
            for given, cells in zip(step.inputs, found, strict=True):
                if cells is None:
                    continue
                meant = spelled_out(cells, given.shape, cell)
                used = {o.cell for o in explain(step, cell, output).operands if o.address == given.address}
                if sum(other.address == given.address for other in step.inputs) == 1 and not used <= meant:
                    wrong.append(f"{step.op} {step.span.text} {cell} {given.name}: {used - meant} not in {meant}")
    return wrong


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", CALLS)
def test_no_number_that_a_cell_was_made_from_is_left_out(name: str) -> None:
    for step in run(name):
        assert not check_step(step)


def made_from(trace: Trace, steps: Sequence[Step], address: str, cell: Cell) -> dict[str, set[Cell]]:
    """The cells behind a cell, step by step, by the operands of explanations."""
    found: dict[str, set[Cell]] = {address: {cell}}
    for step in reversed(steps):
        for output, value in enumerate(step.outputs):
            for at in [*found.get(value.address, ())]:
                for operand in explain(step, at, output).operands:
                    found.setdefault(operand.address, set()).add(operand.cell)
    return found


EXACT = ("norm", "final_norm", "qkv", "rotation", "sharing", "scores", "mix", "residual", "mlp")


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", MODELS)
def test_the_pictures_of_a_model_say_what_their_cells_were_made_from(name: str) -> None:
    """At every stage, line and call: all that explanations name, and at attention and norms no more than that."""
    trace = forward(name, torch.float32)
    navigator, n_compared = Navigator(trace), 0
    for place in [Location(grain, i) for grain in ("stage", "line", "op") for i in range(navigator.count(grain))]:
        first, last = navigator.span(place)
        panels = {panel.value.address: panel.value for panel in panels_at(navigator, place)}
        steps = trace[first : last + 1]
        for address, value in panels.items():
            cell = tuple(min(size - 1, 1) for size in value.shape)
            truth = made_from(trace, steps, address, cell)
            said: dict[str, set[Cell]] = {}
            for origin in origins(steps, value, panels):
                shape = panels[origin.address].shape
                said.setdefault(origin.address, set()).update(spelled_out(origin.cells, shape, cell))
            for other in panels.keys() - {address}:
                used = truth.get(other, set())
                assert used <= said.get(other, set()), (place, address, other, cell)
                if used and place.grain == "stage" and navigator.stage(place).kind in EXACT:
                    n_compared += 1
                    assert used == said[other], (place, address, other, cell)
    assert n_compared > 10


class TwoWays(torch.nn.Module):
    """From `x` there is a way through a convolution, of which it is not known what it reads, and one that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x: torch.Tensor, beside: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + x + torch.zeros_like(beside) * beside


def test_what_was_made_from_more_than_is_known_is_not_marked() -> None:
    trace = record(TwoWays(), torch.rand(1, 4, 5), torch.rand(1, 4, 5))
    (step,) = (step for step in trace if step.op == "conv1d")
    assert reads(step)[0] is None
    found = {origin.address for origin in origins(trace.steps, trace.steps[-1].outputs[0], ["x", "beside"])}
    assert found == {"beside"}  # of which zeros_like has read the size only


@pytest.mark.slow
def test_what_a_loop_made_for_one_position_is_marked_for_that_position_only() -> None:
    trace = record(Rwkv(), torch.tensor([[1, 2, 3]]))
    steps = trace[1 : trace["o"].index + 1]  # from the stream to what is added to it
    found = origins(steps, trace["o"].outputs[0], ["x"])
    for cell in [(0, pos, 1) for pos in range(3)]:
        said = set[Cell]().union(*(spelled_out(origin.cells, (1, 3, 8), cell) for origin in found))
        assert said == made_from(trace, steps, "o", cell)["x"]
