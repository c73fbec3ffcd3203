"""Lets torch's attention modules take the way that they take without a recording.

`nn.MultiheadAttention` and the encoder around it call a fused kernel, whose last bits differ from those of the way
around, unless "some argument has a torch function". That question they ask through `torch.overrides`; while recordings
run, their own mode is left out of the answer. All else, and every other thread, is answered as before.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Any

from torch.overrides import TorchFunctionMode, has_torch_function

from lmviz.trace import torch_private

_ASKING = frozenset(("torch.nn.modules.activation", "torch.nn.modules.transformer"))


class WatchingMode(TorchFunctionMode):
    """A mode that only watches: what runs under it must run as if it were not there."""

    _lock = threading.Lock()
    _running = 0  # in all threads

    def __enter__(self) -> WatchingMode:
        with WatchingMode._lock:
            WatchingMode._running += 1
            torch_private.answer_has_torch_function(_has_torch_function)
        torch_private.push_mode(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        torch_private.pop_mode()
        with WatchingMode._lock:
            WatchingMode._running -= 1
            if not WatchingMode._running:
                torch_private.answer_has_torch_function(None)


def _has_torch_function(args: Iterable[Any]) -> bool:
    if sys._getframe(1).f_globals.get("__name__") not in _ASKING:
        return has_torch_function(args)
    return _without_watchers(args)


def _without_watchers(arguments: Iterable[Any]) -> bool:
    if not isinstance(torch_private.current_mode(), WatchingMode):
        return has_torch_function(arguments)
    with torch_private.without_current_mode():
        return _without_watchers(arguments)
