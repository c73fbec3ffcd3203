"""From an edited source to a module that runs, whose lines a debugger can show."""

from __future__ import annotations

import linecache
import sys
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from lmviz.debug import plain_loop
from lmviz.debug.bugs.bug import LOOP, Bug, DiffLine, apply, diff
from lmviz.model.architectures import ARCHITECTURES

_SOURCES = {name: record.model.__module__ for name, record in ARCHITECTURES.items()} | {LOOP: plain_loop.__name__}
_one_at_a_time = threading.Lock()


@lru_cache
def healthy_source(name: str) -> str:
    """The text of one of _SOURCES."""
    spec = find_spec(_SOURCES[name])
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def broken_source(bug: Bug, name: str) -> str:
    return apply(bug.edits[name], healthy_source(name))


def diff_of(bug: Bug, name: str) -> tuple[DiffLine, ...]:
    return diff(healthy_source(name), broken_source(bug, name))


def broken_module(bug: Bug, name: str) -> ModuleType:
    """The edited source, run as a module of its own; the same one every time.

    Its file has a name that no disk has, and its lines lie in `linecache`: tracebacks and recordings show them.
    """
    path = f"lmviz.debug.bugs.broken.{bug.name}.{name}"
    with _one_at_a_time:
        if path not in sys.modules:
            sys.modules[path] = _compiled(path, f"{bug.name}/{name}.py", broken_source(bug, name))
        return sys.modules[path]


def _compiled(path: str, file: str, source: str) -> ModuleType:
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = ModuleType(path, f"{path}: with a bug in it")
    module.__file__ = file
    sys.modules[path] = module  # dataclasses look their module up while they are made
    try:
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del sys.modules[path]
        raise
    return module
