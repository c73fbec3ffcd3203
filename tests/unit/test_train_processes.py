"""Runs in processes of their own, which are killed for real."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors import safe_open

from lmviz.errors import UserError
from lmviz.train.data import batches_of, read_corpus
from lmviz.train.initial import new_model
from lmviz.train.limits import Limits
from lmviz.train.loop import train
from lmviz.train.recipe import Recipe
from lmviz.train.runs import Runs
from lmviz.train.store import database
from lmviz.train.store.liveness import end, hold, lock_of
from lmviz.train.texts import preset
from lmviz.train.work import trainer_pool
from tests.waiting import until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


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


@pytest.mark.nightly
def test_a_trainer_that_is_killed_again_and_again_gives_the_curve_of_one_that_was_not(runs: Runs) -> None:
    asked = recipe(1800)
    run = runs.start(asked)
    for step in (3, 700):
        until(lambda step=step: runs.get(run).step >= step)
        os.kill(trainer_of(runs, run), signal.SIGKILL)
        until(lambda: state(runs, run) == "interrupted")
        check_files(runs, run)
        runs.resume(run)
    until(lambda: state(runs, run) == "done")
    assert curve(runs, run) == expected(asked)
    assert runs.get(run).best_step in {stop.step for stop in runs.stops(run)}


@pytest.mark.nightly
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
    until(lambda: other.get(run).step > 0)
    server.kill()
    server.wait()
    server.stdout.close()
    until(lambda: state(other, run) == "done")
    assert curve(other, run) == expected(recipe(400))
    until(lambda: not trainers(other))
    other.close()


@pytest.mark.nightly
def test_what_does_not_fit_waits_its_turn_and_a_paused_run_makes_room(runs: Runs) -> None:
    first, second = runs.start(recipe(10**6), "first"), runs.start(recipe(20), "second")
    until(lambda: state(runs, first) == "running")
    assert runs.get(second).queue_place == 1
    runs.pause(first)
    until(lambda: state(runs, second) == "done")
    assert state(runs, first) == "paused"
    at = runs.get(first).step
    runs.step(first)
    until(lambda: state(runs, first) == "paused" and runs.get(first).step == at + 1)
    runs.delete(first)
    assert [found.id for found in runs.all()] == [second]


@pytest.mark.nightly
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process is stopped by a signal of POSIX")
def test_a_trainer_that_was_stopped_is_ended_and_holds_up_nobody(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds its lock and never answers: its run is interrupted, the queue goes on, and no number is lost."""
    asked = recipe(500)
    first, second = runs.start(asked, "first"), runs.start(recipe(20), "second")
    until(lambda: runs.get(first).step > 0)
    stopped = trainer_of(runs, first)
    os.kill(stopped, signal.SIGSTOP)
    with contextlib.suppress(UserError):  # it may have been stopped while it wrote, and then locks the store
        runs.pause(first)
    until(lambda: runs.seconds_silent(first) > 1.5)
    assert state(runs, first) == "running"
    monkeypatch.setattr(trainer_pool, "SILENT", 2.0)
    until(lambda: state(runs, first) == "interrupted")
    assert "Its process did not answer for" in (runs.get(first).failure or "")
    until(lambda: state(runs, second) == "done")
    assert not alive(stopped)
    runs.resume(first)
    until(lambda: state(runs, first) == "done")
    assert curve(runs, first) == expected(asked)


@pytest.mark.nightly
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="a process is stopped by a signal of POSIX")
def test_a_trainer_that_hangs_can_be_ended_by_hand_and_does_not_hold_up_closing(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runs.start(recipe(10**6))
    until(lambda: runs.get(run).step > 0)
    os.kill(trainer_of(runs, run), signal.SIGSTOP)
    other = Runs(runs.folder, Limits(at_once=1))  # which did not start that trainer
    other.end(run)
    assert state(other, run) == "interrupted"
    other.close()
    runs.resume(run)
    until(lambda: state(runs, run) == "running")
    for trainer in trainers(runs):
        os.kill(trainer, signal.SIGSTOP)
    monkeypatch.setattr(trainer_pool, "CLOSING", 0.5)
    stopped = trainers(runs)
    runs.close()
    assert not any(map(alive, stopped))


HANGING = """
import sys, time
from pathlib import Path
from lmviz.train.store.database import Database
from lmviz.train.store.liveness import hold, lock_of
root, worker = Path(sys.argv[1]), sys.argv[2]
held = hold(lock_of(root, worker))
import os
db = Database(root).connect()
db.execute("INSERT INTO workers (id, pid, run) VALUES (?, ?, ?)", (worker, os.getpid(), sys.argv[3]))
db.execute("UPDATE runs SET state = 'running', worker = ? WHERE id = ?", (worker, sys.argv[3]))
db.execute("BEGIN IMMEDIATE")
print("ready", flush=True)
time.sleep(600)
"""


def test_a_trainer_that_hangs_while_it_writes_locks_the_store_only_until_it_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Runs(tmp_path, Limits(at_once=1))
    monkeypatch.setattr(first._trainers, "_start", lambda: None)
    run = first.start(recipe(5))
    asked = [sys.executable, "-c", HANGING, str(tmp_path), "0f3a12bc", run]
    hanging = subprocess.Popen(asked, stdout=subprocess.PIPE, cwd=ROOT)
    assert hanging.stdout is not None
    assert hanging.stdout.readline() == b"ready\n"
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    runs = Runs(tmp_path, Limits(at_once=1))  # opens all the same,
    monkeypatch.setattr(runs._trainers, "_start", lambda: None)
    assert [found.state for found in runs.all()] == ["running"]  # and can be looked at
    with pytest.raises(UserError, match="locked by another program"):
        runs.rename(run, "new")
    monkeypatch.setattr(trainer_pool, "SILENT", 0.1)
    until(lambda: state(runs, run) == "interrupted")
    runs.rename(run, "new")
    hanging.wait()
    hanging.stdout.close()


def test_only_a_trainer_is_ended_never_another_process_of_that_number(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    end("0f3a12bc", bystander.pid)
    for impossible in (0, -1, 2**22 + 1):
        end("0f3a12bc", impossible)
    assert bystander.poll() is None
    bystander.communicate(b"\n")
    assert bystander.returncode == 0


@pytest.mark.parametrize("at_once", [1, 3])
def test_there_is_one_trainer_to_spare_and_never_one_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Runs of a few steps wait for no other, so that all trainers can be at work at once."""
    runs, started = Runs(tmp_path, Limits(at_once=at_once)), []
    monkeypatch.setattr(runs._trainers, "_start", lambda: started.append(1))
    with contextlib.ExitStack() as held:
        for n in range(at_once + 1):
            runs.warm()
            assert len(started) == n + 1
            held.enter_context(hold(lock_of(tmp_path, f"w{n}")))
            with runs._database.writing() as db:
                db.execute("INSERT INTO workers (id, pid, run) VALUES (?, 0, NULL)", (f"w{n}",))
            runs.warm()
            assert len(started) == n + 1  # one is free
            with runs._database.writing() as db:
                db.execute("UPDATE workers SET run = 'a run' WHERE id = ?", (f"w{n}",))
        runs.warm()
        assert len(started) == at_once + 1


def alive(pid: int) -> bool:
    """Whether there is such a process. One that has ended, and that nobody has asked after yet, is none."""
    status = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
