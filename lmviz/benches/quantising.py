"""What the page of quantisation can do: one weight, a whole model, and what fewer bits cost it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lmviz.errors import UserError
from lmviz.generate.generation import generate_all
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.quantise.effect import Effect, effect
from lmviz.quantise.models import QuantisedModel, quantise_model
from lmviz.quantise.quantised import Quantised, quantise
from lmviz.quantise.scheme import FLOATS, INTEGERS, Scheme
from lmviz.train.data import Windows, read_corpus, windows
from lmviz.train.recipe import Recipe, read_recipe
from lmviz.workbench import Cache, Workbench

FORMATS = (*FLOATS, *INTEGERS)
MODELS_KEPT = 12
MODEL_BYTES = 2**30  # of quantised models
WIDEST = 128  # tokens of a window on which a model is measured
TEXTS, NEW_TOKENS = 4, 16  # that a model writes to be compared
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

    @property
    def scheme(self) -> Scheme:
        return self.quantised.scheme


class Quantising:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._models = Cache(MODELS_KEPT, weigh=_bytes, weight_limit=MODEL_BYTES)
        self._outcomes = Cache(64)
        self._measured = Cache(8)

    def weights(self, model: str) -> dict[str, tuple[int, ...]]:
        """The matrices of a model by name, with their shapes."""
        named = self._bench.checkpoint(model).model.named_parameters()
        return {name: tuple(weight.shape) for name, weight in named if weight.ndim == 2}

    def weight(self, model: str, name: str, scheme: Scheme) -> Quantised:
        """One matrix of a model in fewer bits."""
        return quantise(dict(self._bench.checkpoint(model).model.named_parameters())[name], scheme)

    def outcome(self, model: str, scheme: Scheme, text: str = "") -> Outcome:
        """A whole model in fewer bits, and what that changes on a text."""
        checkpoint = self._bench.checkpoint(model)

        def found() -> Outcome:
            quantised = self._quantised(model, checkpoint, scheme)
            measured = self.measured(model, text)
            return Outcome(
                checkpoint,
                quantised,
                effect(checkpoint, quantised.checkpoint, measured.windows),
                quantised.measured_bytes(),
            )

        return self._outcomes.get((model, id(checkpoint), scheme, text), found)

    def _quantised(self, model: str, checkpoint: Checkpoint, scheme: Scheme) -> QuantisedModel:
        key = (model, id(checkpoint), scheme)
        _, quantised = self._models.get(key, lambda: (checkpoint, quantise_model(checkpoint, scheme)))
        found: QuantisedModel = quantised
        return found

    def measured(self, model: str, text: str = "") -> Measured:
        """What models are compared on: a text of one's own, or what the model's recipe kept back or learned from."""
        checkpoint = self._bench.checkpoint(model)
        return self._measured.get((model, id(checkpoint), text), lambda: _measured(checkpoint, text))

    def texts(self, checkpoint: Checkpoint, prompt: str, seed: int, temperature: float) -> tuple[str, ...]:
        """What a model writes on from a prompt; the same random numbers decide in every model."""
        ids = checkpoint.tokenizer.encode(prompt).ids
        if not ids:
            raise UserError(
                "The model needs at least one token to read, and this text gives none: type something it knows."
            )
        recipe = recipe_of(checkpoint)
        stop = checkpoint.tokenizer.encode(recipe.data.around).ids[:1] if recipe is not None else ()
        settings = Settings(
            temperature=temperature, seed=seed, n_sequences=TEXTS, max_new_tokens=NEW_TOKENS, stop=tuple(stop)
        )
        return tuple(checkpoint.tokenizer.decode(one.ids) for one in generate_all(checkpoint, ids, settings))


def recipe_of(checkpoint: Checkpoint) -> Recipe | None:
    """How a model was trained, if its folder says so."""
    path = checkpoint.folder / "recipe.toml" if checkpoint.folder is not None else None
    return read_recipe(path) if path is not None and path.is_file() else None


def _measured(checkpoint: Checkpoint, text: str) -> Measured:
    if text:
        return Measured(_first(_cut(checkpoint, [text[:LONGEST_TEXT]]), checkpoint), held_out=False, own=True)
    recipe = recipe_of(checkpoint)
    if recipe is None or checkpoint.folder is None:
        raise UserError("This model's folder has no recipe.toml that names a text: type a text to measure on.")
    corpus = read_corpus(recipe, checkpoint.folder, checkpoint.tokenizer)
    chosen = corpus.held_out or corpus.train
    return Measured(_first(chosen, checkpoint), held_out=corpus.held_out is not None, own=False)


def _cut(checkpoint: Checkpoint, texts: list[str]) -> Windows:
    width = min(checkpoint.config.n_ctx, WIDEST)
    return windows([checkpoint.tokenizer.encode(text).ids for text in texts], width, stride=width)


def _first(found: Windows, checkpoint: Checkpoint) -> Windows:
    """As many windows as keep a large model quick."""
    n_parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    n_tokens = min(max(2**38 // max(1, n_parameters), 512), 2**14)
    return found[slice(0, max(1, n_tokens // found.inputs.shape[1]))]


def _bytes(kept: Any) -> int:
    found: int = kept[1].n_bytes_before
    return found
