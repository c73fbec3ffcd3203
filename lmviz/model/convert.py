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
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.files import read_json_object, write_whole
from lmviz.model.tokenizer import Tokenizer
from lmviz.model.weights import SINGLE_FILE, tensors_as_file

COMPILED, WRAPPED = "_orig_mod.", "module."  # what torch.compile and DDP put before each name
HOLDERS = ("model", "state_dict", "model_state_dict")  # where a training's file keeps the weights
NANO = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")
TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new"}  # nanoGPT's of today, and that of its first months


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
    if isinstance(content.get("model_args"), Mapping):
        config, tensors, source = _nano(content, activation), _nano_tensors(content), "nanoGPT"
        texts = {}
    else:
        config = read_json_object(path.parent / "config.json")
        tensors, source = _weights(content), str(config.get("model_type"))
        texts = _texts_beside(path.parent)
    if tokenizer is not None:
        texts["tokenizer.json"] = tokenizer.text().encode()
    kept = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}  # tied ones apart
    files = {"config.json": (json.dumps(config, indent=2) + "\n").encode(), SINGLE_FILE: tensors_as_file(kept), **texts}
    return Conversion(files, sum(tensor.numel() for tensor in kept.values()), config, source)


def write(conversion: Conversion, folder: Path) -> None:
    """Write the folder; each file is there whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError("{folder} cannot be made: {reason}.", folder=folder, reason=error.strerror) from None
    for name, content in conversion.files.items():
        write_whole(folder / name, content)


def _read(path: Path) -> dict[str, Any]:
    """The file's dictionary. Only tensors and plain values are unpickled: torch refuses all that could run."""
    if not os.path.isfile(path):
        raise UserError("There is no file {file}.", file=path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            "{file} holds more than tensors and plain values, which could run any code when it is opened: save "
            "model.state_dict() alone.",
            file=path.name,
        ) from None
    except Exception as error:  # no zip, cut off, another format: torch has no common error for these
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
        raise UserError("{file} is no file that torch.save wrote: {reason}.", file=path.name, reason=reason) from None
    if not isinstance(content, dict):
        raise UserError(
            "{file} must hold a dictionary of tensors, as model.state_dict() gives; it holds a {kind}.",
            file=path.name,
            kind=type(content).__name__,
        )
    return content


def _weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors, by names without what torch.compile and DDP put before them."""
    found = next((content[name] for name in HOLDERS if isinstance(content.get(name), Mapping)), content)
    tensors = {str(name): tensor for name, tensor in found.items() if isinstance(tensor, Tensor)}
    if not tensors:
        raise UserError("There are no tensors in it, neither at its top nor under {names}.", names=", ".join(HOLDERS))
    return {name.removeprefix(COMPILED).removeprefix(WRAPPED).removeprefix(COMPILED): t for name, t in tensors.items()}


def _nano(content: Mapping[str, Any], activation: str) -> dict[str, Any]:
    sizes = content["model_args"]
    for name in NANO:
        size = sizes.get(name)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise UserError(
                "{name} in model_args must be a whole number, 1 or more; got {size!r}.", name=name, size=size
            )
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": sizes["vocab_size"],
        "n_positions": sizes["block_size"],
        "n_layer": sizes["n_layer"],
        "n_embd": sizes["n_embd"],
        "n_head": sizes["n_head"],
        "activation_function": ACTIVATIONS[activation],
        "layer_norm_epsilon": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _nano_tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """In GPT-2's layout: its matrices lie [in, out], and it has biases, which nanoGPT may leave out: zeros."""
    found = {name: t for name, t in _weights(content).items() if not name.endswith(".attn.bias")}  # a mask
    found.pop("lm_head.weight", None)  # tied to the token embedding
    tensors = {name: t.T if name.endswith(TRANSPOSED) else t for name, t in found.items()}
    for name, tensor in list(tensors.items()):
        bias = name.removesuffix("weight") + "bias"
        if name.endswith((".ln_1.weight", ".ln_2.weight", ".ln_f.weight", *TRANSPOSED)) and bias not in tensors:
            tensors[bias] = torch.zeros(tensor.shape[-1], dtype=tensor.dtype)
    return tensors


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
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
