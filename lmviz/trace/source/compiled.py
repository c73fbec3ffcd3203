"""Models that were compiled: what torch.compile made is run as its source says; what TorchScript made has no source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from lmviz.errors import UserError
from lmviz.trace import torch_private


def uncompiled() -> AbstractContextManager[Any]:
    """A context in which what torch.compile made runs as Python, call by call."""
    if not torch_private.is_compiler_loaded():
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def path_inside(path: str) -> str:
    """The path of a module or weight as it was before compiling."""
    return ".".join(part for part in path.split(".") if part != torch_private.COMPILED_INSIDE)


def check_has_source(model: nn.Module | Callable[..., Any]) -> None:
    """A UserError if a part of a model, or all of it, is TorchScript, of which no call can be seen."""
    parts = model.named_modules() if isinstance(model, nn.Module) else [("", model)]
    for path, part in parts:
        if isinstance(part, torch.jit.ScriptModule | torch.jit.ScriptFunction):
            raise UserError(
                "A model must be Python to be followed; {part} is TorchScript: record what it was made from.",
                part=path or "this one",
            )
