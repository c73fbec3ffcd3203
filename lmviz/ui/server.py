"""What happens while the server runs: all that pages need is imported once it is up, unless somebody visits at once."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

PAGES = ("step_through.debugger", "training.watch", "training.plan", "generation.one", "debugging.pitfalls")
SOON = 2.0  # seconds; an import beside a first page would take the interpreter from it
_imported, _visited = threading.Event(), threading.Event()


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Begin to import when the server has started, unless somebody visits at once: their first paint comes first."""
    threading.Thread(target=_import_soon, daemon=True).start()
    yield


def _import_soon() -> None:
    if not _visited.wait(SOON):
        import_shared()
        for part in PAGES:
            import_module(f"lmviz.ui.{part}")


def import_shared() -> None:
    """Import torch and the services; whoever comes second waits for whoever came first."""
    _visited.set()
    import_module("lmviz.ui.shared")
    _imported.set()


def is_imported() -> bool:
    """Whether there is nothing left to wait for."""
    return _imported.is_set()
