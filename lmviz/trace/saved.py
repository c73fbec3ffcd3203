"""A recording as a file: the arrays as safetensors, all else as JSON in its header. Nothing in it is code.

What is read back is a `Trace` like any other: every step, address, source line and number is there. The model is not,
so nothing can be computed again. Arrays are read from the file when somebody looks at them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file
from torch import Tensor

from lmviz.errors import UserError, plain_details
from lmviz.trace.capture.handles import map_nested, to_array
from lmviz.trace.plain_data import Stored, encoded
from lmviz.trace.source.sites import SourceSpan
from lmviz.trace.source.syntax import version_with
from lmviz.trace.step import Array, Step, Trace, Value
from lmviz.whole_file import check_place, save_whole

KEPT = 2 * 2**30  # bytes of numbers that a file holds at most
FORMAT = 1
HEADER = "lmviz"  # the key in the metadata of the file
NAMED = 5  # of those left out, in a sentence
PAIRS = {"complex64": "float32", "complex128": "float64"}  # stored as pairs: not every safetensors has them
_LEFT_OUT = (
    "This recording was saved without the numbers of this tensor, since it was too large: record again to see them."
)


@dataclass(frozen=True)
class Saved:
    """What was written to a file."""

    path: Path
    n_bytes: int
    n_tensors: int
    left_out: tuple[str, ...]  # addresses of tensors, or of their gradients, whose numbers are not in it

    def __str__(self) -> str:
        size = f"{self.path}: {self.n_bytes / 1e6:.2f} MB, {self.n_tensors} tensors"
        if not self.left_out:
            return f"{size}, all that was recorded"
        named = ", ".join(self.left_out[:NAMED]) + (", …" if len(self.left_out) > NAMED else "")
        return f"{size}; without the numbers of {len(self.left_out)} that did not fit: {named}"


def save(trace: Trace, path: Path, more: Mapping[str, Any] = MappingProxyType({}), limit: int = KEPT) -> Saved:
    """Write a recording to a file.

    Args:
        more: plain data of the caller's own, which `opened` gives back.
        limit: bytes of numbers. What does not fit is left out, gradients first, and says so when it is read.

    Raises:
        UserError: the file cannot be written; what was there before is still there.
    """
    if limit < 0:
        raise UserError("The limit of a recording is a number of bytes from 0 on; it is {found}.", found=limit)
    check_place(path)
    saver = _Saver(limit)
    header = {"format": FORMAT, **saver.header(trace), "more": encoded(dict(more))}
    facts = {HEADER: json.dumps(header, allow_nan=False)}
    save_whole(path, lambda place: save_file(saver.arrays, place, metadata=facts), SafetensorError)
    return Saved(path, path.stat().st_size, len(saver.arrays), tuple(dict.fromkeys(saver.left_out)))


class _Saver:
    def __init__(self, limit: int) -> None:
        self.arrays: dict[str, Array] = {}
        self.left_out: list[str] = []
        self._left = limit
        self._values: list[Value] = []
        self._entries: list[dict[str, Any]] = []
        self._known: dict[int, int] = {}  # id of a value -> its place among the values

    def header(self, trace: Trace) -> dict[str, Any]:
        contents, failure = trace.contents, trace.failure
        found = {
            "steps": [self._step(step) for step in contents.steps],
            "statements": [_fields(one) | {"span": _span(one.span)} for one in contents.statements],
            "calls": [_fields(one) for one in contents.calls],
            "inputs": [self._value(value) for value in contents.inputs],
            "weights": {path: self._value(value) for path, value in contents.weights.items()},
            "aliases": {name: list(place) for name, place in contents.aliases.items()},
            "origins": [list(origin) for origin in contents.origins],
            "loss": encoded(trace.loss),
            "failure": None,
            "result": encoded(None if failure else map_nested(trace.output, Tensor, self._result)),
            "sources": dict(_sources(trace)),
        }
        if failure is not None:
            found["failure"] = {
                "step": failure.step,
                "span": None if failure.span is None else _span(failure.span),
                "kind": type(failure.exception).__name__,
                "text": str(failure.exception),
            }
        for entry, value in zip(self._entries, self._values, strict=True):  # last, so that they are left out first
            entry["grad"] = self._array(lambda value=value: value.grad, value.address)  # type: ignore[misc]
        return found | {"values": self._entries}

    def _step(self, step: Step) -> dict[str, Any]:
        return _fields(step) | {
            "span": _span(step.span),
            "inputs": [self._value(value) for value in step.inputs],
            "outputs": [self._value(value) for value in step.outputs],
            "settings": encoded(dict(step.settings)),
        }

    def _value(self, value: Value) -> int:
        """The place of a value among all; it is added if it was not met before."""
        if id(value) not in self._known:
            before = None if value.before is None else self._value(value.before)
            entry = _fields(value) | {"before": before, "edge": value.edge}
            entry["array"] = self._array(lambda: value.array, value.address or value.name)
            self._known[id(value)] = len(self._values)
            self._values.append(value)
            self._entries.append(entry)
        return self._known[id(value)]

    def _result(self, tensor: Tensor) -> Stored:
        return Stored(self._array(lambda: to_array(tensor), "what the model returned"))

    def _array(self, read: Callable[[], Array | None], name: str) -> Any:
        """The key under which an array is stored; else the sentence that says why it is not; None if there is none."""
        try:
            array = read()
        except UserError as error:
            self.left_out.append(name)
            return [error.sentence, plain_details(error)]
        if array is None:
            return None
        if array.nbytes > self._left:
            self.left_out.append(name)
            return [_LEFT_OUT, {}]
        self._left -= array.nbytes
        key, kind = str(len(self.arrays)), str(array.dtype)
        whole = np.ascontiguousarray(array)
        if kind not in PAIRS:
            self.arrays[key] = whole.reshape(array.shape)
            return key
        key = f"{key}.{kind}"
        self.arrays[key] = whole.reshape(-1).view(PAIRS[kind]).reshape(*array.shape, 2)
        return key


_APART = frozenset(("span", "inputs", "outputs", "settings", "cells", "before"))  # fields that are no plain data


def _fields(one: Any) -> dict[str, Any]:
    return {part.name: getattr(one, part.name) for part in fields(one) if part.name not in _APART}


def _span(span: SourceSpan) -> list[Any]:
    return [span.text, span.file, list(span.lines), list(span.columns), span.function]


def _sources(trace: Trace) -> Iterator[tuple[str, list[str]]]:
    """The files that the steps came from, as they were."""
    found: dict[str, SourceSpan] = {}
    for span in [*(step.span for step in trace.steps), *(one.span for one in trace.statements)]:
        if span.text:
            found.setdefault(span.file, span)
    for file, span in found.items():
        syntax = version_with(file, span.lines[0], span.columns[0], span.text)
        if syntax is not None:
            yield file, syntax.lines
