"""`lmviz.show()`: what is in memory, in the app."""

from __future__ import annotations

import atexit
import re
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from lmviz.attach.app import address, free_port, place_of_failure, run_server, wait_for
from lmviz.attach.example import Example, example_of
from lmviz.attach.inline import display, inline_page
from lmviz.attach.memory import MemoryProgram, live
from lmviz.errors import UserError, check_given
from lmviz.registry.attached import Attached, attach, attached
from lmviz.registry.program import Asked
from lmviz.trace.step import Trace

_FIRST_PORT = 8501


class _Server:
    """The app in a thread of this process: started once, and then used by all that is shown."""

    def __init__(self) -> None:
        self.port = 0
        self.stays = False  # whether the process waits at its end
        self._lock = threading.Lock()

    def start(self) -> int:
        """The port at which it answers.

        Raises:
            UserError: it does not start.
        """
        with self._lock:
            if not self.port:
                port = free_port(_FIRST_PORT)
                threading.Thread(target=run_server, args=(port,), daemon=True).start()
                if not wait_for(port):
                    raise UserError("The app did not start on port {port}: its reason stands above.", port=port)
                self.port = port
            return self.port


_SERVER = _Server()


def show(
    model: nn.Module | Callable[..., Any],
    *inputs: Any,
    tokenizer: Any = None,
    loss: Callable[[Any], Tensor] | None = None,
    name: str = "",
    browser: bool = True,
    device: str = "",
    inline: bool = False,
    **kwargs: Any,
) -> Trace:
    """Record a model reading some inputs, and open the step-through on it in a browser.

    The server is a part of this process: it is there as long as the process is.

    Args:
        inputs: what the model is called with; a text is read by the tokenizer.
        tokenizer: names the ids: anything with `decode`, a list of words, or a dict.
        loss: from what the model returns to one number; every value then has its gradient.
        name: what the app calls it; default: the name of the model's class.
        browser: whether to open one. The link is printed anyway.
        device: where it runs: "auto", "cpu", "cuda", "mps"; default: where it is.
        inline: show the walk below the cell of a notebook, as one page that needs no server, and open nothing.
        kwargs: what the model is called with by name.

    Returns:
        The trace, which can be asked from Python too.

    Raises:
        UserError: the inputs are none that can be given, or the app does not start.
    """
    check_given("show", "name", name, str)
    example = replace(example_of(model, inputs, tokenizer, loss, kwargs), device=device)
    if inline:
        return _show_inline(example, tokenizer, name or type(model).__name__)
    program = MemoryProgram(free_name(name or type(model).__name__), name or type(model).__name__)
    program.add(live(example))
    trace = program.record(0, Asked()).trace
    open_program(program, 0, browser, **place_of_failure(trace))
    return trace


def _show_inline(example: Example, tokenizer: Any, name: str) -> Trace:
    program = MemoryProgram(name, name)
    program.add(live(example))
    trace = program.record(0, Asked()).trace
    display(inline_page(trace, tokenizer, name))
    return trace


def open_program(program: MemoryProgram, run: int = 0, browser: bool = True, **place: str) -> str:
    """Attach a program to this process's server and open one of its runs, the last for 0; returns the link."""
    reference = Attached(attach(program).name, run)
    link = address(_SERVER.start(), model=str(reference), **place)
    print(f"lmviz: {link}", flush=True)
    if browser:
        _stay_at_the_end()
        webbrowser.open(link)
    return link


def _stay_at_the_end() -> None:
    """A script that has come to its end goes on serving what it has shown, until Ctrl+C; a session where somebody
    types does so anyway."""
    if _is_interactive() or _SERVER.stays:
        return
    _SERVER.stays = True
    at_end = getattr(threading, "_register_atexit", None)  # before the threads that answer are ended
    (at_end or atexit.register)(_wait)


def _is_interactive() -> bool:
    return hasattr(sys, "ps1") or bool(sys.flags.interactive) or "ipykernel" in sys.modules


def _wait() -> None:
    print("lmviz: the page is there until you press Ctrl+C.", flush=True)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def free_name(wanted: str) -> str:
    """A name for links that nothing has yet: Tiny, Tiny-2, …"""
    plain, taken = re.sub(r"[^\w.-]", "-", wanted)[:60] or "model", {one.name for one in attached()}
    names = (plain, *(f"{plain}-{n}" for n in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)
