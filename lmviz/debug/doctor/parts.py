"""The parts of a model: those that torch does not know of."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from lmviz.debug.doctor.finding import Finding
from lmviz.debug.subject import Subject


def registered(subject: Subject) -> Finding:
    """torch knows every part of a model that learns. Measured: those that stand in a plain list, or are plain tensors.

    `model.parameters()`, and with it the optimiser, does not see them, and they are not saved.

    Source: torch.nn.ModuleList.
    """
    known = {id(one) for one in (*subject.model.modules(), *subject.model.parameters(), *subject.model.buffers())}
    found = [path for path, part in _held(subject.model) if id(part) not in known]
    details = {"where": found[0] if found else "", "kind": "list"}
    return Finding("registered", not found, len(found), 0, details=details)


def _held(model: nn.Module) -> Iterator[tuple[str, object]]:
    """The parts and weights among the plain attributes of a model's parts."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name.startswith("_"):
                continue
            for one in _inside(value, 0):
                yield f"{path}.{name}".strip("."), one


def _inside(value: object, depth: int) -> Iterator[object]:
    if isinstance(value, nn.Module):
        yield from [value] if any(weight.requires_grad for weight in value.parameters()) else []  # else: a teacher
    elif isinstance(value, Tensor):
        yield from [value] if value.requires_grad and value.is_leaf else []
    elif depth < 3 and isinstance(value, list | tuple | set):
        for one in value:
            yield from _inside(one, depth + 1)
    elif depth < 3 and isinstance(value, dict):
        for one in value.values():
            yield from _inside(one, depth + 1)
