"""One folder <-> one model with its tokenizer and card; the only place that knows Hugging Face's names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from lmviz.bundle import SAMPLES
from lmviz.errors import UserError
from lmviz.model.card import Card, read_card
from lmviz.model.files import read_json_object, write_whole
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.machine import check_free
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.model.tokenizer import UNKNOWN, Tokenizer
from lmviz.model.weights import (
    DTYPES,
    SINGLE_FILE,
    Slot,
    StoredTensor,
    check_shapes,
    stored_tensors,
    tensors_as_file,
)

LARGEST_N_CTX = 16_384  # the causal mask has n_ctx * n_ctx cells: 256 MB here

NO_CARD = Card()

Config = GPT2Config | MiniLLMConfig


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model ready to run, with what it takes to talk to it."""

    model: nn.Module
    tokenizer: Tokenizer
    config: Config
    card: Card = NO_CARD
    folder: Path | None = None
    weight_dtype: torch.dtype = torch.float32  # of the weights on disk


@dataclass(frozen=True)
class Architecture:
    """How one family of models is written in a folder."""

    build: Callable[[Any], nn.Module]
    read_config: Callable[[dict[str, Any]], Any]
    write_config: Callable[[Any], dict[str, Any]]
    slots: Callable[[Any], dict[str, Slot]]  # by the name of the tensor on disk
    rename: Callable[[str], str | None]  # an older name of a tensor -> today's; None: not a weight


def load(folder: str | Path, dtype: torch.dtype = torch.float32, memory: int | None = None) -> Checkpoint:
    """Open a folder as Hugging Face lays it out, for inference: the model is in eval mode.

    Args:
        folder: has config.json, tokenizer.json and model.safetensors (or its shards), and perhaps README.md; or the
            name of a sample model.
        dtype: what the weights are converted to, whatever they are on disk.
        memory: bytes that the model may take at most; default: what this machine can give.

    Raises:
        UserError: one sentence that names the file and says what is wrong with it. No size is believed before
            the weights on disk agree with it, no weight is read before its size is known to fit into memory, and
            nothing is ever unpickled.
    """
    folder = _found(folder)
    if not os.path.isdir(folder):  # Path.is_dir raises for a name that is too long
        raise UserError("There is no folder {folder}.", folder=folder)
    config_json = read_json_object(folder / "config.json")
    architecture = _architecture(config_json)
    stored = _renamed(stored_tensors(folder), architecture)
    config = architecture.read_config(config_json)
    _check_limits(config, len(stored))
    check_free(_bytes_to_load(stored, dtype) + config.n_ctx**2, memory)
    config = _settle_tie(config, stored)
    slots = architecture.slots(config)
    check_shapes(slots, stored)
    tokenizer = Tokenizer.from_file(folder / "tokenizer.json")
    if len(tokenizer) > config.d_vocab:
        raise UserError(
            "The ids in tokenizer.json must be below the model's d_vocab of {d_vocab}; they go up to {largest}.",
            d_vocab=config.d_vocab,
            largest=len(tokenizer) - 1,
        )
    model = _model(architecture.build, config, slots, stored, dtype)
    weight_dtype = DTYPES[stored[next(iter(slots))].dtype]
    return Checkpoint(model, tokenizer, config, read_card(folder / "README.md"), folder, weight_dtype)


def _found(folder: str | Path) -> Path:
    """A folder where it is, or, by its name alone, a sample model."""
    is_name = isinstance(folder, str) and os.path.basename(folder) == folder and not os.path.isdir(folder)
    return SAMPLES / folder if is_name and os.path.isdir(SAMPLES / folder) else Path(folder)


def save(checkpoint: Checkpoint, folder: str | Path) -> None:
    """Write a folder that `load` opens, and, for GPT-2, `transformers` too. Weights are stored as `weight_dtype`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents(checkpoint).items():
        write_whole(folder / name, content)


def contents(checkpoint: Checkpoint) -> dict[str, bytes]:
    """What the files of such a folder hold, by their names."""
    model_type = MODEL_TYPES[type(checkpoint.config)]
    architecture = ARCHITECTURES[model_type]
    config_json = {"model_type": model_type, **architecture.write_config(checkpoint.config)}
    config_json["dtype"] = str(checkpoint.weight_dtype).removeprefix("torch.")
    parameters = {name: tensor.to(checkpoint.weight_dtype) for name, tensor in checkpoint.model.state_dict().items()}
    slots = architecture.slots(checkpoint.config)
    card = {} if checkpoint.card == NO_CARD else {"README.md": checkpoint.card.readme().encode("utf-8", "replace")}
    return {
        "config.json": _json(config_json),
        "tokenizer.json": checkpoint.tokenizer.text().encode(),
        "tokenizer_config.json": _json(_tokenizer_config(checkpoint)),
        SINGLE_FILE: tensors_as_file({name: slot.join(parameters) for name, slot in slots.items()}),
        **card,
    }


def _architecture(config_json: dict[str, Any]) -> Architecture:
    model_type = config_json.get("model_type")
    if not isinstance(model_type, str) or model_type not in ARCHITECTURES:
        raise UserError(
            "model_type in config.json must be one of {known}; got {model_type!r}.",
            known=", ".join(ARCHITECTURES),
            model_type=model_type,
        )
    return ARCHITECTURES[model_type]


def _renamed(stored: dict[str, StoredTensor], architecture: Architecture) -> dict[str, StoredTensor]:
    return {new: tensor for name, tensor in stored.items() if (new := architecture.rename(name)) is not None}


def _check_limits(config: Config, n_tensors: int) -> None:
    """The two sizes that could make us work without end, or allocate too much, before the shapes are compared."""
    if config.n_layers > n_tensors:
        raise UserError(
            "config.json says {n_layers} layers, but the weights have only {n_tensors} tensors in all.",
            n_layers=config.n_layers,
            n_tensors=n_tensors,
        )
    if config.n_ctx > LARGEST_N_CTX:
        raise UserError(
            "Models are read up to a context of {limit} tokens; config.json says {n_ctx}.",
            limit=LARGEST_N_CTX,
            n_ctx=config.n_ctx,
        )


def _bytes_to_load(stored: Mapping[str, StoredTensor], dtype: torch.dtype) -> int:
    """All weights in their new type, and the largest of them once more as it is on disk."""
    largest = max((tensor.n_bytes for tensor in stored.values()), default=0)
    return sum(tensor.n_numbers for tensor in stored.values()) * dtype.itemsize + largest


def _settle_tie(config: Config, stored: dict[str, StoredTensor]) -> Config:
    """A tied unembedding that is on disk all the same is left out of `stored`; if it differs, the config is wrong.

    `transformers` decides so too.
    """
    if not isinstance(config, GPT2Config) or not config.tied or not {"lm_head.weight", EMBEDDING} <= stored.keys():
        return config
    if torch.equal(stored["lm_head.weight"].read().float(), stored[EMBEDDING].read().float()):
        del stored["lm_head.weight"]
        return config
    return replace(config, tied=False)


class _NoInitialValues(TorchFunctionMode):
    """Leaves out initial weights and masks, which are replaced; on "meta" they cost an import of torch's compiler."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, torch.Tensor.tril):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _model(
    build: Callable[[Any], nn.Module],
    config: Config,
    slots: Mapping[str, Slot],
    stored: Mapping[str, StoredTensor],
    dtype: torch.dtype,
) -> nn.Module:
    """The model with its weights. It is built without any memory of its own, so that loading needs no second copy."""
    with torch.device("meta"), _NoInitialValues():
        model = build(config)
    parameters = dict(part for name, slot in slots.items() for part in slot.split(stored[name].read().to(dtype)))
    tied = isinstance(model, GPT2) and model.cfg.tied
    if tied:
        parameters["unembed.weight"] = parameters["tok_embed.weight"]
    model.load_state_dict(parameters, assign=True)
    if isinstance(model, GPT2) and tied:
        model.unembed.weight = model.tok_embed.weight
    causal = torch.ones(config.n_ctx, config.n_ctx, dtype=torch.bool).tril()  # one mask for all blocks
    for module in model.modules():
        if hasattr(module, "causal"):
            module.causal = causal
    return model.eval()


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


# GPT-2 ---------------------------------------------------------------------------------------------------------------

EMBEDDING = "transformer.wte.weight"
GPT2_ACTIVATIONS = {  # Hugging Face's name -> ours; the first of each is what we write
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}


def _read_gpt2_config(config_json: dict[str, Any]) -> GPT2Config:
    _refuse_gpt2_variants(config_json)
    d_model = _size(config_json, "n_embd")
    activation = config_json.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in GPT2_ACTIVATIONS:
        raise UserError(
            "activation_function in config.json must be one of {known}; got {activation!r}.",
            known=", ".join(GPT2_ACTIVATIONS),
            activation=activation,
        )
    return GPT2Config(
        d_vocab=_size(config_json, "vocab_size"),
        n_ctx=_size(config_json, "n_positions"),
        n_layers=_size(config_json, "n_layer"),
        d_model=d_model,
        n_heads=_size(config_json, "n_head"),
        d_mlp=4 * d_model if config_json.get("n_inner") is None else _size(config_json, "n_inner"),
        activation=GPT2_ACTIVATIONS[activation],
        norm_eps=config_json.get("layer_norm_epsilon", 1e-5),
        tied=config_json.get("tie_word_embeddings", True) is not False,
    )


def _refuse_gpt2_variants(config_json: dict[str, Any]) -> None:
    """Variants of GPT-2 that compute something else, whose numbers we would get wrong."""
    variants = {
        "scale_attn_weights": config_json.get("scale_attn_weights", True) is False,
        "scale_attn_by_inverse_layer_idx": config_json.get("scale_attn_by_inverse_layer_idx") is True
        and config_json.get("n_layer") != 1,  # the first layer is scaled by 1
        "add_cross_attention": config_json.get("add_cross_attention") is True,
    }
    for name, is_on in variants.items():
        if is_on:
            raise UserError(
                "config.json sets {name}={setting}, a variant of GPT-2 that is not supported.",
                name=name,
                setting=config_json[name],
            )


def _size(config_json: dict[str, Any], name: str) -> int:
    size = config_json.get(name)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise UserError("{name} in config.json must be a whole number, 1 or more; got {size!r}.", name=name, size=size)
    return size


def _write_gpt2_config(config: GPT2Config) -> dict[str, Any]:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "vocab_size": config.d_vocab,
        "n_positions": config.n_ctx,
        "n_layer": config.n_layers,
        "n_embd": config.d_model,
        "n_head": config.n_heads,
        "n_inner": config.d_mlp,
        "activation_function": next(name for name, ours in GPT2_ACTIVATIONS.items() if ours == config.activation),
        "layer_norm_epsilon": config.norm_eps,
        "tie_word_embeddings": config.tied,
        "resid_pdrop": config.dropout,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _gpt2_slots(config: GPT2Config) -> dict[str, Slot]:
    d_model, d_mlp = config.d_model, config.d_mlp
    slots = {
        EMBEDDING: Slot(("tok_embed.weight",), (config.d_vocab, d_model)),
        "transformer.wpe.weight": Slot(("pos_embed.weight",), (config.n_ctx, d_model)),
        **_gpt2_norm("transformer.ln_f", "norm_final", d_model),
    }
    for layer in range(config.n_layers):
        theirs, ours = f"transformer.h.{layer}", f"blocks.{layer}"
        slots |= {
            **_gpt2_norm(f"{theirs}.ln_1", f"{ours}.norm_1", d_model),
            **_gpt2_linear(f"{theirs}.attn.c_attn", ours, ("attn.w_q", "attn.w_k", "attn.w_v"), d_model, 3 * d_model),
            **_gpt2_linear(f"{theirs}.attn.c_proj", ours, ("attn.w_o",), d_model, d_model),
            **_gpt2_norm(f"{theirs}.ln_2", f"{ours}.norm_2", d_model),
            **_gpt2_linear(f"{theirs}.mlp.c_fc", ours, ("mlp.w_in",), d_model, d_mlp),
            **_gpt2_linear(f"{theirs}.mlp.c_proj", ours, ("mlp.w_out",), d_mlp, d_model),
        }
    if not config.tied:
        slots["lm_head.weight"] = Slot(("unembed.weight",), (config.d_vocab, d_model))
    return slots


def _gpt2_norm(theirs: str, ours: str, d_model: int) -> dict[str, Slot]:
    return {f"{theirs}.{part}": Slot((f"{ours}.{part}",), (d_model,)) for part in ("weight", "bias")}


def _gpt2_linear(theirs: str, block: str, names: tuple[str, ...], d_in: int, d_out: int) -> dict[str, Slot]:
    weights, biases = (tuple(f"{block}.{name}.{part}" for name in names) for part in ("weight", "bias"))
    return {
        f"{theirs}.weight": Slot(weights, (d_in, d_out), transposed=True),
        f"{theirs}.bias": Slot(biases, (d_out,)),
    }


def _rename_gpt2(name: str) -> str | None:
    """Old files lack the prefix, and hold the causal mask of each block as if it were a weight."""
    if name.endswith((".attn.bias", ".attn.masked_bias")):
        return None
    return name if name.startswith(("transformer.", "lm_head.")) else f"transformer.{name}"


# The mini-LLM: our own names throughout -------------------------------------------------------------------------------


def _read_mini_llm_config(config_json: dict[str, Any]) -> MiniLLMConfig:
    return MiniLLMConfig(**{field.name: _size(config_json, field.name) for field in fields(MiniLLMConfig)})


def _mini_llm_slots(config: MiniLLMConfig) -> dict[str, Slot]:
    d_model, d_mlp = config.d_model, config.d_mlp
    shapes: dict[str, tuple[int, ...]] = {
        "tok_embed.weight": (config.d_vocab, d_model),
        "pos_embed.weight": (config.n_ctx, d_model),
        "unembed.weight": (config.d_vocab, d_model),
    }
    for layer in range(config.n_layers):
        shapes |= {f"blocks.{layer}.attn.{name}.weight": (d_model, d_model) for name in ("w_q", "w_k", "w_v")}
        shapes |= {f"blocks.{layer}.mlp.w_in.weight": (d_mlp, d_model), f"blocks.{layer}.mlp.w_in.bias": (d_mlp,)}
        shapes |= {f"blocks.{layer}.mlp.w_out.weight": (d_model, d_mlp), f"blocks.{layer}.mlp.w_out.bias": (d_model,)}
    return {name: Slot((name,), shape) for name, shape in shapes.items()}


ARCHITECTURES = {
    "gpt2": Architecture(GPT2, _read_gpt2_config, _write_gpt2_config, _gpt2_slots, _rename_gpt2),
    "mini_llm": Architecture(MiniLLM, _read_mini_llm_config, asdict, _mini_llm_slots, lambda name: name),
}
MODEL_TYPES: dict[type[Config], str] = {GPT2Config: "gpt2", MiniLLMConfig: "mini_llm"}
