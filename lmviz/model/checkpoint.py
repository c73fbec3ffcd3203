"""One folder <-> one model with its tokenizer and card. How an architecture is written there, its record says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from lmviz.bundle import SAMPLES
from lmviz.devices import device_of
from lmviz.errors import NotInLesson, UserError, check_given
from lmviz.model import by_transformers
from lmviz.model.architecture import Architecture, Config, Table
from lmviz.model.architectures import MODEL_TYPES, architecture_of, config_in
from lmviz.model.card import Card, read_card
from lmviz.model.files import read_json_object, write_whole
from lmviz.model.machine import check_free
from lmviz.model.tensor_file import DTYPES
from lmviz.model.tokenizer import UNKNOWN, Tokenizer
from lmviz.model.tokenizer_folder import tokenizer_in
from lmviz.model.weights import (
    SINGLE_FILE,
    StoredTensor,
    TensorLayout,
    check_shapes,
    read_all,
    stored_tensors,
    tensors_as_file,
)

_LARGEST_N_CTX = 16_384  # of an architecture that keeps a causal mask, which has n_ctx * n_ctx cells
_LARGEST_TABLES = _LARGEST_N_CTX**2  # bytes: 268 MB

_NO_CARD = Card()


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to run, with what it takes to talk to it."""

    model: nn.Module
    tokenizer: Tokenizer
    config: Config
    card: Card = _NO_CARD
    folder: Path | None = None
    weight_dtype: torch.dtype = torch.float32  # of the weights on disk
    not_the_lesson: UserError | None = None  # why, if its architecture has a lesson and `transformers` has built it

    @property
    def n_parameters(self) -> int:
        """How many numbers the model has learned; tied ones count once."""
        return sum(parameter.numel() for parameter in self.model.parameters())


def load(
    folder: str | Path, dtype: torch.dtype = torch.float32, memory: int | None = None, device: str = "cpu"
) -> Checkpoint:
    """Open a folder as Hugging Face lays it out, for inference: the model is in eval mode.

    Args:
        folder: has config.json, tokenizer.json and model.safetensors (or its shards), and perhaps README.md; or the
            name of a sample model.
        dtype: what the weights are converted to, whatever they are on disk.
        memory: bytes that the model may take at most; default: what this machine can give.
        device: where the model is put: "auto", "cpu", "cuda", "mps".

    Raises:
        UserError: one sentence that names the file and says what is wrong with it. No size is believed before
            the weights on disk agree with it, no weight is read before its size is known to fit into memory, and
            nothing is ever unpickled.
    """
    check_given("load", "folder", folder, str, os.PathLike)
    check_given("load", "dtype", dtype, torch.dtype)
    check_given("load", "memory", memory, int, float, None)
    if dtype not in DTYPES.values():
        raise UserError(
            "Weights are numbers of one of the types {types}; got {dtype}.",
            types=", ".join(map(str, DTYPES.values())),
            dtype=str(dtype),
        )
    folder = _found(folder)
    if not os.path.isdir(folder):  # Path.is_dir raises for a name that is too long
        raise UserError("There is no folder {folder}.", folder=folder)
    config_json = read_json_object(folder / "config.json")
    model_type = config_json.get("model_type")
    if not isinstance(model_type, str):
        raise UserError("model_type in config.json must name an architecture, such as gpt2; got {it!r}.", it=model_type)
    stored = stored_tensors(folder)
    model, weight_dtype, not_the_lesson = _model_of(config_json, stored, dtype, memory)
    config = config_in(model)
    tokenizer = tokenizer_in(folder)
    if len(tokenizer) > config.d_vocab:
        raise UserError(
            "The ids in tokenizer.json must be below the model's d_vocab of {d_vocab}; they go up to {largest}.",
            d_vocab=config.d_vocab,
            largest=len(tokenizer) - 1,
        )
    card = read_card(folder / "README.md")
    return Checkpoint(model.to(device_of(device)), tokenizer, config, card, folder, weight_dtype, not_the_lesson)


def _model_of(
    config_json: dict[str, Any], stored: dict[str, StoredTensor], dtype: torch.dtype, memory: int | None
) -> tuple[nn.Module, torch.dtype, UserError | None]:
    """A model, the type that its weights have on disk, and why it is not the lesson, if its architecture has one."""
    architecture = MODEL_TYPES.get(config_json["model_type"])
    try:
        if architecture is not None:
            return (*_lesson(architecture, config_json, stored, dtype, memory), None)
        why = None
    except NotInLesson as error:
        why = error
    try:
        model = by_transformers.build(config_json, stored, dtype, memory, why)
    except by_transformers.NotBuilt as error:
        if why is None:
            raise
        raise UserError("{why} {not_built}", why=why, not_built=error) from None
    types = (DTYPES[tensor.dtype] for tensor in stored.values() if tensor.dtype in DTYPES)
    return model, next(types, torch.float32), why


def _lesson(
    architecture: Architecture[Any],
    config_json: dict[str, Any],
    stored: dict[str, StoredTensor],
    dtype: torch.dtype,
    memory: int | None,
) -> tuple[nn.Module, torch.dtype]:
    """A model that has a lesson here, and the type that its weights have on disk."""
    stored = _renamed(stored, architecture)
    config = architecture.read_config(config_json)
    _check_limits(architecture, config, len(stored))
    check_free(_bytes_to_load(stored, dtype) + sum(table.n_bytes for table in architecture.tables(config)), memory)
    config = architecture.settle(config, stored)
    layout = architecture.layout(config)
    check_shapes(layout, stored)
    model = _model(architecture, config, layout, stored, dtype)
    return model, DTYPES[stored[next(iter(layout))].dtype]


def _found(folder: str | Path) -> Path:
    """A folder where it is, or, by its name alone, a sample model."""
    is_name = isinstance(folder, str) and os.path.basename(folder) == folder and not os.path.isdir(folder)
    return SAMPLES / folder if is_name and os.path.isdir(SAMPLES / folder) else Path(folder)


def save(checkpoint: Checkpoint, folder: str | Path) -> None:
    """Write a folder that `load` opens, and `transformers` too, for GPT-2 and Llama; in the type `weight_dtype`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents(checkpoint).items():
        write_whole(folder / name, content)


def contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    """What the files of such a folder hold, by their names."""
    architecture = architecture_of(checkpoint.config)
    config_json = {"model_type": architecture.name, **architecture.write_config(checkpoint.config)}
    config_json["dtype"] = str(checkpoint.weight_dtype).removeprefix("torch.")
    parameters = {name: tensor.to(checkpoint.weight_dtype) for name, tensor in checkpoint.model.state_dict().items()}
    layout = architecture.layout(checkpoint.config)
    card = {} if checkpoint.card == _NO_CARD else {"README.md": checkpoint.card.readme().encode("utf-8", "replace")}
    return {
        "config.json": _json(config_json),
        "tokenizer.json": checkpoint.tokenizer.text().encode(),
        "tokenizer_config.json": _json(_tokenizer_config(checkpoint)),
        SINGLE_FILE: tensors_as_file({name: tensor.join(parameters) for name, tensor in layout.items()}),
        **card,
    }


def _renamed(stored: dict[str, StoredTensor], architecture: Architecture[Any]) -> dict[str, StoredTensor]:
    return {new: tensor for name, tensor in stored.items() if (new := architecture.rename(name)) is not None}


def _check_limits(architecture: Architecture[Any], config: Config, n_tensors: int) -> None:
    """The two sizes that could make us work without end, or allocate too much, before the shapes are compared."""
    if config.n_layers > n_tensors:
        raise UserError(
            "config.json says {n_layers} layers, but the weights have only {n_tensors} tensors in all.",
            n_layers=config.n_layers,
            n_tensors=n_tensors,
        )
    if sum(table.n_bytes for table in architecture.tables(config)) > _LARGEST_TABLES:
        raise UserError(
            "Models are read up to a context of {limit} tokens; config.json says {n_ctx}.",
            limit=_LARGEST_N_CTX,
            n_ctx=config.n_ctx,
        )


def _bytes_to_load(stored: Mapping[str, StoredTensor], dtype: torch.dtype) -> int:
    """All weights in their new type, and the largest of them once more as it is on disk."""
    largest = max((tensor.n_bytes for tensor in stored.values()), default=0)
    return sum(tensor.n_numbers for tensor in stored.values()) * dtype.itemsize + largest


class _NoInitialValues(TorchFunctionMode):
    """Leaves out initial weights and masks, which are replaced; on "meta" they cost an import of torch's compiler."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, torch.Tensor.tril):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _model(
    architecture: Architecture[Any],
    config: Config,
    layout: Mapping[str, TensorLayout],
    stored: Mapping[str, StoredTensor],
    dtype: torch.dtype,
) -> nn.Module:
    """The model with its weights. It is built without any memory of its own, so that loading needs no second copy."""
    with torch.device("meta"), _NoInitialValues():
        model = architecture.model(config)
    wanted = {name: stored[name] for name in layout}
    transposed = {name for name, tensor in layout.items() if tensor.transposed}
    read = read_all(wanted, dtype, transposed, types=tuple(DTYPES))
    parameters = dict(part for name, tensor in read for part in layout[name].split(tensor))
    ties = architecture.ties(config)
    model.load_state_dict(parameters | {name: parameters[source] for name, source in ties.items()}, assign=True)
    for name, source in ties.items():
        owner, _, own = name.rpartition(".")
        setattr(model.get_submodule(owner), own, model.get_parameter(source))
    for table in architecture.tables(config):
        _share(model, table)
    return model.eval()


def _share(model: nn.Module, table: Table) -> None:
    """One table for all modules that have it."""
    made = table.make()
    for module in model.modules():
        if table.name in module._buffers:
            setattr(module, table.name, made)


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _tokenizer_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """What `transformers.AutoTokenizer` needs beside tokenizer.json."""
    specials = {"unk_token": UNKNOWN, "pad_token": "<pad>"}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": checkpoint.config.n_ctx,
        "clean_up_tokenization_spaces": False,
        **{role: token for role, token in specials.items() if checkpoint.tokenizer.id(token) is not None},
    }
