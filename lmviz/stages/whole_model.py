"""A whole recording in one picture: how far each token looks back, how long its vector is, what may come next.

Every number is measured: an attention weight that a softmax made, the length of a vector that a stage made, a
probability of the readout. Of what is too large to be drawn, neighbours are put together, and the picture says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from lmviz.stages.navigation import Navigator
from lmviz.stages.stage import READOUT, Stage
from lmviz.trace.step import Array, Step, Trace, Value

MEAN, ALL = -1, -2  # instead of a head's number: the mean of all heads, or all of them
MOST_LANES = 64  # tokens that have a lane each; of more, neighbours share one
MOST_BLOCKS = 12  # blocks that are drawn one by one; of more, neighbours are drawn as one
MOST_SHARES = 2**16  # attention weights that leave the server for one picture
MOST_CELLS = 12  # cells of a vector in its tiny picture
_N_CHANCES = 5
_NO_VECTOR = ("tokenizer", "scores", "softmax", "probabilities", "loss")  # stages whose results are no vectors


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A stage as the picture has it; what was not recorded, or is of another shape, is None.

    Args:
        block: index into `WholeModel.blocks`; None outside of blocks.
        is_stream: whether what it makes is the residual stream, and not something that is added to it.
        lengths: of the vector that the stage made for a token, [lane]: the root of the sum of its squares.
        cells: every so-manyth number of what the stage made, as it is, [lane, at most 12].
        shares: attention weights, [head, lane, lane], from the token that asks to the one that is read.
    """

    stage: Stage
    block: int | None
    is_stream: bool = False
    lengths: Array | None = None
    cells: Array | None = None
    shares: Array | None = None


@dataclass(frozen=True, slots=True)
class BlockSpan:
    """One block, or neighbours drawn as one: their names, and their first and last stage."""

    names: tuple[str, ...]
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Chances:
    """The likeliest next tokens behind each lane's last token, [lane, at most 5]; one row if only the last is told."""

    ids: Array
    shares: Array
    rest: Array  # what all other tokens have together, [lane]
    n_ids: int  # how many tokens there are to choose from


@dataclass(frozen=True, slots=True, eq=False)
class WholeModel:
    """All that the picture shows.

    Args:
        lanes: the positions of each lane: one, or neighbours. Their weights are added where they are read, and the
            mean is taken where they ask, so that a row still sums to what it did.
        heads: what the first axis of each `Part.shares` stands for: numbers of heads, or `MEAN`.
        n_heads: how many heads the model has; of blocks that differ, the most.
    """

    parts: tuple[Part, ...]
    blocks: tuple[BlockSpan, ...]
    lanes: tuple[range, ...]
    heads: tuple[int, ...]
    n_heads: int
    chances: Chances | None

    @property
    def shares_a_lane(self) -> bool:
        return any(len(lane) > 1 for lane in self.lanes)

    @property
    def groups_blocks(self) -> bool:
        return any(len(block.names) > 1 for block in self.blocks)


def whole_model(navigator: Navigator, n_pos: int, row: int = 0, asked: int = MEAN) -> WholeModel:
    """The picture of a recording.

    Args:
        n_pos: how many tokens were read.
        row: which text of a batch they are.
        asked: the head that must be in it, `MEAN`, or `ALL`. Where there is room all are in it whatever was asked.
    """
    trace, stages = navigator.trace, navigator.stages
    blocks = _blocks(stages)
    of_stages = {stage.index: found for stage in stages if (found := _attention(trace, stage, n_pos, row)) is not None}
    n_heads = max((len(found) for found in of_stages.values()), default=0)
    parts = _parts(stages, blocks)
    n_softmax = sum(part.stage.index in of_stages for part in parts)
    heads = (MEAN, *range(n_heads))
    if n_softmax * len(heads) * min(n_pos, MOST_LANES) ** 2 > MOST_SHARES:
        heads = heads if asked == ALL else (asked if MEAN <= asked < n_heads else MEAN,)
    room = int((MOST_SHARES / max(1, n_softmax * len(heads))) ** 0.5)
    lanes = _lanes(n_pos, max(1, min(MOST_LANES, room)))
    stream = _stream_shape(trace, stages)
    filled = tuple(
        replace(
            part,
            is_stream=_is_stream(trace, part.stage, stream),
            lengths=_lengths(trace, part.stage, n_pos, row, lanes),
            cells=_cells(trace, part.stage, n_pos, row, lanes),
            shares=_shares(part, blocks, stages, of_stages, heads, lanes),
        )
        for part in parts
    )
    return WholeModel(filled, blocks, lanes, heads if n_heads else (), n_heads, _chances(trace, row, lanes))


# -- what is drawn one by one, and what together ---------------------------------------------------------------------


def _blocks(stages: Sequence[Stage]) -> tuple[BlockSpan, ...]:
    runs = [list(run) for name, run in groupby(stages, key=lambda stage: stage.block_name) if name]
    size = 1 if len(runs) <= MOST_BLOCKS else -(-len(runs) // (MOST_BLOCKS - 2))
    groups = [runs[i : i + size] for i in range(0, len(runs), size)]
    return tuple(
        BlockSpan(tuple(run[0].block_name for run in group), group[0][0].index, group[-1][-1].index) for group in groups
    )


def _parts(stages: Sequence[Stage], blocks: Sequence[BlockSpan]) -> list[Part]:
    """The stages that are drawn: all, but of blocks that are drawn as one those of the last."""
    shown = []
    for stage in stages:
        block = next((i for i, span in enumerate(blocks) if span.first <= stage.index <= span.last), None)
        if block is None or stage.block_name in ("", blocks[block].names[-1]):
            shown.append(Part(stage, block))
    return shown


def _lanes(n_pos: int, most: int) -> tuple[range, ...]:
    """Neighbouring positions, as few together as fit into `most` lanes; the first lane may have fewer."""
    size = max(1, -(-n_pos // most))
    ends = [*range(n_pos, 0, -size)][::-1]
    return tuple(range(max(0, end - size), end) for end in ends)


# -- numbers ---------------------------------------------------------------------------------------------------------


def _attention(trace: Trace, stage: Stage, n_pos: int, row: int) -> Array | None:
    """The weights of a stage's softmax, [head, query, key]; None where it has none over all pairs of tokens."""
    if stage.kind != "softmax":
        return None
    made = [step.outputs[0] for step in trace[stage.first : stage.last + 1] if step.op == "softmax" and step.outputs]
    if not made or made[-1].shape[-2:] != (n_pos, n_pos):
        return None
    value = made[-1]
    array = np.asarray(value.array, dtype=np.float64)
    if array.ndim == 4 or (array.ndim == 3 and "batch" in value.axes[:1]):
        array = array[min(row, len(array) - 1)]
    return array.reshape(-1, n_pos, n_pos)


def _shares(
    part: Part,
    blocks: Sequence[BlockSpan],
    stages: Sequence[Stage],
    of_stages: dict[int, Array],
    heads: tuple[int, ...],
    lanes: Sequence[range],
) -> Array | None:
    """The weights of a part, or the mean of those of the blocks that it stands for."""
    if part.stage.index not in of_stages:
        return None
    together = [part.stage.index]
    if part.block is not None and len(blocks[part.block].names) > 1:
        span = blocks[part.block]
        together = [stage.index for stage in stages[span.first : span.last + 1] if stage.index in of_stages]
    n_heads = min(len(of_stages[i]) for i in together)
    mean: Array = np.mean([of_stages[i][:n_heads] for i in together], axis=0)
    chosen = [mean.mean(0) if head == MEAN else _head(mean, head) for head in heads]
    return np.stack([_by_lane(one, lanes) for one in chosen]).astype(np.float32)


def _head(weights: Array, head: int) -> Array:
    """One head's weights; none at all where a block has fewer heads."""
    found: Array = weights[head] if head < len(weights) else np.zeros_like(weights[0])
    return found


def _by_lane(weights: Array, lanes: Sequence[range]) -> Array:
    """Of [query, key]: keys of a lane added, queries of a lane averaged."""
    starts = [lane.start for lane in lanes]
    added = np.add.reduceat(np.add.reduceat(weights, starts, axis=1), starts, axis=0)
    averaged: Array = added / np.array([[len(lane)] for lane in lanes])
    return averaged


def _vectors(value: Value, n_pos: int, row: int) -> Array | None:
    """What was made for each token, [pos, *]: all that a value has for it, in one row; None if it has none."""
    names = [axis in ("pos", "query") for axis in value.axes]
    sizes = [i for i, n in enumerate(value.shape) if n == n_pos and (i > 0 or len(value.shape) <= 2)]
    axis = names.index(True) if True in names else next(iter(sizes[-2:]), None)
    if axis is None or value.shape[axis] != n_pos or len(value.shape) < 2:
        return None
    array = np.asarray(value.array)
    if array.dtype.kind not in "fiu":
        return None
    if len(value.shape) > 2 and axis > 0 and value.axes[:1] not in (("head",), ("kv_head",)):  # the first is the batch
        array, axis = array[min(row, len(array) - 1)], axis - 1
    return np.moveaxis(array, axis, 0).reshape(n_pos, -1).astype(np.float64)


def _stream_shape(trace: Trace, stages: Sequence[Stage]) -> tuple[int, ...] | None:
    """The shape of the residual stream: of the first sum onto it; where there is none, of what the embeddings make."""
    for kind in ("residual", "embeddings"):
        steps = [_stop(trace, stage) for stage in stages if stage.kind == kind]
        if found := next((step.outputs[0].shape for step in steps if step is not None and step.outputs), None):
            return found
    return None


def _is_stream(trace: Trace, stage: Stage, shape: tuple[int, ...] | None) -> bool:
    """Masks are made beside the embeddings, too."""
    step = _stop(trace, stage)
    is_one = stage.kind in ("embeddings", "residual") and step is not None and bool(step.outputs)
    return is_one and step is not None and step.outputs[0].shape == shape


def _lengths(trace: Trace, stage: Stage, n_pos: int, row: int, lanes: Sequence[range]) -> Array | None:
    step = _stop(trace, stage)
    if step is None or stage.kind in _NO_VECTOR or not step.outputs:
        return None
    vectors = _vectors(step.outputs[0], n_pos, row)
    if vectors is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt((vectors**2).sum(1))
        return np.array([lengths[lane.start : lane.stop].mean() for lane in lanes], dtype=np.float32)


def _cells(trace: Trace, stage: Stage, n_pos: int, row: int, lanes: Sequence[range]) -> Array | None:
    """A sample of what a stage made for each lane's last token; of an MLP, of its widest tensor."""
    step = _stop(trace, stage)
    if step is None or stage.kind == "loss":
        return None
    made = [value for one in trace[stage.first : stage.last + 1] for value in one.outputs[:1]]
    widest = [value for value in made if len(value.shape) >= 2 and value.shape[-1] == _width(made)]
    shown = widest[-1:] if stage.kind == "mlp" and widest else list(step.outputs[:1])
    vectors = _vectors(shown[0], n_pos, row) if shown else None
    if vectors is None:
        return None
    every = max(1, -(-vectors.shape[1] // MOST_CELLS))
    return vectors[[lane[-1] for lane in lanes], ::every].astype(np.float32)


def _width(made: Sequence[Value]) -> int:
    return max((value.shape[-1] for value in made if len(value.shape) >= 2), default=0)


def _stop(trace: Trace, stage: Stage) -> Step | None:
    return trace[stage.stop] if stage.stop >= 0 else None


def _chances(trace: Trace, row: int, lanes: Sequence[range]) -> Chances | None:
    value = trace.value(f"{READOUT}.probs")
    if value is None or len(value.shape) not in (2, 3):
        return None
    array = np.asarray(value.array)[min(row, value.shape[0] - 1)]
    ends = [lane[-1] for lane in lanes]
    probs = array[np.minimum(ends, len(array) - 1)] if array.ndim == 2 and len(array) > 1 else np.atleast_2d(array)
    ids = np.argsort(-probs, axis=1, kind="stable")[:, :_N_CHANCES]
    others = probs.astype(np.float64)  # one by one: what a sum lacks to 1 may be 0 where they are not
    np.put_along_axis(others, ids, 0.0, axis=1)
    return Chances(ids, np.take_along_axis(probs, ids, axis=1), others.sum(axis=1), probs.shape[1])
