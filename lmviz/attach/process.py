"""The parent's side of a process in which somebody's own file runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmviz.attach.requests import asked_as_json
from lmviz.attach.target import CodeTarget
from lmviz.bundle import PACKAGES
from lmviz.debug.doctor.finding import Finding
from lmviz.errors import UserError, retold
from lmviz.model.child_process import end, stopped_after
from lmviz.model.tokenizer_process import receive, send
from lmviz.registry.program import Asked, OwnRun
from lmviz.trace.opened import opened
from lmviz.trace.plain_data import decoded

PATIENCE = 120.0  # seconds that a file has to make its model, and each recording
_MOST = 2**24  # bytes of an answer, which is no recording


class CodeProcess:
    """One run of a file: its model stays in memory, to be recorded again with some numbers changed.

    Safe to use from several threads; one recording is made at a time.
    """

    def __init__(self, target: CodeTarget, folder: Path, patience: float = PATIENCE) -> None:
        """
        Args:
            folder: where its recordings go.
            patience: seconds after which it is stopped, whatever it is doing.

        Raises:
            UserError: the file gives no model.
        """
        self._target, self._folder, self._patience = target, folder, patience
        self._lock, self._n_recordings = threading.Lock(), 0
        self._known: dict[Asked, OwnRun] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lmviz.attach.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": _search_path(target)},
        )
        self._ending = weakref.finalize(self, end, self._process)
        asked = {"file": str(target.file or ""), "factory": target.factory, "folders": [str(target.folder)]}
        try:
            self.files = tuple(Path(file) for file in self._ask({"do": "open", **asked})["files"])
        except UserError:
            self.end()
            raise

    def record(self, asked: Asked) -> OwnRun:
        """The model reading its inputs; what was made once is kept.

        Raises:
            UserError: it could not be recorded, or the process has ended and this was not made before.
        """
        with self._lock:
            if asked not in self._known:
                self._n_recordings += 1
                path = self._folder / f"{self._n_recordings}.safetensors"
                self._ask({"do": "record", "path": str(path), "asked": asked_as_json(asked)})
                read = opened(path)
                self._known[asked] = OwnRun.of(read.trace, read.more)
            return self._known[asked]

    def examine(self, text: str = "", causal: bool | None = None) -> list[Finding]:
        """What the doctor finds in its model.

        Raises:
            UserError: it cannot be examined.
        """
        with self._lock:
            found = self._ask({"do": "examine", "text": text, "causal": causal})["findings"]
        return [Finding(**decoded(one)) for one in found]

    def end(self) -> None:
        """Stop it. What it has recorded can still be looked at."""
        self._ending()

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with stopped_after(process, self._patience) as is_late:
            try:
                send(process.stdin, request)
                answer = receive(process.stdout, _MOST)
            except (OSError, ValueError):  # it went while it was asked
                answer = None
        if answer is None:
            code = process.poll() if not is_late() else None
            self.end()
            raise self._gone(code if code is not None else process.returncode, is_late())
        if sentence := answer.get("wrong"):
            raise retold(sentence, answer["details"])
        return answer

    def _gone(self, code: int | None, is_late: bool) -> UserError:
        if is_late:
            return UserError(
                "{name} was stopped after {seconds} seconds without a recording: it waits for something, or its inputs "
                "are too large to look at.",
                name=self._target.title,
                seconds=round(self._patience),
            )
        return UserError(
            "The process of {name} ended by itself, with exit code {code}: it was killed, or a library in it crashed.",
            name=self._target.title,
            code=code,
        )


def _search_path(target: CodeTarget) -> str:
    """Where the process finds modules: those beside the file first, as Python itself does it; lmviz last."""
    before = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([str(target.folder), *filter(None, before), str(PACKAGES)])
