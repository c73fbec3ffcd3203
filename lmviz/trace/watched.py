"""One forward pass of somebody's training loop, recorded; its backward pass is the loop's own, and comes later."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.trace.assembly.build import Segment, build
from lmviz.trace.capture.handles import TensorHandle, map_nested, storage_of, tensors_in
from lmviz.trace.capture.mode import Recorder
from lmviz.trace.capture.raw import handles_in
from lmviz.trace.capture.torch_modes import TorchModes
from lmviz.trace.replay.gradients import number_edges
from lmviz.trace.step import Trace


class Watched:
    """A recorded forward pass. When the loop calls `backward`, the gradients arrive in it.

    The numbers are copied where the loop will change them: weights and inputs. Random draws are those that the loop
    would have made, and the loop's generator goes on as if nobody had watched.
    """

    def __init__(self, model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        self._recorder = Recorder(gradients=torch.is_grad_enabled(), random_state=torch.get_rng_state(), budget=1 << 62)
        segment = Segment(self._recorder, model, "", TorchModes.current(), args, kwargs)
        self.result = self._recorder.run(segment.run)  # the loop's own tensors, with their graph
        if self._recorder.stack.random is not None:
            torch.set_rng_state(self._recorder.stack.random)
        handles = self._handles()
        weights = [*model.parameters(), *model.buffers(), *tensors_in((args, dict(kwargs)))]
        self._recorder.memory.before_overwriting(weights)
        self._listen(handles)
        segment.args, segment.kwargs = self.given = map_nested((args, dict(kwargs)), Tensor, _copied)
        segment.result = map_nested(self.result, Tensor, Tensor.detach)
        self.trace: Trace = build((segment,))

    @property
    def exception(self) -> BaseException | None:
        """What the model raised."""
        return self._recorder.exception

    def release(self) -> None:
        """Let go of what the loop was given."""
        self.result = None

    def n_bytes(self) -> int:
        """What it holds, each piece of memory counted once."""
        held = [one for h in self._handles() for one in (h.kept, h.grad) if one is not None]
        return sum(dict(storage_of(tensor) for tensor in held).values())

    def _handles(self) -> list[TensorHandle]:
        steps = self._recorder.steps
        return [*dict.fromkeys(handle for s in steps for handle in (*handles_in((s.args, s.kwargs)), *s.outputs))]

    def _listen(self, handles: list[TensorHandle]) -> None:
        """Have every gradient that passes an edge of the graph put into the handle of the tensor there."""
        wanted = [handle for handle in handles if handle.edge is not None]
        number_edges(wanted)
        by_node: dict[Any, list[TensorHandle]] = {}
        for handle in wanted:
            by_node.setdefault(handle.edge.node, []).append(handle)
        for node, passing in by_node.items():
            node.register_prehook(_keep(tuple((handle, handle.edge.output_nr) for handle in passing)))
        for handle in wanted:
            handle.edge = None


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().clone()


def _keep(passing: tuple[tuple[TensorHandle, int], ...]) -> Callable[[tuple[Tensor | None, ...]], None]:
    def arrived(gradients: tuple[Tensor | None, ...]) -> None:
        for handle, output in passing:
            gradient = gradients[output]
            if gradient is not None:
                handle.grad = gradient.detach().clone()

    return arrived
