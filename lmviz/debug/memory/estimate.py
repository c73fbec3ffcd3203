"""What one training step needs of memory, part by part, as formulas with the numbers of one configuration in them."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.model.architecture import Config, Kept
from lmviz.model.architectures import architecture_of
from lmviz.train.counts import n_parameters
from lmviz.train.memory import FLOAT, REMEMBERED, memory_of


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the memory: bytes, and the formula in which they were worked out."""

    name: str  # "weights", "gradients", "optimizer", "block", "ends", "working"
    n_bytes: int
    formula: str  # LaTeX, in symbols
    numbers: str  # the same with this configuration's numbers
    times: int = 1  # as many parts of this size; n_bytes is of one


@dataclass(frozen=True)
class Estimate:
    """All parts of one training step."""

    parts: tuple[Part, ...]

    @property
    def total(self) -> int:
        return sum(part.n_bytes * part.times for part in self.parts)

    def __getitem__(self, name: str) -> int:
        """The bytes of a part, all its times together."""
        return sum(part.n_bytes * part.times for part in self.parts if part.name == name)


def estimate(config: Config, optimizer: str, batch_size: int, n_pos: int | None = None) -> Estimate:
    """The most that is held at once: at the start of the backward pass.

    Weights, gradients, optimiser and activations are `lmviz.train.memory`'s. To these comes what the loss works with
    when the way back begins: the logits and their gradient, d_vocab numbers each for every position.
    """
    n_pos = n_pos or config.n_ctx
    memory = memory_of(config, optimizer, batch_size, n_pos)
    n, b, t, moments = n_parameters(config), batch_size, n_pos, REMEMBERED[optimizer]
    record, v = architecture_of(config), config.d_vocab
    in_block, around = record.kept_by_block(config, n_pos), record.kept_around(config)
    return Estimate(
        (
            Part("weights", memory.weights, r"4 \cdot N", rf"4 \cdot {n}"),
            Part("gradients", memory.gradients, r"4 \cdot N", rf"4 \cdot {n}"),
            Part("optimizer", memory.optimizer, rf"{moments} \cdot 4 \cdot N", rf"{moments} \cdot 4 \cdot {n}"),
            _activations("block", in_block, b, t, config.n_layers),
            _activations("ends", around, b, t),
            Part("working", 2 * FLOAT * b * t * v, "4BT(2V)", rf"4 \cdot {b} \cdot {t} \cdot 2 \cdot {v}"),
        )
    )


def _activations(name: str, kept: tuple[Kept, ...], b: int, t: int, times: int = 1) -> Part:
    """What the forward pass keeps of so many numbers for each position."""
    symbols = " + ".join(f"{one.times if one.times > 1 else ''}{one.symbol}" for one in kept)
    factors = [[*([str(one.times)] if one.times > 1 else []), *map(str, one.sizes)] for one in kept]
    numbers = " + ".join(r" \cdot ".join(one) for one in factors)
    size = FLOAT * b * t * sum(one.count for one in kept)
    return Part(name, size, f"4BT({symbols})", rf"4 \cdot {b} \cdot {t} \cdot ({numbers})", times)
