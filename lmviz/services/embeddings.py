"""What the page of embeddings can do: look rows up, add parts, find neighbours, draw maps, compare answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lmviz.embed.answers import AnswerDistances, answer_distances
from lmviz.embed.distances import Neighbour, neighbours
from lmviz.embed.fasttext import gram_index
from lmviz.embed.lookup import EmbeddingSum, OneHotLookup, embedding_sum, random_embedding_sum, token_embedding
from lmviz.embed.pca import Map, pca
from lmviz.embed.ten_words import RATE, WordsSnapshot, train_embedding
from lmviz.embed.word2vec import VectorsSnapshot, Word2VecSettings, train_vectors
from lmviz.embed.words import WordText, read_words
from lmviz.explain import explain
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokens
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording, Request
from lmviz.registry.reference import Reference
from lmviz.services.live import Live
from lmviz.services.texts import recipe_of, written
from lmviz.trace.operations.explanation import Explanation
from lmviz.trace.recorder import record
from lmviz.trace.step import Cell, Trace, fits
from lmviz.train.recipe import TrainingRecipe
from lmviz.train.update_rules import Update, update

_RECORDINGS_KEPT = 16
_MAPS_KEPT = 8
TRAININGS_KEPT = 12
_WORD_STEPS = 200
_SNAPSHOT_BYTES = 2**25  # of all snapshots of one training, about
_SNAPSHOTS_KEPT = 100  # of one training of word vectors
_MAPPED = 2000  # tokens on a map: the first ones of a vocabulary


@dataclass(frozen=True, eq=False)
class WorkedSum:
    """A small recording whose every cell can be asked where it comes from."""

    tokens: Tokens
    trace: Trace
    recording: Recording  # the whole model on the same text

    def explain(self, address: str, cell: Cell) -> Explanation | None:
        """None for what was given: ids and weights."""
        value = self.trace.value(address)
        if value is None or not fits(cell, value.shape) or address not in self.trace or self.trace[address].index < 0:
            return None
        return explain(self.trace[address], cell)


@dataclass(frozen=True, eq=False)
class TokenMap:
    """The tokens of a vocabulary on a plane."""

    pieces: tuple[str, ...]
    map: Map
    d_vocab: int  # how many tokens there are, on the map or not


class Embeddings:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._recordings = models.cache(_RECORDINGS_KEPT)
        self._maps = models.cache(_MAPS_KEPT)
        self._vocabularies = models.cache(_MAPS_KEPT)
        self._trainings = models.cache(TRAININGS_KEPT)
        self._texts, self._answers = models.cache(TRAININGS_KEPT), models.cache(2 * TRAININGS_KEPT)

    def look_up(self, model: Reference, prompt: str) -> WorkedSum:
        """One-hot × matrix = rows, recorded."""
        return self._worked_sum(
            "look_up", model, prompt, lambda checkpoint: OneHotLookup(_matrix(checkpoint.model)), segments=None
        )

    def add_up(self, model: Reference, prompt: str) -> WorkedSum:
        """Token + position as this model adds them, recorded."""
        return self._worked_sum("add_up", model, prompt, embedding_sum, segments=None)

    def add_up_segments(self, model: Reference, prompt: str, n_first: int, seed: int) -> WorkedSum:
        """Token + position + segment as BERT adds them, untrained, at the sizes of a model."""

        def fresh(checkpoint: Checkpoint) -> EmbeddingSum:
            d_vocab, d_model = _matrix(checkpoint.model).shape
            return random_embedding_sum(d_vocab, checkpoint.config.n_ctx, d_model, seed)

        return self._worked_sum(f"segments {seed}", model, prompt, fresh, segments=n_first)

    def _worked_sum(
        self,
        kind: str,
        model: Reference,
        prompt: str,
        make: Callable[[Checkpoint], nn.Module],
        segments: int | None,
    ) -> WorkedSum:
        recording = self._models.record(Request(model, prompt))

        def recorded() -> WorkedSum:
            inputs = [recording.tokens.ids_tensor]
            if segments is not None:
                inputs.append((torch.arange(len(recording.tokens)) >= segments).long()[None])
            with torch.no_grad():
                return WorkedSum(recording.tokens, record(make(recording.checkpoint), *inputs), recording)

        return self._recordings.get((kind, recording.checkpoint, prompt, segments), recorded)

    def neighbours(self, model: Reference, id: int, metric: str, n: int = 8) -> tuple[Neighbour, ...]:
        return neighbours(self.vectors(model), id, n, metric)

    def vectors(self, model: Reference) -> NDArray[np.float32]:
        """The token embeddings [d_vocab, d_model] of a model."""
        return _matrix(self._models.checkpoint(model).model).detach().float().numpy()

    def pieces(self, model: Reference) -> tuple[str, ...]:
        """The text of every token, by its row in the embedding; `<id>` where the tokenizer has none."""
        checkpoint = self._models.checkpoint(model)
        n_rows = len(_matrix(checkpoint.model))
        made = partial(_pieces, checkpoint, n_rows)
        return self._vocabularies.get(checkpoint, made)

    def token_map(self, model: Reference) -> TokenMap:
        """Where the tokens lie on the plane on which they spread out most."""
        checkpoint = self._models.checkpoint(model)

        def made() -> TokenMap:
            vectors = self.vectors(model)
            pieces = self.pieces(model)[:_MAPPED]
            return TokenMap(pieces, pca(vectors[: len(pieces)]), len(vectors))

        return self._maps.get(checkpoint, made)

    # -- answers -----------------------------------------------------------------------------------------------------

    def opening(self, model: Reference) -> str:
        """A prompt that leaves most open: what opens every text that the model learned from, or its shortest prompt."""
        recipe = recipe_of(self._models, model)
        prompts = self._models.checkpoint(model).card.prompts or (self._models.first_prompt(model),)
        return (recipe.data.around if recipe else "") or min(prompts, key=len)

    def answers(self, model: Reference, prompt: str, n: int, temperature: float, seed: int) -> tuple[str, ...]:
        """Several texts that a model writes on from one prompt. At temperature 0 they are all the same."""
        checkpoint, recipe = self._models.checkpoint(model), recipe_of(self._models, model)
        key = (checkpoint.model, prompt, n, temperature, seed)
        return self._answers.get(key, lambda: written(checkpoint, recipe, prompt, n, temperature, seed))

    def answer_distances(self, model: Reference, answers: tuple[str, ...], metric: str) -> AnswerDistances:
        checkpoint = self._models.checkpoint(model)
        key = (checkpoint.model, answers, metric)
        return self._answers.get(key, lambda: answer_distances(checkpoint, answers, metric))

    # -- trainings ---------------------------------------------------------------------------------------------------

    def ten_words(self, text: str, seed: int) -> Live[WordsSnapshot]:
        """A random embedding of the words of a text, and its training."""
        return self._trainings.get(
            ("ten_words", text, seed),
            lambda: Live(train_embedding(text, seed=seed, steps=_WORD_STEPS), _WORD_STEPS + 1),
        )

    def word_update(self, before: WordsSnapshot, cell: Cell) -> Update:
        """The arithmetic from one number of the embedding to its value after the next step."""
        recipe = TrainingRecipe(_WORD_STEPS, RATE, optimizer="adam")
        known = {name: float(array[cell] if array.ndim else array) for name, array in before.remembered.items()}
        weight, gradient = float(before.embedding[cell]), float(before.gradient[cell])
        return update(recipe, weight, gradient, RATE, remembered=known)

    def words(self, text: str) -> WordText:
        return self._texts.get(text, lambda: read_words(text))

    def word_vectors(self, text: str, settings: Word2VecSettings) -> Live[VectorsSnapshot]:
        """The training of word vectors on a text."""
        words = self.words(text)
        n_rows = len(words.words) + (len(gram_index(words.words, *settings.grams)[0]) if settings.grams else 0)
        keep = min(_SNAPSHOTS_KEPT, max(8, _SNAPSHOT_BYTES // (8 * n_rows * settings.d_embed)))
        return self._trainings.get(
            (text, settings), lambda: Live(train_vectors(words, settings), settings.steps + 1, keep)
        )


def _matrix(model: nn.Module) -> Tensor:
    """The token embedding, [d_vocab, d_model]."""
    return token_embedding(model)[1].get_parameter("weight")


def _pieces(checkpoint: Checkpoint, n_rows: int) -> tuple[str, ...]:
    return tuple(checkpoint.tokenizer.piece(id) for id in range(n_rows))
