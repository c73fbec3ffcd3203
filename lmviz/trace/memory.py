"""Which tensors a recording holds on to: within a budget, and never a number that has been overwritten since."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Size, Tensor
from torch.autograd.graph import get_gradient_edge

from lmviz.trace.raw import RawCall, RawStep
from lmviz.trace.slots import Slot, map_nested, size_of, storage_of, tensors_in, version_of

ATOMS = frozenset((int, float, bool, str, complex, type(None), type(...), torch.dtype, Size, torch.device, torch.layout))

Notes = dict[int, tuple[int, int]]  # id of a tensor -> its version, and where its numbers lie


class Memory:
    """The slots of one recording. `budget` bytes for what steps make, and as many for what module calls were given."""

    def __init__(self, budget: int, gradients: bool, known: Iterable[Slot], keep: Callable[[int], bool] | None) -> None:
        self.budget, self.spent, self.spent_on_calls = budget, 0, 0
        self._gradients = gradients
        self._keep = keep  # of a replay: the steps that it was run for
        self._slots: dict[int, Slot] = {id(t): slot for slot in known if (t := slot.alive()) is not None}
        self._sharing: dict[int, list[Slot]] = {}  # where numbers lie -> the slots that keep them
        self._overwriting: dict[int, RawStep] = {}  # where numbers lie -> the last step that wrote there
        self.notes: Notes = {}  # how tensors were when the recording ended, for those that are looked at later

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The tensors as they are now."""
        return tuple(self._slots.values())

    # -- slots -------------------------------------------------------------------------------------------------------

    def hold(self, value: Any) -> Any:
        """The slot of a tensor; anything else as it is, down to the tensors in it."""
        if isinstance(value, Tensor):
            return self.slot_of(value)
        return value if type(value) in ATOMS else map_nested(value, Tensor, self.slot_of)

    def slot_of(self, tensor: Tensor) -> Slot:
        """The slot of a tensor as it is now. What no step has made is a weight, an input or a constant, and is kept."""
        version, place = self.notes.get(id(tensor)) or (version_of(tensor), None)
        slot = self._slots.get(id(tensor))
        if slot is not None and slot.of_this(tensor, version):
            return slot
        new = self._slots[id(tensor)] = Slot(tensor, version)
        if place is None or place == storage_place(tensor):  # else it was moved, or replaced, after the recording
            self._keep_in(new, tensor)
        if slot is not None and slot.alive() is tensor:
            self._note_alias(slot, new, tensor)
        return new

    def _note_alias(self, old: Slot, new: Slot, tensor: Tensor) -> None:
        """What was overwritten through another tensor is one more output of the step that did it."""
        step = self._overwriting.get(storage_of(tensor)[0])
        if step is not None:
            new.before, new.step, new.output = old, step.index, len(step.outputs)
            step.outputs = (*step.outputs, new)

    def made(self, tensor: Tensor, step: int, output: int) -> Slot:
        """A new slot for a tensor that a step has made, kept if the budget allows."""
        note = self.notes.get(id(tensor))
        slot = self._slots[id(tensor)] = Slot(tensor, note[0] if note else version_of(tensor), step, output)
        if self._gradients or ((self._keep is None or self._keep(step)) and self._afford(tensor)):
            self._keep_in(slot, tensor)
        else:
            slot.sample = sample(tensor)
        return slot

    def _keep_in(self, slot: Slot, tensor: Tensor) -> None:
        slot.kept = tensor.detach()
        if self._gradients and tensor.requires_grad:
            slot.edge = get_gradient_edge(tensor)
        place, _ = storage_of(tensor)
        if place:
            self._sharing.setdefault(place, []).append(slot)

    def _afford(self, tensor: Tensor) -> bool:
        place, size = storage_of(tensor)
        if tensor.is_meta or place in self._sharing:  # no numbers, or those that are kept already
            return True
        if self.spent + size > self.budget:
            return False
        self.spent += size
        return True

    # -- module calls ------------------------------------------------------------------------------------------------

    def keep_inputs(self, call: RawCall) -> None:
        """Hold what a call was given, so that it can be run again; what is kept already costs nothing."""
        given = (call.args, call.kwargs)
        call.args, call.kwargs = self.hold(call.args), self.hold(call.kwargs)
        missing = {slot: t for t in tensors_in(given) if (slot := self._slots[id(t)]).kept is None}
        size = sum(size_of(tensor) for tensor in missing.values())
        is_leaf = call.module is None or next(call.module.children(), None) is None
        if missing and (is_leaf or self.spent_on_calls + size > self.budget):
            return
        self.spent_on_calls += size
        for slot, tensor in missing.items():
            self._keep_in(slot, tensor)

    # -- operations in place -----------------------------------------------------------------------------------------

    def before_overwriting(self, targets: Iterable[Any]) -> None:
        """Copy what is kept of the memory that is about to be written to; weights and inputs always, the rest if it fits."""
        for tensor in tensors_in(list(targets)):
            place, size = storage_of(tensor)
            sharing = self._sharing.pop(place, [])
            fits = self.spent + size <= self.budget or self._gradients
            wanted = [slot for slot in sharing if fits or slot.step < 0]
            for slot in sharing:
                slot.kept = slot.kept if slot in wanted else None
            if wanted:
                self.spent += size
                freeze(wanted)

    def overwritten(self, targets: Iterable[Any], step: RawStep) -> None:
        for tensor in tensors_in(list(targets)):
            self._overwriting[storage_of(tensor)[0]] = step


def freeze(slots: list[Slot]) -> None:
    """Give slots that share memory a common copy of it, which nobody else writes to."""
    storage: Any = None
    for slot in slots:
        kept = slot.kept
        if kept is None:
            continue
        if kept.layout is not torch.strided or kept.is_conj() or kept.is_neg() or kept.is_nested:
            slot.kept = kept.clone()
        else:
            storage = kept.untyped_storage().clone() if storage is None else storage
            empty = torch.empty(0, dtype=kept.dtype, device=kept.device)
            slot.kept = empty.set_(storage, kept.storage_offset(), kept.shape, kept.stride())
        slot.version = version_of(slot.kept)
