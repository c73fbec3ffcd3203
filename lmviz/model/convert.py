"""Weights in a pickle, as nanoGPT and older folders keep them, as a folder that opens here: nothing in it is run."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lmviz.errors import UserError
from lmviz.faults import of_system
from lmviz.model.architectures import ARCHITECTURES
from lmviz.model.files import ordinary_file, read_bytes, read_json_object, write_whole
from lmviz.model.pickled import weights_in
from lmviz.model.tokenizer import LARGEST_FILE, Tokenizer
from lmviz.model.weights import SINGLE_FILE, tensors_as_file

ACTIVATIONS = ("gelu", "gelu_tanh")  # exact, or by tanh


@dataclass(frozen=True, eq=False)
class Conversion:
    """What will be written."""

    files: Mapping[str, bytes]
    n_weights: int
    config: Mapping[str, Any]
    source: str  # "nanoGPT", or the model_type of the config beside the weights


def convert(path: Path, tokenizer: Tokenizer | None = None, activation: str = "gelu") -> Conversion:
    """Read a file of weights, and what its folder will hold.

    Args:
        path: a checkpoint of nanoGPT, or weights with a config.json beside them.
        tokenizer: cuts texts for the model; default: the files beside the weights.
        activation: of nanoGPT's MLP, which its file does not say.

    Raises:
        UserError: it holds more than tensors and plain values, or is no such file.
    """
    content = _read(path)
    readers = filter(None, (record.read_checkpoint for record in ARCHITECTURES.values()))
    read = next(filter(None, (reader(content, activation) for reader in readers)), None)
    if read is not None:
        config, tensors, source = read.config, read.tensors, read.trainer
        texts: dict[str, bytes] = {}
    else:
        config = read_json_object(path.parent / "config.json")
        tensors, source = weights_in(content), str(config.get("model_type"))
        texts = _texts_beside(path.parent)
    if tokenizer is not None:
        texts["tokenizer.json"] = tokenizer.text().encode()
    kept = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}  # tied ones apart
    files = {"config.json": (json.dumps(config, indent=2) + "\n").encode(), SINGLE_FILE: tensors_as_file(kept), **texts}
    return Conversion(files, sum(tensor.numel() for tensor in kept.values()), config, source)


def write(conversion: Conversion, folder: Path) -> None:
    """Write the folder; each file is there whole or not at all.

    Raises:
        UserError: it cannot be written there.
    """
    check_folder(conversion, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in conversion.files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise _not_written(folder, of_system(error)) from error


def check_folder(conversion: Conversion, folder: Path) -> None:
    """What can be seen of a folder's place before anything is written.

    Raises:
        UserError: it is taken, or it cannot be written to.
    """
    try:
        place, asked = Path(os.path.realpath(folder)), folder.absolute()
        there = next(one for one in (asked, *asked.parents) if os.path.lexists(one))
        leads_nowhere = not there.exists()
        taken = [name for name in conversion.files if (place / name).is_dir()]
        for one in (place, *(place / name for name in conversion.files)):
            one.exists()  # raises where the name is too long
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise _not_written(folder, of_system(error)) from error
    if leads_nowhere:
        raise _not_written(folder, UserError("{there} is a link that leads nowhere", there=there))
    if not there.is_dir():
        raise _not_written(folder, UserError("{there} is no folder", there=there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise _not_written(folder, UserError("lmviz has no right to write to {there}", there=there))
    if taken:
        raise _not_written(folder, UserError("{name} in it is a folder", name=taken[0]))


def _not_written(folder: Path, reason: UserError) -> UserError:
    return UserError("{folder} can't be written: {reason}. Name another place.", folder=folder, reason=reason)


def _read(path: Path) -> dict[str, Any]:
    """The file's dictionary. Only tensors and plain values are unpickled: torch refuses all that could run."""
    real = ordinary_file(path)
    try:
        content = torch.load(real, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            "{file} holds more than tensors and plain values, which could run any code when it is opened: save "
            "model.state_dict() alone.",
            file=path.name,
        ) from None
    except Exception as error:  # no zip, cut off, another format: torch has no common error for these
        said = str(error).strip().split("\n")[0][:200].rstrip(".")
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        raise UserError(
            "{file} is no file that torch.save wrote: {reason:code}.", file=path.name, reason=reason
        ) from None
    if not isinstance(content, dict):
        raise UserError(
            "{file} must hold a dictionary of tensors, as model.state_dict() gives; it holds a {kind}.",
            file=path.name,
            kind=type(content).__name__,
        )
    return content


def _texts_beside(folder: Path) -> dict[str, bytes]:
    """What is read beside the weights, as it is."""
    names = (
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "generation_config.json",
        "README.md",
    )
    return {name: read_bytes(folder / name, LARGEST_FILE) for name in names if (folder / name).is_file()}
