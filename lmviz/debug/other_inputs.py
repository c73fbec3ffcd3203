"""A model of several inputs as one that reads ids alone: the others stay what they are for one text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.debug.copies import copy_of
from lmviz.debug.reading import named_logits, tensors_given
from lmviz.errors import UserError
from lmviz.random_state import seeded
from lmviz.trace.assembly.inputs import named_tensors
from lmviz.trace.capture.handles import map_nested, tensors_in

_ATTRIBUTE = "_lmviz_other_inputs"
_NO_TEXT = re.compile(r"mask|type|pos|segment|label|target|length|lang")  # in the names of tables that are no text


@dataclass(frozen=True)
class OtherInputs:
    """What a model is called with beside its ids, in whose place stands `OtherInputs` itself."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    n_texts: int
    n_pos: int
    row: int  # the text that they are kept of

    def beside(self, ids: Tensor, dtype: torch.dtype) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the model is called with when it reads other ids, [batch, pos] of no more positions."""

        def fitted(other: Tensor) -> Tensor:
            return self._fitted(other, len(ids), ids.shape[1]).to(dtype if other.is_floating_point() else other.dtype)

        args, kwargs = map_nested((self.args, dict(self.kwargs)), Tensor, fitted)
        return _filled(args, ids), _filled(kwargs, ids)

    def _fitted(self, other: Tensor, n_texts: int, n_pos: int) -> Tensor:
        """A tensor of one text for so many of them, as long as they are."""
        if other.ndim > 1 and other.shape[-2:] == (self.n_pos, self.n_pos):  # who may look at whom
            other = other[..., :n_pos, :n_pos]
        elif other.ndim > 1 and other.shape[:2] == (self.n_texts, self.n_pos):
            other = other[:, :n_pos]
        axis = next((axis for axis in range(min(2, other.ndim)) if other.shape[axis] == self.n_texts), None)
        if axis is None:
            return other
        one = other.narrow(axis, self.row, 1)  # the second axis is that of texts in the state of a recurrent network
        if other.ndim == 1 and not one.is_floating_point() and int(one) == self.n_pos:  # a length
            one = torch.full_like(one, n_pos)
        return one.expand(*other.shape[:axis], n_texts, *other.shape[axis + 1 :]).contiguous()  # models may `view` it


def _filled(inputs: Any, ids: Tensor) -> Any:
    return map_nested(inputs, type, lambda found: ids if found is OtherInputs else found)


def reads_ids(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[nn.Module, Tensor]:
    """A copy of a model whose `forward` takes ids alone, and the ids that it was given. No part changes its path.

    Its ids are the last table of whole numbers, [batch, pos], that its output depends on and whose name does not say
    that it is something else (a mask, a label): the second of an encoder with a decoder.

    Raises:
        UserError: there is no such table, or no text in which the other inputs mask nothing.
    """
    kwargs = _with_decoder_ids(model, args, kwargs)
    tables = [(name, one) for name, one in named_tensors(model, args, kwargs).items() if _is_table(one)]
    texts = [one for name, one in tables if not _NO_TEXT.search(name.rpartition(".")[2]) and one.max() > 1] or [
        one for _, one in tables
    ][:1]
    if not texts:
        raise UserError("check needs the ids of some texts among the inputs, whole numbers [batch, pos]; got none.")
    ids = next((one for one in reversed(texts[1:]) if _depends(model, args, kwargs, one)), texts[0])
    row = _unmasked(ids, [one for one in tensors_in((args, dict(kwargs))) if one is not ids])
    others, named = map_nested((args, dict(kwargs)), Tensor, lambda one: OtherInputs if one is ids else one)
    return _reading_alone(model, OtherInputs(others, named, len(ids), ids.shape[1], row)), ids


def _with_decoder_ids(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a model of transformers is called with: where it is given labels alone, its decoder reads these, one later.

    They are given to it as it would make them itself, so that it is examined by what its decoder reads.
    """
    given = named_tensors(model, args, kwargs)
    shift = getattr(model, "prepare_decoder_input_ids_from_labels", None)
    is_given = {"decoder_input_ids", "decoder_inputs_embeds"} & given.keys()
    if shift is None or "labels" not in given or is_given:
        return kwargs
    return {**kwargs, "decoder_input_ids": shift(labels=given["labels"])}


def _is_table(one: Tensor) -> bool:
    is_whole = not one.is_floating_point() and not one.is_complex() and one.dtype is not torch.bool
    return is_whole and one.ndim == 2 and one.numel() > 0


def _depends(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], ids: Tensor) -> bool:
    """Whether what a model gives moves with one of its inputs."""
    other = (ids + 1) % (ids.max() + 1)
    runs = [(args, dict(kwargs)), map_nested((args, dict(kwargs)), Tensor, lambda one: other if one is ids else one)]
    with torch.no_grad(), seeded(0):
        resting = copy_of(model).eval()
        before, after = (_largest(resting(*run[0], **run[1])) for run in runs)
    return before is not None and after is not None and not torch.equal(before, after)


def _largest(output: Any) -> Tensor | None:
    """Its logits; where nothing is called so, the tensor with the most numbers in what a model gives."""
    named = named_logits(output)
    return named if named is not None else max(tensors_given(output), key=Tensor.numel, default=None)


def _unmasked(ids: Tensor, others: list[Tensor]) -> int:
    """The first text of which nothing is masked: the same 0 or 1 at every place of it."""
    masks = [one for one in others if one.shape == ids.shape and bool(((one == 0) | (one == 1)).all())]
    for row in range(len(ids)):
        if all(bool((mask[row] == mask[row, 0]).all()) for mask in masks):
            return row
    raise UserError("check needs one text without padding among its inputs: its mask is then that of every other text.")


def _reading_alone(model: nn.Module, others: OtherInputs) -> nn.Module:
    """A copy of its own class, so that no part of it is called otherwise than in its code."""
    whole, made = type(model), copy_of(model)

    def forward(self: nn.Module, ids: Tensor) -> Any:
        dtype = next((weight.dtype for weight in self.parameters() if weight.is_floating_point()), torch.float32)
        args, kwargs = vars(self)[_ATTRIBUTE].beside(ids, dtype)
        return whole.forward(self, *args, **kwargs)

    made.__class__ = type(whole.__name__, (whole,), {"forward": forward})
    vars(made)[_ATTRIBUTE] = others
    return made
