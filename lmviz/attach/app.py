"""Starting the app, from the shell or from a script, on whatever one wants to look at."""

from __future__ import annotations

import os
import re
import runpy
import socket
import sys
import threading
import time
import tomllib
import urllib.request
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from lmviz.attach.target import CodeTarget, ModelTarget, RecordingTarget, read_target
from lmviz.bundle import ENTRY, SETTINGS
from lmviz.stopped import CUT_SHORT
from lmviz.train.limits import limits_set

_STARTING = 60.0  # seconds that a server may take to answer


def open_app(target: str | None, port: int, browser: bool) -> int:
    """Run the server until it is stopped; returns the exit code of the command.

    Args:
        target: a model, or a file of one's own; None: the app as it opens by itself.

    Raises:
        UserError: there is no such thing, or a setting of `lmviz.toml` is wrong.
    """
    limits_set()  # a wrong setting is told here, and not on a page
    found = None if target is None else read_target(target)
    if not is_free(port):
        print(f"Port {port} is taken: choose another with --port, or close what uses it.", file=sys.stderr)
        return 1
    if isinstance(found, ModelTarget) and found.folder is not None:
        _allow(str(found.folder))
    if isinstance(found, RecordingTarget):  # a file that is none is told here, before there is a server
        found = _recorded(found)
    if found is not None:
        threading.Thread(target=_open, args=(found, port, browser), daemon=True).start()
    try:
        run_server(port, headless=not browser or found is not None)
    except KeyboardInterrupt:  # the way in which one ends it
        return CUT_SHORT
    return 0


def run_server(port: int, headless: bool = True) -> None:
    """Run the app in this process until it is stopped."""
    app = runpy.run_path(str(ENTRY))["app"]
    app.run(config={**server_settings(), "server.port": port, "server.headless": headless})


def server_settings() -> dict[str, Any]:
    """The app's own settings, whatever folder it is started in: above all that it listens on this machine only.

    Streamlit finds them by itself only where its command is run beside them. A variable of the environment, such as
    STREAMLIT_SERVER_ADDRESS, goes before; only Streamlit's own command reads those by itself.
    """
    found = _by_dotted_name(tomllib.loads(SETTINGS.read_text(encoding="utf-8")))
    return {name: _as(value, os.environ.get(_variable(name))) for name, value in found.items()}


def _as(value: Any, said: str | None) -> Any:
    """What somebody says in the place of a setting, as what the setting is."""
    if said is None:
        return value
    if isinstance(value, bool):
        return said.strip().lower() in ("1", "true", "yes", "on")
    return int(said) if isinstance(value, int) and said.strip().isdigit() else said


def _by_dotted_name(settings: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        found |= _by_dotted_name(value, f"{above}{name}.") if isinstance(value, dict) else {above + name: value}
    return found


def _variable(name: str) -> str:
    """How Streamlit calls a setting in the environment: server.maxUploadSize is STREAMLIT_SERVER_MAX_UPLOAD_SIZE."""
    return "STREAMLIT_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).replace(".", "_").upper()


def address(port: int, **query: str) -> str:
    """The link to a view of the app."""
    whole = f"http://localhost:{port}/"
    return f"{whole}?{urlencode(query, safe='/:@')}" if query else whole


def _open(target: CodeTarget | ModelTarget, port: int, browser: bool) -> None:
    """Open a browser as soon as there is something to see in it."""
    query = _attach(target) if isinstance(target, CodeTarget) else {"model": target.reference}
    link = address(port, **query)
    wait_for(port)
    print(f"{'Opening' if browser else 'Open'} {link}", flush=True)
    if browser:
        webbrowser.open(link)


def _recorded(target: RecordingTarget) -> ModelTarget:
    """Open a recording on this server; what links call it."""
    from lmviz.registry.recorded import open_recording  # torch comes with it

    return ModelTarget(str(open_recording(target.path)))


def _attach(target: CodeTarget) -> dict[str, str]:
    """Attach a file to this server and run it; what the link to it says."""
    from lmviz.attach.program import FileProgram  # torch comes with it
    from lmviz.registry.attached import attach
    from lmviz.registry.program import Asked

    program = FileProgram(target)
    reference = attach(program)
    program.run()
    wrong = program.wrong()
    if wrong is not None:
        print(wrong, file=sys.stderr, flush=True)
        return {"model": str(reference)}
    return {"model": str(reference), **place_of_failure(program.record(0, Asked()).trace)}


def place_of_failure(trace: object) -> dict[str, str]:
    """Where a link opens a recording of a model that raised; nothing if it did not."""
    from lmviz.trace.step import Trace

    assert isinstance(trace, Trace)
    failure = trace.failure
    if failure is None or failure.step is None:
        return {}
    return {"step": trace[failure.step].address, "by": "op"}


def _allow(folder: str) -> None:
    """The person who starts the server names a folder: links may open it, wherever it lies."""
    named = os.environ.get("LMVIZ_MODELS", "")
    os.environ["LMVIZ_MODELS"] = os.pathsep.join(filter(None, (named, folder)))


def wait_for(port: int, seconds: float = _STARTING) -> bool:
    """Wait until a server answers; whether it does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1) as answer:
            if answer.read() == b"ok":
                return True
        time.sleep(0.05)
    return False


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(first: int) -> int:
    """A port on which nothing answers, the given one if it is free."""
    if is_free(first):
        return first
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
