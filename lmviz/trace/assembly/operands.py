"""A call's arguments, sorted: its tensors with the names they were passed as, and its other settings."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch

from lmviz.trace.capture.handles import TensorHandle, map_nested
from lmviz.trace.capture.raw import RawStep
from lmviz.trace.step import InputRef

_KEYWORDS = {"axis": "dim", "keepdims": "keepdim", "tensor": "input"}
_BY_TYPE = {torch.dtype: "dtype", torch.device: "device", TensorHandle: "other"}  # x.to(torch.float16), x.to(y)
_OUT_OF_SIGHT = frozenset(("_stacklevel",))


class Operands:
    """The tensors (`handles`), their argument names and the settings of one call; defaults are filled in."""

    __slots__ = ("handles", "names", "settings")

    def __init__(self, step: RawStep) -> None:
        self.handles: list[TensorHandle] = []
        self.names: list[str] = []
        self.settings: dict[str, Any] = dict(step.op.defaults)
        for name, value in _named(step):
            self._note(name, value)

    def _note(self, name: str, value: Any) -> None:
        if isinstance(value, TensorHandle):
            self.handles.append(value)
            self.names.append(name)
        elif isinstance(value, list | tuple) and value and all(isinstance(item, TensorHandle) for item in value):
            for i, item in enumerate(value):
                self._note(f"{name}.{i}", item)
        elif name not in _OUT_OF_SIGHT:
            self.settings[name] = map_nested(value, TensorHandle, partial(self._reference, name))

    def _reference(self, name: str, handle: TensorHandle) -> InputRef:
        """A tensor inside a setting, as in `x[:, mask]`."""
        self.handles.append(handle)
        self.names.append(f"{name}.{len(self.handles) - 1}")
        return InputRef(len(self.handles) - 1)


def _named(step: RawStep) -> Iterable[tuple[str, Any]]:
    """A call's arguments by name; positions without a name are numbered from 1."""
    args, names = step.args, step.op.names(step.args)
    if step.op.reverse and len(args) >= 2:
        args = (args[1], args[0], *args[2:])
    for i, value in enumerate(args):
        name = names[i] if i < len(names) else _BY_TYPE.get(type(value), f"argument_{i + 1}")
        if name == step.op.variadic and not isinstance(value, list | tuple):
            yield name, list(args[i:])
            break
        yield name, value
    for name, value in step.kwargs.items():
        yield _KEYWORDS.get(name, name), value
