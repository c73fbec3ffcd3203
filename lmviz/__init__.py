"""lmviz: see how a language model works, one step and one number at a time.

>>> import lmviz
>>> checkpoint = lmviz.load("sample_models/small-ever")
>>> trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode("Clem").ids_tensor)
>>> why = lmviz.explain(trace["blocks.0.attn.pattern"], (0, 0, 0, 0))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lmviz.explain import explain  # at once, so that the name stays the function's and not the package's

if TYPE_CHECKING:
    from lmviz.errors import UserError
    from lmviz.explain.explanation import Explanation, Term
    from lmviz.model.checkpoint import Checkpoint, load
    from lmviz.trace.recorder import record
    from lmviz.trace.step import Step, Trace, Value

_HOMES = {
    **dict.fromkeys(("Checkpoint", "load"), "lmviz.model.checkpoint"),
    **dict.fromkeys(("Step", "Trace", "Value"), "lmviz.trace.step"),
    **dict.fromkeys(("Explanation", "Term"), "lmviz.explain.explanation"),
    "record": "lmviz.trace.recorder",
    "UserError": "lmviz.errors",
}

__all__ = ["Checkpoint", "Explanation", "Step", "Term", "Trace", "UserError", "Value", "explain", "load", "record"]


def __getattr__(name: str) -> Any:
    """Import torch with the first name that needs it, so that `import lmviz` and a page's first paint are quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lmviz' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
