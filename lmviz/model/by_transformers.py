"""Models that have no lesson here, as the library `transformers` builds them: an extra, `pip install "lmviz[hf]"`.

The library is given our own reading of config.json and of the weights. It opens no file, runs no code but its own and
asks nothing of the network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model.machine import check_free
from lmviz.model.weights import StoredTensor, read_all

_USUAL_N_CTX = 2048  # positions, for an architecture that counts none: it could read on without end
_WRITTEN_OUT = {"attn_implementation": "eager", "experts_implementation": "eager"}  # and not in one fused call
INSTALL = 'pip install "lmviz[hf]"'


class NotBuilt(UserError):
    """The library does not take what config.json says."""


@dataclass(frozen=True)
class TransformersConfig:
    """The sizes that every causal language model has, as far as its config says them."""

    model_type: str
    d_vocab: int
    n_ctx: int
    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_mlp: int


class TransformersModel(nn.Module):
    """A causal language model of the library, called as ours are: ids [batch, pos] -> logits [batch, pos, d_vocab]."""

    model: Any  # a module of the library's

    def __init__(self, model: nn.Module, cfg: TransformersConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=ids, use_cache=False).logits  # [batch, pos, d_vocab]
        return logits

    def get_input_embeddings(self) -> nn.Module:
        """The table of the token vectors."""
        table: nn.Module = self.model.get_input_embeddings()
        return table


def build(
    config_json: Mapping[str, Any],
    stored: Mapping[str, StoredTensor],
    dtype: torch.dtype,
    memory: int | None,
    why: UserError | None = None,
) -> TransformersModel:
    """The model of a folder, with its weights; attention and experts are written out.

    Args:
        config_json: what config.json says.
        stored: the tensors on disk, by name.
        dtype: what the weights are converted to.
        memory: bytes that the model may take; None: what this machine can give.
        why: why it is not the lesson, if its architecture has one.

    Raises:
        UserError: the library is not there, has no such model, or the weights are not the model's.
    """
    model_type = config_json.get("model_type")
    _check_installed(model_type, why)
    with _refusals_as_sentences(model_type), _quiet():
        kind, config = _kind_of(config_json)
        sizes = _sizes(config, len(stored))
        with torch.device("meta"):
            empty = kind._from_config(config, dtype=dtype, **_WRITTEN_OUT)
        tensors = [*empty.parameters(), *empty.buffers()]
        n_stored = sum(tensor.n_bytes for tensor in stored.values())
        check_free(sum(tensor.numel() * tensor.element_size() for tensor in tensors) + n_stored, memory)
        model, loading = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(read_all(stored)),
            dtype=dtype,
            **_WRITTEN_OUT,
            output_loading_info=True,
        )
    _check_all_are_there(loading)
    return TransformersModel(model, sizes).eval()


def _check_installed(model_type: object, why: UserError | None) -> None:
    try:
        import transformers  # noqa: F401 - an extra, and seconds to import
    except ModuleNotFoundError:
        if why is not None:
            raise UserError(
                "{why} The library transformers can open it: {install}.", why=why, install=INSTALL
            ) from None
        raise UserError(
            "{model_type!r} in config.json has no lesson here. The library transformers can open it: {install}.",
            model_type=model_type,
            install=INSTALL,
        ) from None


def _kind_of(config_json: Mapping[str, Any]) -> tuple[Any, Any]:
    """The class of a model, and its config."""
    settings = {name: _with_infinities(value) for name, value in config_json.items()}
    if "quantization_config" in settings:
        raise UserError(
            "config.json says that the weights are quantised, and a folder is opened from weights that are not: "
            "take the model that they were made from."
        )
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING as KINDS

    model_type = settings.pop("model_type", None)
    if model_type not in transformers.CONFIG_MAPPING:
        raise UserError(
            "model_type in config.json must be one that lmviz or transformers knows; got {model_type!r}.",
            model_type=model_type,
        )
    config = transformers.AutoConfig.for_model(model_type, **settings)
    if type(config) not in KINDS:
        raise UserError("{model_type!r} in config.json is no causal language model.", model_type=model_type)
    return KINDS[type(config)], config


def _with_infinities(value: Any) -> Any:
    """What the library writes in JSON for the numbers that JSON lacks, {"__float__": "Infinity"}, as these numbers."""
    if isinstance(value, Mapping):
        name = value.get("__float__") if len(value) == 1 else None
        if name in ("Infinity", "-Infinity", "NaN"):
            return float(name)
        return {key: _with_infinities(one) for key, one in value.items()}
    return [_with_infinities(one) for one in value] if isinstance(value, list) else value


def _sizes(config: Any, n_tensors: int) -> TransformersConfig:
    text = config.get_text_config()

    def size(*names: str, otherwise: int) -> int:
        found = next((value for name in names if (value := getattr(text, name, None)) is not None), otherwise)
        if not isinstance(found, int) or isinstance(found, bool) or found < 1:
            raise UserError(
                "{name} in config.json must be a whole number, 1 or more; got {size!r}.", name=names[0], size=found
            )
        return found

    d_model, n_heads = size("hidden_size", otherwise=0), size("num_attention_heads", otherwise=1)
    n_layers = size("num_hidden_layers", otherwise=0)
    if n_layers > n_tensors:
        raise UserError(
            "config.json says {n_layers} layers, but the weights have only {n_tensors} tensors in all.",
            n_layers=n_layers,
            n_tensors=n_tensors,
        )
    return TransformersConfig(
        model_type=str(config.model_type),
        d_vocab=size("vocab_size", otherwise=0),
        n_ctx=size("max_position_embeddings", "seq_length", otherwise=_USUAL_N_CTX),
        n_layers=n_layers,
        d_model=d_model,
        n_heads=n_heads,
        d_head=size("head_dim", otherwise=max(1, d_model // n_heads)),
        d_mlp=size("intermediate_size", "ffn_dim", otherwise=4 * d_model),
    )


def _check_all_are_there(loading: Mapping[str, Any]) -> None:
    """No weight may be made up, and none left over."""
    for what, sentence in (
        ("missing_keys", "The weights must have {name}, as config.json says; it is missing."),
        ("mismatched_keys", "The weights must have {name} in the shape that config.json says; it has another."),
        ("unexpected_keys", "The weights have {name}, which this architecture lacks."),
    ):
        if found := sorted(map(str, loading[what])):
            raise UserError(sentence, name=found[0])


@contextlib.contextmanager
def _refusals_as_sentences(model_type: object) -> Iterator[None]:
    """Whatever the library does not take becomes a sentence."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # from code that is not ours, over a config that anybody may have written
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise NotBuilt(
            "transformers cannot open this model, {model_type!r}: {reason:code}.", model_type=model_type, reason=reason
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no remarks of the library's on the terminal."""
    from transformers.utils import logging

    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()
