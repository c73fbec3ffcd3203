"""What the page of quantisation can do: one weight, a whole model, and what fewer bits cost it."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lmviz.embed.answers import final_vectors
from lmviz.errors import UserError
from lmviz.explain import by_hand
from lmviz.generate.reading import next_logits, prompt_ids
from lmviz.model.checkpoint import Checkpoint
from lmviz.quantise.aware import finish, prepare
from lmviz.quantise.calibration import ACTIVATIONS, Range, calibrate, quantise_activations
from lmviz.quantise.models import QuantisedModel, quantise_model
from lmviz.quantise.quantised import Quantised, quantise
from lmviz.quantise.scheme import Scheme
from lmviz.registry.models import Models
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunModel
from lmviz.services.live import Live
from lmviz.services.texts import recipe_of, written
from lmviz.trace.operations.explanation import Explanation
from lmviz.train.data import Corpus, Windows, batches, read_corpus, read_texts, split, windows
from lmviz.train.effect import Effect, effect
from lmviz.train.loop import mean_loss, train
from lmviz.train.recipe import QuantisationRecipe, Recipe, TrainingRecipe
from lmviz.train.runs import LONGEST_NAME
from lmviz.train.store.run_table import TrainingRun

_MODELS_KEPT = 12
_WIDEST = 128  # tokens of a window on which a model is measured
TEXTS = 4  # that a model writes to be compared
_CALIBRATION_TEXTS = 20
TRAININGS_KEPT = 6
_TRAINED_NUMBERS = 2_000_000  # weights of a model that is trained while somebody looks
_BATCH = 64  # windows of a step
MEASURED = 20  # times that a training is measured on the way
_MEASURED_AT_ONCE = 16  # windows, so that a large vocabulary does not take too much memory
LONGEST_TEXT = 20_000  # characters to measure on


@dataclass(frozen=True, eq=False)
class Measured:
    """A text on which models are compared."""

    windows: Windows
    held_out: bool  # whether the model never saw it in training
    own: bool  # whether it is the visitor's


@dataclass(frozen=True, eq=False)
class Outcome:
    """A model before and after, and the difference on a text."""

    before: Checkpoint
    quantised: QuantisedModel
    effect: Effect
    n_bytes: int  # of the file, measured
    n_bytes_before: int  # of the file in FP32

    @property
    def scheme(self) -> Scheme:
        return self.quantised.scheme


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Activations in 8 bits, by the ranges that a calibration text gave, and what that costs with and without the
    weights in few bits."""

    ranges: dict[str, Range]  # by layer, in the order of the model
    n_texts: int
    activations: Effect
    both: Effect


@dataclass(frozen=True, eq=False)
class AwareStep:
    """One step of two trainings that differ in one thing: only the first knows that its weights will be rounded."""

    step: int  # 0 is before training
    measured: float | None  # nats per token on the text that models are compared on, on some steps
    measured_other: float | None  # the same of the training in FP32, rounded for the occasion
    finished: tuple[Checkpoint, Checkpoint] | None  # both, after the last step; the first lies on the steps


@dataclass(frozen=True, eq=False)
class Rival:
    """One of the models that are compared on one text."""

    kind: str  # "fp32", "ptq": before training; "trained", "trained_ptq": after one in FP32; "qat"
    checkpoint: Checkpoint
    n_bytes: int  # of the file, measured
    loss: float  # nats per token


class Quantisation:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._quantised_models = models.cache(_MODELS_KEPT)
        self._outcomes = models.cache(64)
        self._measured = models.cache(8)
        self._corpora = models.cache(4)
        self._texts = models.cache(64)
        self._calibrated = models.cache(32)
        self._trainings = models.cache(TRAININGS_KEPT)
        self._rivals = models.cache(2 * TRAININGS_KEPT)
        self._alike = models.cache(64)

    def weights(self, model: Reference) -> dict[str, tuple[int, ...]]:
        """The matrices of a model by name, with their shapes."""
        named = self._models.checkpoint(model).model.named_parameters()
        return {name: tuple(weight.shape) for name, weight in named if weight.ndim == 2}

    def weight(self, model: Reference, name: str, scheme: Scheme) -> Quantised:
        """One matrix of a model in fewer bits."""
        return quantise(dict(self._models.checkpoint(model).model.named_parameters())[name], scheme)

    def outcome(self, model: Reference, scheme: Scheme, text: str = "") -> Outcome:
        """A whole model in fewer bits, and what that changes on a text."""
        checkpoint = self._models.checkpoint(model)

        def found() -> Outcome:
            quantised = self._quantised(model, checkpoint, scheme)
            measured = self.measured(model, text)
            return Outcome(
                checkpoint,
                quantised,
                effect(checkpoint, quantised.checkpoint, measured.windows),
                quantised.measured_bytes(),
                self._full_size(model, checkpoint),
            )

        return self._outcomes.get((checkpoint, scheme, text), found)

    def _full_size(self, model: Reference, checkpoint: Checkpoint) -> int:
        return self._quantised(model, checkpoint, Scheme("fp32")).measured_bytes()

    def _quantised(self, model: Reference, checkpoint: Checkpoint, scheme: Scheme) -> QuantisedModel:
        return self._quantised_models.get((checkpoint, scheme), lambda: quantise_model(checkpoint, scheme))

    def has_texts(self, model: Reference) -> bool:
        """Whether it is known what a model learned from. If not, one has to be typed to measure on."""
        return recipe_of(self._models, model) is not None

    def measured(self, model: Reference, text: str = "") -> Measured:
        """What models are compared on: a text of one's own, or what the model's recipe kept back or learned from."""
        checkpoint = self._models.checkpoint(model)

        def found() -> Measured:
            if text:
                return Measured(_first(_cut(checkpoint, text[:LONGEST_TEXT]), checkpoint), held_out=False, own=True)
            corpus = self._corpus(model, checkpoint)
            chosen = corpus.held_out or corpus.train
            return Measured(_first(chosen, checkpoint), held_out=corpus.held_out is not None, own=False)

        return self._measured.get((checkpoint, text), found)

    def next_logits(self, checkpoint: Checkpoint, prompt: str) -> NDArray[np.float32]:
        """The scores [d_vocab] that a model gives the token after a prompt."""
        return next_logits(checkpoint, [prompt_ids(checkpoint.tokenizer, prompt)])[0].numpy()

    def logit(self, checkpoint: Checkpoint, prompt: str, id: int) -> Explanation:
        """One of those scores: the last vector times the token's row of the unembedding.

        Raises:
            UserError: this model unembeds in another way.
        """
        ids = prompt_ids(checkpoint.tokenizer, prompt)[-checkpoint.config.n_ctx :]
        last = final_vectors(checkpoint, ids)[-1]
        return by_hand.dot(last, checkpoint.model.get_parameter("unembed.weight")[id].detach().double().numpy())

    def texts(
        self, model: Reference, checkpoint: Checkpoint, prompt: str, seed: int, temperature: float
    ) -> tuple[str, ...]:
        """What a model, or what became of it, writes on from a prompt; the same random numbers decide in all."""
        recipe = recipe_of(self._models, model)
        key = (checkpoint, prompt, seed, temperature)
        return self._texts.get(key, lambda: written(checkpoint, recipe, prompt, TEXTS, temperature, seed))

    # -- calibration -------------------------------------------------------------------------------------------------

    def calibrated(
        self, model: Reference, scheme: Scheme, calibration: str, outer: float, text: str = ""
    ) -> Calibrated:
        """Activations in 8 bits as well.

        Args:
            scheme: of the weights.
            calibration: texts, one a line; empty: the first ones that the model learned from, or, if nobody knows
                them, the text that is measured on.
            outer: the share of the measured ranges that is kept.
        """
        checkpoint = self._models.checkpoint(model)

        def found() -> Calibrated:
            known = self._learned(model)[:_CALIBRATION_TEXTS] if self.has_texts(model) else text.splitlines()
            texts = calibration.splitlines() or known
            ranges = calibrate(checkpoint, texts)
            windows = self.measured(model, text).windows
            weights = self._quantised(model, checkpoint, scheme).checkpoint
            activations, both = (
                effect(checkpoint, quantise_activations(one, ranges, replace(ACTIVATIONS, keep=outer)), windows)
                for one in (checkpoint, weights)
            )
            return Calibrated(ranges, len(texts), activations, both)

        return self._calibrated.get((checkpoint, scheme, calibration, outer, text), found)

    def _learned(self, model: Reference) -> list[str]:
        """The texts that a model learned from; a UserError asks for some where nobody knows."""
        recipe = self._recipe(model)
        texts = read_texts(recipe.data, self._models.checkpoint(model).folder or Path())
        return split(texts, recipe.data.held_out, recipe.training.seed)[0]

    # -- training that knows -----------------------------------------------------------------------------------------

    def aware(
        self, model: Reference, scheme: Scheme, steps: int, rate: float, seed: int, text: str = ""
    ) -> Live[AwareStep]:
        """A model trained on while its weights are rounded at every step (QAT), and as long in FP32, for as long as
        somebody looks."""
        checkpoint = self._models.checkpoint(model)
        n_numbers = checkpoint.n_parameters
        if n_numbers > _TRAINED_NUMBERS:
            raise UserError(
                "Training while you watch is for models of {limit} weights at most; this one has {found}: choose "
                "another model, or take the training page.",
                limit=_TRAINED_NUMBERS,
                found=n_numbers,
            )
        recipe = TrainingRecipe(steps, rate, schedule="cosine", batch_size=_BATCH, seed=seed)
        key = (checkpoint, scheme, recipe, text)
        return self._trainings.get(
            key, lambda: Live(self._aware(model, checkpoint, scheme, recipe, text), steps + 2, steps + 2)
        )

    def _aware(
        self, model: Reference, checkpoint: Checkpoint, scheme: Scheme, recipe: TrainingRecipe, text: str
    ) -> Iterator[AwareStep]:
        judged = self.measured(model, text).windows
        learned = self._corpus(model, checkpoint).train if self.has_texts(model) else judged
        rounded, other = prepare(checkpoint.model, scheme), deepcopy(checkpoint.model)
        loss = mean_loss(rounded, judged)
        yield AwareStep(0, loss, loss, None)
        column_roles, same = (batches(learned, recipe.batch_size, recipe.seed) for _ in range(2))
        every = max(1, recipe.steps // MEASURED)
        for one, _ in zip(train(rounded, column_roles, recipe, judged, every), train(other, same, recipe), strict=True):
            measured = None if one.held_out_loss is None else mean_loss(prepare(other, scheme), judged)
            yield AwareStep(one.step, one.held_out_loss, measured, None)
        finished = (
            replace(checkpoint, model=finish(rounded, checkpoint.model)),
            replace(checkpoint, model=other.eval()),
        )
        yield AwareStep(one.step, one.held_out_loss, measured, finished)

    def rivals(
        self, model: Reference, scheme: Scheme, last: AwareStep | None = None, text: str = ""
    ) -> tuple[Rival, ...]:
        """A model in FP32 and rounded; after the last step of `aware`, what both of its trainings made of it too."""
        checkpoint = self._models.checkpoint(model)
        aware, other = last.finished if last and last.finished else (None, None)

        def found() -> tuple[Rival, ...]:
            return _rivals(scheme, self.measured(model, text).windows, checkpoint, other, aware)

        return self._rivals.get((checkpoint, scheme, aware, text), found)

    # -- trainings of the training page ------------------------------------------------------------------------------

    def runs(self) -> tuple[TrainingRun, ...]:
        """The trainings that round their weights and have a model to show."""
        return tuple(run for run in self._models.runs.all() if run.recipe.quantisation.rounds and run.step)

    def twin(self, run: TrainingRun) -> TrainingRun | None:
        """The newest training that differs from another in nothing but the rounding: the same texts and beginning."""
        runs, wanted = self._models.runs, _unrounded(run.recipe)
        alike = (other for other in runs.all() if other.recipe == wanted)
        return next((other for other in alike if other.step == 0 or self._begin_alike(run.id, other.id)), None)

    def _begin_alike(self, *two: str) -> bool:
        def found() -> bool:
            runs = self._models.runs
            if not all(self._begins(run) for run in two):
                return False
            texts, others = (runs.recipe(run).data.texts for run in two)
            ours, theirs = (runs.model_at(run, 0, is_rounded=False).model.state_dict() for run in two)
            return texts == others and all(torch.equal(weight, theirs[name]) for name, weight in ours.items())

        return self._alike.get(two, found)

    def _begins(self, run: str) -> bool:
        """Whether the weights that a run began with are still there: old checkpoints make room."""
        return any(stop.step == 0 for stop in self._models.runs.stops(run))

    def train_twin(self, run: TrainingRun, owner: str = "") -> None:
        """Start the training that differs from another in nothing but the rounding."""
        runs = self._models.runs
        runs.duplicate(run.id, f"{run.name} FP32"[:LONGEST_NAME], _unrounded(runs.recipe(run.id)), owner)

    def rivals_of(self, run: TrainingRun, twin: TrainingRun | None, text: str = "") -> tuple[Rival, ...]:
        """What a training with rounding has come to, what its twin had come to at that step, and, if both began with
        a trained model, that one too."""
        runs = self._models.runs
        step = runs.ends(run.id)[1]
        known = twin.id if twin and step in {stop.step for stop in runs.stops(twin.id)} else None
        model = RunModel(run.id, step)

        def found() -> tuple[Rival, ...]:
            began = run.recipe.model.start and self._begins(run.id)
            first = runs.model_at(run.id, 0, is_rounded=False) if began else None
            other = runs.model_at(known, step) if known else None
            windows = self.measured(model, text).windows
            return _rivals(run.recipe.quantisation, windows, first, other, self._models.checkpoint(model))

        return self._rivals.get((model, known, text), found)

    def _corpus(self, model: Reference, checkpoint: Checkpoint) -> Corpus:
        recipe = self._recipe(model)
        return self._corpora.get(
            checkpoint, lambda: read_corpus(recipe, checkpoint.folder or Path(), checkpoint.tokenizer)
        )

    def _recipe(self, model: Reference) -> Recipe:
        recipe = recipe_of(self._models, model)
        if recipe is None:
            raise UserError("This model's folder has no recipe.toml that names a text: type a text to measure on.")
        return recipe


def _rivals(
    scheme: Scheme, windows: Windows, first: Checkpoint | None, other: Checkpoint | None, aware: Checkpoint | None
) -> tuple[Rival, ...]:
    """Each of the models that there are in FP32 and rounded; the one that was trained for it only rounded."""
    plain = Scheme("fp32")
    kinds = (("fp32", first, plain), ("ptq", first, scheme), ("trained", other, plain), ("trained_ptq", other, scheme))
    found = []
    for kind, checkpoint, one in (*kinds, ("qat", aware, scheme)):
        if checkpoint is not None:
            quantised = quantise_model(checkpoint, one)
            loss = mean_loss(quantised.checkpoint.model, windows, _MEASURED_AT_ONCE)
            kept = quantised.checkpoint if one.rounds else checkpoint
            found.append(Rival(kind, kept, quantised.measured_bytes(), loss))
    return tuple(found)


def _unrounded(recipe: Recipe) -> Recipe:
    return replace(recipe, quantisation=QuantisationRecipe())


def _cut(checkpoint: Checkpoint, text: str) -> Windows:
    ids = checkpoint.tokenizer.encode(text).ids
    if len(ids) < 2:
        raise UserError(
            "A loss needs a token to read and a token to predict: type a text of two tokens or more; this one has {n}.",
            n=len(ids),
        )
    width = min(checkpoint.config.n_ctx, _WIDEST)
    return windows([ids], width, stride=width)


def _first(found: Windows, checkpoint: Checkpoint) -> Windows:
    """As many windows as keep a large model quick."""
    n_tokens = min(max(2**36 // max(1, checkpoint.n_parameters), 512), 2**14)
    return found[slice(0, max(1, n_tokens // found.inputs.shape[1]))]
