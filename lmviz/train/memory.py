"""What a training needs of memory, by simple formulas that leave out what torch needs for itself."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.errors import UserError
from lmviz.model.architecture import Config
from lmviz.model.architectures import architecture_of
from lmviz.train.counts import n_parameters
from lmviz.train.recipe import TrainingRecipe

FLOAT = 4  # bytes
_PER_LAYER = 50_000  # bytes of Python objects, about
REMEMBERED = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}  # numbers that an optimiser keeps for every weight


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int  # what the forward pass leaves for the backward pass

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


def memory_of(config: Config, optimizer: str, batch_size: int, n_pos: int | None = None) -> Memory:
    """The memory of one training step.

    Weights, gradients and each of the optimiser's memories are 4 bytes a parameter. Activations are counted in our
    models' code, for each of batch * pos positions: the record of the architecture says which numbers a backward pass
    reads again. Within about a tenth of what autograd keeps.

    Args:
        n_pos: positions per window; default: the whole context.
    """
    n_pos = n_pos or config.n_ctx
    weights = FLOAT * n_parameters(config)
    activations = FLOAT * batch_size * n_pos * _per_position(config, n_pos)
    return Memory(weights, weights, REMEMBERED[optimizer] * weights, activations)


def bytes_to_build(config: Config) -> int:
    """What the modules of a model take before anything is done with them."""
    return FLOAT * n_parameters(config) + _beside_weights(config)


def check_memory(config: Config, training: TrainingRecipe, n_windows: int, limit: int) -> None:
    """A UserError if a step would need more than `limit` bytes. Nothing is built to find out."""
    batch_size = min(training.batch_size or n_windows, n_windows)
    needed = memory_of(config, training.optimizer, batch_size).total + _beside_weights(config)
    if needed > limit:
        raise UserError(
            "A training may need {limit} bytes of memory; this one needs about {needed}: "
            "take a smaller model or batch.",
            limit=limit,
            needed=needed,
        )


def _beside_weights(config: Config) -> int:
    """What is worked out and not learned (the masks that say which query may see which key), and Python's objects."""
    tables = architecture_of(config).tables(config)
    return sum(table.copies * table.n_bytes for table in tables) + config.n_layers * _PER_LAYER


def _per_position(config: Config, n_pos: int) -> int:
    """Numbers that autograd keeps for each position of each text."""
    record = architecture_of(config)
    block = sum(kept.count for kept in record.kept_by_block(config, n_pos))
    return config.n_layers * block + sum(kept.count for kept in record.kept_around(config))
