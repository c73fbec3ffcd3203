"""The same numbers, seen otherwise: other shapes, other orders of axes, repeated, a part of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import inputs
from lmviz.trace.operations.axes import (
    BROADCAST,
    LIKE_INPUT,
    PARTS,
    RESHAPED,
    RESIZED,
    SAME,
    UNNAMED,
    WITHOUT_DIM,
    AxisRule,
    Named,
    Settings,
    Shape,
    broadcast,
    dims_of,
    reshape_back,
)
from lmviz.trace.operations.explanation import Explanation, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.moving import (
    FILLED,
    Moving,
    Places,
    explain_moved,
    moves,
    part,
    placed,
    setting,
    sizes,
    view,
)
from lmviz.trace.step import Cell, Step

# -- another shape ---------------------------------------------------------------------------------------------------


def _reshape(step: Step, at: Places) -> Places:
    return at.reshape(step.outputs[0].shape)


def _same_type(step: Step, at: Places) -> Places:
    if step.inputs[0].dtype != step.outputs[0].dtype:
        raise NotImplementedError("the same bits, read as another type")
    return _reshape(step, at)


def _unflatten_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes = inputs[0][1]
    dim = settings["dim"] % len(axes)
    return (*axes[:dim], *[""] * (len(shape) - len(axes) + 1), *axes[dim + 1 :])


def _unsqueeze_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    axes, dim = inputs[0][1], settings["dim"] % len(shape)
    return (*axes[:dim], "1", *axes[dim:])


def _squeeze_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    in_shape, axes = inputs[0]
    gone = dims_of(settings, len(axes))
    return [name for i, name in enumerate(axes) if not (i in gone and in_shape[i] == 1)]


# -- another order of the axes ---------------------------------------------------------------------------------------


def _transpose(step: Step, at: Places) -> Places:
    return np.swapaxes(at, setting(step, "dim0", 0), setting(step, "dim1", 1)) if at.ndim else at


def _transpose_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return _swapped(inputs[0][1], settings)


def _transpose_axes_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    return _swapped(after[1], settings)


def _swapped(names: Sequence[str], settings: Settings) -> Sequence[str]:
    axes = list(names)
    i, j = settings.get("dim0", -1), settings.get("dim1", -2)
    axes[i], axes[j] = axes[j], axes[i]
    return axes


def _permute_axes(inputs: Sequence[Named], settings: Settings, shape: Shape) -> Sequence[str]:
    return [inputs[0][1][d] for d in settings["dims"]]


def _permute_axes_back(shape: Shape, argument: str, settings: Settings, after: Named) -> Sequence[str]:
    names = [""] * len(shape)
    for name, dim in zip(after[1], settings["dims"], strict=True):
        names[dim] = name
    return names


def _movedim(step: Step, at: Places) -> Places:
    return np.moveaxis(at, sizes(step, "source"), sizes(step, "destination"))


def _rot90(step: Step, at: Places) -> Places:
    dims: Any = tuple(setting(step, "dims", (0, 1)))
    return np.rot90(at, int(setting(step, "k", 1)), dims)


_SWAPPED = AxisRule(_transpose_axes, _transpose_axes_back)

# -- more, or fewer, of the same -------------------------------------------------------------------------------------


def _expand(step: Step, at: Places) -> Places:
    return np.broadcast_to(at, step.outputs[0].shape)


def _tile(step: Step, at: Places) -> Places:
    return np.tile(at, sizes(step, "repeats" if "repeats" in step.settings else "dims"))


def _repeat_interleave(step: Step, at: Places) -> Places:
    repeats = inputs(step)[1].array if len(step.inputs) == 2 else np.array(sizes(step, "repeats"))
    return np.repeat(at, repeats if repeats.size > 1 else int(repeats.reshape(-1)[0]), setting(step, "dim"))


def _explain_repeated(step: Step, cell: Cell) -> Explanation:
    """Each number as often as asked for; of counts alone, the place of each count, as often as it says."""
    if len(step.inputs) > 1 or step.settings.get("repeats") is not None:
        return explain_moved(Moving(lambda step, at, output: _repeat_interleave(step, at[0])), step, cell)
    counts = inputs(step)[0]
    place = int(np.searchsorted(np.cumsum(counts.array), cell[0], side="right"))
    written = write(f"{counts.name}[{{i}}] = {{n}} → {{i}}", n=counts.piece((place,)), i=float(place))
    return Explanation(f"{result(step, cell)} = {place}", (), place, written)


def _roll(step: Step, at: Places) -> Places:
    dims = step.settings.get("dims")
    return np.roll(at, setting(step, "shifts"), sizes(step, "dims") if dims not in (None, (), []) else None)


def _narrow(step: Step, at: Places) -> Places:
    axis, start, length = int(setting(step, "dim")), setting(step, "start"), int(setting(step, "length"))
    start = int(inputs(step)[1].array) if start is None else start
    start = start + at.shape[axis] if start < 0 else start
    return part(at, axis, slice(start, start + length))


def _diagonal(step: Step, at: Places) -> Places:
    return np.diagonal(at, setting(step, "offset", 0), setting(step, "dim1", 0), setting(step, "dim2", 1))


def _diag(step: Step, at: Places) -> Places:
    """The diagonal of a matrix, or a matrix with a diagonal."""
    offset = int(setting(step, "diagonal", setting(step, "offset", 0)))
    return np.diagonal(at, offset) if at.ndim == 2 and step.op == "diag" else _embedded(at.reshape(-1), offset)


def _embedded(diagonal: Places, offset: int) -> Places:
    made = np.full((diagonal.size + abs(offset),) * 2, FILLED, diagonal.dtype)
    rows = np.arange(diagonal.size) + max(-offset, 0)
    made[rows, rows + offset] = diagonal
    return made


def _diag_embed(step: Step, at: Places) -> Places:
    offset, dims = int(setting(step, "offset", 0)), (setting(step, "dim1", -2), setting(step, "dim2", -1))
    every = [_embedded(row, offset) for row in at.reshape(-1, at.shape[-1])]
    made = np.stack(every).reshape(*at.shape[:-1], *every[0].shape)
    return np.moveaxis(made, (-2, -1), dims)


def _unfold(step: Step, at: Places) -> Places:
    axis, size, stride = (int(setting(step, name)) for name in ("dimension", "size", "step"))
    if not at.ndim:
        return at.reshape(1)
    seen = np.lib.stride_tricks.sliding_window_view(at, size, axis)
    return part(seen, axis % at.ndim, slice(None, None, stride))


def _as_strided(step: Step, at: Places) -> Places:
    size, stride = sizes(step, "size"), sizes(step, "stride")
    start = int(setting(step, "storage_offset", 0))
    steps = sum(np.ix_(*(np.arange(n) * s for n, s in zip(size, stride, strict=True)))) if size else np.zeros((), int)
    return at.reshape(-1)[start + steps]


# -- channels and pixels ---------------------------------------------------------------------------------------------


def _pixel_shuffle(step: Step, at: Places) -> Places:
    """[..., c·r², h, w] to [..., c, h·r, w·r]."""
    r = int(setting(step, "upscale_factor"))
    *lead, channels, height, width = at.shape
    blocks = at.reshape(*lead, channels // r**2, r, r, height, width)
    n = len(lead)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return blocks.transpose(order).reshape(step.outputs[0].shape)


def _pixel_unshuffle(step: Step, at: Places) -> Places:
    """[..., c, h·r, w·r] to [..., c·r², h, w]."""
    r = int(setting(step, "downscale_factor"))
    *lead, channels, height, width = at.shape
    blocks = at.reshape(*lead, channels, height // r, r, width // r, r)
    n = len(lead)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return blocks.transpose(order).reshape(step.outputs[0].shape)


def _channel_shuffle(step: Step, at: Places) -> Places:
    """[batch, g·c, ...], with the channels of the g groups in turns."""
    groups = int(setting(step, "groups"))
    batch, channels, *rest = at.shape
    return at.reshape(batch, groups, channels // groups, *rest).swapaxes(1, 2).reshape(at.shape)


def _zero(step: Step) -> float:
    return 0.0


def _with_gaps(see: Any) -> Moving:
    return Moving(lambda step, at, output: see(step, at[0]), fill=_zero)


OPERATIONS = (
    view("view", "input *shape", _same_type, RESHAPED, spellings="view_as"),
    view("reshape", "input *shape", _reshape, RESHAPED, spellings="reshape_as"),
    view("flatten", "input start_dim end_dim", _reshape, RESHAPED, defaults={"start_dim": 0, "end_dim": -1}),
    view("ravel", "input", _reshape, RESHAPED),
    view("unflatten", "input dim sizes[]", _reshape, AxisRule(_unflatten_axes, reshape_back)),
    view("squeeze", "input dim[]", _reshape, AxisRule(_squeeze_axes)),
    view("unsqueeze", "input dim", _reshape, AxisRule(_unsqueeze_axes)),
    *(view(f"atleast_{n}d", "input", _reshape, UNNAMED) for n in (1, 2, 3)),
    *(view(name, "input", _reshape, SAME) for name in ("contiguous", "clone", "detach", "resolve_conj",
        "resolve_neg")),
    view("data", "input", _reshape, LIKE_INPUT),
    view("transpose", "input dim0 dim1", _transpose, _SWAPPED, spellings="swapaxes swapdims"),
    view("T", "input", lambda step, at: at.T, AxisRule(lambda inputs, settings, shape: inputs[0][1][::-1])),
    view("t", "input", lambda step, at: at.T, AxisRule(lambda inputs, settings, shape: inputs[0][1][::-1])),
    view("mT", "input", lambda step, at: np.swapaxes(at, -1, -2), _SWAPPED),
    view("H", "input", lambda step, at: at.T, UNNAMED, complex=False),
    view("mH", "input", lambda step, at: np.swapaxes(at, -1, -2), _SWAPPED, spellings="adjoint", complex=False),
    view("permute", "input *dims", lambda step, at: np.transpose(at, sizes(step, "dims")),
        AxisRule(_permute_axes, _permute_axes_back)),
    view("movedim", "input source[] destination[]", _movedim, UNNAMED, spellings="moveaxis"),
    view("rot90", "input k dims[]", _rot90, UNNAMED),
    view("expand", "input *size", _expand, AxisRule(broadcast)),
    view("expand_as", "input other", _expand, AxisRule(broadcast)),
    view("broadcast_to", "input size[]", _expand, BROADCAST),
    view("repeat", "input *repeats", _tile, RESIZED),
    view("tile", "input *dims", _tile, RESIZED),
    view("repeat_interleave", "input repeats dim", _repeat_interleave, RESIZED, explain=_explain_repeated,
        places=partial(placed, Moving(lambda step, at, output: _repeat_interleave(step, at[0])))),
    view("roll", "input shifts[] dims[]", _roll, SAME),
    view("flip", "input *dims", lambda step, at: np.flip(at, sizes(step, "dims")), SAME),
    view("fliplr", "input", lambda step, at: np.flip(at, 1), SAME),
    view("flipud", "input", lambda step, at: np.flip(at, 0), SAME),
    view("narrow", "input dim start length", _narrow, PARTS),
    view("select", "input dim index", lambda step, at: part(at, int(setting(step, "dim")), int(setting(step, "index"))),
        WITHOUT_DIM),
    view("diagonal", "input offset dim1 dim2", _diagonal, UNNAMED),
    view("unfold", "input dimension size step", _unfold, UNNAMED),
    view("as_strided", "input size[] stride[] storage_offset", _as_strided, UNNAMED),
    moves("diag", "input diagonal", _with_gaps(_diag)),
    moves("diagflat", "input offset", _with_gaps(_diag)),
    moves("diag_embed", "input offset dim1 dim2", _with_gaps(_diag_embed)),
    view("pixel_shuffle", "input upscale_factor", _pixel_shuffle, UNNAMED),
    view("pixel_unshuffle", "input downscale_factor", _pixel_unshuffle, UNNAMED),
    view("channel_shuffle", "input groups", _channel_shuffle, LIKE_INPUT, spellings="native_channel_shuffle"),
)  # fmt: skip
