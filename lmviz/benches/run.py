"""One text taken through one model: what is asked for, how it is recorded, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from lmviz.debug.invariants import Check, checks_of
from lmviz.errors import UserError
from lmviz.generate.readout import NextTokenLoss, Readout
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokens
from lmviz.trace.recorder import record
from lmviz.trace.step import Cell, Trace, Value, fits
from lmviz.walk.cursor import Walk
from lmviz.walk.stages import LOSS, READOUT, Stage

PROMPT_LIMIT = 4000  # characters


@dataclass(frozen=True, slots=True)
class Edit:
    """One number put in the place of another: a cell of a weight or of an activation, or a whole head switched off."""

    address: str
    cell: Cell | None  # None: the head
    value: float = 0.0
    head: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that a run depends on."""

    model: str
    prompt: str
    target: str = ""
    temperature: float = 1.0
    edits: tuple[Edit, ...] = ()
    gradients: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """One text taken through one model."""

    request: Request
    checkpoint: Checkpoint
    tokens: Tokens  # what the model read: the end of the text, if the text was too long
    left_out: int  # tokens at the front that did not fit into the context
    target_id: int | None
    walk: Walk
    said: tuple[tuple[str, dict[str, object]], ...] = ()  # what happened to the input: sentences and their details
    row: int = 0  # which text of the batch the tokens are; all of a training step's texts are recorded together

    @property
    def trace(self) -> Trace:
        return self.walk.trace

    def token(self, pos: int) -> str:
        return self.tokens.pieces[pos]

    def ledger(self) -> tuple[LedgerRow, ...]:
        """Every tensor that the run made, in order, with its smallest, mean and largest finite number."""
        return self._ledger

    @cached_property
    def _ledger(self) -> tuple[LedgerRow, ...]:
        return tuple(LedgerRow.of(step.address, value) for step in self.trace for value in step.outputs)

    def has(self, address: str, cell: Cell) -> bool:
        """Whether a tensor of that address was recorded, and has that cell."""
        value = self.trace.value(address)
        return value is not None and fits(cell, value.shape)

    def checks(self, stage: Stage) -> tuple[Check, ...]:
        """What must hold at a stage, with what was measured."""
        if stage.index not in self._checks:
            self._checks[stage.index] = checks_of(self.trace, stage)
        return self._checks[stage.index]

    @cached_property
    def _checks(self) -> dict[int, tuple[Check, ...]]:
        return {}

    def piece(self, token_id: int) -> str:
        return self.checkpoint.tokenizer.piece(token_id)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One tensor of a run, described. `step` is the address of the step that made it."""

    step: str
    address: str
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    low: float
    mean: float
    high: float
    n_bytes: int

    @classmethod
    def of(cls, step: str, value: Value) -> LedgerRow:
        array = value.array.astype(np.float64).ravel()
        numbers = array[np.isfinite(array)]
        low, mean, high = (numbers.min(), numbers.mean(), numbers.max()) if numbers.size else (np.nan,) * 3
        extent = (float(low), float(mean), float(high))
        return cls(step, value.address, value.axes, value.shape, value.dtype, *extent, value.n_bytes)


def check_length(prompt: str) -> None:
    if len(prompt) > PROMPT_LIMIT:
        raise UserError(
            "A prompt can have {limit} characters at most, so that every page stays quick; this one has {found}: "
            "shorten it.",
            limit=PROMPT_LIMIT,
            found=len(prompt),
        )


def recorded(checkpoint: Checkpoint, tokens: Tokens, targets: Tensor | None, request: Request) -> Trace:
    """The model's own run; with gradients, on to the loss and back."""
    edits = edit_functions(request.edits)
    if request.gradients and targets is not None:
        return record(checkpoint.model, tokens.ids_tensor, edits=edits, backward=NextTokenLoss(targets))
    with torch.no_grad():
        return record(checkpoint.model, tokens.ids_tensor, edits=edits)


def read_out(trace: Trace, targets: Tensor | None, request: Request) -> Trace:
    """What follows a run: the temperature and the softmax that read it, then the loss if there is a target."""
    if trace.failure is not None:
        return trace
    logits = trace.output
    with torch.no_grad():
        trace = record(Readout(request.temperature), logits, follows=trace, prefix=READOUT)
        if targets is not None and not request.gradients:
            trace = record(NextTokenLoss(targets), logits, follows=trace, prefix=LOSS)
    return trace


def edit_functions(edits: tuple[Edit, ...]) -> dict[str, Callable[[Tensor], Tensor]]:
    by_address: dict[str, list[Edit]] = {}
    for edit in edits:
        by_address.setdefault(edit.address, []).append(edit)

    def apply(tensor: Tensor, changes: list[Edit]) -> Tensor:
        for edit in changes:
            _check_edit(edit, tensor)
            if edit.cell is None:
                tensor[:, edit.head] = 0
            else:
                tensor[edit.cell] = edit.value
        return tensor

    return {address: partial(apply, changes=changes) for address, changes in by_address.items()}


def _check_edit(edit: Edit, tensor: Tensor) -> None:
    """An edit changes one number of a tensor, or one head: neither fewer indices than axes, nor one beyond the end."""
    index = (0, edit.head) if edit.cell is None else edit.cell
    n_axes = len(index) if edit.cell is None else tensor.ndim
    if len(index) != n_axes or any(i >= n for i, n in zip(index, tensor.shape, strict=False)):
        raise UserError(
            "An edit must be inside the tensor: {address} has the shape {shape}, and {cell} is not in it.",
            address=edit.address,
            shape=list(tensor.shape),
            cell=list(index),
        )


def tokens_of_row(checkpoint: Checkpoint, inputs: Tensor, row: int) -> Tokens:
    """One text of a batch, [batch, pos], as far as the batch is wide."""
    ids = tuple(inputs[min(row, len(inputs) - 1)].tolist())
    pieces = tuple(map(checkpoint.tokenizer.piece, ids))
    text = checkpoint.tokenizer.decode(ids)
    spans, end = [], 0
    for piece in pieces:  # in the text, with the spaces that stand between words
        start = max(text.find(piece, end), end)
        end = start + len(piece)
        spans.append((start, end))
    return Tokens(text, ids, pieces, tuple(spans), (False,) * len(ids), ())


def last_tokens(tokens: Tokens, count: int) -> Tokens:
    """The last `count` tokens of a text."""
    keep = slice(max(0, len(tokens) - count), None)
    return Tokens(
        tokens.text, tokens.ids[keep], tokens.pieces[keep], tokens.offsets[keep], tokens.unknown[keep], tokens.dropped
    )


def said_of_prompt(
    tokens: Tokens, read: Tokens, left_out: int, n_ctx: int
) -> tuple[tuple[str, dict[str, object]], ...]:
    said: list[tuple[str, dict[str, object]]] = []
    if left_out:
        said.append(
            (
                "The text is {total} tokens long and the model reads {n_ctx}: the first {left_out} are left out.",
                {"total": len(tokens), "n_ctx": n_ctx, "left_out": left_out},
            )
        )
    unknown = [piece for piece, is_unknown in zip(read.pieces, read.unknown, strict=True) if is_unknown]
    if unknown:
        said.append(
            ("The model does not know {pieces}: it reads its unknown token there.", {"pieces": ", ".join(unknown[:8])})
        )
    if tokens.dropped:
        pieces = ", ".join(dict.fromkeys(text for _, text in tokens.dropped[:8]))
        said.append(("The model has no token for {pieces}: left out.", {"pieces": pieces}))
    return tuple(said)


def said_of_target(checkpoint: Checkpoint, target: str) -> tuple[tuple[str, dict[str, object]], ...]:
    """What became of the text that came next."""
    following = checkpoint.tokenizer.encode(target)
    if target and not len(following):
        return (("The model has no token for {text}, which came next: the loss leaves it out.", {"text": target}),)
    if target and following.unknown[0]:
        return (
            ("The model does not know {text}, which came next: its unknown token is judged instead.", {"text": target}),
        )
    if len(following) > 1:
        return (
            ("Only {piece} is judged of what came next: a loss is about one token.", {"piece": following.pieces[0]}),
        )
    return ()
