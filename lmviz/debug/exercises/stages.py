"""One question for each stage of the walk, answered from the run that the player is looking at."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from lmviz.debug.exercises.question import Question, mixed, numbers_near
from lmviz.debug.exercises.rotation import angle_of_a_position, key_of_a_head
from lmviz.model.tokenizer import Tokens
from lmviz.stages.experts import choice_in
from lmviz.stages.stage import Stage
from lmviz.stages.stages import stages_of
from lmviz.trace.step import Step, Trace, Value

_LEAST_SHARE = 0.02  # of attention, that still counts in a mix
LEAST = 0.05  # nats: below that a loss is 0 to two digits, and nothing is to be worked out


def questions(trace: Trace, tokens: Tokens, pieces: tuple[str, ...]) -> tuple[Question, ...]:
    """The questions that this run can answer, in the order of the walk.

    Args:
        trace: of the whole run, with its probabilities and, if there is a target, its loss.
        tokens: what the model read.
        pieces: the text of every token of the vocabulary, by id.
    """
    first = _number_of_tokens(tokens)
    asked: dict[str, Question] = {first.about: first}
    for stage in stages_of(trace):
        ask = ASK.get(stage.kind)
        if ask is not None and stage.kind not in asked:
            question = ask(trace, stage, tokens, pieces)
            if question is not None:
                asked[stage.kind] = question
    return tuple(asked.values())


def _number_of_tokens(tokens: Tokens) -> Question:
    options, answer = mixed(len(tokens), numbers_near(len(tokens), 1), f"tokens/{tokens.text}")
    return Question("tokens", "tokenizer", "number", options, answer, details={"text": tokens.text})


def _shape(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    made = trace[stage.stop].outputs[0]
    right = made.shape
    others = [right[::-1], (*right[:-1], right[-1] * 2), (*right, right[-1]), right[:-1], (right[0], len(pieces))]
    options, answer = mixed(right, others, f"shape/{made.address}")
    return Question("shape", stage.kind, "shape", options, answer, made.address, details={"name": _name(trace, made)})


def _name(trace: Trace, value: Value) -> str:
    """What a tensor is called; by its whole address, where several have its name."""
    alike = [address for address in trace.find(value.name) if address.rpartition(".")[2] == value.name]
    return value.name if len(alike) < 2 else value.address


def _mean_of_norm(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    normed = next((s for s in trace[stage.first : stage.last + 1] if s.outputs and s.outputs[0].name == "normed"), None)
    if normed is None:
        return _shape(trace, stage, tokens, pieces)
    pos = len(tokens) - 1
    mean = round(float(normed.outputs[0].array[0, pos].astype(np.float64).mean()), 2) + 0.0
    options, answer = mixed(mean, [1.0, 0.5, float(len(tokens))], f"norm/{normed.address}")
    details = {"token": tokens.pieces[pos], "name": normed.outputs[0].name}
    return Question("norm_mean", stage.kind, "number", options, answer, normed.address, (0, pos, 0), details)


def _width_of_a_head(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    q = next(
        (s.outputs[0] for s in trace[stage.first : stage.last + 1] if s.outputs and s.outputs[0].name == "q"), None
    )
    if q is None or len(q.shape) != 4 or q.shape[1] == 1:
        return _shape(trace, stage, tokens, pieces)
    d_head, n_heads = q.shape[-1], q.shape[1]
    options, answer = mixed(d_head, [d_head * n_heads, n_heads, *numbers_near(d_head, 1)], f"qkv/{q.address}")
    details = {"n_heads": n_heads, "d_model": d_head * n_heads}
    return Question("d_head", stage.kind, "number", options, answer, q.address, details=details)


def _angle(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    return angle_of_a_position(trace, stage, tokens) or _shape(trace, stage, tokens, pieces)


def _shared_key(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    return key_of_a_head(trace, stage, tokens) or _shape(trace, stage, tokens, pieces)


def _keys_that_are_seen(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    made = trace[stage.stop].outputs[0]
    pos = _some(tokens)
    if made.array.ndim != 4:
        return None
    seen = int(np.isfinite(made.array[0, 0, pos]).sum())
    options, answer = mixed(seen, [len(tokens), *numbers_near(seen, 0)], f"scores/{made.address}")
    details = {"token": tokens.pieces[pos], "n": pos + 1}
    return Question("seen_keys", stage.kind, "number", options, answer, made.address, (0, 0, pos, 0), details)


def _looked_at_most(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    made = trace[stage.stop].outputs[0]
    pos = _some(tokens)
    if made.array.ndim != 4 or pos < 1:
        return None
    row = made.array[0, 0, pos, : pos + 1]
    order = [int(i) for i in np.argsort(-row)]
    options, answer = mixed(order[0], order[1:], made.address)
    details = {"token": tokens.pieces[pos], "n": pos + 1, "share": float(row[order[0]])}
    return Question("looks_at", stage.kind, "position", options, answer, made.address, (0, 0, pos, order[0]), details)


def _mixed_values(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    """What the second token takes of two values, in the column where these differ most; else the shape."""
    mix = next((s for s in trace[stage.first : stage.last + 1] if s.op == "matmul" and len(s.inputs) == 2), None)
    pattern, v = (one.array for one in mix.inputs) if mix is not None else (np.zeros(0), np.zeros(0))
    if mix is None or min(pattern.ndim, v.ndim) < 4 or len(tokens) < 2 or pattern.shape[-2] < 2:
        return _shape(trace, stage, tokens, pieces)
    share, rest = (float(one) for one in pattern[0, 0, 1, :2])
    if not (min(share, rest) > _LEAST_SHARE and math.isclose(share + rest, 1, abs_tol=1e-5)):
        return _shape(trace, stage, tokens, pieces)
    column = int(np.abs(v[0, 0, 0] - v[0, 0, 1]).argmax())
    left, right = (float(v[0, 0, pos, column]) for pos in (0, 1))
    taken = round(float(mix.outputs[0].array[0, 0, 1, column]), 2)
    others = [round(one, 2) for one in (left + right, rest * left + share * right, right, left, taken + 1)]
    options, answer = mixed(taken, others, f"mix/{mix.address}")
    details = {"first": tokens.pieces[0], "token": tokens.pieces[1], "share": share, "rest": rest,
               "column": column, "left": left, "right": right}  # fmt: skip
    return Question("mixed_values", stage.kind, "number", options, answer, mix.address, (0, 0, 1, column), details)


def _sum_of_two(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    step: Step = trace[stage.stop]
    if step.op != "add" or len(step.inputs) != 2:
        return None
    pos = len(tokens) - 1
    cell = (0, pos, 0)
    left, right = (float(value.array[cell]) for value in step.inputs)
    total = round(float(step.outputs[0].array[cell]), 2)
    others = [round(left - right, 2), round(left * right, 2), round(-total, 2), round(total + 1, 2)]
    options, answer = mixed(total, others, f"residual/{step.address}")
    details = {"left": left, "right": right, "token": tokens.pieces[pos]}
    return Question("residual_sum", stage.kind, "number", options, answer, step.address, cell, details)


def _hidden_above_zero(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    steps = trace[stage.first : stage.last + 1]
    hidden = next((s.outputs[0] for s in steps if s.outputs and s.outputs[0].name == "hidden"), None)
    if hidden is None or len(hidden.shape) != 3:
        return _shape(trace, stage, tokens, pieces)
    pos, width = len(tokens) - 1, hidden.shape[-1]
    count = int((hidden.array[0, pos] > 0).sum())
    far = [width, 0, width // 2, width - count, max(0, count - width // 4), min(width, count + width // 4)]
    options, answer = mixed(count, far, f"mlp/{hidden.address}")
    details = {"token": tokens.pieces[pos], "width": width}
    return Question("above_zero", stage.kind, "number", options, answer, hidden.address, (0, pos, 0), details)


def _experts_that_work(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    found = choice_in(trace[stage.first : stage.last + 1], len(tokens))
    if found is None or found.n_experts < 2:
        return None
    pos = len(tokens) - 1
    n_chosen = len(set(found.chosen[0, pos].tolist()))
    options, answer = mixed(n_chosen, [found.n_experts, *numbers_near(n_chosen, 1)], f"router/{stage.index}")
    made = trace[stage.stop].outputs[0]
    details = {"token": tokens.pieces[pos], "n_experts": found.n_experts}
    return Question("n_experts", stage.kind, "number", options, answer, made.address, details=details)


def _number_of_logits(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    made = trace[stage.stop].outputs[0]
    width = made.shape[-1]
    options, answer = mixed(width, [len(tokens), width * 2, len(tokens) * width, 1], f"logits/{made.address}")
    return Question("n_logits", stage.kind, "number", options, answer, made.address)


def _likeliest(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    made: Value = trace[stage.stop].outputs[0]
    last = made.array[0, -1]
    order = [int(i) for i in np.argsort(-last)][:6]
    options, answer = mixed(pieces[order[0]], [pieces[i] for i in order[1:]], f"probs/{tokens.text}")
    details = {"text": tokens.text, "share": float(last[order[0]])}
    cell = (0, len(tokens) - 1, order[0])
    return Question("next_token", stage.kind, "token", options, answer, made.address, cell, details)


def _loss_of_a_share(trace: Trace, stage: Stage, tokens: Tokens, pieces: tuple[str, ...]) -> Question | None:
    steps = trace[stage.first : stage.last + 1]
    nll = next((s.outputs[0] for s in steps if s.outputs and s.outputs[0].name == "nll"), None)
    if nll is None:
        return None
    told = np.flatnonzero(nll.array[0] >= LEAST)
    if not len(told):
        return None
    pos = int(told[-1])
    loss = float(nll.array[0, pos])
    share = math.exp(-loss)
    others = [round(share, 2), round(1 - share, 2), round(math.log(len(pieces)), 2), round(2 * loss, 2)]
    options, answer = mixed(round(loss, 2), others, f"loss/{tokens.text}")
    return Question("loss_of", "loss", "number", options, answer, nll.address, (0, pos), {"share": share})


def _some(tokens: Tokens) -> int:
    """The position that questions are about: the fourth, or the last of a shorter text."""
    return min(3, len(tokens) - 1)


_Ask = Callable[[Trace, Stage, Tokens, tuple[str, ...]], Question | None]
ASK: dict[str, _Ask] = {
    "embeddings": _shape,
    "norm": _mean_of_norm,
    "qkv": _width_of_a_head,
    "rotation": _angle,
    "sharing": _shared_key,
    "scores": _keys_that_are_seen,
    "softmax": _looked_at_most,
    "mix": _mixed_values,
    "residual": _sum_of_two,
    "router": _experts_that_work,
    "mlp": _hidden_above_zero,
    "final_norm": _shape,
    "logits": _number_of_logits,
    "probabilities": _likeliest,
    "loss": _loss_of_a_share,
}
