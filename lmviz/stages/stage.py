"""What a stage is: a named stop, as a run of consecutive steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "tokenizer",
    "embeddings",
    "norm",
    "qkv",
    "rotation",
    "sharing",
    "scores",
    "softmax",
    "mix",
    "residual",
    "router",
    "mlp",
    "final_norm",
    "logits",
    "probabilities",
    "loss",
    "other",
]
KINDS: tuple[str, ...] = get_args(Kind)
READOUT, LOSS = "readout", "loss"  # the prefixes under which a temperature and a loss follow the model


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps `first` to `last`, both included. `stop` is the one whose result the stage is about.

    The tokenizer comes before the first step: there first, last and stop are -1. `stack` is the path of what holds the
    block ("encoder"), where a model has more than one stack of blocks; else it is empty.
    """

    index: int
    kind: Kind
    block: int | None
    first: int
    last: int
    stop: int
    stack: str = ""

    @property
    def block_name(self) -> str:
        """The number of its block, with its stack if there are several: "0", "encoder.0"; "" outside of blocks."""
        number = "" if self.block is None else str(self.block)
        return f"{self.stack}.{number}" if self.stack and number else number
