"""One tensor cut into several, and several put together into one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import required_argument
from lmviz.trace.operations.axes import PARTS, UNNAMED, WITHOUT_DIM, AxisRule, Named, Settings, Shape
from lmviz.trace.operations.explanation import Explanation
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import FILLED, Moving, Places, explain_moved, moves, part, setting
from lmviz.trace.step import Cell, Step

# -- one into several ------------------------------------------------------------------------------------------------


def _split(step: Step, at: list[Places], output: int) -> Places:
    """A part begins where those before it end."""
    return _cut(step, at[0], int(setting(step, "dim", 0)), output)


def _cut(step: Step, at: Places, axis: int, output: int) -> Places:
    lengths = [value.shape[axis] for value in step.outputs]
    start = sum(lengths[:output])
    return part(at, axis, slice(start, start + lengths[output]))


def _unbind(step: Step, at: list[Places], output: int) -> Places:
    return part(at[0], int(setting(step, "dim", 0)), output)


def _split_along(axis: int) -> Moving:
    """hsplit, vsplit, dsplit; a vector has one axis only."""
    return Moving(lambda step, at, output: _cut(step, at[0], axis if at[0].ndim > 1 else 0, output))


# -- several into one, or into as many -------------------------------------------------------------------------------


def _joined(join: Any) -> Moving:
    return Moving(lambda step, at, output: join(step, at), sources=("tensors", "sequences"))


def _cat(step: Step, at: list[Places]) -> Places:
    return np.concatenate([a for a in at if a.shape != (0,)] or at[:1], int(setting(step, "dim", 0)))


def _block_diag(step: Step, at: list[Places]) -> Places:
    made = np.full(step.outputs[0].shape, FILLED)
    row = col = 0
    for block in map(np.atleast_2d, at):
        made[row : row + block.shape[0], col : col + block.shape[1]] = block
        row, col = row + block.shape[0], col + block.shape[1]
    return made


def _pad_sequence(step: Step, at: list[Places]) -> Places:
    batch_first, on_left = setting(step, "batch_first", False), setting(step, "padding_side", "right") == "left"
    length = max(len(row) for row in at)
    made = np.full((len(at), length, *at[0].shape[1:]), FILLED)
    for i, row in enumerate(at):
        start = length - len(row) if on_left else 0
        made[i, start : start + len(row)] = row
    return made if batch_first else made.swapaxes(0, 1)


def _meshgrid(step: Step, at: list[Places], output: int) -> Places:
    return np.meshgrid(*at, indexing=setting(step, "indexing", "ij"))[output]


def _broadcast(step: Step, at: list[Places], output: int) -> Places:
    return np.broadcast_to(at[output], step.outputs[output].shape)


def _cartesian(step: Step, at: list[Places]) -> Places:
    return np.array(list(product(*at))).reshape(step.outputs[0].shape)


def _stack_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes, dim = inputs[0][1], settings.get("dim", 0) % len(shape)
    return (*axes[:dim], "", *axes[dim:])


# -- texts of unequal length, packed one behind the other ------------------------------------------------------------


def _pack(step: Step, at: list[Places], output: int) -> Places:
    """Position by position, the texts that are long enough."""
    rows = at[0].swapaxes(0, 1) if setting(step, "batch_first", False) else at[0]
    lengths = required_argument(step, "lengths").array
    return np.concatenate([row[: int((lengths > pos).sum())] for pos, row in enumerate(rows)])


def _explain_packed(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """A number of a text; or, as the second output, how many texts reach a position."""
    if output == 0:
        return explain_moved(_PACK, step, cell, output)
    lengths = required_argument(step, "lengths")
    count = int((lengths.array > cell[0]).sum())
    return Explanation(rf"{result(step, cell, 1)} = \sum_i [n_i > {cell[0]}]", (), count, (float(count),))


def _unpack(step: Step, at: list[Places], output: int) -> Places:
    made = np.full(step.outputs[0].shape, FILLED)
    rows = made.swapaxes(0, 1) if setting(step, "batch_first", False) else made
    start = 0
    for pos, size in enumerate(int(n) for n in required_argument(step, "batch_sizes").array):
        rows[pos, :size] = at[0][start : start + size]
        start += size
    return made


def _explain_unpacked(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """A number of a text, or of the padding behind it; or, as the second output, how long a text is."""
    if output == 0:
        return explain_moved(_UNPACK, step, cell, output)
    length = int((required_argument(step, "batch_sizes").array > cell[0]).sum())
    return Explanation(rf"{result(step, cell, 1)} = \sum_t [n_t > {cell[0]}]", (), length, (float(length),))


_PACK, _UNPACK = Moving(_pack), Moving(_unpack, fill=lambda step: setting(step, "padding_value", 0.0))


def _filled(step: Step) -> float:
    return float(setting(step, "padding_value", 0.0))


_FIRST = {"dim": 0}

OPERATIONS = (
    moves("split", "input split_size_or_sections[] dim", Moving(_split), PARTS, defaults=_FIRST,
        spellings="unsafe_split tensor_split split_with_sizes", several=True),
    moves("chunk", "input chunks dim", Moving(_split), PARTS, defaults=_FIRST, spellings="unsafe_chunk", several=True),
    moves("unbind", "input dim", Moving(_unbind), WITHOUT_DIM, defaults=_FIRST, several=True),
    moves("hsplit", "input indices_or_sections[]", _split_along(1), several=True),
    moves("vsplit", "input indices_or_sections[]", _split_along(0), several=True),
    moves("dsplit", "input indices_or_sections[]", _split_along(2), several=True),
    moves("cat", "tensors[] dim", _joined(_cat), PARTS, defaults=_FIRST, spellings="concat concatenate"),
    moves("stack", "tensors[] dim", _joined(lambda step, at: np.stack(at, int(setting(step, "dim", 0)))),
        AxisRule(_stack_axes), defaults=_FIRST),
    moves("hstack", "tensors[]", _joined(lambda step, at: np.hstack(at)), UNNAMED),
    moves("vstack", "tensors[]", _joined(lambda step, at: np.vstack(at)), UNNAMED, spellings="row_stack"),
    moves("dstack", "tensors[]", _joined(lambda step, at: np.dstack(at)), UNNAMED),
    moves("column_stack", "tensors[]", _joined(lambda step, at: np.column_stack(at)), UNNAMED),
    moves("block_diag", "*tensors", Moving(lambda step, at, output: _block_diag(step, at), ("tensors",),
        lambda step: 0.0)),
    moves("pad_sequence", "sequences[] batch_first padding_value padding_side",
        Moving(lambda step, at, output: _pad_sequence(step, at), ("sequences",), _filled)),
    moves("pack_padded_sequence", "input lengths batch_first", _PACK, spellings="_pack_padded_sequence", several=True,
        explain=_explain_packed),
    moves("pad_packed_sequence", "input batch_sizes batch_first padding_value total_length", _UNPACK,
        spellings="_pad_packed_sequence", several=True, explain=_explain_unpacked),
    moves("meshgrid", "*tensors", Moving(_meshgrid, ("tensors",)), several=True),
    moves("broadcast_tensors", "*tensors", Moving(_broadcast, ("tensors",)), several=True),
    moves("cartesian_prod", "*tensors", _joined(_cartesian)),
)  # fmt: skip
