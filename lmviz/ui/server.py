"""What happens while the server runs: all that pages need is imported once it is up, unless somebody visits at once."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import streamlit as st
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.pages_manager import PagesManager

PAGES = ("step_through.debugger", "training.watch", "training.plan", "generation.one", "debugging.pitfalls")
_FIRST = ("streamlit.emojis", "lmviz.ui.first.asking")  # Streamlit looks the page's icon up
SOON = 2.0  # seconds; an import beside a first page would take the interpreter from it
_COMING = 20.0  # seconds in which a browser that has asked for the page runs it, on a slow machine too
STEP_THROUGH = "step_through"
OF_STEP_THROUGH = frozenset(  # what a link to the step-through may name; it was once the page without a path of its own
    "model prompt step by line focus head cell trail target temperature grad digits edits stops watch b_model b_prompt "
    "b_plain map".split()
)
_DRAWN_FIRST = ("Html.*.js", "purify.es.*.js", "Button.*.js")  # in the folder of Streamlit's own code
_imported, _asked, _visited = threading.Event(), threading.Event(), threading.Event()
_later = threading.Event()
_READING = 1.0  # seconds in which a first page that needs no torch reaches the browser and is drawn


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    """Begin to import when the server has started, unless somebody visits at once: their first paint comes first."""
    PagesManager.uses_pages_directory = False  # the entry point names the pages, also before anybody has run it
    threading.Thread(target=_import_soon, daemon=True).start()
    yield


class Ahead:
    """Tells the browser, with every page, which parts of Streamlit's it will ask for once it hears what to draw.

    By then a new server is busy with the page itself, and so is the browser.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        folder = Path(st.__file__).parent / "static/static/js"
        files = sorted(path.name for pattern in _DRAWN_FIRST for path in folder.glob(pattern))
        self._links = ", ".join(f"<./static/js/{name}>; rel=modulepreload" for name in files).encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                _asked.set()
                if self._links:
                    message["headers"] = [*message["headers"], (b"link", self._links)]
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)


def _is_page(message: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"])


class KeptLinks:
    """Sends links that name a view of the step-through and no page to its page, before anything is drawn."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = scope.get("query_string", b"").decode("latin-1")
        names = (name for name, _ in parse_qsl(query, keep_blank_values=True))
        if scope["type"] == "http" and scope["path"] == _root() and is_of_step_through(names):
            await RedirectResponse(f"{_root()}{STEP_THROUGH}?{query}")(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _root() -> str:
    """The path of the page that has none of its own."""
    return "/".join(("", *filter(None, str(st.get_option("server.baseUrlPath")).split("/")), ""))


def is_of_step_through(names: Iterable[str]) -> bool:
    """Whether any of the names in an address is one of the step-through's."""
    return not OF_STEP_THROUGH.isdisjoint(names)


def _import_soon() -> None:
    for part in _FIRST:  # is small: while the first visitor's browser still reads Streamlit's code
        import_module(part)
    if not (_asked.wait(SOON) and _visited.wait(_COMING)):
        _import_all()


def _import_all() -> None:
    import_shared()
    for part in PAGES:
        import_module(f"lmviz.ui.{part}")


def import_later() -> None:
    """Import while a visitor reads a page that needs nothing of it."""
    if not _later.is_set():
        _later.set()
        timer = threading.Timer(_READING, _import_all)
        timer.daemon = True
        timer.start()


def import_shared() -> None:
    """Import torch and the services; whoever comes second waits for whoever came first."""
    _visited.set()
    import_module("lmviz.ui.shared")
    _imported.set()


def is_imported() -> bool:
    """Whether there is nothing left to wait for."""
    return _imported.is_set()
