"""What there is to see at a place: the tensors that go in, and those that come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lmviz.trace.step import Step, Trace, Value
from lmviz.walk.cursor import Cursor, Walk
from lmviz.walk.stages import Kind

Part = Literal["weight", "activation", "q", "k", "v", "input", "constant"]

# How many of a stage's named results are shown, the last of which is what the stage is for.
RESULTS: dict[Kind, int] = {"embeddings": 3, "qkv": 3, "mlp": 3, "mix": 2, "norm": 2, "final_norm": 2, "loss": 3}
SIGNS = {"matmul": "@", "add": "+", "sub": "−", "mul": "×", "div": "÷", "linear": "@", "embedding": "[ ]", "pow": "^"}
STAGE_SIGNS: dict[Kind, str] = {"residual": "+"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One tensor of a picture. `sign` is written before it; `turned` shows its last two axes the other way round."""

    value: Value
    sign: str = ""
    is_result: bool = False
    turned: bool = False


def panels_at(walk: Walk, cursor: Cursor) -> tuple[Panel, ...]:
    """The tensors of a place, in reading order: inputs, then results."""
    first, last = walk.span(cursor)
    if first < 0:
        return ()
    steps = walk.trace[first : last + 1]
    if cursor.grain == "op":
        return _of_step(steps[0])
    kind = walk.stage(cursor).kind
    n_results = RESULTS.get(kind, 1) if cursor.grain == "stage" else 1
    results = _named_results(walk.trace, steps, n_results)
    if cursor.grain == "stage" and kind in ("scores", "mix") and (product := _product(steps)) is not None:
        return (*product, *(Panel(value, "→", is_result=True) for value in results))
    sources = _sources(steps)[-3:]
    if cursor.grain == "stage" and kind == "embeddings" and len(results) == 3:
        tok, pos, x = results
        return Panel(tok), Panel(pos, "+"), Panel(x, "=", is_result=True)
    sign = STAGE_SIGNS.get(kind, ",") if cursor.grain == "stage" else SIGNS.get(steps[-1].op, ",")
    shown = [Panel(value, sign if i else "") for i, value in enumerate(sources)]
    shown += [Panel(value, "→" if i == 0 or kind != "qkv" else ",", is_result=True) for i, value in enumerate(results)]
    return tuple(shown)


def _product(steps: tuple[Step, ...]) -> tuple[Panel, Panel] | None:
    """The two sides of the first product, in order; one that was only turned for it is shown as its source, turned."""
    made = {value.address: step for step in steps for value in step.outputs}
    for step in steps:
        if step.op == "matmul" and len(step.inputs) == 2:
            left, right = step.inputs
            turning = made.get(right.address)
            turned = turning is not None and turning.op in ("transpose", "mT")
            right = turning.inputs[0] if turning is not None and turned else right
            return Panel(left), Panel(right, "@", turned=turned)
    return None


def _of_step(step: Step) -> tuple[Panel, ...]:
    sign = SIGNS.get(step.op, ",")
    turned = [step.op == "linear" and argument == "weight" for argument in step.arguments]
    inputs = [
        Panel(value, ("" if i == 0 else "+" if argument == "bias" else sign), turned=turned[i])
        for i, (value, argument) in enumerate(zip(step.inputs, step.arguments, strict=True))
    ]
    return (*inputs, *(Panel(value, "→" if i == 0 else ",", is_result=True) for i, value in enumerate(step.outputs)))


def _named_results(trace: Trace, steps: tuple[Step, ...], count: int) -> list[Value]:
    """The last `count` results that the source gives a name, one for each statement."""
    named: dict[int, Value] = {}
    for step in steps:
        if step.outputs and step.opened is None:
            named[step.statement] = step.outputs[-1]
    if not named:
        named = {step.index: step.outputs[-1] for step in steps if step.outputs}
    return list(named.values())[-count:]


def _sources(steps: tuple[Step, ...]) -> list[Value]:
    """The activations and inputs from outside that some steps use, each once, in the order of use."""
    made = {value.address for step in steps for value in step.outputs}
    found: dict[str, Value] = {}
    for step in steps:
        for value in step.inputs:
            if value.role in ("activation", "input") and value.address not in made:
                found.setdefault(value.address, value)
    return list(found.values())
