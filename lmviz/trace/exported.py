"""Numbers of a recording for other programs: NumPy's .npz, a table as .csv, JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lmviz.errors import UserError, check_given
from lmviz.trace.step import Array, Step, Trace, Value
from lmviz.whole_file import check_place, save_whole

MOST_WRITTEN = 2_000_000  # numbers that are written out as text
KINDS = ("npz", "csv", "json")


def export(what: Trace | Step | Value, path: str | os.PathLike[str]) -> Path:
    """Write numbers to a file for another program; the end of its name says how.

    `.npz` keeps each tensor as an array under its address, exactly. `.csv` has a line for each number: one column for
    each axis, then the number; the address comes first where there are several tensors. `.json` has each tensor with
    axes, shape and type; infinities and NaN, which JSON lacks, are the texts "inf", "-inf" and "nan".

    Args:
        what: all that a trace made, in order; what a step made; or one tensor.

    Returns:
        The path.

    Raises:
        UserError: it is none of these, the file's name has another end, it cannot be written, or it is too much to be
            written as text.
    """
    check_given("export", "what", what, Trace, Step, Value)
    check_given("export", "path", path, str, os.PathLike)
    written = Path(path)
    check_place(written)
    content = exported(tensors_of(what), written.suffix.removeprefix(".").lower())
    save_whole(written, lambda place: place.write_bytes(content))
    return written


def tensors_of(what: Trace | Step | Value) -> dict[str, Value]:
    """The tensors of a trace or a step by their addresses, in the order in which they were made."""
    if isinstance(what, Value):
        return {what.address or what.name or "value": what}
    steps = what if isinstance(what, Trace) else (what,)
    return {value.address: value for step in steps for value in step.outputs}


def exported(tensors: Mapping[str, Value], kind: str) -> bytes:
    """Tensors as the bytes of a file: "npz", "csv" or "json"; those whose numbers were not kept are left out.

    Raises:
        UserError: there is no such kind, or it is too much to be written as text.
    """
    if kind not in KINDS:
        raise UserError(
            "Numbers are written as .npz, .csv or .json; {kind} is none of these: name the file otherwise.",
            kind=f".{kind}",
        )
    arrays = {address: array for address, value in tensors.items() if (array := _array(value)) is not None}
    total = sum(array.size for array in arrays.values())
    if kind != "npz" and total > MOST_WRITTEN:
        raise UserError(
            "Up to {most} numbers are written out as text, and these are {total}: take .npz, or fewer tensors.",
            most=MOST_WRITTEN,
            total=total,
        )
    if kind == "npz":
        return _npz(arrays)
    if kind == "json":
        found = [_described(address, tensors[address], array) for address, array in arrays.items()]
        return json.dumps(found[0] if len(tensors) == 1 and found else found, allow_nan=False).encode()
    return _csv(tensors, arrays).encode()


def _array(value: Value) -> Array | None:
    try:
        return value.array
    except UserError:  # it was left out of a file, or has no numbers
        return None


def _npz(arrays: Mapping[str, Array]) -> bytes:
    found = io.BytesIO()
    np.savez_compressed(found, allow_pickle=False, **{address.replace("/", "."): a for address, a in arrays.items()})
    return found.getvalue()


def _described(address: str, value: Value, array: Array) -> dict[str, Any]:
    shown = {"address": address, "axes": list(value.axes), "shape": list(value.shape), "dtype": value.dtype}
    return {**shown, "values": _nested(array.tolist())}


def _nested(found: Any) -> Any:
    if isinstance(found, list):
        return [_nested(one) for one in found]
    if isinstance(found, complex):
        return [_nested(found.real), _nested(found.imag)]
    return str(found) if isinstance(found, float) and not math.isfinite(found) else found


def _csv(tensors: Mapping[str, Value], arrays: Mapping[str, Array]) -> str:
    found = io.StringIO()
    table = csv.writer(found, lineterminator="\n")
    if len(tensors) == 1 and arrays:
        ((address, array),) = arrays.items()
        table.writerow([*_columns(tensors[address].axes), "value"])
        table.writerows([*cell, number] for cell, number in _cells(array))
        return found.getvalue()
    table.writerow(["address", "cell", "value"])
    for address, array in arrays.items():
        table.writerows([address, " ".join(map(str, cell)), number] for cell, number in _cells(array))
    return found.getvalue()


def _columns(axes: tuple[str, ...]) -> list[str]:
    """A name for each axis, no two alike."""
    return [
        axis if axis and axis not in (*axes[:i], "value") else f"axis {i}" if not axis else f"{axis} {i}"
        for i, axis in enumerate(axes)
    ]


def _cells(array: Array) -> Iterable[tuple[tuple[int, ...], Any]]:
    return zip(np.ndindex(array.shape), array.ravel().tolist(), strict=True)
