"""A model reading a text, recorded: what is asked for, how it is done, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lmviz.debug.invariants import Check, checks_of
from lmviz.errors import UserError
from lmviz.explain import explain
from lmviz.explain.backward import explain_gradient
from lmviz.generate.reading import prompt_tokens
from lmviz.generate.readout import NextTokenLoss, Readout
from lmviz.model.architecture import Config
from lmviz.model.architectures import record_of
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokens
from lmviz.registry.attached import OWN_IS_ELSEWHERE
from lmviz.registry.edits import Edit, functions_of
from lmviz.registry.notes import Notes, check_length, notes_of_model, notes_of_prompt, notes_of_target
from lmviz.registry.own_sizes import sizes_of
from lmviz.registry.program import MOST_WORDS, Asked, OwnRun
from lmviz.registry.reference import Reference, Registry, TrainingStep
from lmviz.registry.tokens import last_tokens, tokens_of_row
from lmviz.stages.navigation import Navigator
from lmviz.stages.origins import Origin, origins
from lmviz.stages.stage import LOSS, READOUT, Stage
from lmviz.stages.whole_model import WholeModel, whole_model
from lmviz.trace.operations.explanation import Explanation
from lmviz.trace.recorder import record
from lmviz.trace.saved import KEPT, Saved, save
from lmviz.trace.step import Cell, Trace, Value, fits
from lmviz.train.data import IGNORED


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that a recording depends on."""

    model: Reference
    prompt: str
    target: str = ""
    temperature: float = 1.0
    edits: tuple[Edit, ...] = ()
    gradients: bool = False


@dataclass(frozen=True, eq=False)
class Recording:
    """One text taken through one model."""

    request: Request
    source: Checkpoint | OwnRun
    tokens: Tokens  # what the model read: the end of the text, if the text was too long
    left_out: int  # tokens at the front that did not fit into the context
    target_id: int | None
    navigator: Navigator
    notes: Notes = ()  # what happened to the input
    row: int = 0  # which text of the batch the tokens are; all of a training step's texts are recorded together

    @property
    def trace(self) -> Trace:
        return self.navigator.trace

    @property
    def own(self) -> OwnRun | None:
        """The run of a program of one's own that it is; None for a model from a folder or a training."""
        return self.source if isinstance(self.source, OwnRun) else None

    @property
    def checkpoint(self) -> Checkpoint:
        """The model that was recorded.

        Raises:
            UserError: it belongs to a program of one's own, which keeps it.
        """
        if isinstance(self.source, OwnRun):
            raise UserError(OWN_IS_ELSEWHERE)
        return self.source

    @cached_property
    def config(self) -> Config:
        """The sizes of the model."""
        return sizes_of(self.source, self.navigator) if isinstance(self.source, OwnRun) else self.source.config

    @cached_property
    def buffers(self) -> frozenset[str]:
        """The paths of the model's tensors that are no parameters."""
        if isinstance(self.source, OwnRun):
            return self.source.buffers
        return frozenset(path for path, _ in self.source.model.named_buffers())

    @property
    def n_parameters(self) -> int:
        return self.source.n_parameters

    @cached_property
    def reads_out_last(self) -> bool:
        """Whether the model has given logits for the last position only."""
        probs = self.trace.value(f"{READOUT}.probs")
        return probs is not None and (len(probs.shape) == 2 or probs.shape[1] < len(self.tokens))

    def read_out_at(self, pos: int) -> int:
        """The position whose next token is told where `pos` is followed: that one, if the model tells it."""
        return len(self.tokens) - 1 if self.reads_out_last else pos

    def place_of(self, value: Value, pos: int) -> Cell:
        """Where a tensor of logits or probabilities, [batch, pos, d_vocab] or [batch, d_vocab], has a position's."""
        return (self.row, *(min(pos, n - 1) for n in value.shape[1:-1]))

    def token(self, pos: int) -> str:
        return self.tokens.pieces[pos]

    def explain(self, address: str, cell: Cell, gradient: bool = False) -> Explanation | None:
        """Where one number, or its gradient, comes from; None for weights and inputs, which come from nowhere here."""
        if gradient:
            return explain_gradient(self.trace, address, cell)
        if address not in self.trace or self.trace[address].index < 0:
            return None
        step = self.trace[address]
        output = next((i for i, value in enumerate(step.outputs) if value.address == address), 0)
        return explain(step, cell, output)

    def ledger(self) -> tuple[LedgerRow, ...]:
        """Every tensor that the run made, in order, with its smallest, mean and largest finite number."""
        return self._ledger

    @cached_property
    def _ledger(self) -> tuple[LedgerRow, ...]:
        return tuple(LedgerRow.of(step.address, value) for step in self.trace for value in step.outputs)

    def whole(self, asked: int) -> WholeModel:
        """All of it in one picture, with a head that must be in it, as `whole_model` takes one."""
        if asked not in self._wholes:
            self._wholes[asked] = whole_model(self.navigator, len(self.tokens), self.row, asked)
        return self._wholes[asked]

    @cached_property
    def _wholes(self) -> dict[int, WholeModel]:
        return {}

    def origins(self, span: tuple[int, int], shown: Sequence[Value]) -> dict[str, tuple[Origin, ...]]:
        """Of the tensors that are shown of the steps of a span, by address: what their cells were made from."""
        addresses = tuple(value.address for value in shown)
        if (span, addresses) not in self._origins:
            steps = self.trace[span[0] : span[1] + 1] if span[0] >= 0 else ()
            self._origins[span, addresses] = {value.address: origins(steps, value, addresses) for value in shown}
        return self._origins[span, addresses]

    @cached_property
    def _origins(self) -> dict[tuple[tuple[int, int], tuple[str, ...]], dict[str, tuple[Origin, ...]]]:
        return {}

    def facts(self) -> dict[str, Any]:
        """What a file says of it besides the trace, as `OwnRun.of` reads it."""
        run = self.own or OwnRun(
            self.trace,
            self.tokens.text,
            self.tokens.ids,
            self.tokens.pieces,
            tuple(self.piece(id) for id in range(min(self.config.d_vocab, MOST_WORDS))),
            tuple((one.name, one.shape, one.dtype) for one in self.trace.inputs),
            self.buffers,
            self.n_parameters,
        )
        n_changed = run.n_changed + len(self.request.edits)
        return replace(run, temperature=self.request.temperature, row=self.row, n_changed=n_changed).facts()

    def save(self, path: Path, limit: int = KEPT) -> Saved:
        """Keep it in a file, as `Trace.save` does, with what is known of the text and of the model."""
        return save(self.trace, path, self.facts(), limit)

    def has(self, address: str, cell: Cell) -> bool:
        """Whether a tensor of that address was recorded, and has that cell."""
        value = self.trace.value(address)
        return value is not None and fits(cell, value.shape)

    def checks(self, stage: Stage) -> tuple[Check, ...]:
        """What must hold at a stage, with what was measured."""
        if stage.index not in self._checks:
            record = record_of(self.config)
            self._checks[stage.index] = checks_of(self.trace, stage, record.norm if record is not None else None)
        return self._checks[stage.index]

    @cached_property
    def _checks(self) -> dict[int, tuple[Check, ...]]:
        return {}

    def piece(self, token_id: int) -> str:
        source = self.source if isinstance(self.source, OwnRun) else self.source.tokenizer
        return source.piece(token_id)


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


def record_request(request: Request, registry: Registry) -> Recording:
    """The model reading the text; or, if it is a step of a training, making that step.

    Raises:
        UserError: the model can't be opened, or there is no text that it can read.
    """
    if step := request.model.training_step(registry):
        return _of_training_step(request, step, registry)
    if own := request.model.own_run(Asked(request.edits, request.gradients, request.temperature)):
        return _of_own_run(request, own)
    return _of_prompt(request, registry)


def _of_prompt(request: Request, registry: Registry) -> Recording:
    checkpoint = registry.checkpoint(request.model)
    check_length(request.prompt)
    tokens = prompt_tokens(checkpoint.tokenizer, request.prompt)
    n_ctx = checkpoint.config.n_ctx
    left_out = max(0, len(tokens) - n_ctx)
    read = last_tokens(tokens, n_ctx)
    targets, target_id = _targets(checkpoint, request, tokens, left_out)
    judged = tuple(targets[0].tolist()) if request.gradients and targets is not None else ()
    trace = registry.kept(
        (checkpoint, request.prompt, request.edits, request.gradients, judged),
        lambda: _recorded(checkpoint, read, targets, request),
    )
    navigator = Navigator(_read_out(trace, targets, request))
    notes = (*notes_of_model(checkpoint), *notes_of_prompt(tokens, n_ctx), *notes_of_target(checkpoint, request.target))
    return Recording(request, checkpoint, read, left_out, target_id, navigator, notes)


def _of_training_step(request: Request, step: TrainingStep, registry: Registry) -> Recording:
    """All texts of a batch together, as one of them sees it."""
    request, checkpoint = replace(request, gradients=True), registry.checkpoint(request.model)
    trace = registry.kept((checkpoint.model, request.edits), lambda: step.record(functions_of(request.edits)))
    navigator = Navigator(_read_out(trace, step.batch.targets, request))
    tokens = tokens_of_row(checkpoint, step.batch.inputs, step.row)
    return Recording(request, checkpoint, tokens, 0, None, navigator, row=min(step.row, len(step.batch) - 1))


def _of_own_run(request: Request, run: OwnRun) -> Recording:
    """A model of one's own, which its program has recorded; or any, which somebody has kept in a file."""
    request = request if run.temperature is None else replace(request, temperature=run.temperature)
    return Recording(request, run, run.tokens, 0, None, Navigator(run.trace), run.notes, row=run.row)


def _targets(
    checkpoint: Checkpoint, request: Request, tokens: Tokens, left_out: int
) -> tuple[Tensor | None, int | None]:
    """What should come next at every position: the text itself, one further, and the target after its end."""
    following = checkpoint.tokenizer.encode(request.target).ids if request.target else ()
    target_id = following[0] if following else None
    ids = [*tokens.ids[left_out + 1 :], IGNORED if target_id is None else target_id]
    if all(i == IGNORED for i in ids):
        return None, None
    return torch.tensor([ids]), target_id


def _recorded(checkpoint: Checkpoint, tokens: Tokens, targets: Tensor | None, request: Request) -> Trace:
    """The model's own steps; with gradients, on to the loss and back."""
    changes = functions_of(request.edits)
    if request.gradients and targets is not None:
        return record(checkpoint.model, tokens.ids_tensor, edits=changes, backward=NextTokenLoss(targets))
    with torch.no_grad():
        return record(checkpoint.model, tokens.ids_tensor, edits=changes)


def _read_out(trace: Trace, targets: Tensor | None, request: Request) -> Trace:
    """What follows the model: the temperature and the softmax that read it, then the loss if there is a target."""
    if trace.failure is not None:
        return trace
    logits = trace.output
    with torch.no_grad():
        trace = record(Readout(request.temperature), logits, follows=trace, prefix=READOUT)
        if targets is not None and not request.gradients:
            trace = record(NextTokenLoss(targets), logits, follows=trace, prefix=LOSS)
    return trace
