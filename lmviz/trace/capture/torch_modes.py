"""The modes that torch was in when something ran, to run a part of it again as it ran then."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NamedTuple

import torch

from lmviz.trace.torch_private import is_autocast_on

_DEVICES = ("cpu", "cuda")


class TorchModes(NamedTuple):
    """Whether gradients, inference mode and autocast were on, in the thread that asked."""

    gradients: bool
    inference: bool
    autocast: tuple[tuple[str, torch.dtype], ...]

    @classmethod
    def current(cls) -> TorchModes:
        on = [d for d in _DEVICES if torch.is_autocast_enabled(d)] if is_autocast_on() else []
        autocast = tuple((device, torch.get_autocast_dtype(device)) for device in on)
        return cls(torch.is_grad_enabled(), torch.is_inference_mode_enabled(), autocast)

    def restored(self) -> ExitStack:
        """A context in which all is as it was."""
        stack = ExitStack()
        stack.enter_context(torch.inference_mode(self.inference))
        stack.enter_context(torch.set_grad_enabled(self.gradients))
        on = dict(self.autocast)
        for device in _DEVICES:
            if device in on or torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, dtype=on.get(device), enabled=device in on))
        return stack
