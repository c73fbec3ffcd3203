"""GPT-2 as nanoGPT keeps it while it trains: the same model under other names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.pickled import TrainerFile, weights_in

_NANO = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")
_TRANSPOSED = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new"}  # nanoGPT's of today, and that of its first months


def read_nanogpt(content: Mapping[str, Any], activation: str) -> TrainerFile | None:
    """A checkpoint of nanoGPT's; None if it is none.

    Args:
        activation: of the MLP, which the file does not say: "gelu" or "gelu_tanh".

    Raises:
        UserError: its sizes are none, or it has no tensors.
    """
    sizes = content.get("model_args")
    if not isinstance(sizes, Mapping):
        return None
    return TrainerFile("nanoGPT", _config(sizes, activation), _tensors(content))


def _config(sizes: Mapping[str, Any], activation: str) -> dict[str, Any]:
    for name in _NANO:
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


def _tensors(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """In GPT-2's layout: its matrices lie [in, out], and it has biases, which nanoGPT may leave out: zeros."""
    found = {name: t for name, t in weights_in(content).items() if not name.endswith(".attn.bias")}  # a mask
    found.pop("lm_head.weight", None)  # tied to the token embedding
    tensors = {name: t.T if name.endswith(_TRANSPOSED) else t for name, t in found.items()}
    for name, tensor in list(tensors.items()):
        bias = name.removesuffix("weight") + "bias"
        if name.endswith((".ln_1.weight", ".ln_2.weight", ".ln_f.weight", *_TRANSPOSED)) and bias not in tensors:
            tensors[bias] = torch.zeros(tensor.shape[-1], dtype=tensor.dtype)
    return tensors
