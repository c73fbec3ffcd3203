"""What a recorder must know of a torch function: its canonical name, its arguments, what it overwrites or draws."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from lmviz.trace import torch_private
from lmviz.trace.operations.operation import Operation, names_of
from lmviz.trace.operations.table import SPELLINGS

_SILENT = frozenset(  # they read about a tensor, and make none
    "size dim numel stride storage_offset data_ptr item tolist numpy is_floating_point is_complex is_contiguous "
    "element_size nelement ndimension get_device untyped_storage register_hook requires_grad_ retain_grad backward "
    "share_memory_ is_same_size __len__ __bool__ __int__ __float__ __index__ __repr__ __format__ __contains__ "
    "__array__ __hash__ __deepcopy__ __reduce_ex__ allclose equal is_nonzero is_tensor is_pinned is_shared".split()
)
_IN_PLACE_DUNDERS = frozenset(
    "__iadd__ __isub__ __imul__ __idiv__ __itruediv__ __ifloordiv__ __imod__ __ipow__ __iand__ __ior__ __ixor__ "
    "__ilshift__ __irshift__ __imatmul__ __setitem__".split()
)
_REVERSED = frozenset("__rsub__ __rdiv__ __rtruediv__ __rfloordiv__ __rmod__ __rpow__ __rmatmul__ rsub".split())
_PROPERTIES = frozenset("T mT H mH real imag data grad".split())
_RANDOM = frozenset(  # written in Python, so torch's own table of operations doesn't have them
    "gumbel_softmax feature_alpha_dropout "
    "fractional_max_pool2d fractional_max_pool3d fractional_max_pool2d_with_indices "
    "fractional_max_pool3d_with_indices pca_lowrank svd_lowrank trunc_normal_ kaiming_uniform_ kaiming_normal_ "
    "xavier_uniform_ xavier_normal_ orthogonal_ sparse_".split()
)


@dataclass(frozen=True, slots=True, eq=False)
class TorchFunction:
    """What a recorder must know of one torch function.

    `in_place` overwrites its first argument; `reverse` was called with its operands the other way round (`1 - x`);
    `random` may draw from a generator; `lists` may be given lists, which their owner can change later; `special` is
    any that does more than make new tensors.
    """

    name: str
    arguments: tuple[str, ...] = ()
    variadic: str = ""  # the argument that takes the rest of the positional ones
    defaults: Mapping[str, object] = field(default_factory=dict)
    in_place: bool = False
    reverse: bool = False
    random: bool = False
    lists: bool = True
    special: bool = False
    writes: tuple[int, ...] = ()  # positions of arguments that an operation of a library's own overwrites
    writes_if: tuple[str, tuple[str, ...]] = ("", ())  # when this argument is true, those are overwritten
    otherwise: tuple[int, tuple[str, ...]] = (-1, ())  # if there are tensors at this position, these are the arguments

    def names(self, args: tuple[Any, ...]) -> tuple[str, ...]:
        """The names of a call's positional arguments, be they tensors or handles."""
        position, names = self.otherwise
        return names if names and len(args) > position and not _is_plain(args[position]) else self.arguments

    def argument(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What a call was given as `name`; None if nothing."""
        if name in kwargs:
            return kwargs[name]
        names = self.names(args)
        position = names.index(name) if name in names else len(args)
        return args[position] if position < len(args) else None

    def overwrites_first(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call is of the kind that puts its result in the place of its first argument."""
        return self.in_place or bool(self.argument("inplace", args, kwargs))

    def overwritten(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The arguments that a call writes to."""
        if kwargs.get("out") is not None:
            return (kwargs["out"],)
        if self.overwrites_first(args, kwargs):
            return (args[0] if args else kwargs.get("input", kwargs.get("tensor")),)  # torch.nn.init says "tensor"
        if self.writes:
            return tuple(args[i] for i in self.writes if i < len(args))
        condition, names = self.writes_if
        written = names if condition and self.argument(condition, args, kwargs) else ()
        return tuple(value for name in written if (value := self.argument(name, args, kwargs)) is not None)

    def does_more(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call of a special operation does more than make new tensors."""
        return bool(self.overwritten(args, kwargs)) or self.draws(args, kwargs)

    def draws(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Whether a call may draw from torch's global stream of random numbers."""
        if not self.random or kwargs.get("generator") is not None:
            return False
        if any(name in self.arguments and not self.argument(name, args, kwargs) for name in ("dropout_p", "dropout")):
            return False
        return all(self.argument(name, args, kwargs) is not False for name in ("training", "train"))


def _is_plain(value: Any) -> bool:
    """Whether an argument is a setting, and holds no tensor."""
    inner = value[0] if isinstance(value, list | tuple) and value else value
    return inner is None or isinstance(inner, int | float | str)


def torch_function_of(func: Callable[..., Any]) -> TorchFunction | None:
    """The operation that a torch function stands for; None for what only reads about a tensor (shape, dtype)."""
    name: str = getattr(func, "__name__", "") or type(func).__name__
    if name == "__get__":
        name = getattr(getattr(func, "__self__", None), "__name__", "")
        return _op(func, name, name, False) if name in _PROPERTIES else None
    if name == "__set__" or name in _SILENT:
        return None
    in_place = name in _IN_PLACE_DUNDERS or (name.endswith("_") and not name.endswith("__"))
    return _op(func, name, _plain(name, in_place), in_place)


def _plain(name: str, in_place: bool) -> str:
    """`__iadd__` and `add_` are "add"."""
    if name.startswith("__") and name.endswith("__"):
        return name[3:-2] if in_place and name != "__setitem__" else name[2:-2]
    return name[:-1] if in_place else name


def _record_of(func: Callable[..., Any], name: str, plain: str) -> tuple[str, Operation] | None:
    """The record of what a function does, and the spelling that it was found under."""
    home = getattr(func, "__module__", None) or ""
    for spelling in (f"{home.removeprefix('torch.nn.')}.{name}", name, plain):
        if spelling in SPELLINGS:
            return spelling, SPELLINGS[spelling]
    return None


def _op(func: Callable[..., Any], name: str, plain: str, in_place: bool) -> TorchFunction:
    found = _record_of(func, name, plain)
    if found is None:
        return _unlisted(func, name, plain, in_place)
    spelling, record = found
    names, (position, others) = names_of(record.arguments), record.otherwise
    if func is torch.Tensor.where:
        names = ("input", "condition", "other")
    random = record.random or name in _RANDOM or _is_seeded(name)
    condition, overwritten = record.writes
    return TorchFunction(
        record.name,
        names,
        record.variadic,
        {**record.defaults, **record.implied.get(spelling, {})},
        in_place,
        name in _REVERSED,
        random,
        lists=record.takes_lists,
        special=in_place or random or bool(condition) or "inplace" in names,
        writes_if=(condition, tuple(overwritten.split())),
        otherwise=(position, names_of(others)),
    )


def _unlisted(func: Callable[..., Any], name: str, plain: str, in_place: bool) -> TorchFunction:
    names, random, writes = _declared(func, name), name in _RANDOM or _is_seeded(name), _written(func)
    return TorchFunction(
        plain,
        names,
        in_place=in_place,
        reverse=name in _REVERSED,
        random=random,
        special=in_place or random or "inplace" in names or bool(writes),
        writes=writes,
    )


def _declared(func: Callable[..., Any], name: str) -> tuple[str, ...]:
    """The names that torch itself gives to the positional arguments of an operation that is not listed."""
    if inspect.isfunction(func):
        return tuple("input" if argument == "self" else argument for argument in inspect.signature(func).parameters)
    overload = torch_private.overload_of(func) or next(iter(torch_private.overloads_of(name)), None)
    arguments = [] if overload is None else torch_private.declared_arguments(overload)
    return tuple("input" if a.name == "self" else a.name for a in arguments if not a.kwarg_only)


def _written(func: Callable[..., Any]) -> tuple[int, ...]:
    """What an operation of `torch.ops` declares that it overwrites."""
    overload = torch_private.overload_of(func)
    arguments = enumerate([] if overload is None else torch_private.declared_arguments(overload))
    return tuple(i for i, a in arguments if a.alias_info is not None and a.alias_info.is_write and not a.kwarg_only)


def _is_seeded(name: str) -> bool:
    """Whether torch's table of operations says that this one draws random numbers."""
    return any(torch.Tag.nondeterministic_seeded in overload.tags for overload in torch_private.overloads_of(name))
