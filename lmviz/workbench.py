"""What a page can do, in words of the product: open a model, walk a text through it, ask a number where it comes from.

Knows nothing of Streamlit. What is expensive (models, recordings) is made once and kept in bounded caches that all
sessions share.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lmviz.benches.cache import Cache
from lmviz.benches.names import (
    BROKEN,
    TRAINED,
    UNTRAINED,
    changed,
    confined,
    moment_name,
    run_and_step,
    training_step,
)
from lmviz.benches.run import (
    Request,
    Run,
    check_length,
    edit_functions,
    last_tokens,
    read_out,
    recorded,
    said_of_prompt,
    said_of_target,
    tokens_of_row,
)
from lmviz.errors import UserError
from lmviz.explain import explain
from lmviz.generate.generation import Writing
from lmviz.generate.reading import prompt_ids, prompt_tokens
from lmviz.generate.readout import NextTokenLoss
from lmviz.generate.settings import Settings
from lmviz.model.card import Card, read_card
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.tokenizer import Tokens
from lmviz.trace.operations.explanation import Explanation
from lmviz.trace.recorder import record
from lmviz.trace.step import Cell, Trace, Value
from lmviz.train.data import Windows
from lmviz.train.gradient_check import Checked, check_gradient, random_cells
from lmviz.train.opened import OpenedStep
from lmviz.train.plan import Plan, cut, plan_of
from lmviz.train.recipe import Recipe
from lmviz.train.runs import Runs
from lmviz.train.time_travel import Moment
from lmviz.walk.cursor import Walk

if TYPE_CHECKING:
    from lmviz.benches.debugging import Debugging
    from lmviz.benches.drafting import Drafting
    from lmviz.benches.embeddings import Embeddings
    from lmviz.benches.quantising import Quantising
    from lmviz.benches.tokenizing import Tokenizing

SAMPLES = Path(__file__).parent.parent / "sample_models"
MODELS_KEPT = 24
MODEL_BYTES_KEPT = 2**30
MODEL_LIMIT = 4 * 2**30  # bytes that one model may take when somebody opens it
CORPORA_KEPT = 8
PARTS = 16  # more than there are
STEPS_KEPT = 6  # training steps that are open
CELLS_CHECKED = 16
RUNS_KEPT = 24
WRITINGS_KEPT = 64
LOGITS_KEPT = 2**28  # bytes, over all writings
BYTES_KEPT = 2**30  # of recorded activations, over all runs


class Workbench:
    """The models and runs that all sessions share. Safe to use from several threads."""

    def __init__(self, samples: Path = SAMPLES, open_runs: Callable[[], Runs] = Runs) -> None:
        """
        Args:
            samples: the folder of the models at hand.
            open_runs: opens the trainings, when they are first asked for.
        """
        self._samples, self._open_runs = samples, open_runs
        self._parts = Cache(PARTS)  # a cached_property of Python 3.12 could make two
        self._checkpoints = Cache(MODELS_KEPT, weigh=_model_bytes, weight_limit=MODEL_BYTES_KEPT)
        self._corpora = Cache(CORPORA_KEPT)
        self._moments, self._opened, self._checked = (Cache(STEPS_KEPT) for _ in range(3))
        self._recordings = Cache(RUNS_KEPT, weigh=_kept_bytes, weight_limit=BYTES_KEPT)
        self._writings = Cache(WRITINGS_KEPT, weigh=lambda writing: writing.n_bytes, weight_limit=LOGITS_KEPT)
        self._runs = Cache(RUNS_KEPT, weigh=lambda run: _kept_bytes(run.trace), weight_limit=BYTES_KEPT)

    # -- what single pages can do, imported when they are opened -------------------------------------------------------

    @property
    def drafting(self) -> Drafting:
        from lmviz.benches.drafting import Drafting

        return self._parts.get(Drafting, lambda: Drafting(self))

    @property
    def embeddings(self) -> Embeddings:
        from lmviz.benches.embeddings import Embeddings

        return self._parts.get(Embeddings, lambda: Embeddings(self))

    @property
    def tokenizing(self) -> Tokenizing:
        from lmviz.benches.tokenizing import Tokenizing

        return self._parts.get(Tokenizing, lambda: Tokenizing(self))

    @property
    def quantising(self) -> Quantising:
        from lmviz.benches.quantising import Quantising

        return self._parts.get(Quantising, lambda: Quantising(self))

    @property
    def debugging(self) -> Debugging:
        from lmviz.benches.debugging import Debugging

        return self._parts.get(Debugging, lambda: Debugging(self))

    # -- models ------------------------------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """The names of the models at hand, the smallest first."""
        order = ["small-ever", "pokemon", "simple-llm", "names"]
        found = [path.parent.name for path in self._samples.glob("*/config.json")]
        return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))

    def checkpoint(self, model: str) -> Checkpoint:
        """The model of that name, in that folder, or, as `runs/RUN@STEP`, of a run after one of its steps.

        As `bug/NAME@MODEL`, a model with a bug in it (`lmviz.benches.debugging`); as `moment/…`, one that makes a step
        of a training there (`lmviz.benches.moments`). As `runs/RUN!STEP` or `runs/RUN!STEP.WINDOW`, the model of a run
        as it makes that step.
        """
        if model.startswith(BROKEN):
            return self.debugging.checkpoint(model)
        if asked := training_step(model):
            return self._moment_checkpoint(asked[0], asked[1])
        if moment := run_and_step(model):
            return self._checkpoints.get((model, self.runs.get(moment[0]).name), lambda: self.runs.model_at(*moment))
        folder = self._folder(model)
        return self._checkpoints.get((model, changed(folder)), lambda: load(folder, memory=MODEL_LIMIT))

    def card(self, run: Run, language: str) -> Card:
        """What the model of a run is: the `README.fr.md` of its folder for French, say, or else its `README.md`."""
        folder = run.checkpoint.folder
        translated = folder / f"README.{language}.md" if folder is not None else None
        return read_card(translated) if translated is not None and os.path.lexists(translated) else run.checkpoint.card

    def first_prompt(self, model: str) -> str:
        if asked := training_step(model):
            return self._window(*asked).text
        if model.startswith(("puzzle/", "moment/")):
            return self.debugging.prompt(model)
        prompts = self.checkpoint(model).card.prompts
        return prompts[0] if prompts else "Hello"

    # -- trainings ---------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> Runs:
        """The trainings of the folder that LMVIZ_RUNS names.

        Raises:
            UserError: the folder cannot be used.
        """
        return self._parts.get(Runs, self._open_runs)

    def plan(self, recipe: Recipe, start: str = "") -> Plan:
        """What a recipe comes to, from the cache if only the sizes have changed.

        Args:
            start: the model that the training would start from, whose tokenizer it takes over.
        """
        tokenizer = self.checkpoint(start).tokenizer if start else None
        decisive = (recipe.data, recipe.tokenizer, recipe.model.n_ctx, recipe.training.seed, start)
        return plan_of(recipe, self._corpora.get(decisive, lambda: cut(recipe, tokenizer)))

    def opened(self, run: str, step: int) -> OpenedStep:
        """One training step with all its numbers, from its batch to its new weights."""
        return self._opened.get((run, step), lambda: self.runs.open_step(run, step))

    def checked_gradient(self, run: str, step: int) -> tuple[Checked, ...]:
        """The slope of a training step's loss at some cells of every weight, by autograd and by finite differences."""
        if self.runs.get(run).recipe.quantisation.rounds:
            raise UserError(
                "Rounded weights give a loss with stairs, whose slope cannot be measured: here the gradient passes "
                "straight through the rounding."
            )
        moment = self.moment(run, step)
        cells = random_cells(moment.model, CELLS_CHECKED, seed=step)
        return self._checked.get((run, step), lambda: check_gradient(moment.model, moment.batch, cells))

    def moment(self, run: str, step: int) -> Moment:
        """A run just before one of its training steps."""
        return self._moments.get((run, step), lambda: self.runs.moment_before(run, step))

    def _moment_checkpoint(self, run: str, step: int) -> Checkpoint:
        last = self.checkpoint(moment_name(run, self.runs.ends(run)[0]))
        moment = self.moment(run, step)
        return Checkpoint(moment.model, last.tokenizer, last.config, last.card)

    def _window(self, run: str, step: int, row: int) -> Tokens:
        return tokens_of_row(self._moment_checkpoint(run, step), self.moment(run, step).batch.inputs, row)

    def _record_step(self, request: Request, run: str, step: int, row: int) -> Run:
        """A training step as it was made: all texts of its batch, to the loss and back, with its dropout."""
        moment = self.moment(run, step)

        def recorded(edits: Mapping[str, Callable[[Tensor], Tensor]]) -> Trace:
            loss = NextTokenLoss(moment.batch.targets)
            return record(moment.model, moment.batch.inputs, edits=edits, backward=loss, seed=moment.seed)

        checkpoint = self._moment_checkpoint(run, step)
        return self.batch_run(request, (run, step), checkpoint, moment.batch, row, recorded)

    def batch_run(
        self,
        request: Request,
        step: Hashable,
        checkpoint: Checkpoint,
        batch: Windows,
        row: int,
        recorded: Callable[[Mapping[str, Callable[[Tensor], Tensor]]], Trace],
    ) -> Run:
        """The walk of a whole batch through a training step, as one of its texts sees it.

        Args:
            step: what the recording is known by.
            recorded: makes the step, to the loss and back, with the edits that it is given.
        """
        request = replace(request, gradients=True)
        recording = self._recordings.get((step, request.edits), lambda: recorded(edit_functions(request.edits)))
        walk = Walk(read_out(recording, batch.targets, request))
        row = min(row, len(batch) - 1)
        return Run(request, checkpoint, tokens_of_row(checkpoint, batch.inputs, row), 0, None, walk, row=row)

    def train(self, recipe: Recipe, name: str = "", start: str = "", owner: str = "") -> str:
        """Start a run, of `owner` as far as that is known; returns its id.

        Raises:
            UserError: the recipe cannot be followed, or needs more memory than a training may have.
        """
        self.plan(recipe, start).check(self.runs.limits.memory)
        return self.runs.start(recipe, name, self.checkpoint(start) if start else None, owner)

    # -- runs --------------------------------------------------------------------------------------------------------

    def run(self, request: Request) -> Run:
        """The walk of a text through a model, from the cache if it was walked before.

        Raises:
            UserError: the model can't be opened, or there is no text that it can read.
        """
        return self._runs.get((request, self._version(request.model)), lambda: self._record(request))

    def _version(self, model: str) -> float:
        """When the weights of a folder last changed; 0 for what is no folder."""
        return 0.0 if model.startswith((*BROKEN, "runs/")) else changed(self._folder(model))

    def _folder(self, model: str) -> Path:
        return self._samples / model if model in self.models() else confined(model)

    def _record(self, request: Request) -> Run:
        if asked := training_step(request.model):
            return self._record_step(request, *asked)
        if request.model.startswith("moment/"):
            return self.debugging.moment_run(request)
        checkpoint = self.checkpoint(request.model)
        check_length(request.prompt)
        tokens = prompt_tokens(checkpoint.tokenizer, request.prompt)
        n_ctx = checkpoint.config.n_ctx
        left_out = max(0, len(tokens) - n_ctx)
        read = last_tokens(tokens, n_ctx)
        targets, target_id = self._targets(checkpoint, request, tokens, left_out)
        judged = tuple(targets[0].tolist()) if request.gradients and targets is not None else ()
        recording = self._recordings.get(
            (request.model, request.prompt, request.edits, request.gradients, judged, id(checkpoint)),
            lambda: recorded(checkpoint, read, targets, request),
        )
        walk = Walk(read_out(recording, targets, request))
        said = said_of_prompt(tokens, read, left_out, n_ctx) + said_of_target(checkpoint, request.target)
        return Run(request, checkpoint, read, left_out, target_id, walk, said)

    def _targets(
        self, checkpoint: Checkpoint, request: Request, tokens: Tokens, left_out: int
    ) -> tuple[Tensor | None, int | None]:
        """What should come next at every position: the text itself, one further, and the target after its end."""
        following = checkpoint.tokenizer.encode(request.target).ids if request.target else ()
        target_id = following[0] if following else None
        ids = [*tokens.ids[left_out + 1 :], -100 if target_id is None else target_id]
        if all(i == -100 for i in ids):
            return None, None
        return torch.tensor([ids]), target_id

    # -- writing a text on --------------------------------------------------------------------------------------------

    def writer(self, model: str, weights: str = TRAINED) -> Checkpoint:
        """The model, or the same one before its training, with the weights that its recipe's seed draws."""
        checkpoint = self.checkpoint(model)
        if weights == TRAINED:
            return checkpoint
        return self._checkpoints.get((UNTRAINED, checkpoint.model), lambda: self._untrained(model, checkpoint))

    def _untrained(self, model: str, checkpoint: Checkpoint) -> Checkpoint:
        if moment := run_and_step(model):
            first = self.runs.ends(moment[0])[0]
            if first == 0:
                return self.runs.model_at(moment[0], first)
        return _untrained(checkpoint)

    def said(self, checkpoint: Checkpoint, prompt: str) -> tuple[tuple[str, dict[str, object]], ...]:
        """What becomes of a prompt: tokens that the vocabulary lacks, or that don't fit into the context."""
        tokens, n_ctx = checkpoint.tokenizer.encode(prompt), checkpoint.config.n_ctx
        return said_of_prompt(tokens, last_tokens(tokens, n_ctx), max(0, len(tokens) - n_ctx), n_ctx)

    def writing(self, checkpoint: Checkpoint, prompt: str, settings: Settings, sequence: int = 0) -> Writing:
        """A text that is written on, token by token, as far as one looks.

        Raises:
            UserError: the prompt has no token that the model knows, or is too long.
        """
        check_length(prompt)
        ids = prompt_ids(checkpoint.tokenizer, prompt)
        key = (checkpoint.model, ids, settings, sequence)
        return self._writings.get(key, lambda: Writing(checkpoint, ids, settings, sequence))

    # -- questions ---------------------------------------------------------------------------------------------------

    def value(self, run: Run, address: str) -> Value | None:
        return run.trace.value(address)

    def explain(self, run: Run, address: str, cell: Cell, gradient: bool = False) -> Explanation | None:
        """Where one number comes from; None for weights and inputs, which come from nowhere in this run."""
        if gradient:
            from lmviz.explain.backward import explain_gradient

            return explain_gradient(run.trace, address, cell)
        if address not in run.trace or run.trace[address].index < 0:
            return None
        step = run.trace[address]
        output = next((i for i, value in enumerate(step.outputs) if value.address == address), 0)
        return explain(step, cell, output)


def _untrained(checkpoint: Checkpoint) -> Checkpoint:
    """The same architecture and tokenizer, with the weights that the model's recipe starts from."""
    from lmviz.train.initial import check_same_sizes, new_model, sizes_of
    from lmviz.train.recipe import read_recipe

    recipe = None if checkpoint.folder is None else checkpoint.folder / "recipe.toml"
    sizes, seed = sizes_of(checkpoint.config), 0
    if recipe is not None and os.path.lexists(recipe):
        found = read_recipe(recipe)
        check_same_sizes(found.model, checkpoint)
        sizes, seed = found.model, found.training.seed
    return replace(checkpoint, model=new_model(sizes, checkpoint.config.d_vocab, seed).eval())


def _model_bytes(checkpoint: Checkpoint) -> int:
    return sum(parameter.nbytes for parameter in checkpoint.model.parameters())


def _kept_bytes(trace: Trace) -> int:
    return sum(segment.recorder.spent for segment in trace.segments)
