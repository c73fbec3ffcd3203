"""Who the doctor examines: a model, something for it to read, and a loop that trains it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType

import torch
from torch import Tensor, nn

from lmviz.chance import seeded
from lmviz.debug import plain_loop
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from lmviz.train.data import read_texts
from lmviz.train.recipe import read_recipe

MOST_TEXTS = 32
MOST_POSITIONS = 48  # of what the doctor lets a model read, where it need not read more
FEWEST_POSITIONS = 5
SMALL = 2_000_000  # parameters of a model that the doctor also trains
LARGEST_COPY = 50_000_000  # parameters of a model that it also runs in float64
Texts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Patient:
    """A model that maps ids [batch, pos] to logits [batch, pos, d_vocab], and what is known about it."""

    model: nn.Module
    d_vocab: int
    n_ctx: int
    texts: Texts  # ids, each of two or more
    tied: bool | None = None  # whether the unembedding should be the token embedding; None: not known
    loop: ModuleType = plain_loop
    dtype: torch.dtype = torch.float32

    @cached_property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def is_small(self) -> bool:
        """Whether training it for a moment takes a moment only."""
        return self.n_parameters <= SMALL

    @cached_property
    def precise(self) -> nn.Module:
        """The model in float64 where memory allows it, in eval mode: what should be equal is so to 12 digits."""
        model = copy.deepcopy(self.model).eval()
        return model.double() if self.n_parameters <= LARGEST_COPY else model

    @cached_property
    def ids(self) -> Tensor:
        """[1, pos]: the longest text, cut where it grows long, said again where it is very short."""
        longest = max(self.texts, key=len)
        repeated = longest * -(-FEWEST_POSITIONS // len(longest))
        length = max(len(longest), FEWEST_POSITIONS)
        return torch.tensor([repeated[: min(length, self.n_ctx, MOST_POSITIONS)]])

    @cached_property
    def trace(self) -> Trace:
        """The model reading that text."""
        with torch.no_grad():
            return record(self.model, self.ids)

    @cached_property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets as the patient's own loop makes them."""
        made: tuple[Tensor, Tensor] = self.loop.make_pairs(self.texts, min(self.n_ctx, MOST_POSITIONS))
        return made

    @cached_property
    def true_pairs(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets as they should be."""
        return plain_loop.make_pairs(self.texts, min(self.n_ctx, MOST_POSITIONS))

    @cached_property
    def any_pairs(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets that mean nothing, long enough for every weight to matter."""
        return plain_loop.make_pairs(random_texts(self.d_vocab, min(self.n_ctx + 1, 12)), self.n_ctx)

    def fresh(self, std: float = 0.02) -> nn.Module:
        """The same model untrained: matrices from N(0, std), biases 0, scales 1 (Radford et al. 2019, 2.3)."""
        model = copy.deepcopy(self.model).train()
        with seeded(0), torch.no_grad():
            for name, parameter in model.named_parameters():
                if parameter.ndim > 1:
                    nn.init.normal_(parameter, std=std)
                else:
                    nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
        return model.requires_grad_()


def patient_of(checkpoint: Checkpoint, texts: Sequence[str] = (), loop: ModuleType = plain_loop) -> Patient:
    """A checkpoint as a patient, with the texts it is given or, without any, its own."""
    config = checkpoint.config
    tied = getattr(config, "tied", None)
    read = [tuple(checkpoint.tokenizer.encode(text).ids) for text in texts]
    chosen = tuple(ids for ids in read if len(ids) > 1)[:MOST_TEXTS] or ids_of(checkpoint)
    dtype = next((parameter.dtype for parameter in checkpoint.model.parameters()), torch.float32)
    return Patient(checkpoint.model, config.d_vocab, config.n_ctx, chosen, tied, loop, dtype)


def ids_of(checkpoint: Checkpoint) -> Texts:
    """Texts for a model to read and to be trained on, as ids: its recipe's, else its card's, else drawn by a seed."""
    texts = _texts_of(checkpoint)
    read = [tuple(checkpoint.tokenizer.encode(text).ids) for text in texts]
    chosen = tuple(ids for ids in read if len(ids) > 1)[:MOST_TEXTS]
    return chosen or random_texts(checkpoint.config.d_vocab, min(checkpoint.config.n_ctx, MOST_POSITIONS))


def random_texts(d_vocab: int, n_pos: int, n_texts: int = 4, seed: int = 0) -> Texts:
    """Texts that mean nothing; for models that nobody gave a text."""
    drawn = torch.randint(d_vocab, (n_texts, max(2, n_pos)), generator=torch.Generator().manual_seed(seed))
    return tuple(tuple(row) for row in drawn.tolist())


def _texts_of(checkpoint: Checkpoint) -> Sequence[str]:
    folder = checkpoint.folder
    if folder is not None and (folder / "recipe.toml").is_file():
        try:
            return read_texts(read_recipe(folder / "recipe.toml").data, folder)[:MOST_TEXTS]
        except (UserError, OSError):  # a recipe of another kind: the card will do
            pass
    return checkpoint.card.prompts
