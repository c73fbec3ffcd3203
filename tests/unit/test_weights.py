"""Weights come into memory of their own, as they are in the file, and whoever writes to the file does no harm."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model import tensor_file
from lmviz.model.weights import SINGLE_FILE, read_all, stored_tensors, tensors_as_file

SHAPES = {"matrix": (37, 11), "row": (1, 50), "column": (50, 1), "vector": (13,), "scalar": (), "none": (0, 4)}
KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of all types and of odd shapes in one file, so that they stand at odd places."""
    torch.manual_seed(0)
    mixed = {f"{name}.{kind}": torch.randn(shape).to(kind) for kind in KINDS for name, shape in SHAPES.items()}
    others: dict[str, Tensor] = {"mask": torch.rand(3, 5) > 0.5, "ids": torch.arange(7), "bytes": torch.ones(3).byte()}
    (tmp_path / SINGLE_FILE).write_bytes(tensors_as_file({**others, **mixed}))
    return tmp_path


@pytest.mark.parametrize("dtype", [None, torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("chunk", [1, 64, 2**20])
def test_what_is_read_is_what_the_library_reads(
    folder: Path, dtype: torch.dtype | None, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_file, "CHUNK", chunk)
    theirs, stored = load_file(folder / SINGLE_FILE), stored_tensors(folder)
    turned = {name for name in stored if name.startswith(("matrix", "row", "column", "none"))}
    read = dict(read_all(stored, dtype, turned))
    assert read.keys() == theirs.keys()
    for name, tensor in read.items():
        wanted = theirs[name].T if name in turned else theirs[name]
        wanted = wanted.to(dtype or wanted.dtype) if wanted.is_floating_point() else wanted
        assert tensor.is_contiguous() and tensor.dtype == wanted.dtype and tensor.equal(wanted), name


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is mapped into memory")
def test_the_file_is_never_mapped_while_weights_are_read(folder: Path) -> None:
    for _ in read_all(stored_tensors(folder), torch.float32):
        assert SINGLE_FILE not in Path("/proc/self/maps").read_text(encoding="utf-8")


@pytest.mark.parametrize("change", ["shorter", "other sizes", "cut", "no header"])
def test_a_file_that_is_written_to_before_its_weights_are_read_is_told(folder: Path, change: str) -> None:
    stored, content = stored_tensors(folder), (folder / SINGLE_FILE).read_bytes()
    written = {
        "shorter": tensors_as_file({"vector.torch.float32": torch.ones(13)}),
        "other sizes": tensors_as_file({name: torch.ones(2, 3) for name in stored}),
        "cut": content[:-100],
        "no header": content[:5],
    }
    (folder / SINGLE_FILE).write_bytes(written[change])
    with pytest.raises(UserError, match=r"model\.safetensors was written to while it was read: open it again"):
        dict(read_all(stored))


def test_a_file_that_is_written_to_while_its_weights_are_read_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By somebody who keeps the sizes, so that only the clock of the file system tells it."""
    fill = tensor_file._fill

    def written_to(*arguments: object) -> bool:
        os.utime(folder / SINGLE_FILE, ns=(0, 0))
        return fill(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tensor_file, "_fill", written_to)
    with pytest.raises(UserError, match="was written to while it was read"):
        dict(read_all(stored_tensors(folder)))
