"""Cells that are picked, or written to, by index: x[...], gather, index_select, index_put, masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import cell_at, inputs, option, place_of, product, required_argument
from lmviz.trace.operations.axes import PARTS, SAME, UNNAMED, AxisRule, Named, Settings, Shape
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.trace.operations.index import assign, numpy_index
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import FILLED, Moving, Places, explain_moved, moves, setting, slopes_moved, view
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.slopes import Slopes, Use, no_slopes
from lmviz.trace.step import Cell, Step

# -- reading ---------------------------------------------------------------------------------------------------------


def _index(step: Step, argument: str = "index") -> Any:
    return required_argument(step, argument).array


def _gather(step: Step, at: Places) -> Any:
    """gather may look at a part of the input only: its index may be shorter along the other axes."""
    index, axis = _index(step), int(setting(step, "dim"))
    if not at.ndim:
        return at.reshape(index.shape)
    axis %= at.ndim
    window = tuple(slice(None) if a == axis else slice(size) for a, size in enumerate(index.shape))
    return np.take_along_axis(at[window], index, axis)


def _take_along_dim(step: Step, at: Places) -> Any:
    index, axis = _index(step, "indices"), step.settings.get("dim")
    if axis is None:
        return np.take(at.reshape(-1), index.reshape(-1))
    return np.take_along_axis(at, index, int(axis))  # type: ignore[call-overload]


def _index_select(step: Step, at: Places) -> Any:
    return np.take(np.atleast_1d(at), _index(step).reshape(-1), setting(step, "dim")).reshape(step.outputs[0].shape)


def _masked_select(step: Step, at: Places) -> Any:
    mask = required_argument(step, "mask").array
    shape = np.broadcast_shapes(at.shape, mask.shape)
    return np.broadcast_to(at, shape)[np.broadcast_to(mask, shape)]


_GATHER = Moving(lambda step, at, output: _gather(step, at[0]))


def _explain_gather(step: Step, cell: Cell) -> Explanation:
    """input[..., index[cell], ...]: along one axis the index says where, along the others the cell does."""
    x, at = _GATHER.source(step, cell)
    index, axis = required_argument(step, "index"), int(option(step, "dim", 0))
    places = [str(i) for i in at]
    if places:
        places[axis] = "{i}"
    written = write(f"{x.name}[{', '.join(places)}] = {{x}}", i=index.piece(cell), x=x.piece(at))
    return Explanation(f"{result(step, cell)} = {x.latex(*at)}", (), x.exact(at), written)


def _getitem_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes, index = inputs[0][1], settings["index"]
    parts = list(index) if isinstance(index, tuple) else [index]
    if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
        return ()
    n_used = sum(part is not None and part is not ... for part in parts)
    at = parts.index(...) if ... in parts else len(parts)
    parts[at : at + 1] = [slice(None)] * (len(axes) - n_used)
    names, rest = [], iter(axes)
    for part in parts:
        name = "1" if part is None else next(rest)
        if not isinstance(part, int):
            names.append(name)
    return names


# -- writing ---------------------------------------------------------------------------------------------------------


def _setitem(step: Step, at: list[Places], output: int) -> Places:
    """`x[index] = value`: a cell of the value where the index reached, else what was there."""
    value = at[1] if len(at) > 1 else np.array(FILLED)
    assign(step, at[0], value)
    return at[0]


def _index_put(step: Step, at: list[Places], output: int) -> Places:
    at[0][_indices(step)] = at[1]
    return at[0]


def _indices(step: Step) -> Any:
    named = zip(step.inputs, step.arguments, strict=True)
    return tuple(value.array for value, name in named if name.startswith("indices."))


_INDEX_PUT = Moving(_index_put, ("input", "values"))


def _explain_index_put(step: Step, cell: Cell) -> Explanation:
    """A cell of the values where the index reached, else what was there; with `accumulate`, both, and all that met."""
    if not setting(step, "accumulate", False):
        return explain_moved(_INDEX_PUT, step, cell)
    x, values = required_argument(step, "input"), required_argument(step, "values")
    at = np.arange(x.array.size).reshape(x.shape)[_indices(step)]
    sent = np.broadcast_to(np.arange(values.array.size).reshape(values.shape), at.shape)
    met = [cell_at(int(i), values.shape) for i in sent[at == place_of(cell, x.shape)]]
    terms = (product(x.name, (x, cell)), *(product(",".join(map(str, i)), (values, i)) for i in met))
    formula = rf"{result(step, cell)} = {x.latex(*cell)} + \sum_i {values.latex('i')}"
    return Explanation(formula, terms, x.exact(cell) + sum(values.exact(i) for i in met))


def _slopes_index_put(use: Use) -> Slopes:
    return slopes_of_torch(use) if setting(use.step, "accumulate", False) else slopes_moved(_INDEX_PUT, use)


def _index_copy(step: Step, at: list[Places], output: int) -> Places:
    axis, made = int(setting(step, "dim")), at[0].copy()
    np.moveaxis(made, axis, 0)[_index(step).reshape(-1)] = np.moveaxis(at[1], axis, 0)
    return made


def _index_fill(step: Step, at: list[Places], output: int) -> Places:
    axis, made = int(setting(step, "dim")), at[0].copy()
    np.moveaxis(made, axis, 0)[_index(step).reshape(-1)] = at[1] if len(at) > 1 else FILLED
    return made


def _masked_scatter(step: Step, at: list[Places], output: int) -> Places:
    """The source's numbers, one after the other, wherever the mask is true."""
    mask = np.broadcast_to(required_argument(step, "mask").array, step.outputs[0].shape)
    made = np.broadcast_to(at[0], mask.shape).copy()
    made[mask] = at[1].reshape(-1)[: int(mask.sum())]
    return made


def _value(step: Step) -> Any:
    return setting(step, "value", 0.0)


def _scatter_into(select: Any) -> Moving:
    """The input with a part of it replaced by `src`."""

    def arrange(step: Step, at: list[Places], output: int) -> Places:
        made = at[0].copy()
        select(step, made)[...] = at[1]
        return made

    return Moving(arrange, ("input", "src"))


def _one_place(step: Step, at: Places) -> Any:
    return np.moveaxis(at, int(setting(step, "dim")), 0)[int(setting(step, "index"))]


def _some_places(step: Step, at: Places) -> Places:
    named = slice(setting(step, "start"), setting(step, "end"), int(setting(step, "step", 1)))
    return np.moveaxis(np.moveaxis(at, int(setting(step, "dim", 0)), 0)[named], 0, int(setting(step, "dim", 0)))


# -- where something is ----------------------------------------------------------------------------------------------


def explain_nonzero(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The place of the n-th number that is not 0: all its indices as a row, or, as a tuple, one of them each."""
    x = inputs(step)[0]
    n, axis = (cell[0], output) if len(cell) == 1 else cell
    found = np.argwhere(np.atleast_1d(x.array))[n]
    at = tuple(int(i) for i in found)[: x.array.ndim]
    written = write(f"[{', '.join(map(str, at))}]: {{x}} → {{i}}", x=x.piece(at), i=float(found[axis]))
    formula = rf"{result(step, cell, output)} = {int(found[axis])} \quad ({x.latex(*at)} \neq 0)"
    return Explanation(formula, (), int(found[axis]), written)


OPERATIONS = (
    view("getitem", "input index[]", lambda step, at: numpy_index(step, at), AxisRule(_getitem_axes)),
    Operation(name="gather", arguments="input dim index", explain=_explain_gather, complex=True,
        axes=AxisRule(lambda inputs, settings, shape: inputs[-1][1]),
        slopes=view("gather", "", _gather, UNNAMED).slopes),
    view("index_select", "input dim index", _index_select, PARTS),
    view("take_along_dim", "input indices dim", _take_along_dim, UNNAMED),
    view("take", "input index", lambda step, at: np.take(at, _index(step)), UNNAMED),
    view("masked_select", "input mask", _masked_select, UNNAMED),
    moves("setitem", "input index[] value", Moving(_setitem, ("input", "value"), _value), SAME, sign="←"),
    moves("index_put", "input indices[] values accumulate", _INDEX_PUT, SAME, explain=_explain_index_put,
        slopes=_slopes_index_put),
    moves("index_copy", "input dim index source", Moving(_index_copy, ("input", "source")), SAME),
    moves("index_fill", "input dim index value", Moving(_index_fill, ("input", "value"), _value), SAME),
    moves("masked_scatter", "input mask source", Moving(_masked_scatter, ("input", "source")), SAME),
    moves("select_scatter", "input src dim index", _scatter_into(_one_place), SAME),
    moves("slice_scatter", "input src dim start end step", _scatter_into(_some_places), SAME),
    Operation(name="nonzero", arguments="input as_tuple", spellings="argwhere", axes=UNNAMED, several=True,
        explain=explain_nonzero, slopes=no_slopes),
)  # fmt: skip
