"""`record()`: run a model once and return every step that it took."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.devices import device_of, moved, on_device
from lmviz.errors import UserError, check_given, check_model
from lmviz.trace.assembly.build import Segment, after, build
from lmviz.trace.assembly.targets import Targets, targets_of
from lmviz.trace.capture.edits import Edit
from lmviz.trace.capture.mode import BUDGET, Recorder
from lmviz.trace.capture.torch_modes import TorchModes
from lmviz.trace.replay.gradients import compute_gradients, gradients_on
from lmviz.trace.step import Trace

_NO_TARGETS = Targets()


def record(
    model: nn.Module | Callable[..., Any],
    *inputs: Any,
    edits: Mapping[str, Edit] | None = None,
    backward: Callable[[Any], Tensor] | None = None,
    seed: int = 0,
    budget: int = BUDGET,
    follows: Trace | None = None,
    prefix: str = "",
    device: str = "",
    **kwargs: Any,
) -> Trace:
    """Run `model(*inputs, **kwargs)` once; return a trace with one step for each torch call.

    What the model computes is not changed by recording it: its output is the same to the last bit. Whether gradients
    are on is the caller's choice. Random draws (dropout) come from a stream of their own that starts at `seed`, so the
    same call twice gives the same trace.

    Args:
        edits: for an address, a function from the tensor that was made there to one of the same shape that takes its
            place for the rest of the run. The path of a weight ("blocks.0.attn.w_q.weight") and the name of an input
            are addresses too; "x#0" is the input where the model makes an x of its own. The model is run once more,
            before, to find them.
        backward: from the model's output to a scalar loss; every recorded value that it depends on then has `.grad`.
            The loss's own steps come last, under "loss". The model's own `.grad` fields are left alone.
        budget: bytes of activations to keep, and as many again for the inputs of module calls. What was not kept is
            computed again when it is read. Ignored with `backward`, which needs everything.
        follows: a trace to continue: what `model` is given may come from it, and addresses go on.
        prefix: put before every address, for a model that is a part of something.
        device: where it runs: "auto", "cpu", "cuda", "mps"; a model that is elsewhere is copied there. Default: where
            model and inputs are. What is kept is copied from there to this machine's own memory.

    Returns:
        A trace; if the model or the loss raised, up to where it did, with `trace.failure`. Gradients that autograd
        can't compute are a failure at no step.

    Raises:
        UserError: the model is nothing that one can call, or takes other inputs; another argument is not what it must
            be; an edit names no step, or returns another shape; the loss is not one number.
    """
    check_model(model)
    check_loss(backward)
    check_given("record", "seed", seed, int)
    check_given("record", "budget", budget, int, float)
    check_given("record", "edits", edits, Mapping, None)
    check_given("record", "follows", follows, Trace, None)
    check_given("record", "prefix", prefix, str)
    _check_inputs((*inputs, *kwargs.values()))
    if device:
        there = device_of(device)
        model, inputs, kwargs = on_device(model, there), moved(inputs, there), moved(kwargs, there)
    earlier = () if follows is None else follows.segments
    with gradients_on() if backward is not None else nullcontext():
        given = (model, prefix, TorchModes.current(), inputs, kwargs)
        targets = targets_of(edits, Segment(Recorder(seed=seed), *given), earlier) if edits else _NO_TARGETS
        recorder = Recorder(
            budget=budget,
            seed=seed,
            gradients=backward is not None,
            edits=targets.steps,
            substitutes=targets.tensors,
            **after(earlier),
        )
        segment = Segment(recorder, *given, targets.steps, targets.tensors)
        segment.result = recorder.run(segment.run)
        if isinstance(recorder.exception, TypeError) and not recorder.steps:
            _check_call(model, inputs, kwargs)
        if backward is not None:
            return build((*earlier, segment, *_loss_of(segment, backward, earlier)))
    return build((*earlier, segment))


def check_loss(loss: object) -> None:
    """It is a function, or there is none.

    Raises:
        UserError: it is something else.
    """
    if loss is not None and not callable(loss):
        raise UserError(
            "The loss must be a function of what the model returns; it is {found}: write `def loss(output): …`.",
            found=type(loss).__name__,
        )


def _check_inputs(inputs: Iterable[object]) -> None:
    """They can be read more than once, since the model runs again for edits and for what was not kept."""
    for one in inputs:
        if isinstance(one, Iterator):
            raise UserError(
                "An input must be one that can be read again, since the model may run more than once; a {found} is "
                "empty after the first time: give a tensor, or `next(…)` or `list(…)` of it.",
                found=type(one).__name__,
            )


def _check_call(model: nn.Module | Callable[..., Any], inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """The model takes as many inputs, under these names. Asked only when a call failed: hooks may add what is missing.

    Raises:
        UserError: it does not.
    """
    try:
        takes = inspect.signature(model.forward if isinstance(model, nn.Module) else model)
    except (TypeError, ValueError):
        return
    try:
        takes.bind(*inputs, **kwargs)
    except TypeError as error:
        known = ", ".join(takes.parameters) or "nothing"
        if not kwargs:
            raise UserError(
                "The model takes {known}, and these inputs do not fit ({error:code}): give them in this order, or by "
                "name.",
                known=known,
                error=str(error),
            ) from None
        raise UserError(
            "The model takes {known}, and these inputs do not fit ({error:code}). A dict of inputs gives each by its "
            "name; to a model that takes one dict, give the dict itself: `inputs = ({{…}},)` in a file, "
            "`lmviz.show(model, {{…}})` in Python.",
            known=known,
            error=str(error),
        ) from None


def _loss_of(segment: Segment, backward: Callable[[Any], Tensor], earlier: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """The loss as one more recording, and from it the gradients of both."""
    model = segment.recorder
    if model.exception is not None:
        return ()
    loss = Recorder(seed=model.seed, gradients=True, random_state=model.stack.random, **after((*earlier, segment)))
    value = loss.run(partial(backward, segment.result))
    if loss.exception is None and (not isinstance(value, Tensor) or value.numel() != 1):
        found = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise UserError("backward must return one number, the loss, as a tensor; it returned {found}.", found=found)
    total = [] if value is None else [value.sum()]
    try:
        compute_gradients([model, loss], total, [torch.ones_like(t) for t in total])
    except RuntimeError as error:
        loss.exception = error.with_traceback(None)  # its frames would hold every tensor
    number = None if value is None else float(value.detach())
    return (Segment(loss, backward, "loss", segment.modes, (segment.result,), result=segment.result, loss=number),)
