"""What there is to see at a place: the tensors that go in, and those that come out."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from functools import lru_cache

from lmviz.stages.gates import MULTIPLYING, gate_in
from lmviz.stages.navigation import Location, Navigator
from lmviz.stages.stage import Kind
from lmviz.trace.operations.table import sign_of
from lmviz.trace.step import Step, Trace, Value

# How many of a stage's named results are shown, the last of which is what the stage is for.
_RESULTS: dict[Kind, int] = {
    "embeddings": 3,
    "qkv": 3,
    "mlp": 3,
    "mix": 2,
    "norm": 2,
    "final_norm": 2,
    "router": 3,
    "loss": 3,
}
_NAMESPACES = ("self", "F", "torch", "nn", "math")  # what stands before a dot and is no tensor
_STAGE_SIGNS: dict[Kind, str] = {"residual": "+"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One tensor of a picture. `sign` is written before it; `turned` shows its last two axes the other way round.

    `name` is what the source calls it where it is used: a block's `scaled` is the `x` of the attention that reads it.
    """

    value: Value
    name: str
    sign: str = ""
    is_result: bool = False
    turned: bool = False


def panels_at(navigator: Navigator, location: Location) -> tuple[Panel, ...]:
    """The tensors of a place, in reading order: inputs, then results."""
    first, last = navigator.span(location)
    if first < 0:
        return ()
    steps = navigator.trace[first : last + 1]
    if location.grain == "op":
        return _of_step(steps[0])
    if location.grain == "line":
        return (*_sources(steps, sign_of(steps[-1].op)), *_results(steps, 1))
    kind = navigator.stage(location).kind
    if kind in ("rotation", "sharing"):
        return _before_and_after(kind, navigator.trace, steps)
    return _of_stage(kind, navigator.trace, steps)


def _of_stage(kind: Kind, trace: Trace, steps: tuple[Step, ...]) -> tuple[Panel, ...]:
    results = _results(steps, _RESULTS.get(kind, 1), "," if kind == "qkv" else "→")
    makes_several = len(results) < _RESULTS["qkv"] or steps[-1].opened is not None  # in one statement
    if kind == "qkv" and makes_several:
        results = _read_later(trace, steps, _made_of(steps, {panel.value.address for panel in _outside(steps)}))
    in_order = steps[::-1] if kind == "scores" else steps  # a mask may have products of its own, which come before
    if kind in ("scores", "mix") and (product := _product(in_order)) is not None:
        return (*product, *results)
    if kind == "embeddings" and len(results) == 3:
        tok, pos, x = (panel.value for panel in results)
        return Panel(tok, tok.name), Panel(pos, pos.name, "+"), _made(x, "=")
    if kind == "mlp" and (gate := gate_in(steps)) is not None:
        return _gated(gate, results[-1])
    if kind == "qkv":
        made = {panel.value.address for panel in results}
        sources = (panel for panel in _outside(steps) if made & _made_of(steps, {panel.value.address}))
        return (*(replace(panel, sign="," if i else "") for i, panel in enumerate(sources)), *results)
    return (*_sources(steps, _STAGE_SIGNS.get(kind, ",")), *results)


def _gated(gate: Step, result: Panel) -> tuple[Panel, ...]:
    """The two factors, what passes the gate, and what is made of that."""
    one, other = gate.inputs
    return Panel(one, one.name), Panel(other, other.name, "·"), _made(gate.outputs[0], "="), result


def _before_and_after(kind: Kind, trace: Trace, steps: tuple[Step, ...]) -> tuple[Panel, ...]:
    """Of what is turned, queries and keys without their angles, which have a stage of their own."""
    turned = _turned(steps) if kind == "rotation" else set()
    results, sources = _read_later(trace, steps, _made_of(steps, turned)), _sources(steps, "")
    if kind == "rotation":
        shapes = {panel.value.shape for panel in results}
        found = tuple(panel for panel in _outside(steps) if panel.value.address in turned)
        sources = found or tuple(panel for panel in sources if panel.value.shape in shapes)
    return (*(replace(panel, sign="," if i else "") for i, panel in enumerate(sources)), *results)


def _turned(steps: tuple[Step, ...]) -> set[str]:
    """The addresses of what comes from outside and is multiplied with something that is the same for several of it."""
    made = {value.address: step for step in steps for value in step.outputs}
    products = [step for step in steps if step.op in MULTIPLYING and len(step.inputs) == 2 and step.outputs]
    small = {value.address for step in products for value in step.inputs if value.shape != step.outputs[0].shape}
    found: set[str] = set()
    for step in products:
        large = [v.address for v in step.inputs if v.shape == step.outputs[0].shape and v.address not in small]
        if len(large) == 1:
            address = large[0]
            while address in made and made[address].inputs:  # through halves and layouts
                address = made[address].inputs[0].address
            found.add(address)
    return found


def _made_of(steps: tuple[Step, ...], sources: set[str]) -> set[str]:
    """The addresses of all that is made of some values, step by step."""
    found = set(sources)
    for step in steps:
        if any(value.address in found for value in step.inputs):
            found |= {value.address for value in step.outputs}
    return found


def _made(value: Value, sign: str) -> Panel:
    return Panel(value, value.name, sign, is_result=True)


def _product(steps: tuple[Step, ...]) -> tuple[Panel, Panel] | None:
    """The two sides of the first product, in order; one that was only turned for it is shown as its source, turned."""
    made = {value.address: step for step in steps for value in step.outputs}
    for step in steps:
        if step.op == "matmul" and len(step.inputs) == 2:
            left, right = step.inputs
            turning = made.get(right.address)
            turned = turning is not None and turning.op in ("transpose", "mT")
            right = turning.inputs[0] if turning is not None and turned else right
            return Panel(left, left.name), Panel(right, right.name, "@", turned=turned)
    return None


def _of_step(step: Step) -> tuple[Panel, ...]:
    sign = sign_of(step.op)
    turned = [step.op == "linear" and argument == "weight" for argument in step.arguments]
    inputs = [
        Panel(value, _called(step, i), ("" if i == 0 else "+" if argument == "bias" else sign), turned=turned[i])
        for i, (value, argument) in enumerate(zip(step.inputs, step.arguments, strict=True))
    ]
    return (*inputs, *(_made(value, "→" if i == 0 else ",") for i, value in enumerate(step.outputs)))


def _results(steps: tuple[Step, ...], count: int, sign: str = "→") -> tuple[Panel, ...]:
    """The last `count` results that the source gives a name, one for each statement; a sign stands between them."""
    named: dict[int, Value] = {}
    for step in _as_deep(steps):
        if step.outputs:
            named[step.index if step.opened is not None else step.statement] = step.outputs[-1]
    if not named:
        named = {step.index: step.outputs[-1] for step in steps if step.outputs}
    return tuple(_made(value, sign if i else "→") for i, value in enumerate([*named.values()][-count:]))


def _as_deep(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Of some steps, those in the fused call that they end in; if they end in none, those that are in none."""
    return tuple(step for step in steps if step.opened == steps[-1].opened)


def _read_later(trace: Trace, steps: tuple[Step, ...], among: set[str]) -> tuple[Panel, ...]:
    """The results that something behind these steps reads, in order, the last three; of some only, if there are any."""
    read = {value.address for step in trace[steps[-1].index + 1 :] for value in step.inputs}
    read = read & among or read
    found = [value for step in _as_deep(steps) for value in step.outputs if value.address in read]
    return tuple(_made(value, "," if i else "→") for i, value in enumerate(found[-3:])) or _results(steps, 1)


def _sources(steps: tuple[Step, ...], sign: str) -> tuple[Panel, ...]:
    """The last three activations and inputs from outside that some steps use, each once, in the order of use."""
    return tuple(replace(panel, sign=sign if i else "") for i, panel in enumerate(_outside(steps)[-3:]))


def _outside(steps: tuple[Step, ...]) -> tuple[Panel, ...]:
    made = {value.address for step in steps for value in step.outputs}
    found: dict[str, tuple[Value, str]] = {}
    for step in steps:
        for i, value in enumerate(step.inputs):
            if value.role in ("activation", "input") and value.address not in made:
                found.setdefault(value.address, (value, _called(step, i)))
    return tuple(Panel(value, name) for value, name in found.values())


def _called(step: Step, index: int) -> str:
    """What the expression of a step calls one of its inputs; the value's own name where it is no plain variable."""
    names = variables(step.span.text)
    plain = step.inputs[index].role in ("activation", "input") and step.opened is None
    return (names[index] if plain and index < len(names) else "") or step.inputs[index].name


@lru_cache(maxsize=4096)
def variables(text: str) -> tuple[str, ...]:
    """The variables that an expression computes with, in order; empty strings for operands that are something else.

    >>> variables("self.w_q(x)"), variables("tok + pos"), variables("x.softmax(-1)")
    (('x',), ('tok', 'pos'), ('x', ''))
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return ()
    operands: list[ast.expr] = []
    if isinstance(node, ast.BinOp):
        operands = [node.left, node.right]
    elif isinstance(node, ast.Call):
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        is_method = isinstance(owner, ast.Name) and owner.id not in _NAMESPACES
        operands = [owner, *node.args] if is_method and owner is not None else node.args
    return tuple(operand.id if isinstance(operand, ast.Name) else "" for operand in operands)
