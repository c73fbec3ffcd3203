"""Questions about what came after GPT-2: positions that turn queries and keys, and keys that heads share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lmviz.debug.exercises.question import Question, mixed
from lmviz.model.tokenizer import Tokens
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array, Step, Trace, Value

_CIRCULAR = ("cos", "polar")
_LEAST_ANGLE = 0.05  # radians: below that the wrong answers look like the right one
_FOURTH = 3  # the position that is asked about


def angle_of_a_position(trace: Trace, stage: Stage, tokens: Tokens) -> Question | None:
    """How far the first pair is turned at a position, where it is told how far from one position to the next.

    Angles are made once, before the blocks; some models take their cosines there, some in every block.
    """
    pos = min(_FOURTH, len(tokens) - 1)
    step = next((s for s in trace[stage.first :] if s.op in _CIRCULAR and s.inputs), None)
    angles = None if step is None or pos < 2 else _by_position(step.inputs[-1], len(tokens))
    if step is None or angles is None:
        return None
    one, right = float(angles[1]), float(angles[pos])
    if one < _LEAST_ANGLE or not np.allclose(angles, one * np.arange(len(angles)), rtol=1e-3):
        return None
    others = [round(found, 2) for found in (one * (pos + 1), one, one / pos, one + pos, one * (pos - 1))]
    value = step.inputs[-1]
    options, answer = mixed(round(right, 2), others, f"rotation/{value.address}")
    details = {"angle": one, "pos": pos, "token": tokens.pieces[pos]}
    cell = (*(0,) * (len(value.shape) - 2), pos, 0)
    return Question("angle", stage.kind, "number", options, answer, value.address, cell, details)


def _by_position(value: Value, n_pos: int) -> Array | None:
    """Of angles [.., pos, pair], those of the first pair: [pos]."""
    if len(value.shape) < 2 or value.shape[-2] != n_pos:
        return None
    found: Array = value.array.astype(np.float64).reshape(-1, *value.shape[-2:])[0, :, 0]
    return found


def key_of_a_head(trace: Trace, stage: Stage, tokens: Tokens) -> Question | None:
    """Which key the last head but one reads. Heads and keys are compared, number by number."""
    for before, after in _repeated(trace[stage.first : stage.last + 1]):
        n_heads, n_kv = after.shape[1], before.shape[1]
        head = n_heads - 2
        same = [i for i in range(n_kv) if np.array_equal(before.array[0, i], after.array[0, head])]
        if n_kv < 2 or len(same) != 1:
            continue
        options, answer = mixed(same[0], [head % n_kv, head, *range(n_kv)], f"sharing/{after.address}")
        details: dict[str, object] = {"n_heads": n_heads, "n_kv": n_kv, "head": head}
        return Question("shared_key", stage.kind, "number", options, answer, after.address, (0, head, 0, 0), details)
    return None


def _repeated(steps: Sequence[Step]) -> Iterator[tuple[Value, Value]]:
    """What goes into some steps, [batch, kv_head, pos, d_head], with what comes out for every head."""
    made = [value for step in steps for value in step.outputs]
    inside = {value.address for value in made}
    for before in (value for step in steps for value in step.inputs if value.address not in inside):
        if len(before.shape) == 4:
            for after in made:
                if len(after.shape) == 4 and _is_grown(before.shape, after.shape):
                    yield before, after


def _is_grown(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    same = before[0] == after[0] and before[2:] == after[2:]
    return same and after[1] > before[1] > 0 and after[1] % before[1] == 0
