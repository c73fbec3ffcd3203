"""What lmviz must know of an architecture beside its lesson: the type of the record that stands next to each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, get_type_hints

import torch
from torch import Tensor, nn

from lmviz.model.kv_cache import ReadOn
from lmviz.model.pickled import TrainerFile
from lmviz.model.source_edits import Edit
from lmviz.model.weights import StoredTensor, TensorLayout

Norm = Literal["layer", "rms", "none"]  # mean 0 and variance 1; mean square 1; the architecture has no norm


class Config(Protocol):
    """What the sizes of every architecture say. Each is a frozen dataclass, and may have more fields."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def d_vocab(self) -> int: ...
    @property
    def n_ctx(self) -> int: ...
    @property
    def n_layers(self) -> int: ...
    @property
    def d_model(self) -> int: ...
    @property
    def n_heads(self) -> int: ...
    @property
    def d_head(self) -> int: ...
    @property
    def d_mlp(self) -> int: ...


C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Part:
    """Weights of one kind: so many tensors of one shape."""

    name: str  # tok_embed, w_qkv, w_o, biases, …: `train.part.NAME` is what it is called on screen
    times: int
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.times * math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Kept:
    """Numbers of one width that the forward pass keeps, for each position, until the backward pass reads them."""

    times: int
    symbol: str  # of the width, in LaTeX: "d", "HT"
    sizes: tuple[int, ...]  # whose product the width is

    @property
    def count(self) -> int:
        return self.times * math.prod(self.sizes)


@dataclass(frozen=True, slots=True)
class Table:
    """A tensor that is worked out and not learned, such as a mask: modules hold it, no file does."""

    name: str  # of the buffer, in every module that has it
    n_bytes: int
    copies: int  # that the model makes when it is built; a model that is loaded shares one
    make: Callable[[], Tensor]


def causal_mask(config: Config) -> tuple[Table, ...]:
    """Which query may see which key, [query, key]: for modules that hold it as `causal`."""
    n_ctx = config.n_ctx
    return (Table("causal", n_ctx**2, config.n_layers, lambda: torch.ones(n_ctx, n_ctx, dtype=torch.bool).tril()),)


@dataclass(frozen=True, slots=True)
class Use:
    """How the card of a model says that it is used."""

    heading: str
    code: str  # Python, with the prompt in place of {prompt}


IN_TRANSFORMERS = Use(
    "In this folder, with `pip install transformers`:",
    """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".")
ids = tokenizer({prompt}, return_tensors="pt").input_ids
print(tokenizer.decode(model(ids).logits[0, -1].argmax()))""",
)


def _normal_matrices(model: nn.Module, std: float) -> None:
    """Matrices from N(0, std), biases 0: at first every token is about as likely as any other (Radford et al. 2019)."""
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


@dataclass(frozen=True)
class Architecture(Generic[C]):
    """One record of one architecture, from its sizes to its bugs.

    The lesson is a module of the class `model`, which takes a `config`, keeps it as `cfg`, and maps ids [batch, pos] to
    logits [batch, pos, d_vocab].
    """

    name: str  # "gpt2": in config.json and in recipes; `train.model.NAME` is what it is called on screen
    config: type[C]
    model: type[nn.Module]

    # A folder
    read_config: Callable[[dict[str, Any]], C]
    write_config: Callable[[C], dict[str, Any]]
    layout: Callable[[C], dict[str, TensorLayout]]  # by the name of the tensor on disk

    # Counts and memory
    parts: Callable[[C], tuple[Part, ...]]  # all weights, each in one part
    kept_by_block: Callable[[C, int], tuple[Kept, ...]]  # of sizes, and of positions in a window
    kept_around: Callable[[C], tuple[Kept, ...]]  # before the first block and after the last

    use: Use
    norm: Norm

    model_types: tuple[str, ...] = ()  # what config.json calls its relatives, which differ in settings only
    rename: Callable[[str], str | None] = lambda name: name  # an older name on disk -> today's; None: not a weight
    settle: Callable[[C, dict[str, StoredTensor]], C] = lambda config, stored: config  # where config and weights differ
    ties: Callable[[C], Mapping[str, str]] = lambda config: {}  # a parameter -> the one that it is
    key_heads: Callable[[C], int] = lambda config: config.n_heads  # heads with a key and a value of their own
    tables: Callable[[C], tuple[Table, ...]] = lambda config: ()
    read_on: ReadOn | None = None  # the forward pass with a KV cache
    draw_weights: Callable[[nn.Module, float], None] = _normal_matrices  # before training, with this much scatter

    fixed: Mapping[str, object] = field(default_factory=dict)  # what stands in place of a setting that others have
    formulas: Mapping[str, str] = field(default_factory=dict)  # LaTeX, by kind of stage, where it is not the usual one
    read_checkpoint: Callable[[Mapping[str, Any], str], TrainerFile | None] | None = None  # of a trainer of its own
    edits: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)  # of the lesson's source, by the bug's name

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The type of every size and choice, by name."""
        hints = get_type_hints(self.config)
        return MappingProxyType({name: hints[name] for name in self.config.__dataclass_fields__})
