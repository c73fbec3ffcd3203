"""What a training needs of memory, by simple formulas that leave out what torch needs for itself."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.errors import UserError
from lmviz.model.mini_llm import MiniLLMConfig
from lmviz.train.counts import Config, n_parameters
from lmviz.train.recipe import TrainingRecipe

FLOAT = 4  # bytes
PER_LAYER = 50_000  # bytes of Python objects, about
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
    models' code: for each of batch * pos positions, d_model numbers for everything of the residual stream's width that
    a backward pass reads again, d_mlp for the hidden layer before and after its activation, n_heads * pos for the
    pattern, and d_vocab for the probabilities. Within about a tenth of what autograd keeps.

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
    """The masks that say which query may see which key, n_ctx * n_ctx bytes in every layer, and Python's objects."""
    return config.n_layers * (config.n_ctx**2 + PER_LAYER)


def _per_position(config: Config, n_pos: int) -> int:
    """Numbers that autograd keeps for each position of each text."""
    d_model, d_mlp, pattern = config.d_model, config.d_mlp, config.n_heads * n_pos
    if isinstance(config, MiniLLMConfig):  # x, q, k, v, x_mid; hidden; pattern. Then x, and the log-probabilities
        return config.n_layers * (5 * d_model + d_mlp + pattern) + d_model + config.d_vocab
    # Two norms (centred, normed and what they give), q, k, v, joined; pre, hidden; pattern; and two masks of dropout
    block = (10 + 2 * bool(config.dropout)) * d_model + 2 * d_mlp + pattern
    return config.n_layers * block + 3 * d_model + config.d_vocab
