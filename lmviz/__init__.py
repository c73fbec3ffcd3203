"""lmviz: see how a language model works, one step and one number at a time.

>>> import lmviz
>>> checkpoint = lmviz.load("sample_models/small-ever")
>>> trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode("Clem").ids_tensor)
>>> why = lmviz.explain(trace["blocks.0.attn.pattern"], (0, 0, 0, 0))
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmviz.attach.check import Findings, check, check_training
    from lmviz.attach.kept import open_trace
    from lmviz.attach.picture import picture
    from lmviz.attach.show import show
    from lmviz.attach.watch import Run, breakpoint_if, watch
    from lmviz.errors import UserError
    from lmviz.explain import explain
    from lmviz.model.checkpoint import Checkpoint, load
    from lmviz.trace.exported import export
    from lmviz.trace.operations.explanation import Explanation, Term
    from lmviz.trace.recorder import record
    from lmviz.trace.step import Step, Trace, Value

_HOMES = {
    **dict.fromkeys(("Checkpoint", "load"), "lmviz.model.checkpoint"),
    **dict.fromkeys(("Step", "Trace", "Value"), "lmviz.trace.step"),
    **dict.fromkeys(("Explanation", "Term"), "lmviz.trace.operations.explanation"),
    "record": "lmviz.trace.recorder",
    **dict.fromkeys(("Findings", "check", "check_training"), "lmviz.attach.check"),
    "show": "lmviz.attach.show",
    **dict.fromkeys(("Run", "breakpoint_if", "watch"), "lmviz.attach.watch"),
    "open_trace": "lmviz.attach.kept",
    "export": "lmviz.trace.exported",
    "picture": "lmviz.attach.picture",
    "explain": "lmviz.explain",
    "UserError": "lmviz.errors",
}

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "Explanation",
    "Findings",
    "Run",
    "Step",
    "Term",
    "Trace",
    "UserError",
    "Value",
    "breakpoint_if",
    "check",
    "check_training",
    "explain",
    "export",
    "load",
    "open_trace",
    "picture",
    "record",
    "show",
    "watch",
]


def __getattr__(name: str) -> Any:
    """Import torch with the first name that needs it, so that `import lmviz` and a page's first paint are quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lmviz' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """What Tab offers: the public names, whether torch has been imported or not."""
    return __all__


class _Package(ModuleType):
    """Keeps `lmviz.explain` the function, though Python would set the name to the subpackage when that is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "explain" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
