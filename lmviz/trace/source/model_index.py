"""What a model is made of: the paths of its modules and weights, and the files that hold its source."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any

from torch import Tensor, nn

from lmviz.trace.source.compiled import path_inside
from lmviz.trace.torch_private import is_cover


class ModelIndex:
    """Names for what a recording meets, by identity."""

    def __init__(self) -> None:
        self.paths: dict[int, str] = {}  # id of a module -> where it stands in the model
        self.weights: dict[int, str] = {}  # id of a parameter or buffer -> its path
        self._files: set[str] = set()
        self._codes: dict[int, CodeType] = {}

    def add(self, model: Callable[..., Any], prefix: str = "", substitutes: Mapping[int, Tensor] | None = None) -> None:
        """Note a model, or a function; `substitutes` are edited weights, by the ids of the model's own."""
        if not isinstance(model, nn.Module):
            self._files.update(_files_of([model]))
            return
        for path, module in model.named_modules():
            self.paths.setdefault(id(module), join(prefix, path_inside(path)))
            if not is_cover(module):
                self._note_source(module)
        for named in (model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)):
            for path, tensor in named:
                whole = join(prefix, path_inside(path))
                self.weights.setdefault(id(tensor), whole)
                self.weights.setdefault(id((substitutes or {}).get(id(tensor), tensor)), whole)

    def _note_source(self, module: nn.Module) -> None:
        """A user's module shows the files that it is written in; one of torch's, if it has parts, its own methods."""
        methods = [method for method in vars(type(module)).values() if inspect.isfunction(method)]
        if type(module).__module__.split(".")[0] != "torch":
            owner = sys.modules.get(type(module).__module__)
            self._files.update(_files_of([module.forward, *methods]))
            self._files.update(name for name in [getattr(owner, "__file__", None)] if name)
        elif next(module.children(), None) is not None:
            self._codes.update({id(method.__code__): method.__code__ for method in methods})

    def shows(self, code: CodeType) -> bool:
        """Whether this function's source is a part of the lesson."""
        return code.co_filename in self._files or id(code) in self._codes

    def is_torch(self, code: CodeType) -> bool:
        return id(code) in self._codes

    def path_of(self, module: nn.Module | None, prefix: str) -> str:
        """A module's path; for one that the model does not list, its class's name."""
        if module is None:
            return prefix
        return self.paths.get(id(module), join(prefix, type(module).__name__.lower()))


def join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix and name else prefix or name


def _files_of(functions: Iterable[Any]) -> set[str]:
    """The files of functions and of what they wrap; of an object that can be called, that of its `__call__`."""
    files = set()
    for function in functions:
        inner = inspect.unwrap(getattr(function, "func", function))  # of functools.partial, too
        call = type(inner).__call__ if callable(inner) else None
        code = getattr(inner, "__code__", None) or getattr(call, "__code__", None)
        if isinstance(code, CodeType):
            files.add(code.co_filename)
    return files
