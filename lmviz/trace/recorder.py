"""`record()`: run a model once and return every step that it took."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.trace.build import Segment, build
from lmviz.trace.mode import BUDGET, Edit, Recorder, edited
from lmviz.trace.replay import Replayer
from lmviz.trace.slots import tensors_in
from lmviz.trace.step import Trace


def record(
    model: nn.Module,
    *inputs: Any,
    edits: Mapping[str, Edit] | None = None,
    backward: Callable[[Any], Tensor] | None = None,
    seed: int = 0,
    budget: int = BUDGET,
    follows: Trace | None = None,
    prefix: str = "",
    **kwargs: Any,
) -> Trace:
    """Run `model(*inputs, **kwargs)` once; return a trace with one step for each torch call.

    What the model computes is not changed by recording it: its output is the same to the last bit. Whether gradients
    are on is the caller's choice. Random draws (dropout) come from a stream of their own that starts at `seed`, so the
    same call twice gives the same trace.

    Args:
        edits: for an address, a function from the tensor that was made there to one of the same shape that takes its
            place for the rest of the run. A weight's path ("blocks.0.attn.w_q.weight") is an address too.
        backward: from the model's output to a scalar loss; every recorded value that it depends on then has `.grad`.
            The model's own `.grad` fields are left alone.
        budget: bytes of activations to keep, and as many again for the inputs of module calls. What was not kept is
            computed again when it is read. Ignored with `backward`, which needs everything.
        follows: a trace to continue: what `model` is given may come from it, and addresses go on.
        prefix: put before every address, for a model that is a part of something.

    Returns:
        A trace; if the model raised, up to where it did, with `trace.failure`.

    Raises:
        UserError: an edit names no step, or returns another shape.
    """
    earlier = _segments(follows)
    targets, substitutes = _edit_targets(model, edits or {}, inputs, kwargs, seed, earlier, prefix)
    known = [slot for segment in earlier for slot in segment.recorder.slots]
    first = sum(len(segment.recorder.steps) for segment in earlier)
    recorder = Recorder(
        budget=budget,
        seed=seed,
        gradients=backward is not None,
        edits=targets,
        substitutes=substitutes,
        known=known,
        first=first,
    )
    run = partial(model, *inputs, **kwargs)
    names = _named_inputs(model, inputs, kwargs)
    if backward is None:
        result = recorder.run(run)
        settle = partial(_replay_with, recorder, run, targets, substitutes)
        return build((*earlier, Segment(recorder, model, prefix, names, result, settle=settle)))
    with torch.enable_grad():
        result, loss = recorder.run(lambda: _with_loss(run, backward)) or (None, None)
    _settle_gradients(recorder, loss)
    value = float(loss.detach()) if loss is not None else None
    return build((*earlier, Segment(recorder, model, prefix, names, result, value, backward)))


def _with_loss(run: Callable[[], Any], backward: Callable[[Any], Tensor]) -> tuple[Any, Tensor]:
    result = run()
    loss = backward(result)
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        found = f"a tensor of shape {list(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise UserError("backward must return one number, the loss, as a tensor; it returned {found}.", found=found)
    return result, loss


def _settle_gradients(recorder: Recorder, loss: Tensor | None) -> None:
    """Gradients of every recorded tensor, without touching the model's own; then let the graph go."""
    slots = [slot for slot in recorder.slots_met if slot.kept is not None and slot.kept.requires_grad]
    if loss is not None and loss.requires_grad and slots:
        kept = [slot.kept for slot in slots if slot.kept is not None]
        grads = torch.autograd.grad(loss.sum(), kept, allow_unused=True)
        for slot, grad in zip(slots, grads, strict=True):
            slot.grad = grad
    for slot in slots:
        if slot.kept is not None:
            slot.kept = slot.kept.detach()


def _replay_with(
    recorder: Recorder, run: Callable[[], Any], edits: Mapping[tuple[int, ...], Edit], substitutes: Mapping[int, Tensor]
) -> None:
    dropped = [slot for step in recorder.steps for slot in step.outputs if slot.kept is None]
    if dropped:
        replayer = Replayer(recorder, run, edits, substitutes)
        for slot in dropped:
            slot.again = partial(replayer.tensor, slot)


def _edit_targets(
    model: nn.Module,
    edits: Mapping[str, Edit],
    inputs: tuple[Any, ...],
    kwargs: dict[str, Any],
    seed: int,
    earlier: tuple[Segment, ...],
    prefix: str,
) -> tuple[dict[tuple[int, ...], Edit], dict[int, Tensor]]:
    """What each edit replaces: outputs by step and number, and weights by identity."""
    if not edits:
        return {}, {}
    weights = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    substitutes = {id(weights[name]): edited(edit, weights[name]) for name, edit in edits.items() if name in weights}
    wanted = {name: edit for name, edit in edits.items() if name not in weights}
    if not wanted:
        return {}, substitutes
    survey = Recorder(budget=0, seed=seed, substitutes=substitutes)
    with torch.no_grad():
        survey.run(partial(model, *inputs, **kwargs))
    plan = build((Segment(survey, model, prefix, {}),))
    targets: dict[tuple[int, ...], Edit] = {}
    for address, edit in wanted.items():
        place = plan.origin(address)
        if place is None:
            near = ", ".join(plan.find(address.rsplit(".", 1)[-1])[:3])
            raise UserError(
                "An edit must name a step or a weight of this model; {address} is neither (similar: {near}).",
                address=address,
                near=near or "–",
            )
        targets[place] = edit
    return targets, substitutes


def _named_inputs(model: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Tensor]:
    """The tensors that a model was given, by the names of its `forward`'s arguments."""
    try:
        names = list(inspect.signature(model.forward).parameters)
    except (TypeError, ValueError):
        names = []
    given = {(names[i] if i < len(names) else f"input_{i + 1}"): value for i, value in enumerate(inputs)} | kwargs
    found: dict[str, Tensor] = {}
    for name, value in given.items():
        tensors = tensors_in(value)
        found.update(
            {name: tensors[0]} if isinstance(value, Tensor) else {f"{name}.{i}": t for i, t in enumerate(tensors)}
        )
    return found


def _segments(trace: Trace | None) -> tuple[Segment, ...]:
    return () if trace is None else trace.segments
