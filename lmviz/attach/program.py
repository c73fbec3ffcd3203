"""A file of one's own under the debugger: run when it is attached, and again whenever it is saved."""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from lmviz.attach.process import PATIENCE, CodeProcess
from lmviz.attach.target import CodeTarget
from lmviz.errors import UserError
from lmviz.registry.program import Asked, OwnRun, State

_RUNS_KEPT = 3  # whose models stay in memory: what is compared with, too, can be asked again

_Saved = tuple[tuple[int, int], ...]  # of every file: when it was written, and its size


class FileProgram:
    """Safe to use from several threads."""

    def __init__(self, target: CodeTarget, patience: float = PATIENCE) -> None:
        self.target, self._patience = target, patience
        self._folder = Path(tempfile.mkdtemp(prefix="lmviz-"))
        self._gone = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._lock = threading.Lock()
        self._runs: OrderedDict[int, CodeProcess] = OrderedDict()
        self._n_runs = 0
        self._files: tuple[Path, ...] = () if target.file is None else (target.file,)
        self._saved = _saved(self._files)
        self._wrong: UserError | None = None
        self._running: threading.Thread | None = None

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def title(self) -> str:
        return self.target.title

    @property
    def latest(self) -> int:
        with self._lock:
            return next(reversed(self._runs), 0)

    def wrong(self) -> UserError | None:
        return self._wrong

    def record(self, number: int, asked: Asked) -> OwnRun:
        """One of the last runs; the last one for 0."""
        with self._lock:
            run = self._runs.get(number or next(reversed(self._runs), 0))
        if run is None:
            if self._wrong is not None and not number:
                raise self._wrong
            raise UserError(
                "{name} has no run {number} to look at: it is still running, or that was too long ago.",
                name=self.title,
                number=number or 1,
            )
        return run.record(asked)

    def start(self) -> None:
        """Run it for the first time, in the background."""
        self._start(wait=False)

    def run(self) -> None:
        """Run it, and wait until it has been recorded or has not."""
        self._start(wait=True)

    def look(self) -> State:
        """What it is doing. A file that was saved is run again from here."""
        with self._lock:
            is_running = self._running is not None and self._running.is_alive()
        if is_running:
            return "running"
        if _saved(self._files) != self._saved:
            self._start(wait=False)
            return "running"
        return "failed" if self._wrong is not None else "ready"

    def end(self) -> None:
        """End its processes and forget its recordings."""
        with self._lock:
            for run in self._runs.values():
                run.end()
            self._runs.clear()
        self._gone()

    def _start(self, wait: bool) -> None:
        with self._lock:
            if self._running is None or not self._running.is_alive():
                self._saved = _saved(self._files)
                self._running = threading.Thread(target=self._run, daemon=True)
                self._running.start()
            running = self._running
        if wait:
            running.join()

    def _run(self) -> None:
        self._n_runs += 1
        number, folder = self._n_runs, self._folder / str(self._n_runs)
        folder.mkdir(parents=True, exist_ok=True)
        run = None
        try:
            run = CodeProcess(self.target, folder, self._patience)
            self._watch(run.files)
            run.record(Asked())
        except Exception as error:  # of any kind: what is not told is a page that waits for ever
            self._wrong = error if isinstance(error, UserError) else _unexpected(self.title, error)
            if run is not None:
                run.end()
            return
        with self._lock:
            self._runs[number] = run
            self._wrong = None
            while len(self._runs) > _RUNS_KEPT:
                self._runs.popitem(last=False)[1].end()

    def _watch(self, files: Iterable[Path]) -> None:
        """Also the modules that it imports from beside it."""
        before = dict(zip(self._files, self._saved, strict=True))
        self._files = tuple(dict.fromkeys((*self._files, *files)))
        self._saved = tuple(before.get(file) or _saved((file,))[0] for file in self._files)


def _unexpected(name: str, error: Exception) -> UserError:
    return UserError(
        "The recording of {name} could not be read: {error:code}.", name=name, error=f"{type(error).__name__}: {error}"
    )


def _saved(files: Iterable[Path]) -> _Saved:
    found = []
    for file in files:
        try:
            stat = file.stat()
            found.append((stat.st_mtime_ns, stat.st_size))
        except OSError:  # an editor that writes anew takes it away for a moment
            found.append((0, 0))
    return tuple(found)
