"""A recording read back from its file. Whoever made the file, nothing in it is run, and no size is believed unseen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from lmviz.errors import UserError
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


def opened(path: Path) -> Opened:
    """Read a recording from a file, which must stay where it is as long as the recording is looked at.

    Raises:
        UserError: it is no recording.
    """
    try:
        with safe_open(path, "np") as file:
            header = json.loads((file.metadata() or {})[HEADER])
        if header["format"] != FORMAT:
            raise ValueError(f"format {header['format']}")
        trace = _Reader(path, header).trace(header)
        return Opened(trace, decoded(header["more"]))
    except (
        SafetensorError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
    ) as error:
        raise UserError(
            "{file} must be a recording that lmviz has saved; it is none: {reason}.",
            file=path.name,
            reason=f"{type(error).__name__} {error}"[:200],
        ) from error


class _Reader:
    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.arrays = _Arrays(path)
        for file, lines in header["sources"].items():
            know(str(file), [str(line) for line in lines])
        self.values: list[Value] = []
        for entry in header["values"]:
            self.values.append(self._value(entry))

    def trace(self, header: dict[str, Any]) -> Trace:
        failure = header["failure"]
        contents = Contents(
            steps=tuple(self._step(entry) for entry in header["steps"]),
            statements=tuple(Statement(**entry | {"span": _span(entry["span"])}) for entry in header["statements"]),
            calls=tuple(ModuleCall(**entry) for entry in header["calls"]),
            inputs=tuple(self.values[n] for n in header["inputs"]),
            weights=MappingProxyType({path: self.values[n] for path, n in header["weights"].items()}),
            failed_at=failure and failure["step"],
            failed_in=_span(failure["span"]) if failure and failure["span"] else None,
            origins=tuple(map(tuple, header["origins"])),
            aliases=MappingProxyType({name: (step, output) for name, (step, output) in header["aliases"].items()}),
        )
        raised = _exception(failure["kind"], failure["text"]) if failure else None
        result = decoded(header["result"], self._result)
        return Trace(lambda: contents, result, raised, decoded(header["loss"]))

    def _step(self, entry: dict[str, Any]) -> Step:
        return Step(
            **entry
            | {
                "span": _span(entry["span"]),
                "inputs": tuple(self.values[n] for n in entry["inputs"]),
                "outputs": tuple(self.values[n] for n in entry["outputs"]),
                "settings": MappingProxyType(decoded(entry["settings"])),
                "arguments": tuple(entry["arguments"]),
            }
        )

    def _value(self, entry: dict[str, Any]) -> Value:
        cells = _Cells(self.arrays, entry["array"], entry["grad"], int(entry["edge"]))
        before = None if entry["before"] is None else self.values[entry["before"]]
        plain = {name: part for name, part in entry.items() if name not in ("array", "grad", "edge")}
        lists = {"axes": tuple(entry["axes"]), "shape": tuple(entry["shape"])}
        return Value(**plain | lists | {"before": before, "cells": cells})

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

    def read(self, name: str) -> Array:
        place = self._places[name]
        start, end = place["data_offsets"]
        flat, shape = self._bytes[start:end].view(_DTYPES[place["dtype"]]), tuple(place["shape"])
        kind = name.partition(".")[2]  # "3.complex64" is stored as pairs
        found = np.asarray(flat.view(kind).reshape(shape[:-1]) if kind in PAIRS else flat.reshape(shape))
        found.flags.writeable = False
        return found


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
        sentence, details = where
        raise UserError(str(sentence), **details)


def _span(entry: list[Any]) -> SourceSpan:
    text, file, (first, last), (start, end), function = entry
    return SourceSpan(str(text), str(file), (int(first), int(last)), (int(start), int(end)), str(function))


def _exception(kind: str, text: str) -> RecordedError:
    """An exception that is called as the model's own was."""
    name = kind if kind.isidentifier() else RecordedError.__name__
    raised: RecordedError = type(name, (RecordedError,), {})(text)
    return raised
