"""Train the model of a recipe and write its folder: `lmviz train RECIPE.toml [--out FOLDER] [--resume]`.

On several cores or graphics cards at once: `torchrun --nproc-per-node 2 -m lmviz.train RECIPE.toml`, the same curve.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import torch
from torch import nn

from lmviz.errors import UserError
from lmviz.model.architectures import config_in
from lmviz.model.card import Card
from lmviz.model.checkpoint import Checkpoint, save
from lmviz.quantise.aware import finish, prepare
from lmviz.stopped import CUT_SHORT
from lmviz.train.data import Corpus, batches_of, read_corpus
from lmviz.train.initial import first_model
from lmviz.train.loop import make_optimizer, train
from lmviz.train.processes import ALONE, Processes, ProcessLost, processes
from lmviz.train.progress import Progress
from lmviz.train.recipe import Recipe, read_recipe
from lmviz.train.report import card_text
from lmviz.train.store.files import check_free_space, sentences_of_out
from lmviz.train.trackers import KINDS, Tracker, opened, points_of
from lmviz.train.unfinished import Unfinished

SAVE_EVERY = 30.0  # seconds: what is lost at most when the process is killed
_COPIES = 4  # of the weights that a training leaves on the disk: what it may go on with, and the model
WRONG_USE = 2  # the exit code


class CutShort(UserError):
    """The training was stopped before its end, and what it had learned is kept."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    torch.set_num_threads(1)  # quicker for models this small, and sums come out the same for any number of cores
    out = options.out or options.recipe.parent
    try:
        with processes() as ours, sentences_of_out(out):
            make(options.recipe, out, resume=options.resume, ours=ours, log=options.log)
    except CutShort as error:
        print(error, file=sys.stderr)
        return CUT_SHORT
    except UserError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    return 0


def make(
    path: Path, out: Path, *, resume: bool = False, ours: Processes = ALONE, log: Sequence[str] = ()
) -> Checkpoint:
    """Train by a recipe, showing how far it is, and write the folder, recipe and texts included.

    Args:
        resume: go on with a training that was cut short.
        ours: the processes that train it together; the first of them writes.
        log: where its curves go besides, as `trackers.opened` takes them.

    Raises:
        CutShort: by Ctrl-C, the end of the session, or because another process was lost.
        UserError: the folder can't be written to, or the recipe is wrong; nothing has been trained yet.
    """
    recipe = read_recipe(path)
    unfinished = Unfinished.of(path, out)
    _check(out)
    if not resume:
        unfinished.check_absent()
    corpus = read_corpus(recipe, path.parent)
    model = first_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed, path.parent)
    check_free_space(out, _COPIES * sum(weight.nbytes for weight in model.parameters()))
    prepared = prepare(model, recipe.quantisation)
    name = recipe.card.title or path.stem
    trackers = opened(log, out / "logs", name, recipe) if ours.is_first else []
    try:
        _train(prepared, recipe, corpus, unfinished, resume, ours, trackers)
    finally:
        for tracker in trackers:
            tracker.close()
    model = finish(prepared, model).cpu()
    text = card_text(recipe, corpus, model, f"python -m lmviz.train {path.as_posix()}")
    said = recipe.card
    card = Card(said.title, text, said.license, said.languages, said.prompts, said.begins)
    checkpoint = Checkpoint(model.eval(), corpus.tokenizer, config_in(model), card, out)
    if ours.is_first:
        save(checkpoint, out)
        _copy_sources(recipe, path, out)
        unfinished.remove()
    return checkpoint


def _train(
    model: nn.Module,
    recipe: Recipe,
    corpus: Corpus,
    unfinished: Unfinished,
    resume: bool,
    ours: Processes,
    trackers: Sequence[Tracker],
) -> None:
    model.to(ours.device)
    optimizer = make_optimizer(model, recipe.training)
    step = done = unfinished.read(model, optimizer) if resume else 0
    held_out = corpus.held_out and corpus.held_out.to(ours.device)
    progress = Progress(recipe.training.steps, sys.stdout, done)
    saved = time.monotonic()
    with _asked_to_stop() as stopping:
        try:
            batches = batches_of(corpus.train, recipe.training, done)
            for snapshot in train(
                model, batches, recipe.training, held_out, optimizer=optimizer, done=done, processes=ours
            ):
                step = snapshot.step
                if ours.is_first:
                    progress.show(snapshot)
                    for tracker in trackers:
                        tracker.write(points_of([snapshot]))
                if stopping.is_set() and step < recipe.training.steps:
                    raise _cut_short(step, model, optimizer, unfinished, ours)
                if ours.is_first and time.monotonic() - saved > SAVE_EVERY:
                    unfinished.write(step, model, optimizer)
                    saved = time.monotonic()
        except ProcessLost as lost:
            raise _cut_short(step, model, optimizer, unfinished, ours) from lost


def _cut_short(
    step: int, model: nn.Module, optimizer: torch.optim.Optimizer, unfinished: Unfinished, ours: Processes
) -> CutShort:
    """Keeps what the last whole step has left; every process has the same, so any of them may."""
    unfinished.write(step, model, optimizer, ours.rank)
    return CutShort(
        "The training stopped after step {step}; all it has learned is kept in {file}. Go on with the same command and "
        "--resume.",
        step=step,
        file=unfinished.path,
    )


@contextmanager
def _asked_to_stop() -> Iterator[Event]:
    """Set by Ctrl-C, or when the session ends: the step under way is finished first. A second Ctrl-C ends at once."""
    stopping = Event()

    def stop(number: int, _: object) -> None:
        stopping.set()
        signal.signal(number, before[signal.Signals(number)])

    names = ("SIGINT", "SIGTERM", "SIGHUP")  # the last one where a terminal is closed; Windows has none
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]  # nohup goes on
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _check(out: Path) -> None:
    """Make the folder, if there is none, and see whether it can be written to, before hours of training."""
    if os.path.lexists(out) and not out.is_dir():
        raise UserError("--out must name a folder, or nothing that exists yet; {path} is no folder.", path=out)
    out.mkdir(parents=True, exist_ok=True)
    probe = out / ".lmviz"
    probe.touch()
    probe.unlink(missing_ok=True)


def _copy_sources(recipe: Recipe, path: Path, out: Path) -> None:
    """What the recipe needs to be carried out again: itself, its texts, the model that it starts from, if that lies
    below it."""
    here, there = path.parent.resolve(), out.resolve()
    if there == here:
        return
    for name in filter(None, (path.name, recipe.data.file)):
        shutil.copy(here / name, out)
    start = (here / recipe.model.start).resolve()
    if recipe.model.start and start.is_relative_to(here) and not there.is_relative_to(start):
        shutil.copytree(start, there / start.relative_to(here), dirs_exist_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lmviz train", description=__doc__)
    parser.add_argument("recipe", type=Path, help="a TOML file; see sample_models/*/recipe.toml")
    parser.add_argument("--out", type=Path, help="where the folder goes; default: where the recipe is")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was cut short")
    parser.add_argument(
        "--log",
        action="append",
        default=[],
        choices=KINDS,
        help="log the curves too, into OUT/logs or to the service; may be given several times",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
