"""Which tensors a recording holds on to: within a budget, and never a number that has been overwritten since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from lmviz.trace.capture.handles import (
    ATOMS,
    TensorHandle,
    map_nested,
    place_of,
    sample_of,
    storage_of,
    tensors_in,
    version_of,
)
from lmviz.trace.capture.raw import RawCall, RawStep
from lmviz.trace.torch_private import is_inside_func

_IN_PLACE = frozenset(("cpu", "meta"))  # devices whose tensors are kept as they are


class Memory:
    """The handles of one recording.

    `budget` bytes are for what steps make, and as many for what module calls were given.
    """

    def __init__(
        self,
        budget: int,
        gradients: bool = False,
        known: Iterable[TensorHandle] = (),
        keep: range | None = None,
    ) -> None:
        self.budget, self.spent, self.spent_on_calls = budget, 0, 0
        self.now = 0  # the step that is beginning
        self._noted: dict[int, tuple[int, int]] = {}  # of operands, by identity: version and place at the end
        self._gradients = gradients
        self._keep = keep  # of a replay: the steps that it was run for
        self._handles: dict[int, TensorHandle] = {
            id(t): handle for handle in known if (t := handle.alive()) is not None
        }
        self._sharing: dict[int, list[TensorHandle]] = {}  # where numbers lie -> the handles that keep them
        self._overwriting: dict[int, RawStep] = {}  # where numbers lie -> the last step that wrote there

    @property
    def handles(self) -> tuple[TensorHandle, ...]:
        """The tensors as they are now."""
        return tuple(self._handles.values())

    # -- handles -------------------------------------------------------------------------------------------------------

    def hold(self, value: Any) -> Any:
        """The handle of a tensor; anything else as it is, down to the tensors in it."""
        if isinstance(value, Tensor):
            return self.handle_of(value)
        return value if type(value) in ATOMS else map_nested(value, Tensor, self.handle_of)

    def handle_of(self, tensor: Tensor) -> TensorHandle:
        """The handle of a tensor as it is now.

        What no step has made is a weight, an input or a constant, and is kept.
        """
        handle = self._handles.get(id(tensor))
        version, place = self._state(tensor)
        if handle is not None and handle.is_of(tensor) and handle.version == version:
            return handle
        new = self._handles[id(tensor)] = TensorHandle(tensor, version)
        if handle is not None and handle.alive() is tensor and (writer := self._overwriting.get(storage_of(tensor)[0])):
            new.before, new.step, new.output, new.met = handle, writer.index, len(writer.outputs), self.now
            writer.outputs = (*writer.outputs, new)  # overwritten through another tensor
        if new.step >= 0:
            self._keep_if_it_fits(new, tensor)
        elif place == place_of(tensor):  # else it is somewhere else since: after model.half(), for one
            self._keep_in(new, tensor)
        return new

    def note(self, tensors: list[Tensor], versions: list[int], places: list[int]) -> None:
        """Remember how tensors were when the recording ended, so that a weight changed since can't pass for it."""
        self._noted.update(zip(map(id, tensors), zip(versions, places, strict=True), strict=True))

    def _state(self, tensor: Tensor) -> tuple[int, int]:
        """A tensor's version, and where it lies: now, or when the recording ended."""
        return self._noted.get(id(tensor)) or (version_of(tensor), place_of(tensor))

    def make(self, step: RawStep, tensors: list[Tensor]) -> None:
        """New handles for what a step has made, kept as far as the budget goes."""
        step.outputs = tuple(
            TensorHandle(tensor, self._state(tensor)[0], step.index, i) for i, tensor in enumerate(tensors)
        )
        for handle, tensor in zip(step.outputs, tensors, strict=True):
            self._handles[id(tensor)] = handle
            if self._keep is None or step.index in self._keep:
                self._keep_if_it_fits(handle, tensor)

    def _keep_if_it_fits(self, handle: TensorHandle, tensor: Tensor) -> None:
        if self._gradients or self._afford(tensor):
            self._keep_in(handle, tensor)
        else:
            handle.sample = sample_of(tensor)

    def _keep_in(self, handle: TensorHandle, tensor: Tensor) -> None:
        handle.kept = tensor if is_inside_func(tensor) else tensor.detach()
        if tensor.device.type not in _IN_PLACE:
            handle.kept, handle.copied = handle.kept.cpu(), True
        if self._gradients and tensor.requires_grad:
            handle.edge = _edge_of(tensor)
        place, _ = storage_of(tensor)
        if place and not handle.copied:
            self._sharing.setdefault(place, []).append(handle)

    def _afford(self, tensor: Tensor) -> bool:
        size = self._price(tensor)
        if self.spent + size > self.budget:
            return False
        self.spent += size
        return True

    def _price(self, tensor: Tensor) -> int:
        """The bytes that keeping a tensor would add to what is kept already."""
        place, size = storage_of(tensor)
        return 0 if tensor.is_meta or place in self._sharing else size

    # -- module calls ------------------------------------------------------------------------------------------------

    def keep_inputs(self, call: RawCall) -> None:
        """Hold what a call was given, so that it can be run again; what is kept already costs nothing."""
        given = (call.args, call.kwargs)
        call.args, call.kwargs = (self.hold(given[0]), self.hold(given[1])) if _is_plain(given) else (None, None)
        if self._keep is not None:  # a replay is not replayed
            call.args = call.kwargs = None
            return
        missing = {handle: t for t in tensors_in(given) if (handle := self.handle_of(t)).kept is None}
        price = sum(self._price(tensor) for tensor in missing.values())
        if _is_leaf(call.module) or self.spent_on_calls + price > self.budget:
            return
        self.spent_on_calls += price
        for handle, tensor in missing.items():
            self._keep_in(handle, tensor)

    # -- operations in place -----------------------------------------------------------------------------------------

    def before_overwriting(self, targets: list[Tensor]) -> None:
        """Copy what is kept of numbers that are about to go: of weights and inputs always, of the rest if it fits."""
        for tensor in targets:
            place, size = storage_of(tensor)
            sharing = self._sharing.pop(place, [])
            fits = self._gradients or self.spent + size <= self.budget
            for handle in sharing:
                handle.overwritten = True
                if not fits and handle.step >= 0 and handle.kept is not None:
                    handle.sample, handle.kept = sample_of(handle.kept), None
            if any(handle.kept is not None for handle in sharing):
                self.spent += size
                _copy(sharing)

    def after_overwriting(self, targets: list[Tensor], step: RawStep) -> None:
        self._overwriting.update({storage_of(tensor)[0]: step for tensor in targets})


def _edge_of(tensor: Tensor) -> GradientEdge | None:
    """Where a tensor's gradient comes along; None for a view of a weight that was made where gradients are off, which
    says that it requires one and has none."""
    try:
        return get_gradient_edge(tensor)
    except AssertionError:
        return None


def _copy(handles: list[TensorHandle]) -> None:
    """Give handles that share memory a common copy of it, which nobody writes to."""
    storage: torch.UntypedStorage | None = None
    for handle in handles:
        kept = handle.kept
        if kept is None:
            continue
        if kept.layout is not torch.strided or kept.is_conj() or kept.is_neg() or kept.is_nested:
            handle.kept = kept.clone()
        else:
            storage = kept.untyped_storage().clone() if storage is None else storage
            empty = torch.empty(0, dtype=kept.dtype, device=kept.device)
            handle.kept = empty.set_(storage, kept.storage_offset(), kept.shape, kept.stride())
        handle.version = version_of(handle.kept)


def _is_leaf(module: nn.Module | None) -> bool:
    """Whether running a module again is hardly less than running what is around it."""
    return module is None or next(module.children(), None) is None


def _is_plain(value: Any) -> bool:
    """Whether a call's arguments are tensors and settings only: anything else may be changed by whoever owns it."""
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    if type(value) is dict:
        return all(_is_plain(item) for item in value.values())
    return isinstance(value, Tensor) or type(value) in ATOMS
