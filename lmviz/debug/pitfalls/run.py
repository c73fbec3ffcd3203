"""One training of a pitfall, run step by step through lmviz's own loop, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import nn

from lmviz.debug.doctor.curves import beats_counting_of, diagnose
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.doctor.history import Counted, History, Points, history_of
from lmviz.debug.doctor.lessons import shifted
from lmviz.debug.doctor.texts import known_tokens, length_in_context
from lmviz.debug.lesson_step import LessonStep
from lmviz.debug.pitfalls.setup import NAME_BOUNDARY, Data, Setup, data_of
from lmviz.errors import UserError
from lmviz.generate.readout import NextTokenLoss
from lmviz.model.card import Card
from lmviz.model.tokenizer import Tokenizer
from lmviz.train.baselines import Baselines, baselines
from lmviz.train.data import batches
from lmviz.train.gradient import Diverged
from lmviz.train.initial import new_model
from lmviz.train.loop import Snapshot, mean_loss, train
from lmviz.train.sampling import draw

_N_SAMPLES = 8
_MEASURE_EVERY = 10


@dataclass(frozen=True)
class Result:
    """A finished training of a pitfall. Losses in nats per token."""

    history: History
    judged: Points  # the loss on new texts, or, where none are held out, on its own as they should be cut
    diverged_at: int | None
    true_loss: float  # on all its texts, each token from those before it; NaN where the model gives no numbers
    held_out_loss: float | None
    baselines: Baselines  # of the true windows
    samples: tuple[str, ...]
    longest_copy: str  # the longest piece of a sample that stands in a text
    n_copied: int  # samples that are whole texts
    unknown_share: float  # of the tokens that it was shown
    endings: tuple[str, ...]  # what it finds likeliest at the end of each text, where only that is learned
    findings: tuple[Finding, ...]


def run(setup: Setup) -> Iterator[Snapshot | Result]:
    """The snapshots of the training one by one; last, the result. The same setup gives the same numbers."""
    data = data_of(setup)
    model = new_model(setup.model, data.tokenizer.d_vocab, setup.training.seed)
    shown = batches(data.train, setup.training.batch_size, setup.training.seed)
    judged = data.held_out or data.true
    seen: list[Snapshot] = []
    diverged: int | None = None
    try:
        for snapshot in train(model, shown, setup.training, judged, _MEASURE_EVERY, look_every=_MEASURE_EVERY):
            seen.append(snapshot)
            yield snapshot
    except Diverged as error:
        diverged = error.step
    yield _result(setup, data, model, seen, diverged)


def step_of_setup(setup: Setup, step: int) -> tuple[LessonStep, Tokenizer, Card]:
    """The training of a pitfall just before one of its steps, and how its texts are read.

    Raises:
        UserError: the training does not get so far.
    """
    data, training = data_of(setup), setup.training
    model = new_model(setup.model, data.tokenizer.d_vocab, training.seed)
    shown = batches(data.train, training.batch_size, training.seed)
    made = 0
    try:
        for _ in islice(train(model, shown, training), max(0, step - 1)):
            made += 1
    except Diverged:
        pass
    if not 1 <= step <= training.steps or made != step - 1:
        raise UserError("A step from 1 to {most} can be opened; got {step}.", most=made + 1, step=step)
    batch = next(iter(shown))
    found = LessonStep(step, model.train(), batch.inputs, batch.targets, NextTokenLoss, seed=training.seed + step)
    return found, data.tokenizer, Card(prompts=data.texts[:1])


def result_of(setup: Setup, watch: Callable[[Snapshot], None] = lambda snapshot: None) -> Result:
    """Run it to its end; `watch` sees its steps."""
    for found in run(setup):
        if isinstance(found, Result):
            return found
        watch(found)
    raise AssertionError("a training ends with its result")


def _result(setup: Setup, data: Data, model: nn.Module, seen: list[Snapshot], diverged: int | None) -> Result:
    measured = history_of(seen, data.tokenizer.d_vocab)
    history = measured if data.held_out else replace(measured, held_out=())
    samples = _samples(setup, data, model)
    true_loss = mean_loss(model, data.true)
    floors = baselines(data.true, data.tokenizer.d_vocab)
    table = Counted(floors.uniform, floors.unigram, floors.bigram)
    copies = [longest_copy(sample, data.texts) for sample in samples]
    return Result(
        history=history,
        judged=measured.held_out,
        diverged_at=diverged,
        true_loss=true_loss,
        held_out_loss=mean_loss(model, data.held_out) if data.held_out else None,
        baselines=floors,
        samples=samples,
        longest_copy=max(copies, key=len, default=""),
        n_copied=sum(sample in data.texts for sample in samples),
        unknown_share=known_tokens(data.tokenizer, data.texts).measured,
        endings=_endings(data, model) if setup.targets == "last" else (),
        findings=(*(_diagnosed(replace(history, counted=table, true_loss=true_loss))), *_of_data(setup, data)),
    )


def _diagnosed(history: History) -> tuple[Finding, ...]:
    """What the rules say; of a training that broke before its first loss, only whether it does better than counting."""
    if not history.finite:
        return (*(diagnose(history) if history.losses else ()), beats_counting_of(history))
    return diagnose(history)


def _of_data(setup: Setup, data: Data) -> tuple[Finding, ...]:
    lengths = [len(data.tokenizer.encode(text)) for text in data.texts]
    lengths = [sum(lengths)] if setup.joined else [min(n, setup.model.n_ctx + 1) for n in lengths]  # else: windows
    return (
        shifted(data.train.inputs, data.train.targets),
        known_tokens(data.tokenizer, data.texts),
        length_in_context(lengths, setup.model.n_ctx),
    )


@torch.no_grad()
def _endings(data: Data, model: nn.Module) -> tuple[str, ...]:
    """The likeliest last token of each text, given all before it."""
    model.eval()
    ids = [data.tokenizer.encode(text).ids for text in data.texts]
    found = [int(model(torch.tensor([one[:-1]]))[0, -1].argmax()) for one in ids]
    return tuple(data.tokenizer.piece(id) for id in found)


def _samples(setup: Setup, data: Data, model: nn.Module) -> tuple[str, ...]:
    """Some texts that the model writes by itself, from what opens a text up to what closes it."""
    opening = data.tokenizer.encode(NAME_BOUNDARY if setup.texts != "sentences" else data.texts[0].split()[0]).ids[:1]
    written = draw(model, opening, _N_SAMPLES, 2 * setup.model.n_ctx, setup.model.n_ctx, seed=0)
    end = data.tokenizer.encode(NAME_BOUNDARY).ids[0] if setup.texts != "sentences" else None
    cut = [ids[: ids.index(end) + 1] if end in ids else ids for ids in written]
    return tuple(data.tokenizer.decode([*opening, *ids]) for ids in cut)


def longest_copy(sample: str, texts: Sequence[str]) -> str:
    """The longest piece of a sample that stands, letter for letter, in one of the texts."""
    longest = ""
    for start in range(len(sample)):
        while (piece := sample[start : start + len(longest) + 1]) and len(piece) > len(longest):
            if not any(piece in text for text in texts):
                break
            longest = piece
    return longest
