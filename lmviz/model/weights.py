"""Tensors on disk, as safetensors files hold them: looked at without loading, then loaded one at a time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor

from lmviz.errors import UserError
from lmviz.faults import of_safetensors, of_system
from lmviz.model.files import MEGABYTE, MissingFile, ordinary_file, read_json_object
from lmviz.model.tensor_file import DTYPES, OTHERS, Place, read_tensors

SINGLE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"  # which of several files holds which tensor


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

    def read(self) -> Tensor:
        """Load it, as it is on disk."""
        return dict(read_all({self.name: self}))[self.name]


@dataclass(frozen=True)
class TensorLayout:
    """One tensor on disk, and the parameters of ours that it holds, one after the other along their first axis."""

    ours: tuple[str, ...]
    shape: tuple[int, ...]  # on disk
    transposed: bool = False  # GPT-2's Conv1D keeps [in, out], and nn.Linear [out, in]

    def split(self, stored: Tensor) -> Iterator[tuple[str, Tensor]]:
        """The parameters in the tensor, which has been turned if it is `transposed`."""
        return zip(self.ours, stored.chunk(len(self.ours)), strict=True)

    def join(self, parameters: Mapping[str, Tensor]) -> Tensor:
        stored = torch.cat([parameters[name] for name in self.ours])
        return (stored.T if self.transposed else stored).contiguous()


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of a folder's safetensors files by its name; nothing is loaded, and no pickle is ever opened."""
    return {tensor.name: tensor for file in _weight_files(folder) for tensor in _headers(file)}


def read_all(
    stored: Mapping[str, StoredTensor],
    dtype: torch.dtype | None = None,
    transposed: Collection[str] = (),
    types: Collection[str] = (*DTYPES, *OTHERS),
) -> Iterator[tuple[str, Tensor]]:
    """All of some tensors, by the names that they are given under; each file is opened once.

    Args:
        stored: what is read.
        dtype: what the numbers of floating point are converted to on the way; None: nothing.
        transposed: which matrices are turned.
        types: the types that a number may have.

    Raises:
        UserError: a number is of another type, or the file has changed since it was looked at.
    """
    for name, tensor in stored.items():
        if tensor.dtype not in types:
            raise UserError(
                "{file} must hold numbers of type {types}; its {name} has {dtype}.",
                file=tensor.file.name,
                types=", ".join(types),
                name=name,
                dtype=tensor.dtype,
            )
    names = {(tensor.file, tensor.name): name for name, tensor in stored.items()}
    for file in dict.fromkeys(tensor.file for tensor in stored.values()):
        wanted = [Place(one.name, one.dtype, one.shape) for one in stored.values() if one.file == file]
        turned = {stored[name].name for name in transposed if stored[name].file == file}
        try:
            for name, read in read_tensors(file, wanted, dtype, turned):
                yield names[file, name], read
        except (OSError, MemoryError, RuntimeError) as error:
            raise UserError("{file} cannot be read: {reason}.", file=file.name, reason=of_system(error)) from None


def check_shapes(layout: Mapping[str, TensorLayout], stored: Mapping[str, StoredTensor]) -> None:
    """Every tensor that the config promises is there, in its shape, and no other."""
    for name, tensor in layout.items():
        if name not in stored:
            raise UserError("The weights must have {name}, as config.json says; it is missing.", name=name)
        if stored[name].shape != tensor.shape:
            raise UserError(
                "{name} in {file} must have shape {expected}, as config.json says; it has {shape}.",
                name=name,
                file=stored[name].file.name,
                expected=list(tensor.shape),
                shape=list(stored[name].shape),
            )
    if extra := sorted(stored.keys() - layout.keys()):
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
    with _opened(file) as stored:  # which asks the system for no memory, however long the file claims to be
        slices = {name: stored.get_slice(name) for name in stored.keys()}  # noqa: SIM118 - not a dict
        return [StoredTensor(file, name, tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()]


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The tensors of a file, for as long as nothing is wrong with it."""
    path = ordinary_file(file)
    try:
        with safe_open(path, framework="np") as stored:
            yield stored
    except (SafetensorError, OSError) as error:
        raise UserError(
            "{file} must be a whole safetensors file; it is not: {reason}.",
            file=file.name,
            reason=of_safetensors(error),
        ) from None
