"""What one training step needs of memory, part by part, as formulas with the numbers of one configuration in them."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.model.mini_llm import MiniLLMConfig
from lmviz.train.counts import Config, n_parameters
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
    blocks, block, in_numbers = _block(config, b, t)
    ends = memory.activations - blocks * config.n_layers
    d, v = config.d_model, config.d_vocab
    width = 1 if isinstance(config, MiniLLMConfig) else 3
    around = ("", "") if width == 1 else ("3", "3 \\cdot ")
    return Estimate(
        (
            Part("weights", memory.weights, r"4 \cdot N", rf"4 \cdot {n}"),
            Part("gradients", memory.gradients, r"4 \cdot N", rf"4 \cdot {n}"),
            Part("optimizer", memory.optimizer, rf"{moments} \cdot 4 \cdot N", rf"{moments} \cdot 4 \cdot {n}"),
            Part("block", blocks, block, in_numbers, config.n_layers),
            Part("ends", ends, rf"4BT({around[0]}d + V)", rf"4 \cdot {b} \cdot {t} \cdot ({around[1]}{d} + {v})"),
            Part("working", 2 * FLOAT * b * t * v, "4BT(2V)", rf"4 \cdot {b} \cdot {t} \cdot 2 \cdot {v}"),
        )
    )


def _block(config: Config, b: int, t: int) -> tuple[int, str, str]:
    """The activations of one block: bytes, formula, and formula with numbers."""
    d, m, h = config.d_model, config.d_mlp, config.n_heads
    if isinstance(config, MiniLLMConfig):
        wide, mlp, inside = 5, 1, ("5d + m + HT", rf"5 \cdot {d} + {m} + {h} \cdot {t}")
    else:
        wide, mlp = 12 if config.dropout else 10, 2
        inside = (rf"{wide}d + 2m + HT", rf"{wide} \cdot {d} + 2 \cdot {m} + {h} \cdot {t}")
    size = FLOAT * b * t * (wide * d + mlp * m + h * t)
    return size, f"4BT({inside[0]})", rf"4 \cdot {b} \cdot {t} \cdot ({inside[1]})"
