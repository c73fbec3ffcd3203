"""Writing with a KV cache: what was kept of the text so far, what was computed anew, and what difference it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.generate.reading import checked, evaluating, read_by
from lmviz.model.architectures import record_of
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.kv_cache import KVCache, ReadOn


@dataclass(frozen=True, slots=True)
class CachedTensor:
    """What a cache holds of one block after a step."""

    name: str  # "k" or "v"
    layer: int
    shape: tuple[int, ...]  # [batch, head, pos, d_head]
    n_bytes: int


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What one step took from the cache and gave to it, and how far its logits are from those without one."""

    n_kept: int  # positions whose keys and values were there
    n_new: int  # positions that were computed
    tensors: tuple[CachedTensor, ...]  # as they are after the step
    difference: float  # the largest |difference| of two logits; floats are rounded, so it need not be 0

    @property
    def n_bytes(self) -> int:
        return sum(tensor.n_bytes for tensor in self.tensors)


def can_cache(checkpoint: Checkpoint) -> bool:
    """Whether the model is one whose forward pass is known with a cache: a lesson's own class, and no changed one."""
    return _read_on(checkpoint) is not None


def _read_on(checkpoint: Checkpoint) -> ReadOn | None:
    record = record_of(checkpoint.config)
    return record.read_on if record is not None and type(checkpoint.model) is record.model else None


class CachedReader:
    """Reads a text that grows. What it has kept is used for as long as the text goes on where it was; where the text
    has slid out of the context, every position is another one, and all is computed anew."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """
        Raises:
            UserError: the model's forward pass is not known with a cache.
        """
        read_on = _read_on(checkpoint)
        if read_on is None:
            raise UserError("A KV cache needs a model whose lesson says how to keep one; this model has none.")
        self._checkpoint, self._read_on = checkpoint, read_on
        self._ids: tuple[int, ...] = ()
        self._cache: KVCache = ()

    @property
    def n_bytes(self) -> int:
        """What is kept."""
        return sum(layer.k.nbytes + layer.v.nbytes for layer in self._cache)

    def next_logits(self, ids: Sequence[int], plain: Tensor) -> tuple[Tensor, CacheUse]:
        """The logits for the token after `ids`, [d_vocab], in float32.

        Args:
            plain: the same as the model gives them without a cache.
        """
        read = read_by(self._checkpoint, ids)
        n_kept = len(self._ids)
        if n_kept >= len(read) or read[:n_kept] != self._ids:
            n_kept, self._cache = 0, ()
        with evaluating(self._checkpoint.model) as model, torch.no_grad():
            logits, self._cache = self._read_on(model, torch.tensor([read[n_kept:]]), self._cache)
        self._ids = read
        found = checked(logits[:, -1].float())[0]
        difference = torch.where(found == plain, 0.0, (found - plain).abs()).max()
        return found, CacheUse(n_kept, len(read) - n_kept, _described(self._cache), float(difference))


def _described(cache: KVCache) -> tuple[CachedTensor, ...]:
    return tuple(
        CachedTensor(name, i, tuple(tensor.shape), tensor.nbytes)
        for i, layer in enumerate(cache)
        for name, tensor in (("k", layer.k), ("v", layer.v))
    )
