"""Tensors on disk, as safetensors files hold them: looked at without loading, then loaded one at a time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE, MissingFile, ordinary_file, read_json_object

SINGLE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"  # which of several files holds which tensor
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is still on disk."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str  # as safetensors spells it: "F32"

    @property
    def n_numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """On disk, 8 for a number of a type that is not read."""
        return self.n_numbers * (DTYPES[self.dtype].itemsize if self.dtype in DTYPES else 8)

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Load it, into memory of its own: safetensors would leave it in the file, and change with the file.

        It is converted to `dtype` on the way. A UserError says which type it has if that isn't one of floating point.
        """
        with _opened(self.file) as stored:
            return self._from(stored, dtype)

    def _from(self, opened: Any, dtype: torch.dtype | None) -> Tensor:
        if self.dtype not in DTYPES:
            raise UserError(
                "{file} must hold numbers of type {types}; its {name} has {dtype}.",
                file=self.file.name,
                types=", ".join(DTYPES),
                name=self.name,
                dtype=self.dtype,
            )
        tensor: Tensor = opened.get_tensor(self.name)
        return tensor.to(dtype or tensor.dtype, copy=True)


@dataclass(frozen=True)
class Slot:
    """One tensor on disk, and the parameters of ours that it holds, one after the other along their first axis."""

    ours: tuple[str, ...]
    shape: tuple[int, ...]  # on disk
    transposed: bool = False  # GPT-2's Conv1D keeps [in, out], and nn.Linear [out, in]

    def split(self, stored: Tensor) -> Iterator[tuple[str, Tensor]]:
        parts = (stored.T if self.transposed else stored).chunk(len(self.ours))
        return ((name, part.contiguous()) for name, part in zip(self.ours, parts, strict=True))

    def join(self, parameters: Mapping[str, Tensor]) -> Tensor:
        stored = torch.cat([parameters[name] for name in self.ours])
        return (stored.T if self.transposed else stored).contiguous()


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of a folder's safetensors files by its name; nothing is loaded, and no pickle is ever opened."""
    return {tensor.name: tensor for file in _weight_files(folder) for tensor in _headers(file)}


def read_all(stored: Mapping[str, StoredTensor], dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """All of some tensors, one at a time as `StoredTensor.read` does it, but each file is opened once."""
    by_file: dict[Path, dict[str, StoredTensor]] = {}
    for name, tensor in stored.items():
        by_file.setdefault(tensor.file, {})[name] = tensor
    for file, tensors in by_file.items():
        with _opened(file) as opened:
            yield from ((name, tensor._from(opened, dtype)) for name, tensor in tensors.items())


def check_shapes(slots: Mapping[str, Slot], stored: Mapping[str, StoredTensor]) -> None:
    """Every tensor that the config promises is there, in its shape, and no other."""
    for name, slot in slots.items():
        if name not in stored:
            raise UserError("The weights must have {name}, as config.json says; it is missing.", name=name)
        if stored[name].shape != slot.shape:
            raise UserError(
                "{name} in {file} must have shape {expected}, as config.json says; it has {shape}.",
                name=name,
                file=stored[name].file.name,
                expected=list(slot.shape),
                shape=list(stored[name].shape),
            )
    if extra := sorted(stored.keys() - slots.keys()):
        raise UserError(
            "{file} has tensors that this architecture lacks, {n_extra} in all; the first is {name}.",
            file=stored[extra[0]].file.name,
            n_extra=len(extra),
            name=extra[0],
        )


def is_tied(said: bool, stored: dict[str, StoredTensor], unembedding: str, embedding: str) -> bool:
    """Whether a model has one matrix for both: what its config says, unless both are on disk and differ.

    `transformers` decides so too. A second copy is left out of `stored`.
    """
    if not said or not {unembedding, embedding} <= stored.keys():
        return said
    one, other = stored[unembedding].read(), stored[embedding].read()
    if one.dtype != other.dtype:
        one, other = one.double(), other.double()
    if torch.equal(one, other):
        del stored[unembedding]
        return True
    return False


def tensors_as_file(tensors: dict[str, Tensor]) -> bytes:
    """What a file of safetensors with these tensors holds."""
    content: bytes = to_safetensors(tensors, metadata={"format": "pt"})
    return content


def _weight_files(folder: Path) -> list[Path]:
    with contextlib.suppress(MissingFile):
        ordinary_file(folder / SINGLE_FILE)
        return [folder / SINGLE_FILE]
    with contextlib.suppress(MissingFile):
        return [folder / name for name in _shard_names(folder / INDEX)]
    pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
    if pickles:
        raise UserError(
            "Weights are read from {file} only, since opening a pickle such as {pickle} can run any code: "
            "save the model again as safetensors.",
            file=SINGLE_FILE,
            pickle=pickles[0],
        )
    raise UserError("There is no file {file} in {folder}.", file=SINGLE_FILE, folder=folder)


def _shard_names(index: Path) -> list[str]:
    weight_map = read_json_object(index, 16 * MEGABYTE).get("weight_map")
    names = {str(name) for name in weight_map.values()} if isinstance(weight_map, dict) else set()
    strays = sorted(name for name in names if Path(name).name != name or not name.endswith(".safetensors"))
    if not names or strays:
        raise UserError(
            "{file} must have a weight_map from tensors to safetensors files beside it; got {stray}.",
            file=index.name,
            stray=strays[0] if strays else "none",
        )
    return sorted(names)


def _headers(file: Path) -> list[StoredTensor]:
    with _opened(file, "np") as stored:  # which asks the system for no memory, however long the file claims to be
        slices = {name: stored.get_slice(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
        return [StoredTensor(file, name, tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()]


@contextlib.contextmanager
def _opened(file: Path, framework: str = "pt") -> Iterator[Any]:
    """The tensors of a file, for as long as nothing is wrong with it."""
    path = ordinary_file(file)
    try:
        with safe_open(path, framework=framework) as stored:
            yield stored
    except (SafetensorError, OSError, RuntimeError, MemoryError) as error:  # torch maps the file into memory
        raise UserError(
            "{file} must be a whole safetensors file; it is not: {reason}.", file=file.name, reason=error
        ) from None
