"""The slope of an operation for which no formula is written: torch's own derivative, in float64."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lmviz.trace.operations.slopes import Slopes, Use
from lmviz.trace.step import InputRef, Step

_CELLS = 4096  # of an output, where the derivative has to be asked for cell by cell

_HOMES = (F, torch, torch.Tensor, torch.ops.aten)
_FAMILIES = {"linalg_": torch.linalg, "fft_": torch.fft, "special_": torch.special}


def slopes_of_torch(use: Use) -> Slopes:
    """How every cell of an output changes with one number: torch.func, run on the recorded inputs in float64.

    Raises:
        NotImplementedError: the call can't be made again from its recorded inputs, or has no derivative.
    """
    inputs = [_double(value.array) for value in use.step.inputs]
    call = _outputs_of(use, inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the model's own call has warned of, it has warned of
        try:
            column = _forward(call, inputs[use.n], use)
        except (RuntimeError, NotImplementedError):
            column = _backward(call, inputs[use.n], use)
    values = column.detach().numpy().reshape(-1)
    cells = np.flatnonzero(values)
    return Slopes(cells, values[cells].astype(np.float64), by_torch=True)


def _double(array: Any) -> Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor.double() if tensor.is_floating_point() else tensor


def _outputs_of(use: Use, inputs: list[Tensor]) -> Callable[[Tensor], Tensor]:
    """The output in question as a function of the tensor in question."""
    if not inputs[use.n].is_floating_point():
        raise NotImplementedError(f"a slope with respect to {use.argument}")

    def output(tensor: Tensor) -> Tensor:
        tensors = [tensor if n == use.n else other for n, other in enumerate(inputs)]
        made = _again(use.step, tensors)
        return made if isinstance(made, Tensor) else made[use.output]

    return output


def _forward(call: Callable[[Tensor], Tensor], at: Tensor, use: Use) -> Tensor:
    tangent = torch.zeros_like(at)
    tangent[use.cell] = 1.0
    slopes: Tensor = torch.func.jvp(call, (at,), (tangent,))[1]
    return slopes


def _backward(call: Callable[[Tensor], Tensor], at: Tensor, use: Use) -> Tensor:
    """Cell by cell of the output, for operations that torch can only go through backwards."""
    made, back, *_ = torch.func.vjp(call, at)
    if made.numel() > _CELLS:
        raise NotImplementedError(f"the slopes of {use.step.op}, over so many cells")
    rows = torch.eye(made.numel(), dtype=made.dtype).reshape(-1, *made.shape)
    return torch.stack([back(row)[0][use.cell] for row in rows])


def _again(step: Step, tensors: list[Tensor]) -> Any:
    """The call of a step, made again with other tensors in the place of its own."""
    arguments = _arguments(step, tensors)
    first, rest = next(iter(arguments.values())), dict([*arguments.items()][1:])
    for function in _functions(step.op):
        for args, kwargs in (([first], rest), ([*arguments.values()], {}), ([], arguments)):
            try:
                return function(*args, **kwargs)
            except TypeError:
                continue
    raise NotImplementedError(f"making the call {step.op} again")


def _functions(op: str) -> Iterator[Callable[..., Any]]:
    for prefix, home in _FAMILIES.items():
        if op.startswith(prefix):
            yield getattr(home, op.removeprefix(prefix))
    yield from (function for home in _HOMES if (function := getattr(home, op, None)) is not None)


def _arguments(step: Step, tensors: list[Tensor]) -> dict[str, Any]:
    """What a step was given, by name: its tensors and its settings, lists put together again."""
    arguments: dict[str, Any] = {}
    for name, tensor in zip(step.arguments, tensors, strict=True):
        base, _, place = name.partition(".")
        if not place:
            arguments[name] = tensor
        elif base not in step.settings:
            arguments.setdefault(base, []).append(tensor)
    for name, value in step.settings.items():
        arguments[name] = tensors[value.n] if isinstance(value, InputRef) else value
    return arguments
