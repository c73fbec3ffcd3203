"""What is private to torch, all of it: a new version of torch may change these names, and no other file uses any.

Each has beside it why the public names do not do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.overrides
from torch import Tensor, nn
from torch._C import (
    _functorch,
    _is_any_autocast_enabled,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
)
from torch.overrides import TorchFunctionMode, handle_torch_function, has_torch_function

# -- modules and frames: a call of a module is known by the code of the frames that torch puts around `forward` --------

WRAPPED_CALL_CODE = nn.Module._wrapped_call_impl.__code__  # its locals have the arguments before any hook
CALL_CODE = nn.Module._call_impl.__code__  # the frame inside it, which is passed over
HAND_OVER_CODE = handle_torch_function.__code__  # between `F.softmax`, say, and the mode

# -- the mode stack: `with mode` sets more up than a recording needs, and a recording begins often ---------------------

push_mode: Callable[[TorchFunctionMode], None] = _push_on_torch_function_stack
pop_mode: Callable[[], TorchFunctionMode] = _pop_torch_function_stack


def current_mode() -> TorchFunctionMode | None:
    """The innermost mode that runs; public code is called by a mode, and can't ask for it."""
    mode: TorchFunctionMode | None = torch.overrides._get_current_function_mode()
    return mode


def without_current_mode() -> AbstractContextManager[Any]:
    """A context without the innermost mode; `DisableTorchFunction` would switch all of them off."""
    context: AbstractContextManager[Any] = torch.overrides._pop_mode_temporarily()
    return context


def answer_has_torch_function(answer: Callable[[Iterable[Any]], bool] | None) -> None:
    """Let modules that ask `torch.overrides.has_torch_function` have this answer; None: torch's own again.

    The attention modules of torch ask it before they take their fast path, and there is no public way to be left out.
    """
    torch.overrides.has_torch_function = has_torch_function if answer is None else answer  # type: ignore[assignment]


# -- tensors ---------------------------------------------------------------------------------------------------------


def version_of(tensor: Tensor) -> int:
    """How often a tensor was written to. autograd counts it for its own checks; nothing public says it."""
    return int(tensor._version)


def versions_of(tensors: list[Tensor]) -> list[int]:
    """The same of many, without a call of Python for each."""
    return [tensor._version for tensor in tensors]


def keep_alive(tensor: Tensor) -> None:
    """After a weak reference was followed: torch may have been the only holder, and must not let the tensor go."""
    tensor._fix_weakref()  # type: ignore[attr-defined]


def is_inside_func(tensor: Tensor) -> bool:
    """Whether it exists only inside `torch.func` (vmap, grad), so that its numbers can't be read there."""
    return bool(_functorch.is_functorch_wrapped_tensor(tensor))


def is_of_vmap(tensor: Tensor) -> bool:
    """Whether it stands for several tensors, which `vmap` goes through."""
    while is_inside_func(tensor):
        if _functorch.maybe_get_bdim(tensor) >= 0:
            return True
        tensor = _functorch.get_unwrapped(tensor)
    return False


def first_of_func(tensor: Tensor) -> Tensor:
    """The plain numbers of a tensor from inside `torch.func`, read outside: of what `vmap` stands for, the first."""
    axes = []
    while is_inside_func(tensor):
        axes.append(_functorch.maybe_get_bdim(tensor))  # -1: it is none of vmap's
        tensor = _functorch.get_unwrapped(tensor)
    for axis in reversed(axes):
        tensor = tensor if axis < 0 else tensor.select(axis, 0)
    return tensor


def safe_softmax(scores: Tensor, dim: int) -> Tensor:
    """Softmax, with 0 where a row is masked as a whole: what fused attention uses, and `F.softmax` does not do."""
    pattern: Tensor = torch._safe_softmax(scores, dim=dim)
    return pattern


def is_autocast_on() -> bool:
    """Whether autocast is on for any device; the public question is for one device, and is asked more slowly."""
    return bool(_is_any_autocast_enabled())


# -- operations: what torch declares of those that have no record ------------------------------------------------------


def overload_of(function: Any) -> Any:
    """The first overload of an operation of `torch.ops`; None for any other function."""
    if isinstance(function, torch._ops.OpOverloadPacket):
        function = getattr(function, function.overloads()[0])
    return function if isinstance(function, torch._ops.OpOverload) else None


def overloads_of(name: str) -> list[Any]:
    """All overloads of the operation that `torch.ops.aten` has under a name."""
    packet = getattr(torch.ops.aten, name, None)
    if not isinstance(packet, torch._ops.OpOverloadPacket):
        return []
    return [getattr(packet, overload) for overload in packet.overloads()]


def declared_arguments(overload: Any) -> list[Any]:
    """The arguments of an overload: `name`, `kwarg_only`, and `alias_info`, which says whether it is written to."""
    return [*overload._schema.arguments]


# -- compiled models: what torch.compile puts around a module has no public name ---------------------------------------

COMPILED_INSIDE = "_orig_mod"  # the part of a cover that is the module itself


def is_compiler_loaded() -> bool:
    """Whether something was compiled; asking the compiler itself would import it, for seconds."""
    return "torch._dynamo" in sys.modules


def is_cover(module: nn.Module) -> bool:
    """Whether a module is nothing but torch.compile's cover of another one."""
    return type(module).__module__.startswith("torch._dynamo") and COMPILED_INSIDE in module._modules
