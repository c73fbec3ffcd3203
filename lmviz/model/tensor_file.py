"""The numbers of one safetensors file, read into memory of our own.

It is not mapped into memory: a file that somebody saves again, shorter, would then end this process. What takes time
is thus that the system finds memory for the numbers, and the copy. Larger pages would halve it where the machine is
one's own, and treble it on a virtual one whose host has taken back what was free: they are not asked for.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.files import open_parts

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
OTHERS = {  # which are no weights; a model may keep such beside them
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
}
CHUNK = 2**20  # bytes that are converted at once: they stay in the processor's cache
_MOST_AT_ONCE = 4  # tensors that are read at once: what takes time is that the system finds memory for them


class Place(NamedTuple):
    """Where the numbers of a tensor stand in the file."""

    name: str
    dtype: str  # as safetensors spells it: "F32"
    shape: tuple[int, ...]
    begin: int = 0


def read_tensors(
    path: Path, wanted: Collection[Place], dtype: torch.dtype | None, transposed: Collection[str]
) -> Iterator[tuple[str, Tensor]]:
    """Some tensors of a file, from its front to its back.

    Args:
        path: a file whose header is known to be whole.
        wanted: what the file is known to hold.
        dtype: what the numbers of floating point are converted to; None: nothing.
        transposed: the matrices that are wanted as their transposes.

    Raises:
        UserError: the file has changed since it was looked at.
    """
    with ExitStack() as stack:
        n_at_once = min(_MOST_AT_ONCE, os.cpu_count() or 1)
        files = [stack.enter_context(open_parts(path)) for _ in range(n_at_once)]
        state, places = _state(files[0]), _places(files[0], {(one.name, one.dtype, one.shape) for one in wanted})
        if len(places) < len(wanted):
            raise _changed(path)
        free: SimpleQueue[FileIO] = SimpleQueue()
        for file in files:
            free.put(file)

        def read(place: Place) -> tuple[str, Tensor]:
            is_turned, kind = place.name in transposed, DTYPES.get(place.dtype)
            to = OTHERS[place.dtype] if kind is None else dtype or kind
            tensor = torch.empty(place.shape[::-1] if is_turned else place.shape, dtype=to, device="cpu")
            file = free.get()
            try:
                file.seek(place.begin)
                is_whole = _fill(file, tensor.T if is_turned else tensor.view(-1), kind or to)
                if not is_whole or _state(file) != state:
                    raise _changed(path)
            finally:
                free.put(file)
            return place.name, tensor

        yield from stack.enter_context(ThreadPoolExecutor(n_at_once)).map(read, places)


def _fill(file: FileIO, target: Tensor, dtype: torch.dtype) -> bool:
    """Read the numbers of a tensor, which have this type in the file, row by row; whether all are there."""
    if not target.numel():
        return True
    if target.dtype == dtype and target.is_contiguous():
        return _read_into(file, target.view(-1).view(torch.uint8).numpy().data)
    n_in_row = math.prod(target.shape[1:])
    rows_at_once = min(len(target), max(1, CHUNK // (n_in_row * dtype.itemsize)))
    chunk = bytearray(rows_at_once * n_in_row * dtype.itemsize)
    numbers = torch.frombuffer(chunk, dtype=dtype)
    for rows in target.split(rows_at_once):
        if not _read_into(file, memoryview(chunk)[: rows.numel() * dtype.itemsize]):
            return False
        rows.copy_(numbers[: rows.numel()].view(rows.shape))
    return True


def _read_into(file: FileIO, room: memoryview) -> bool:
    """Fill it; whether there was enough."""
    while room:
        n_read = file.readinto(room)  # at most 2 GB at once
        if not n_read:
            return False
        room = room[n_read:]
    return True


def _places(file: FileIO, wanted: Collection[tuple[str, str, tuple[int, ...]]]) -> list[Place]:
    """Where the wanted ones stand, from front to back, those of them that the header has."""
    length = int.from_bytes(file.read(8), "little")
    try:
        header = json.loads(file.read(length) if length < os.fstat(file.fileno()).st_size else b"{}")
        found = [
            Place(name, one["dtype"], tuple(one["shape"]), 8 + length + one["data_offsets"][0])
            for name, one in header.items()
            if name != "__metadata__"
        ]
        return sorted((one for one in found if one[:3] in wanted), key=lambda one: one.begin)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return []


def _state(file: FileIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_ino, found.st_mtime_ns, found.st_size


def _changed(path: Path) -> UserError:
    return UserError("{file} was written to while it was read: open it again.", file=path.name)
