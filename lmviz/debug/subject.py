"""Who the doctor examines: a model, something for it to read, and a loop that trains it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from types import ModuleType

import torch
from torch import Tensor, nn

from lmviz.debug import plain_loop
from lmviz.debug.copies import copy_of
from lmviz.debug.loss_probe import LossProbe, Output, output_of, probe_loss
from lmviz.debug.reading import Reading, reading_of
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.random_state import seeded
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from lmviz.train.data import read_texts
from lmviz.train.recipe import read_recipe

MOST_TEXTS = 32
MOST_POSITIONS = 48  # of what the doctor lets a model read, where it need not read more
_FEWEST_POSITIONS = 5
SCALES = frozenset(("weight", "scale", "gain", "gamma", "g", "a_2"))  # what norms call theirs
SMALL = 2_000_000  # parameters of a model that the doctor also trains
_LARGEST_COPY = 50_000_000  # parameters of a model that it also runs in float64
Texts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Subject:
    """A model that maps ids [batch, pos] to logits [batch, pos, d_vocab], and what is known about it.

    Its logits may be a part of what it gives back, and need targets: see `reading`.
    """

    model: nn.Module
    d_vocab: int
    n_ctx: int
    texts: Texts  # ids, each of two or more
    tied: bool | None = None  # whether the unembedding should be the token embedding; None: not known
    loop: ModuleType = plain_loop
    dtype: torch.dtype = torch.float32
    causal: bool | None = None  # whether it is meant to predict the next token; None: not known
    has_random_texts: bool = False  # whether the texts mean nothing, since nobody gave any

    @cached_property
    def n_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def is_small(self) -> bool:
        """Whether training it for a moment takes a moment only."""
        return self.n_parameters <= SMALL

    @cached_property
    def is_quantised(self) -> bool:
        """Whether its weights are whole numbers: no training moves them. What is rounded by the scale of a whole batch
        moves a little with every token in it."""
        return any(map(_is_quantised, self.model.modules()))

    @cached_property
    def at_rest(self) -> nn.Module:
        """The model in evaluation: itself, or, if somebody is training it, a copy."""
        return copy_of(self.model).eval() if self.model.training else self.model

    @cached_property
    def reading(self) -> Reading:
        """How it gives the logits of all positions.

        Raises:
            ValueError: it gives none. Whatever the model raises.
        """
        found = reading_of(copy_of(self.model).eval(), self.d_vocab, self.two)
        # the scale of a quantised batch lets every text move the others a little, in whatever order it is read
        return replace(found, kind="whole") if found.kind == "pos_first" and self.is_quantised else found

    @cached_property
    def precise(self) -> nn.Module:
        """The model in float64 where memory and its own code allow it, in eval mode: what should be equal is so to 12
        digits. It gives logits and nothing else."""
        return self._precise(copy_of(self.model))

    @cached_property
    def anew(self) -> nn.Module:
        """The same with larger weights drawn anew: what the model can do, whatever it has learned or starts from."""
        return self._precise(self.fresh(0.3))

    def _precise(self, model: nn.Module) -> nn.Module:
        model.eval()
        exact = copy_of(model).double() if self.n_parameters <= _LARGEST_COPY else None
        self.reading.attach(model)
        if exact is not None:
            self.reading.attach(exact)
            with suppress(Exception):
                found = self.logits(self.ids, exact)
                if found.dtype == torch.float64 and _is_rounded(self.logits(self.ids, model), found):
                    return exact
        return model

    def logits(self, ids: Tensor, model: nn.Module | None = None) -> Tensor:
        """[batch, pos, d_vocab], as precisely as can be; if anything is drawn (dropout), always the same."""
        with torch.no_grad(), seeded(0):
            found: Tensor = (self.precise if model is None else model)(ids)
        return found

    @cached_property
    def ids(self) -> Tensor:
        """[1, pos]: the longest text, cut where it grows long, said again where it is very short."""
        longest = max(self.texts, key=len)
        repeated = longest * -(-_FEWEST_POSITIONS // len(longest))
        length = max(len(longest), _FEWEST_POSITIONS)
        return torch.tensor([repeated[: min(length, self.n_ctx, MOST_POSITIONS)]])

    @cached_property
    def two(self) -> Tensor:
        """[2, pos]: that text, and one that has another token at every position."""
        shift = 1 if self.d_vocab < 4 else 2
        return torch.cat([self.ids, (self.ids + shift) % self.d_vocab])

    @cached_property
    def asked(self) -> LossProbe:
        """What its loop asks of it."""
        return probe_loss(self.loop, *self.pairs, self.d_vocab, self.output)

    @cached_property
    def output(self) -> Output:
        """Whether it gives logits, or ends in a softmax."""
        return output_of(self.logits(self.ids))

    @cached_property
    def trace(self) -> Trace:
        """The model reading that text."""
        with torch.no_grad():
            return record(self.at_rest, self.ids)

    @cached_property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets as the subject's own loop makes them."""
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

    def fresh(self, std: float = 0.02, seed: int = 0) -> nn.Module:
        """The same model untrained: matrices from N(0, std²), biases 0, scales of norms 1; what is neither stays,
        if it is not 0.

        Radford et al. 2018, 4.1, for N(0, 0.02²).
        """
        model = self.pupil().train()
        with seeded(seed), torch.no_grad():
            for path, parameter in model.named_parameters():  # names each parameter once
                _start(path.rpartition(".")[2], parameter, std)
        return model

    def pupil(self) -> nn.Module:
        """A copy to train, as it is. Squares of slopes have no room in float16: it learns in float32."""
        model = copy_of(self.model).requires_grad_()
        return model.float() if self.dtype == torch.float16 else model


def _is_quantised(module: nn.Module) -> bool:
    held = (*vars(module).values(), *module.parameters(recurse=False), *module.buffers(recurse=False))
    return any(isinstance(one, torch.ScriptObject) or (isinstance(one, Tensor) and _is_codes(one)) for one in held)


def _is_codes(weight: Tensor) -> bool:
    """A matrix of small whole numbers that is no mask."""
    if weight.is_quantized:
        return True
    return (
        weight.dtype in (torch.int8, torch.uint8) and weight.ndim == 2 and bool(((weight != 0) & (weight != 1)).any())
    )


def _start(name: str, parameter: nn.Parameter, std: float) -> None:
    """A weight as it is before training. A table that is not to be trained (sines, for example) is left alone."""
    if not parameter.requires_grad and parameter.ndim > 1:
        return
    if parameter.ndim > 1:
        nn.init.normal_(parameter, std=std)
    elif "bias" in name or name.startswith("b_") or "beta" in name:
        nn.init.zeros_(parameter)
    elif name in SCALES or "norm" in name:
        nn.init.ones_(parameter)
    elif not parameter.any():  # a gate that starts closed (ReZero) would hide all that is behind it
        nn.init.normal_(parameter, std=std)


def subject_of(checkpoint: Checkpoint, texts: Sequence[str] = (), loop: ModuleType = plain_loop) -> Subject:
    """A checkpoint as a subject, with the texts it is given or, without any, its own."""
    config = checkpoint.config
    tied = getattr(config, "tied", None)
    read = [tuple(checkpoint.tokenizer.encode(text).ids) for text in texts]
    chosen = tuple(ids for ids in read if len(ids) > 1)[:MOST_TEXTS] or ids_of(checkpoint)
    dtype = next((parameter.dtype for parameter in checkpoint.model.parameters()), torch.float32)
    drawn = not any(len(ids) > 1 for ids in read) and not _texts_of(checkpoint)
    return Subject(checkpoint.model, config.d_vocab, config.n_ctx, chosen, tied, loop, dtype, True, drawn)


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


def _is_rounded(logits: Tensor, exact: Tensor) -> bool:
    """Whether the two differ as rounding makes them differ.

    Code that makes float32 of its own, such as a mask, may come to another model in float64: torch's fused attention
    then reads that mask as garbage, without a word.
    """
    size = float(exact.nan_to_num(0.0, 0.0, 0.0).abs().max()) if exact.numel() else 0.0
    near = torch.finfo(logits.dtype).eps ** 0.5 * max(size, 1.0)
    return torch.allclose(logits.double(), exact, rtol=0.0, atol=near, equal_nan=True)
