"""What a page can do, in words of the product: open a model, walk a text through it, ask a number where it comes from.

Knows nothing of Streamlit. What is expensive (models, recordings) is made once and kept in bounded caches that all
sessions share.
"""

from __future__ import annotations

import gc
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.explain import explain
from lmviz.explain.explanation import Explanation
from lmviz.generate.beam import BeamSearch, beam_searches
from lmviz.generate.generation import Writing
from lmviz.generate.reading import prompt_ids
from lmviz.generate.readout import NextTokenLoss, Readout
from lmviz.generate.settings import Settings
from lmviz.generate.side_by_side import Outcome, of_generations, of_search
from lmviz.model.card import Card, read_card
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.tokenizer import Tokenizer, Tokens
from lmviz.tokens.analysis import Analysis, analyse
from lmviz.tokens.chat import Chat, read_chat
from lmviz.tokens.learning import LONGEST_TEXT, Learning, learn
from lmviz.tokens.template import Message, Template, read_template
from lmviz.tokens.vocabulary import Vocabulary, read_vocabulary, vocabulary_of
from lmviz.trace.recorder import record
from lmviz.trace.step import Cell, Trace, Value
from lmviz.train.gradient_check import Checked, check_gradient, random_cells
from lmviz.train.opened import OpenedStep
from lmviz.train.plan import Plan, cut, plan_of
from lmviz.train.recipe import Recipe
from lmviz.train.runs import Runs
from lmviz.train.time_travel import Moment
from lmviz.walk.cursor import Walk
from lmviz.walk.stages import LOSS, READOUT

if TYPE_CHECKING:
    from lmviz.benches.debugging import Debugging
    from lmviz.benches.embeddings import Embeddings
    from lmviz.benches.quantising import Quantising

SAMPLES = Path(__file__).parent.parent / "sample_models"
MODELS_KEPT = 24
MODEL_BYTES_KEPT = 2**30
CORPORA_KEPT = 8
STEPS_KEPT = 6  # training steps that are open
CELLS_CHECKED = 16
RUNS_KEPT = 24
WRITINGS_KEPT = 64
SEARCHES_KEPT = 16
TOKENIZERS_KEPT = 8
CHATS_KEPT = 16
LOGITS_KEPT = 2**28  # bytes, over all writings
BYTES_KEPT = 2**30  # of recorded activations, over all runs
PROMPT_LIMIT = 4000  # characters

LEARNED = ("bpe", "words", "characters")  # tokenizers that are learned from a text
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")  # what a visitor may bring of a tokenizer
CHATML_SPECIALS = ("<|im_start|>", "<|im_end|>")
CHAT_VOCABULARY = 400
TRAINED, UNTRAINED = "trained", "untrained"
BROKEN = ("bug/", "cured/", "puzzle/")  # how the names of models with a bug in them begin

T = TypeVar("T")


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
        return tuple(_described(step.address, value) for step in self.trace for value in step.outputs)

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


@dataclass(frozen=True, eq=False)
class Brought:
    """A tokenizer from a visitor's files."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    template: Template | None  # of its chats, if it was among the files


@dataclass
class Cache:
    """The most recently used of some things, each made once even if several threads ask at the same time."""

    size: int
    weigh: Callable[[Any], int] = lambda thing: 0
    weight_limit: int = 0
    _kept: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict)
    _locks: dict[Hashable, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                found: T = self._kept[key]
                return found
            making = self._locks.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._kept:
                    again: T = self._kept[key]
                    return again
            thing = make()
            with self._lock:
                self._kept[key] = thing
                self._locks.pop(key, None)
                dropped = self._drop()
        if dropped:
            gc.collect()  # Streamlit's own collections are off: ours follow what we drop
        return thing

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def _drop(self) -> bool:
        dropped = False
        while len(self._kept) > 1 and (
            len(self._kept) > self.size
            or (self.weight_limit and sum(map(self.weigh, self._kept.values())) > self.weight_limit)
        ):
            self._kept.popitem(last=False)
            dropped = True
        return dropped


class Workbench:
    """The models and runs that all sessions share. Safe to use from several threads."""

    def __init__(self, samples: Path = SAMPLES) -> None:
        self._samples = samples
        self._checkpoints = Cache(MODELS_KEPT, weigh=_model_bytes, weight_limit=MODEL_BYTES_KEPT)
        self._corpora = Cache(CORPORA_KEPT)
        self._moments, self._opened, self._checked = (Cache(STEPS_KEPT) for _ in range(3))
        self._recordings = Cache(RUNS_KEPT, weigh=_kept_bytes, weight_limit=BYTES_KEPT)
        self._writings = Cache(WRITINGS_KEPT, weigh=lambda writing: writing.n_bytes, weight_limit=LOGITS_KEPT)
        self._searches = Cache(SEARCHES_KEPT)
        self._learnings, self._tokenizers = Cache(TOKENIZERS_KEPT), Cache(TOKENIZERS_KEPT)
        self._chats = Cache(CHATS_KEPT)
        self._vocabularies, self._analyses = Cache(TOKENIZERS_KEPT), Cache(TOKENIZERS_KEPT)
        self._runs = Cache(RUNS_KEPT, weigh=lambda run: _kept_bytes(run.trace), weight_limit=BYTES_KEPT)

    # -- what single pages can do, imported when they are opened -------------------------------------------------------

    @cached_property
    def embeddings(self) -> Embeddings:
        from lmviz.benches.embeddings import Embeddings

        return Embeddings(self)

    @cached_property
    def quantising(self) -> Quantising:
        from lmviz.benches.quantising import Quantising

        return Quantising(self)

    @cached_property
    def debugging(self) -> Debugging:
        from lmviz.benches.debugging import Debugging

        return Debugging(self)

    # -- models ------------------------------------------------------------------------------------------------------

    def models(self) -> list[str]:
        """The names of the models at hand, the smallest first."""
        order = ["small-ever", "pokemon", "simple-llm", "names"]
        found = [path.parent.name for path in self._samples.glob("*/config.json")]
        return sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name))

    def checkpoint(self, model: str) -> Checkpoint:
        """The model of that name, in that folder, or, as `runs/RUN@STEP`, of a run after one of its steps.

        As `bug/NAME@MODEL`, a model with a bug in it (`lmviz.benches.debugging`). As `runs/RUN!STEP` or
        `runs/RUN!STEP.WINDOW`, the model of a run as it makes that step.
        """
        if model.startswith(BROKEN):
            return self.debugging.checkpoint(model)
        if asked := training_step(model):
            return self._moment_checkpoint(asked[0], asked[1])
        if moment := run_and_step(model):
            return self._checkpoints.get((model, self.runs.get(moment[0]).name), lambda: self.runs.model_at(*moment))
        folder = self._samples / model if model in self.models() else _confined(model)
        return self._checkpoints.get((model, _changed(folder)), lambda: load(folder))

    def card(self, run: Run, language: str) -> Card:
        """What the model of a run is: the `README.fr.md` of its folder for French, say, or else its `README.md`."""
        folder = run.checkpoint.folder
        translated = folder / f"README.{language}.md" if folder is not None else None
        return read_card(translated) if translated is not None and translated.is_file() else run.checkpoint.card

    def first_prompt(self, model: str) -> str:
        if asked := training_step(model):
            return self._window(*asked).text
        if model.startswith("puzzle/"):
            return self.debugging.prompt(model)
        prompts = self.checkpoint(model).card.prompts
        return prompts[0] if prompts else "Hello"

    # -- trainings ---------------------------------------------------------------------------------------------------

    @cached_property
    def runs(self) -> Runs:
        """The trainings of the folder that LMVIZ_RUNS names.

        Raises:
            UserError: the folder cannot be used.
        """
        return Runs()

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
        moment = self.moment(run, step)
        cells = random_cells(moment.model, CELLS_CHECKED, seed=step)
        return self._checked.get((run, step), lambda: check_gradient(moment.model, moment.batch, cells))

    def moment(self, run: str, step: int) -> Moment:
        """A run just before one of its training steps."""
        return self._moments.get((run, step), lambda: self.runs.moment_before(run, step))

    def _moment_checkpoint(self, run: str, step: int) -> Checkpoint:
        last = self.checkpoint(moment_name(run, self.runs.stops(run)[0].step))
        moment = self.moment(run, step)
        return Checkpoint(moment.model, last.tokenizer, last.config, last.card)

    def _window(self, run: str, step: int, window: int) -> Tokens:
        """One text of a training step's batch, as far as the batch is wide."""
        checkpoint, inputs = self._moment_checkpoint(run, step), self.moment(run, step).batch.inputs
        ids = tuple(inputs[min(window, len(inputs) - 1)].tolist())
        pieces = tuple(map(checkpoint.tokenizer.piece, ids))
        ends = tuple(accumulate(map(len, pieces)))
        spans = tuple((end - len(piece), end) for piece, end in zip(pieces, ends, strict=True))
        return Tokens("".join(pieces), ids, pieces, spans, (False,) * len(ids), ())

    def _record_step(self, request: Request, run: str, step: int, window: int) -> Run:
        """A training step as it was made: all texts of its batch, to the loss and back, with its dropout."""
        moment, request = self.moment(run, step), replace(request, gradients=True)
        recording = self._recordings.get(
            (run, step, request.edits),
            lambda: record(
                moment.model,
                moment.batch.inputs,
                edits=_edit_functions(request.edits),
                backward=NextTokenLoss(moment.batch.targets),
                seed=moment.seed,
            ),
        )
        walk = Walk(_read_out(recording, moment.batch.targets, request))
        row = min(window, len(moment.batch) - 1)
        checkpoint = self._moment_checkpoint(run, step)
        return Run(request, checkpoint, self._window(run, step, row), 0, None, walk, row=row)

    def train(self, recipe: Recipe, name: str = "", start: str = "") -> str:
        """Start a run; returns its id."""
        return self.runs.start(recipe, name, self.checkpoint(start) if start else None)

    # -- runs --------------------------------------------------------------------------------------------------------

    def run(self, request: Request) -> Run:
        """The walk of a text through a model, from the cache if it was walked before.

        Raises:
            UserError: the model can't be opened, or there is no text that it can read.
        """
        return self._runs.get(request, lambda: self._record(request))

    def _record(self, request: Request) -> Run:
        if asked := training_step(request.model):
            return self._record_step(request, *asked)
        checkpoint = self.checkpoint(request.model)
        _check_length(request.prompt)
        tokens = checkpoint.tokenizer.encode(request.prompt)
        if not len(tokens):
            raise UserError(
                "The model needs at least one token to read, and this text gives none: type something it knows."
            )
        n_ctx = checkpoint.config.n_ctx
        left_out = max(0, len(tokens) - n_ctx)
        read = _last(tokens, n_ctx)
        targets, target_id = self._targets(checkpoint, request, tokens, left_out)
        judged = tuple(targets[0].tolist()) if request.gradients and targets is not None else ()
        recording = self._recordings.get(
            (request.model, request.prompt, request.edits, request.gradients, judged, id(checkpoint)),
            lambda: _recorded(checkpoint, read, targets, request),
        )
        walk = Walk(_read_out(recording, targets, request))
        said = _said(tokens, read, left_out, n_ctx) + _said_of_target(checkpoint, request.target)
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
            first = self.runs.stops(moment[0])[0].step
            if first == 0:
                return self.runs.model_at(moment[0], first)
        return _untrained(checkpoint)

    def said(self, checkpoint: Checkpoint, prompt: str) -> tuple[tuple[str, dict[str, object]], ...]:
        """What becomes of a prompt: tokens that the vocabulary lacks, or that don't fit into the context."""
        tokens, n_ctx = checkpoint.tokenizer.encode(prompt), checkpoint.config.n_ctx
        return _said(tokens, _last(tokens, n_ctx), max(0, len(tokens) - n_ctx), n_ctx)

    def writing(self, checkpoint: Checkpoint, prompt: str, settings: Settings, sequence: int = 0) -> Writing:
        """A text that is written on, token by token, as far as one looks.

        Raises:
            UserError: the prompt has no token that the model knows, or is too long.
        """
        _check_length(prompt)
        ids = prompt_ids(checkpoint.tokenizer, prompt)
        key = (checkpoint.model, ids, settings, sequence)
        return self._writings.get(key, lambda: Writing(checkpoint, ids, settings, sequence))

    def searches(self, checkpoint: Checkpoint, prompt: str, settings: Settings) -> tuple[BeamSearch, ...]:
        """A beam search at every step, from the bare prompt to its end."""
        _check_length(prompt)
        ids = prompt_ids(checkpoint.tokenizer, prompt)
        key = (checkpoint.model, ids, settings)
        return self._searches.get(key, lambda: tuple(beam_searches(checkpoint, ids, settings)))

    def outcome(self, checkpoint: Checkpoint, prompt: str, settings: Settings) -> Outcome:
        """What some settings make of a prompt: every text to its end, and how varied they are."""
        if settings.strategy == "beam":
            return of_search(checkpoint, self.searches(checkpoint, prompt, settings)[-1])
        n_texts = settings.n_sequences if settings.draws else 1
        writings = (self.writing(checkpoint, prompt, settings, text) for text in range(n_texts))
        return of_generations(checkpoint, [writing.first(settings.max_new_tokens) for writing in writings])

    # -- tokenizers --------------------------------------------------------------------------------------------------

    def tokenizer(self, name: str, corpus: str = "", n_merges: int = 0) -> Tokenizer:
        """A model's tokenizer, or one of LEARNED, learned from a text."""
        if name not in LEARNED:
            return self.checkpoint(name).tokenizer
        key = (name, corpus, n_merges if name == "bpe" else 0)
        return self._tokenizers.get(key, lambda: self._learned_tokenizer(name, corpus, n_merges))

    def _learned_tokenizer(self, name: str, corpus: str, n_merges: int) -> Tokenizer:
        if name == "bpe":
            return self.learned(corpus, n_merges).tokenizer()
        _check_corpus(corpus)
        return Tokenizer.words(corpus) if name == "words" else Tokenizer.characters(corpus)

    def learned(self, corpus: str, n_merges: int) -> Learning:
        """What byte-pair encoding learns from a text, every state of it."""
        return self._learnings.get((corpus, n_merges), lambda: learn(corpus, n_merges))

    def read_tokenizer(self, files: Mapping[str, bytes]) -> Brought:
        """A tokenizer that a visitor brought: its tokenizer.json, and what lies beside it, by the names of FILES.

        Raises:
            UserError: what is wrong with it.
        """
        content = sha256(b"".join(sha256(name.encode() + files[name]).digest() for name in sorted(files)))
        return self._tokenizers.get(content.hexdigest(), lambda: _read_tokenizer(files))

    def vocabulary(self, tokenizer: Tokenizer) -> Vocabulary:
        return self._vocabularies.get(tokenizer, lambda: vocabulary_of(tokenizer))

    def analysis(self, vocabulary: Vocabulary) -> Analysis:
        """A vocabulary taken apart."""
        return self._analyses.get(id(vocabulary), lambda: analyse(vocabulary))  # which holds the vocabulary itself

    # -- chats -------------------------------------------------------------------------------------------------------

    def chat_template(self, model: str) -> Template | None:
        """The template beside a model's tokenizer; None if it has none."""
        folder = self.checkpoint(model).folder
        return None if folder is None else read_template(folder)

    def chat_tokenizer(self, text: str) -> Tokenizer:
        """Byte pairs learned from a chat, with the special tokens of ChatML: for where no chat model is at hand."""
        return self._tokenizers.get(("chat", text), lambda: Tokenizer.bpe(text, CHAT_VOCABULARY, CHATML_SPECIALS))

    def chat(self, tokenizer: Tokenizer, messages: tuple[Message, ...], template: Template, asks: bool) -> Chat:
        """Messages as a model reads them.

        Raises:
            UserError: what is wrong with the template, or why it refuses these messages.
        """
        key = (tokenizer, messages, template.source, tuple(template.tokens.items()), asks)
        return self._chats.get(key, lambda: read_chat(tokenizer, messages, template, asks))

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


_MOMENT = re.compile(r"runs/([0-9a-f]+)@(\d{1,9})")


def run_and_step(model: str) -> tuple[str, int] | None:
    """The run and the step that a model's name stands for; None if it is another model's.

    >>> run_and_step("runs/0f3a@100"), run_and_step("pokemon")
    (('0f3a', 100), None)
    """
    found = _MOMENT.fullmatch(model)
    return (found[1], int(found[2])) if found else None


_STEP = re.compile(r"runs/([0-9a-f]+)!(\d{1,9})(?:\.(\d{1,7}))?")


def training_step(model: str) -> tuple[str, int, int] | None:
    """The run, the training step and the text of its batch that a model's name stands for; None if it is another's.

    >>> training_step("runs/0f3a!37.5"), training_step("runs/0f3a!37"), training_step("runs/0f3a@37")
    (('0f3a', 37, 5), ('0f3a', 37, 0), None)
    """
    found = _STEP.fullmatch(model)
    return (found[1], int(found[2]), int(found[3] or 0)) if found else None


def training_step_name(run: str, step: int, window: int = 0) -> str:
    """The name of a run's model as it makes a step, seen with one text of the batch."""
    return f"runs/{run}!{step}.{window}"


def moment_name(run: str, step: int) -> str:
    """The name of a run's model after a step."""
    return f"runs/{run}@{step}"


def _check_length(prompt: str) -> None:
    if len(prompt) > PROMPT_LIMIT:
        raise UserError(
            "A prompt can have {limit} characters at most, so that every page stays quick; this one has {found}: "
            "shorten it.",
            limit=PROMPT_LIMIT,
            found=len(prompt),
        )


def _check_corpus(corpus: str) -> None:
    if len(corpus) > LONGEST_TEXT:
        raise UserError(
            "A text to learn from can have {limit} characters at most; this one has {found}.",
            limit=LONGEST_TEXT,
            found=len(corpus),
        )
    if not corpus:
        raise UserError("There is nothing to learn from: type a text.")


def _read_tokenizer(files: Mapping[str, bytes]) -> Brought:
    with TemporaryDirectory() as folder:
        for name in FILES:
            if name in files:
                (Path(folder) / name).write_bytes(files[name])
        path = Path(folder) / FILES[0]
        return Brought(Tokenizer.from_file(path), read_vocabulary(path), read_template(folder))


def _untrained(checkpoint: Checkpoint) -> Checkpoint:
    """The same architecture and tokenizer, with the weights that the model's recipe starts from."""
    from lmviz.train.initial import new_model, sizes_of
    from lmviz.train.recipe import read_recipe

    recipe = None if checkpoint.folder is None else checkpoint.folder / "recipe.toml"
    if recipe is not None and recipe.is_file():
        found = read_recipe(recipe)
        sizes, seed = found.model, found.training.seed
    else:
        sizes, seed = sizes_of(checkpoint.config), 0
    return replace(checkpoint, model=new_model(sizes, checkpoint.config.d_vocab, seed).eval())


def _described(step: str, value: Value) -> LedgerRow:
    array = value.array
    numbers = (
        array.astype(np.float64)[np.isfinite(array)] if array.dtype.kind == "f" else array.astype(np.float64).ravel()
    )
    low, mean, high = (numbers.min(), numbers.mean(), numbers.max()) if numbers.size else (np.nan,) * 3
    return LedgerRow(
        step, value.address, value.axes, value.shape, value.dtype, float(low), float(mean), float(high), value.n_bytes
    )


def _recorded(checkpoint: Checkpoint, tokens: Tokens, targets: Tensor | None, request: Request) -> Trace:
    """The model's own run; with gradients, on to the loss and back."""
    edits = _edit_functions(request.edits)
    if request.gradients and targets is not None:
        return record(checkpoint.model, tokens.ids_tensor, edits=edits, backward=NextTokenLoss(targets))
    with torch.no_grad():
        return record(checkpoint.model, tokens.ids_tensor, edits=edits)


def _read_out(trace: Trace, targets: Tensor | None, request: Request) -> Trace:
    """What follows a run: the temperature and the softmax that read it, then the loss if there is a target."""
    if trace.failure is not None:
        return trace
    logits = trace.output
    with torch.no_grad():
        trace = record(Readout(request.temperature), logits, follows=trace, prefix=READOUT)
        if targets is not None and not request.gradients:
            trace = record(NextTokenLoss(targets), logits, follows=trace, prefix=LOSS)
    return trace


def _edit_functions(edits: tuple[Edit, ...]) -> dict[str, Callable[[Tensor], Tensor]]:
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


def _last(tokens: Tokens, count: int) -> Tokens:
    """The last `count` tokens of a text."""
    keep = slice(max(0, len(tokens) - count), None)
    return Tokens(
        tokens.text, tokens.ids[keep], tokens.pieces[keep], tokens.offsets[keep], tokens.unknown[keep], tokens.dropped
    )


def _said(tokens: Tokens, read: Tokens, left_out: int, n_ctx: int) -> tuple[tuple[str, dict[str, object]], ...]:
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


def _said_of_target(checkpoint: Checkpoint, target: str) -> tuple[tuple[str, dict[str, object]], ...]:
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


def _confined(folder: str) -> Path:
    """A folder of the user's own, if it lies where models may lie: a link must not look around on the machine.

    That is below the home folder, below the one that lmviz was started in, or below those that LMVIZ_MODELS and
    LMVIZ_RUNS name.
    """
    variables = (os.environ.get(name, "") for name in ("LMVIZ_MODELS", "LMVIZ_RUNS"))
    named = [Path(one) for paths in variables for one in paths.split(os.pathsep) if one]
    roots = [root.resolve() for root in (Path.home(), Path.cwd(), *named)]
    path = Path(os.path.expanduser(folder))
    try:
        below = any(path.resolve().is_relative_to(root) for root in roots)
    except (OSError, ValueError, RuntimeError):  # a name too long, a null character, a loop of links: no folder
        below = True
    if not below:
        raise UserError(
            "A model's folder must lie below your home folder, below the one that lmviz was started in, or below one "
            "that the environment variable LMVIZ_MODELS names; {folder} does not: move it there, or name it.",
            folder=folder[:200],
        )
    return path


def _changed(folder: Path) -> float:
    """When a folder's weights last changed, so that a retrained model is opened anew."""
    try:
        return max((path.stat().st_mtime for path in folder.glob("*") if path.is_file()), default=0.0)
    except OSError:
        return 0.0


def _model_bytes(checkpoint: Checkpoint) -> int:
    return sum(parameter.nbytes for parameter in checkpoint.model.parameters())


def _kept_bytes(trace: Trace) -> int:
    return sum(segment.recorder.spent for segment in trace.segments)
