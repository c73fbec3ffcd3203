"""A recording read back from its file. Whoever made the file, nothing in it is run, and no size is believed unseen."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from lmviz.errors import UserError, retold
from lmviz.faults import of_content, of_safetensors
from lmviz.trace.checked import check, check_place, check_value, sequence
from lmviz.trace.plain_data import decoded
from lmviz.trace.saved import FORMAT, HEADER, PAIRS
from lmviz.trace.source.sites import SourceSpan
from lmviz.trace.source.syntax import know
from lmviz.trace.step import Array, Contents, ModuleCall, Statement, Step, Trace, Value

_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BOOL": "?", "U8": "u1", "I8": "i1"},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "U64": "<u8", "U32": "<u4", "U16": "<u2"},
}


class RecordedError(Exception):
    """What a model raised, by the name of its type and its text."""


@dataclass(frozen=True)
class Opened:
    """A recording, and what its maker saved with it."""

    trace: Trace
    more: Mapping[str, Any]


def opened(path: Path, name: str = "") -> Opened:
    """Read a recording from a file, which must stay where it is as long as the recording is looked at.

    Args:
        name: what whoever gave the file calls it; default: its name.

    Raises:
        UserError: it is no recording.
    """
    _check_file(path, name or path.name)
    try:
        with safe_open(path, "np") as file:
            facts = file.metadata() or {}
        if HEADER not in facts:
            raise UserError("it holds tensors and no walk, as a model's weights do")
        header = json.loads(facts[HEADER])
        if header["format"] != FORMAT:
            found = str(header["format"])[:20]
            raise UserError(
                "its format is {found:code}, and this version of lmviz reads {known}", found=found, known=FORMAT
            )
        more = decoded(header["more"])
        return Opened(_Reader(path, header).trace(header, more), more)
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        AssertionError,
        RuntimeError,  # torch, of a device that there is not
        OverflowError,
        MemoryError,
    ) as error:
        raise UserError(
            "{file} must be a recording that lmviz has saved; it is none: {reason}.",
            file=name or path.name,
            reason=of_safetensors(error) if isinstance(error, SafetensorError | OSError) else of_content(error),
        ) from error


def _check_file(path: Path, name: str) -> None:
    """Nobody waits for a pipe."""
    if not os.path.exists(path):  # a name that no system takes is of nothing either
        raise UserError("There is no file {file} in {folder}.", file=name, folder=path.absolute().parent)
    if not os.path.isfile(path):
        raise UserError(
            "{file} must be an ordinary file; it is a folder, a device or a pipe: put a file in its place.", file=name
        )


class _Reader:
    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.arrays = _Arrays(path)
        self.values: list[Value] = []
        for entry in sequence(header["values"]):
            self.values.append(self._value(entry))

    def trace(self, header: dict[str, Any], more: Mapping[str, Any]) -> Trace:
        failure = header["failure"]
        contents = Contents(
            steps=tuple(self._step(entry) for entry in header["steps"]),
            statements=tuple(Statement(**entry | {"span": _span(entry["span"])}) for entry in header["statements"]),
            calls=tuple(ModuleCall(**entry) for entry in header["calls"]),
            inputs=self._all(header["inputs"]),
            weights=MappingProxyType({path: self._one(n) for path, n in header["weights"].items()}),
            failed_at=failure and failure["step"],
            failed_in=_span(failure["span"]) if failure and failure["span"] else None,
            origins=tuple(map(tuple, header["origins"])),
            aliases=MappingProxyType({name: (step, output) for name, (step, output) in header["aliases"].items()}),
        )
        check(contents)
        raised = _exception(str(failure["kind"]), str(failure["text"])) if failure else None
        result = decoded(header["result"], self._result)
        loss = decoded(header["loss"])
        if not isinstance(loss, float | None):
            raise TypeError("a loss is one number")
        for file, lines in header["sources"].items():  # last: what was refused leaves nothing behind
            know(str(file), [str(line) for line in sequence(lines)])
        return Trace(lambda: contents, result, raised, loss, about=more)

    def _step(self, entry: dict[str, Any]) -> Step:
        return Step(
            **entry
            | {
                "span": _span(entry["span"]),
                "inputs": self._all(entry["inputs"]),
                "outputs": self._all(entry["outputs"]),
                "settings": MappingProxyType(dict(decoded(entry["settings"]))),
                "arguments": tuple(sequence(entry["arguments"])),
            }
        )

    def _value(self, entry: dict[str, Any]) -> Value:
        cells = _Cells(self.arrays, entry["array"], entry["grad"], int(entry["edge"]))
        before = None if entry["before"] is None else self._one(entry["before"])
        plain = {name: part for name, part in entry.items() if name not in ("array", "grad", "edge")}
        lists = {"axes": tuple(entry["axes"]), "shape": tuple(entry["shape"])}
        check_place(entry["array"])
        if entry["grad"] is not None:
            check_place(entry["grad"])
        value = Value(**plain | lists | {"before": before, "cells": cells})
        shapes: list[tuple[int, ...] | None] = [
            self.arrays.shape(where) for where in (entry["array"], entry["grad"]) if isinstance(where, str)
        ]
        for shape in shapes or [None]:
            check_value(value, shape, len(self.values), entry["before"])
        return value

    def _one(self, index: Any) -> Value:
        if type(index) is not int or index < 0:
            raise IndexError(f"no tensor has the number {index!r}")
        return self.values[index]

    def _all(self, indices: Any) -> tuple[Value, ...]:
        return tuple(self._one(index) for index in sequence(indices))

    def _result(self, where: Any) -> Any:
        """A tensor that the model returned; None where its numbers are not there."""
        return torch.from_numpy(self.arrays.read(where).copy()) if isinstance(where, str) else None


class _Arrays:
    """The numbers in a file, read where they lie."""

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            n_header = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(n_header))
        self._places = {name: place for name, place in header.items() if name != "__metadata__"}
        begin = 8 + n_header
        has_numbers = path.stat().st_size > begin
        self._bytes = np.memmap(path, np.uint8, "r", offset=begin) if has_numbers else np.empty(0, np.uint8)

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an array that is stored under a name."""
        place = self._places[name]
        shape = tuple(place["shape"])
        assert place["dtype"] in _DTYPES
        return shape[:-1] if _is_of_pairs(name) else shape

    def read(self, name: str) -> Array:
        place = self._places[name]
        start, end = place["data_offsets"]
        flat, shape = self._bytes[start:end].view(_DTYPES[place["dtype"]]), tuple(place["shape"])
        kind = name.partition(".")[2]
        found = np.asarray(flat.view(kind).reshape(shape[:-1]) if _is_of_pairs(name) else flat.reshape(shape))
        found.flags.writeable = False
        return found


def _is_of_pairs(name: str) -> bool:
    """Whether an array is stored as pairs, as "3.complex64" is."""
    return name.partition(".")[2] in PAIRS


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The numbers of one value."""

    arrays: _Arrays
    where: Any
    grad: Any
    edge: int

    def read(self) -> Array:
        return self._found(self.where)

    def read_grad(self) -> Array | None:
        return None if self.grad is None else self._found(self.grad)

    def read_edge(self) -> int:
        return self.edge

    def _found(self, where: Any) -> Array:
        """An array; or the sentence that says why it is not there."""
        if isinstance(where, str):
            return self.arrays.read(where)
        raise retold(*where)


def _span(entry: list[Any]) -> SourceSpan:
    text, file, (first, last), (start, end), function = entry
    return SourceSpan(str(text), str(file), (int(first), int(last)), (int(start), int(end)), str(function))


def _exception(kind: str, text: str) -> RecordedError:
    """An exception that is called as the model's own was."""
    name = kind if kind.isidentifier() else RecordedError.__name__
    raised: RecordedError = type(name, (RecordedError,), {})(text)
    return raised
