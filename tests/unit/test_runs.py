"""Runs, trained in this process: what comes of them, and what a page can do with them."""

from __future__ import annotations

import errno
import io
import math
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lmviz.errors import UserError
from lmviz.model import files as model_files
from lmviz.model.checkpoint import load
from lmviz.quantise.aware import finish, prepare
from lmviz.train import runs as runs_module
from lmviz.train.data import batches, batches_of, read_corpus
from lmviz.train.initial import new_model
from lmviz.train.limits import Limits
from lmviz.train.loop import Snapshot, mean_loss, train
from lmviz.train.recipe import (
    CardRecipe,
    DataRecipe,
    ModelRecipe,
    QuantisationRecipe,
    Recipe,
    TokenizerRecipe,
    TrainingRecipe,
)
from lmviz.train.runs import Runs, differences
from lmviz.train.store import run_table, space
from lmviz.train.store.database import transaction
from lmviz.train.store.liveness import hold, lock_of
from lmviz.train.store.run_table import claim
from lmviz.train.work import checkpoint_writer, measurements
from lmviz.train.work.trainer import LOOK_EVERY, train_run
from tests.words import FRENCH

pytestmark = pytest.mark.slow

NAMES = ("arcanin", "bulbizarre", "carapuce", "dracaufeu", "ectoplasma", "evoli", "felinferno", "gardevoir", "goupix")
RECIPE = Recipe(
    DataRecipe(texts=NAMES, around=".", held_out=0.25),
    TokenizerRecipe("characters"),
    ModelRecipe("gpt2", n_ctx=8, n_layers=1, d_model=8, n_heads=2, d_mlp=16, dropout=0.1, initial_std=0.2),
    TrainingRecipe(steps=60, learning_rate=0.02, batch_size=8, schedule="cosine", warm_up=5, seed=3),
    card=CardRecipe(title="Names", prompts=(".a",)),
)


OPENED: list[Here] = []


@pytest.fixture(autouse=True, scope="module")
def _close_all() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().die()


class Here(Runs):
    """Runs whose trainer is this process: it works when it is told to."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        super().__init__(folder, limits or Limits(at_once=1))
        self._trainers._start = lambda: None
        self._life = hold(lock_of(self.folder, "here"))
        OPENED.append(self)
        with self._database.writing() as db:
            db.execute("INSERT OR IGNORE INTO workers (id, pid) VALUES ('here', 0)")

    def work(self) -> str:
        """Train the next run of the queue; returns its id."""
        with closing(self._database.connect()) as db:
            with transaction(db):
                run = claim(db, "here", self.limits.at_once)
            assert run is not None
            train_run(db, self.folder, run, "here", self.limits)
        return run

    def start_resting(self, recipe: Recipe, name: str = "", owner: str = "") -> str:
        """A run that waits for nobody: other trainers of this folder leave it alone. See `work_on`."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(run_table, "QUEUED", run_table.PAUSED)
            return self.start(recipe, name, owner=owner)

    def work_on(self, run: str, until: int | None = None) -> None:
        """Train a run that rests, to its end or until a step."""
        with self._database.writing() as db:
            db.execute("UPDATE runs SET state = 'running', worker = 'here', until = ? WHERE id = ?", (until, run))
        with closing(self._database.connect()) as db:
            train_run(db, self.folder, run, "here", self.limits)

    def die(self) -> None:
        """What the system does when a trainer is killed: it lets go of the trainer's file."""
        self._life.close()

    def curve(self, run: str, metric: str = "loss") -> list[tuple[int, float]]:
        found = self.series(run, metric, 10**6)
        return list(zip(found.steps.tolist(), found.numbers.tolist(), strict=True))


@pytest.fixture
def runs(tmp_path: Path) -> Here:
    return Here(tmp_path / "runs")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Here, str]:
    """A run that is done; tests that use it change nothing."""
    runs = Here(tmp_path_factory.mktemp("trained"))
    run = runs.start(RECIPE)
    assert runs.work() == run
    return runs, run


def expected(recipe: Recipe = RECIPE) -> list[Snapshot]:
    corpus = read_corpus(recipe, Path("nowhere"))
    model = new_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed)
    stream = batches_of(corpus.train, recipe.training)
    return list(train(model, stream, recipe.training, look_every=LOOK_EVERY))


def stop_after(monkeypatch: pytest.MonkeyPatch, step: int, flush_every: float = 0.0) -> None:
    """Let the trainer die, without a word to anyone, once it has noted so many steps."""
    note = measurements.Measurements.note

    def dying(self: measurements.Measurements, snapshot: Snapshot) -> None:
        note(self, snapshot)
        if snapshot.step == step:
            raise KeyboardInterrupt  # passes all that tidies up

    monkeypatch.setattr(measurements, "FLUSH_EVERY", flush_every)
    monkeypatch.setattr(measurements.Measurements, "note", dying)


def test_a_run_gives_the_curve_of_the_generator_and_of_the_command(trained: tuple[Here, str]) -> None:
    runs, run = trained
    snapshots = expected()
    assert runs.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in snapshots]
    assert runs.curve(run, "grad_norm") == [(snapshot.step, snapshot.grad_norm) for snapshot in snapshots]
    assert runs.curve(run, "learning_rate") == [(snapshot.step, snapshot.learning_rate) for snapshot in snapshots]
    ratios = [
        (s.step, group_update.update_ratio)
        for s in snapshots
        for group_update in s.group_updates
        if group_update.group == "blocks.0.attn"
    ]
    assert runs.curve(run, "update_ratio/blocks.0.attn") == ratios != []


def test_what_a_page_reads_of_a_run(trained: tuple[Here, str]) -> None:
    runs, run = trained
    found = runs.get(run)
    assert (found.state, found.name, found.step, found.steps, found.queue_place) == ("done", "Names", 60, 60, 0)
    assert (found.failure, found.seconds_left, found.wanted) == (None, None, None)
    assert not found.is_active
    assert all(replace(found, state=active).is_active for active in ("queued", "running"))
    assert found.loss == runs.curve(run)[-1][1]
    assert found.facts["n_parameters"] == sum(p.numel() for p in runs.model_at(run, 60).model.parameters())
    assert found.facts["baselines"]["uniform"] == pytest.approx(math.log(found.facts["d_vocab"]))
    assert found.facts["baselines"]["unigram"] > found.facts["baselines"]["bigram"]
    assert found.recipe.training == RECIPE.training
    assert runs.recipe(run) == RECIPE
    assert [event.kind for event in runs.events(run)] == ["queued", "running", "done"]
    assert runs.all() == (found,)


def test_the_held_out_loss_is_measured_at_intervals_and_names_the_best_step(trained: tuple[Here, str]) -> None:
    runs, run = trained
    measured = runs.curve(run, "held_out_loss")
    assert {step for step, _ in measured} >= {0, 1, 2, 5, 10, 20, 50, 60}
    assert (runs.get(run).best_step, runs.get(run).best_loss) == min(measured, key=lambda point: point[1])
    assert "measured_loss" not in runs.metrics(run)


def test_the_model_writes_as_it_learns(trained: tuple[Here, str]) -> None:
    runs, run = trained
    samples = runs.samples(run)
    assert [sample.step for sample in samples[::3]] == [0, 1, 2, 5, 10, 20, 50, 60]
    assert all(sample.prompt == "." and sample.text.startswith(".") for sample in samples)
    assert {sample.step for sample in runs.samples(run, after=20)} == {50, 60}


def test_time_travel_stops_at_1_2_5_the_best_and_the_last(trained: tuple[Here, str]) -> None:
    runs, run = trained
    stops = runs.stops(run)
    assert [stop.step for stop in stops] == sorted({0, 1, 2, 5, 10, 20, 50, 60, runs.get(run).best_step})
    assert [stop.step for stop in stops if stop.is_best] == [runs.get(run).best_step]
    assert all(stop.n_bytes > 1000 for stop in stops)
    first, last = runs.model_at(run, 0), runs.model_at(run, 60)
    fresh = new_model(RECIPE.model, first.config.d_vocab, RECIPE.training.seed)
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), fresh.parameters(), strict=True))
    assert not torch.equal(first.model.tok_embed.weight, last.model.tok_embed.weight)
    assert not last.model.training
    assert last.config.dropout == 0
    assert last.card.prompts == (".a",)
    with pytest.raises(UserError, match="no checkpoint of step 3; there are 0, 1, 2, 5"):
        runs.model_at(run, 3)


@pytest.mark.parametrize("step", [1, 2, 3, 37, 60])
def test_any_step_of_a_run_opens_with_its_own_loss_and_leads_to_the_next(trained: tuple[Here, str], step: int) -> None:
    runs, run = trained
    found = runs.open_step(run, step)
    assert found.loss == runs.curve(run)[step - 1][1]
    assert found.grad_norm == runs.curve(run, "grad_norm")[step - 1][1]
    if step in (1, 2, 60):
        after = runs.model_at(run, step).model.state_dict()
        assert all(np.array_equal(array, after[name].numpy()) for name, array in found.after.items())


def test_a_step_that_is_too_far_from_a_checkpoint_is_refused_with_one_that_is_not(
    trained: tuple[Here, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, run = trained
    monkeypatch.setattr(runs_module.time_travel, "MOST_REPLAYED", 3)
    assert runs.open_step(run, 24).step == 24
    for step in (25, 61, 0):
        with pytest.raises(UserError, match=f"step {step} is not there: take the one after"):
            runs.open_step(run, step)


@pytest.mark.nightly
def test_a_run_exports_as_a_folder_that_opens_and_whose_recipe_makes_it_again(
    trained: tuple[Here, str], tmp_path: Path
) -> None:
    runs, run = trained
    folder = runs.export(run, 60, tmp_path / "model")
    checkpoint = load(folder)
    for name, weight in runs.model_at(run, 60).model.state_dict().items():
        assert torch.equal(checkpoint.model.state_dict()[name], weight)
    assert checkpoint.card.title == "Names"
    assert "60 steps of adamw, seed 3" in checkpoint.card.text
    subprocess.run(
        [sys.executable, "-m", "lmviz.train", "recipe.toml", "--out", "again"], cwd=folder, check=True, env=paths()
    )
    assert (folder / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    assert "20 of 60 steps" in load(runs.export(run, 20)).card.text
    packed = zipfile.ZipFile(io.BytesIO(runs.zipped(run, 60)))
    assert packed.read("Names-step-60/model.safetensors") == (folder / "model.safetensors").read_bytes()
    assert {"config.json", "tokenizer.json", "README.md", "recipe.toml"} <= {
        Path(name).name for name in packed.namelist()
    }


def test_the_card_of_an_exported_run_says_what_this_run_measured_and_nothing_of_another(runs: Here) -> None:
    boast = replace(RECIPE.card, about="After `.a` it always says x; of six seeds this is the one.", license="mit")
    run = runs.start(replace(RECIPE, card=boast, training=replace(RECIPE.training, steps=2)), "Mine")
    runs.work()
    folder = runs.export(run, 2)
    card = load(folder).card
    assert "six seeds" not in card.text
    assert card.license == ""
    assert "six seeds" not in (folder / "recipe.toml").read_text()
    model, tokenizer = runs.model_at(run, 2).model, runs.model_at(run, 2).tokenizer
    shares = torch.softmax(model(tokenizer.encode(".a").ids_tensor)[0, -1], dim=-1).detach()
    best = tokenizer.piece(int(shares.argmax()))
    assert f"| `.a` | `{best}` | {100 * float(shares.max()):.2f} % |" in card.text


def paths() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("died_at", [1, 4, 33, 59])
def test_a_run_whose_trainer_died_is_interrupted_and_resumes_to_the_curve_it_would_have_had(
    runs: Here, monkeypatch: pytest.MonkeyPatch, died_at: int
) -> None:
    run = runs.start(RECIPE)
    with monkeypatch.context() as patch:
        stop_after(patch, died_at)
        with pytest.raises(KeyboardInterrupt):
            runs.work()
    runs.die()
    assert [found.state for found in runs.all()] == ["interrupted"]
    again = Here(runs.folder)
    segment = again.get(run).segment
    again.resume(run)
    assert again.work() == run
    assert again.get(run).state == "done"
    assert again.get(run).segment == segment + 1
    assert again.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in expected()]
    assert [sample.step for sample in again.samples(run)[::3]] == [0, 1, 2, 5, 10, 20, 50, 60]
    measured = again.curve(run, "held_out_loss")
    assert sorted(dict(measured)) == [step for step, _ in measured]
    assert (again.get(run).best_step, again.get(run).best_loss) == min(measured, key=lambda point: point[1])


def test_numbers_that_were_not_written_before_a_checkpoint_are_made_again(
    runs: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that is ahead of the curve, as after a power cut, is not gone on from."""
    run = runs.start(RECIPE)
    with monkeypatch.context() as patch:
        stop_after(patch, 33)
        with pytest.raises(KeyboardInterrupt):
            runs.work()
    with runs._database.writing() as db:
        db.execute("UPDATE runs SET step = 15, state = 'paused', best_step = NULL WHERE id = ?", (run,))
        db.execute("UPDATE workers SET run = NULL")
    runs.resume(run)
    runs.work()
    assert runs.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in expected()]
    best = min(runs.curve(run, "held_out_loss"), key=lambda point: point[1])
    assert (runs.get(run).best_step, runs.get(run).best_loss) == best


def test_a_checkpoint_that_a_failing_disk_damaged_is_passed_over(runs: Here) -> None:
    run = runs.start(RECIPE)
    runs.step(run, 30)
    runs.work()
    (path,) = (runs.folder / run / "checkpoints").glob("step-000000030.*")
    path.write_bytes(path.read_bytes()[:100])
    runs.resume(run)
    runs.work()
    assert runs.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in expected()]


def test_single_steps_pause_where_they_should_and_change_nothing(runs: Here) -> None:
    run = runs.start(RECIPE)
    for n_steps, step in ((1, 1), (1, 2), (7, 9), (100, 60)):
        runs.step(run, n_steps)
        runs.work()
        assert (runs.get(run).step, runs.get(run).state) == (step, "done" if step == 60 else "paused")
    assert runs.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in expected()]
    with pytest.raises(UserError, match="has made all its 60 steps"):
        runs.resume(run)


def test_pausing_and_stopping_a_run_that_waits(runs: Here) -> None:
    first, second = runs.start(RECIPE, "first"), runs.start(RECIPE, "second")
    assert [(run.name, run.queue_place) for run in runs.all()] == [("second", 2), ("first", 1)]
    runs.pause(first)
    assert (runs.get(first).state, runs.get(second).queue_place) == ("paused", 1)
    runs.resume(first)
    assert (runs.get(first).queue_place, runs.get(second).queue_place) == (2, 1)
    runs.resume(second)  # once more: keeps its place
    assert runs.get(second).queue_place == 1
    runs.stop(second)
    assert runs.get(second).state == "stopped"
    assert runs.work() == first


def test_a_run_that_fails_says_why_and_can_be_resumed(runs: Here) -> None:
    bad = replace(RECIPE, data=replace(RECIPE.data, texts=("a", "b", "c", "d"), around=""))
    run = runs.start(bad)
    runs.work()
    found = runs.get(run)
    assert found.state == "failed"
    assert (
        found.failure == "To train on, a text must have two tokens or more, one to read and one to predict; none has."
    )
    assert runs.events(run)[-1].sentence == found.sentence
    runs.resume(run)
    assert runs.get(run).failure is None


def test_why_a_run_failed_is_told_in_the_language_of_whoever_reads_it(
    runs: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> None:
        raise UserError("{file} cannot be read: {reason}.", file="a.txt", reason=UserError("the disk is full"))

    monkeypatch.setattr(measurements.Measurements, "measure", unreadable)
    run = runs.start(RECIPE)
    runs.work()
    for why in (runs.get(run).why, runs.events(run)[-1].why):
        assert why is not None and FRENCH.error(why).endswith("le disque est plein.")


def test_a_mistake_of_ours_fails_one_run_and_is_told(
    runs: Here, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measurements.Measurements, "measure", lambda *_: 1 / 0)
    run = runs.start(RECIPE)
    runs.work()
    assert runs.get(run).failure == "The training failed: ZeroDivisionError('division by zero')."
    assert "Traceback" in capsys.readouterr().err


def test_a_run_that_diverges_stops_keeps_its_last_good_checkpoint_and_opens_at_the_bad_step(runs: Here) -> None:
    wild = replace(RECIPE.training, optimizer="sgd", learning_rate=3e37, schedule="constant", warm_up=20, clip=0.0)
    run = runs.start(replace(RECIPE, training=wild))
    runs.work()
    found = runs.get(run)
    step = found.details["step"]
    assert found.state == "failed"
    assert found.failure.startswith(f"Step {step} gave a loss of ")
    assert found.step == step - 1
    for stop in runs.stops(run):
        assert all(bool(p.isfinite().all()) for p in runs.model_at(run, stop.step).model.parameters())
    opened = runs.open_step(run, step)
    assert not (math.isfinite(opened.loss) and math.isfinite(opened.grad_norm))
    assert torch.equal(opened.batch.inputs, runs.before_step(run, step).batch.inputs)
    stream = batches(read_corpus(RECIPE, Path("nowhere")).train, 8, 3, done=step - 1)
    assert torch.equal(opened.batch.inputs, next(stream).inputs)


def test_a_full_disk_fails_the_run_with_a_sentence_and_leaves_what_was_there(
    runs: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, written = model_files.put, []

    def filling(descriptor: int, content: bytes) -> None:
        written.append(len(content))
        if len(written) > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(descriptor, content)

    run = runs.start(RECIPE)
    with monkeypatch.context() as patch:
        patch.setattr(model_files, "put", filling)
        runs.work()
    assert runs.get(run).state == "failed"
    assert "no room left on the disk" in runs.get(run).failure
    assert 1 <= len(runs.stops(run)) <= 6  # of them, each file is whole
    assert all(runs.model_at(run, stop.step).model for stop in runs.stops(run))
    assert not list((runs.folder / run / "checkpoints").glob(f"*{model_files.UNFINISHED}"))
    runs.resume(run)
    runs.work()
    assert runs.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in expected()]


def test_a_folder_that_may_take_no_more_thins_first_and_then_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The list of runs is left out here: how long its measurements grows depends on how quick this machine is.
    monkeypatch.setattr(space, "bytes_in", lambda root: sum(p.stat().st_size for p in root.rglob("*.safetensors*")))
    roomy = Here(tmp_path, Limits(at_once=1, n_bytes=80_000))
    run = roomy.start(RECIPE)
    roomy.work()
    assert roomy.get(run).state == "done"
    assert [stop.step for stop in roomy.stops(run)] != [0, 1, 2, 5, 10, 20, 50, 60]
    assert {60, roomy.get(run).best_step} <= {stop.step for stop in roomy.stops(run)}
    assert "thinned" in [event.kind for event in roomy.events(run)]
    other = roomy.start(RECIPE)
    roomy.limits = Limits(at_once=1, n_bytes=10_000)
    with pytest.raises(UserError, match="with nothing left to thin"):
        roomy.start(RECIPE)
    roomy.work()
    assert "with nothing left to thin" in roomy.get(other).failure


def test_a_pinned_checkpoint_is_kept(runs: Here) -> None:
    run = runs.start(RECIPE)
    runs.step(run, 7)
    runs.work()
    runs.pin(run, 7)
    runs.resume(run)
    runs.work()
    pinned = {stop.step: stop for stop in runs.stops(run)}[7]
    assert pinned.is_pinned
    assert pinned.is_kept
    runs.pin(run, 7, is_pinned=False)
    assert not any(stop.is_pinned for stop in runs.stops(run))
    with pytest.raises(UserError, match="no checkpoint of step 8"):
        runs.pin(run, 8)


def test_a_store_that_is_locked_for_a_while_costs_a_run_nothing(runs: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmviz.train.store import database

    monkeypatch.setattr(database, "PATIENCE", 0.001)
    monkeypatch.setattr(measurements, "FLUSH_EVERY", 0.0)
    run = runs.start(RECIPE)
    flush, refused = measurements.Measurements.flush, []

    def locked_now_and_then(self: measurements.Measurements, **progress: object) -> object:
        if self.step % 3 != 2 or self.step in refused:
            return flush(self, **progress)
        refused.append(self.step)
        lock.execute("BEGIN IMMEDIATE")
        answer = flush(self, **progress)
        lock.execute("ROLLBACK")
        assert answer is None
        return answer

    with monkeypatch.context() as patch, closing(runs._database.connect()) as lock:
        patch.setattr(measurements.Measurements, "flush", locked_now_and_then)
        runs.work()
    assert len(refused) > 10
    assert runs.get(run).state == "done"
    assert runs.curve(run) == [(snapshot.step, snapshot.loss) for snapshot in expected()]


def test_a_run_that_is_deleted_while_it_trains_is_left_and_leaves_nothing(
    runs: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = measurements.Measurements.note

    def deleting(self: measurements.Measurements, snapshot: Snapshot) -> None:
        note(self, snapshot)
        if snapshot.step == 20:
            runs.delete(run)

    monkeypatch.setattr(measurements.Measurements, "note", deleting)
    run = runs.start(RECIPE)
    runs.work()
    assert runs.all() == ()
    assert not [path for path in runs.folder.iterdir() if run in path.name]
    with runs._database.reading() as db:
        tables = ("chunks", "samples", "events", "pins")
        assert [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables] == [0, 0, 0, 0]
    with pytest.raises(UserError, match=f"no run {run}"):
        runs.series(run, "loss")


def test_a_run_stops_by_its_limit_of_hours(tmp_path: Path) -> None:
    runs = Here(tmp_path, Limits(at_once=1, hours=0.0))
    run = runs.start(RECIPE)
    runs.work()
    assert runs.get(run).state == "paused"
    assert runs.get(run).step < 60


def test_a_run_can_be_renamed_and_duplicated_with_changes(runs: Here) -> None:
    run = runs.start(RECIPE)
    runs.rename(run, "  my \n run ")
    assert runs.get(run).name == "my run"
    for name in ("", "  ", "x" * 81):
        with pytest.raises(UserError, match="must have 1 to 80 characters"):
            runs.rename(run, name)
    changed = replace(RECIPE, training=replace(RECIPE.training, steps=5, learning_rate=0.1))
    other = runs.duplicate(run, recipe=changed)
    assert runs.get(other).name == "my run"
    assert runs.recipe(other) == changed
    found = differences([runs.get(run).recipe, runs.get(other).recipe])
    assert [(one.name, one.values) for one in found] == [
        ("training.steps", (60, 5)),
        ("training.learning_rate", (0.02, 0.1)),
    ]


@pytest.mark.nightly
def test_a_run_can_start_from_a_checkpoint_of_another(trained: tuple[Here, str], tmp_path: Path) -> None:
    source, run = trained
    runs, start = Here(tmp_path), source.model_at(run, 20)
    child = runs.start(replace(RECIPE, training=replace(RECIPE.training, steps=3)), "child", start_from=start)
    runs.work()
    first = runs.model_at(child, 0).model
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), start.model.parameters(), strict=True))
    assert runs.get(child).state == "done"
    twin = runs.duplicate(child)
    runs.work()
    assert runs.curve(twin) == runs.curve(child)
    folder = runs.export(child, 3)
    subprocess.run(
        [sys.executable, "-m", "lmviz.train", "recipe.toml", "--out", "again"], cwd=folder, check=True, env=paths()
    )
    assert (folder / "again" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    with pytest.raises(UserError, match="d_mlp must be 16, as in the model that training starts from; got 17"):
        runs.start(replace(RECIPE, model=replace(RECIPE.model, d_mlp=17)), start_from=start)


def test_a_run_that_rounds_its_weights_goes_on_opens_and_gives_a_rounded_model(runs: Here) -> None:
    recipe = replace(RECIPE, quantisation=QuantisationRecipe("int4", granularity="channel"))
    run = runs.start(recipe)
    runs.step(run, 30)
    runs.work()
    runs.resume(run)
    runs.work()
    found = runs.get(run)
    assert (found.state, found.recipe.quantisation.format) == ("done", "int4")
    corpus = read_corpus(recipe, Path("nowhere"))
    model = prepare(new_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed), recipe.quantisation)
    losses = [one.loss for one in train(model, batches(corpus.train, 8, 3), recipe.training)]
    assert [loss for _, loss in runs.curve(run)] == losses

    last, behind = runs.model_at(run, 60), runs.model_at(run, 60, is_rounded=False)
    rounded = finish(prepare(behind.model, recipe.quantisation), behind.model).state_dict()
    assert all(torch.equal(weight, rounded[name]) for name, weight in last.model.state_dict().items())
    assert (
        len(last.model.blocks[0].attn.w_q.weight[0].unique()) <= 15 < len(behind.model.tok_embed.weight[0:8].unique())
    )
    assert corpus.held_out is not None
    assert dict(runs.curve(run, "held_out_loss"))[60] == pytest.approx(mean_loss(last.model, corpus.held_out))

    opened = runs.open_step(run, 21)
    assert opened.loss == losses[20]
    assert opened.before.keys() == dict(behind.model.named_parameters()).keys()
    step = opened.update("tok_embed.weight", (1, 2))
    assert step.value == pytest.approx(float(opened.after["tok_embed.weight"][1, 2]), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model": replace(RECIPE.model, n_heads=3)}, "multiple of n_heads"),
        ({"model": replace(RECIPE.model, d_model=0)}, "d_model must be a whole number, 1 or more"),
        ({"data": DataRecipe(file="names.txt")}, "must be in its recipe; they are in the file names.txt"),
    ],
)
def test_a_run_that_cannot_be_is_refused_at_once_and_leaves_nothing(
    runs: Here, changes: dict[str, object], sentence: str
) -> None:
    before = set(runs.folder.iterdir())
    with pytest.raises(UserError, match=sentence):
        runs.start(replace(RECIPE, **changes))
    assert runs.all() == ()
    assert set(runs.folder.iterdir()) == before


def test_a_run_that_needs_too_much_memory_fails_with_a_sentence(tmp_path: Path) -> None:
    runs = Here(tmp_path, Limits(at_once=1, memory=80_000))
    run = runs.start(RECIPE)
    runs.work()
    assert "may need 80000 bytes of memory" in runs.get(run).failure
    runs.limits = Limits(memory=10_000)
    with pytest.raises(UserError, match="may need 10000 bytes of memory"):  # whatever its texts are
        runs.start(RECIPE)


def test_without_held_out_texts_the_best_is_measured_on_those_trained_on(runs: Here) -> None:
    run = runs.start(replace(RECIPE, data=replace(RECIPE.data, held_out=0.0)))
    runs.work()
    assert "held_out_loss" not in runs.metrics(run)
    measured = runs.curve(run, "measured_loss")
    assert (runs.get(run).best_step, runs.get(run).best_loss) == min(measured, key=lambda point: point[1])


def test_a_page_reads_only_what_is_new(trained: tuple[Here, str]) -> None:
    runs, run = trained
    new = runs.series(run, "loss", after=55)
    assert new.steps.tolist() == [56, 57, 58, 59, 60]
    assert len(runs.series(run, "loss", after=60)) == 0
    assert runs.series(run, "loss", steps=(3, 4)).steps.tolist() == [3, 4]
    assert len(runs.series(run, "loss", n_points=10)) <= 10


def test_ids_are_looked_up_before_they_are_used_as_names_of_folders(runs: Here) -> None:
    for method in (runs.get, runs.recipe, runs.delete, runs.pause, runs.resume, runs.stops, runs.duplicate):
        with pytest.raises(UserError, match=r"There is no run \.\./\.\.: it may have been deleted"):
            method("../..")


def test_the_folder_is_the_one_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMVIZ_RUNS", str(tmp_path / "elsewhere"))
    assert Runs().folder == tmp_path / "elsewhere"
    monkeypatch.delenv("LMVIZ_RUNS")
    monkeypatch.chdir(tmp_path)
    assert Runs().folder == tmp_path / "runs"


def test_saving_is_no_more_often_than_it_may_be(monkeypatch: pytest.MonkeyPatch, runs: Here) -> None:
    """Every step is due, and yet only the milestones and the last stay on disk."""
    monkeypatch.setattr(checkpoint_writer, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(checkpoint_writer, "SAVING_SHARE", 1e9)
    run = runs.start(RECIPE)
    runs.work()
    kept = {0, 1, 2, 5, 10, 20, 50, 60, runs.get(run).best_step}
    assert {stop.step for stop in runs.stops(run)} == kept


@pytest.mark.nightly
def test_training_knows_nothing_of_streamlit() -> None:
    program = "import sys, lmviz.train.runs, lmviz.train.__main__; sys.exit('streamlit' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env=paths())
