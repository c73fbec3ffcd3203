"""What happens while the server runs: all that pages need is imported as soon as it is up, before anybody visits."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

SHARED = "lmviz.ui.shared"  # with it come torch and the services
PAGES = ("step_through.debugger", "training.watch", "training.plan", "generation.one", "debugging.pitfalls")


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Begin to import when the server starts; it answers meanwhile."""
    threading.Thread(target=_import_all, daemon=True).start()
    yield


def _import_all() -> None:
    for name in (SHARED, *(f"lmviz.ui.{page}" for page in PAGES)):
        import_module(name)
