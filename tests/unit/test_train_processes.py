"""Runs in processes of their own, which are killed for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open

from lmviz.train.data import batches_of, read_corpus
from lmviz.train.initial import new_model
from lmviz.train.limits import Limits
from lmviz.train.loop import train
from lmviz.train.recipe import Recipe
from lmviz.train.runs import Runs
from lmviz.train.texts import preset

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds after which something has gone wrong, however slow the machine


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path / "runs", Limits(at_once=1))
    yield runs
    runs.close()


def recipe(steps: int) -> Recipe:
    """Long enough to be killed in the middle of, and quick enough to be waited for."""
    pokemon = preset("pokemon")
    return replace(pokemon, training=replace(pokemon.training, steps=steps, batch_size=8))


def expected(recipe: Recipe) -> list[float]:
    corpus = read_corpus(recipe, Path())
    model = new_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed)
    stream = batches_of(corpus.train, recipe.training)
    return [snapshot.loss for snapshot in train(model, stream, recipe.training)]


def wait(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def trainer_of(runs: Runs, run: str) -> int:
    with runs._database.reading() as db:
        row = db.execute("SELECT pid FROM workers WHERE run = ?", (run,)).fetchone()
    return int(row[0])


def trainers(runs: Runs) -> list[int]:
    with runs._database.reading() as db:
        return [row[0] for row in db.execute("SELECT pid FROM workers")]


def state(runs: Runs, run: str) -> str:
    return next(found.state for found in runs.all() if found.id == run)


def curve(runs: Runs, run: str) -> list[float]:
    found = runs.series(run, "loss", 10**6)
    assert found.steps.tolist() == list(range(1, len(found) + 1))
    return found.numbers.tolist()


def check_files(runs: Runs, run: str) -> None:
    """Every checkpoint that has its name is whole."""
    paths = list((runs.folder / run / "checkpoints").glob("step-*.safetensors"))
    assert paths
    for path in paths:
        with safe_open(path, framework="pt") as stored:
            assert all(stored.get_tensor(name).isfinite().all() for name in stored.keys())  # noqa: SIM118


def test_a_trainer_that_is_killed_again_and_again_gives_the_curve_of_one_that_was_not(runs: Runs) -> None:
    asked = recipe(1800)
    run = runs.start(asked)
    for step in (3, 700):
        wait(lambda step=step: runs.get(run).step >= step)
        os.kill(trainer_of(runs, run), signal.SIGKILL)
        wait(lambda: state(runs, run) == "interrupted")
        check_files(runs, run)
        runs.resume(run)
    wait(lambda: state(runs, run) == "done")
    assert curve(runs, run) == expected(asked)
    assert runs.get(run).best_step in {stop.step for stop in runs.stops(run)}


def test_a_run_outlives_the_server_that_started_it_and_its_trainer_then_goes(tmp_path: Path) -> None:
    """The process that started the run is killed; another one finds the run going on, or done, and nothing lost."""
    folder = tmp_path / "runs"
    program = (
        "import sys, time; from dataclasses import replace; from lmviz.train.runs import Runs;"
        "from lmviz.train.texts import preset; pokemon = preset('pokemon');"
        "recipe = replace(pokemon, training=replace(pokemon.training, steps=400, batch_size=8));"
        "runs = Runs(sys.argv[1]); print(runs.start(recipe), flush=True); time.sleep(600)"
    )
    server = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    assert server.stdout is not None
    run = server.stdout.readline().decode().strip()
    other = Runs(folder, Limits(at_once=1))
    wait(lambda: other.get(run).step > 0)
    server.kill()
    server.wait()
    server.stdout.close()
    wait(lambda: state(other, run) == "done")
    assert curve(other, run) == expected(recipe(400))
    wait(lambda: not trainers(other))
    other.close()


def test_what_does_not_fit_waits_its_turn_and_a_paused_run_makes_room(runs: Runs) -> None:
    first, second = runs.start(recipe(10**6), "first"), runs.start(recipe(20), "second")
    wait(lambda: state(runs, first) == "running")
    assert runs.get(second).queue_place == 1
    runs.pause(first)
    wait(lambda: state(runs, second) == "done")
    assert state(runs, first) == "paused"
    at = runs.get(first).step
    runs.step(first)
    wait(lambda: state(runs, first) == "paused" and runs.get(first).step == at + 1)
    runs.delete(first)
    assert [found.id for found in runs.all()] == [second]
