"""What happens while the server runs: all that pages need is imported as soon as it is up, before anybody visits."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

PARTS = ("shared", "step_through.debugger", "training.watch", "training.plan", "generation.one", "debugging.pitfalls")
_imported = threading.Event()


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Begin to import when the server starts; it answers meanwhile."""
    threading.Thread(target=import_pages, daemon=True).start()
    yield


def import_pages() -> None:
    """Import torch, the services and the pages; whoever comes second waits for whoever came first."""
    for part in PARTS:
        import_module(f"lmviz.ui.{part}")
    _imported.set()


def is_imported() -> bool:
    """Whether there is nothing left to wait for."""
    return _imported.is_set()
