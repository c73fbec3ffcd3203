"""What a failing disk, a full one, another version or another person does to the store, and what is said of it."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lmviz.errors import UserError
from lmviz.model import files as model_files
from lmviz.model.checkpoint import load
from lmviz.train import drafts
from lmviz.train import runs as runs_module
from lmviz.train.export import folder_name
from lmviz.train.limits import Limits
from lmviz.train.store import database, liveness, space
from lmviz.train.store.checkpoints import bytes_in
from lmviz.train.store.database import FILE, VERSION, Database
from lmviz.train.store.files import SUMS, DamagedFile, sums_of, write_listed
from lmviz.train.store.liveness import hold, lock_of
from lmviz.train.store.run_table import TrainingRun, add_run, all_runs
from tests.unit.test_runs import RECIPE, Here, expected

SHORT = replace(RECIPE, training=replace(RECIPE.training, steps=12))


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Here]:
    runs = Here(tmp_path / "runs")
    yield runs
    runs.die()


@pytest.fixture(scope="module")
def curve() -> list[tuple[int, float]]:
    return [(snapshot.step, snapshot.loss) for snapshot in expected(SHORT)]


def flip(path: Path, at: float) -> None:
    """Another bit in one byte of a file, at a part of its length."""
    content = bytearray(path.read_bytes())
    content[min(int(at * len(content)), len(content) - 1)] ^= 1
    path.write_bytes(content)


def checkpoint(runs: Here, run: str, step: int) -> Path:
    (path,) = (runs.folder / run / "checkpoints").glob(f"step-{step:09d}.*")
    return path


def kinds(runs: Here, run: str) -> list[str]:
    return [event.kind for event in runs.events(run)]


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.parametrize("at", [0.0, 0.1, 0.4, 0.6, 0.8, 1.0])
def test_a_checkpoint_with_another_bit_is_passed_over_for_the_one_before_and_that_is_said(
    runs: Here, curve: list[tuple[int, float]], at: float
) -> None:
    run = runs.start(SHORT)
    runs.step(run, 7)
    runs.work()
    flip(checkpoint(runs, run, 7), at)
    with pytest.raises(DamagedFile):
        runs.model_at(run, 7)
    assert runs.before_step(run, 8).step == 8  # from the one before, with the step in between made again
    runs.resume(run)
    runs.work()
    assert runs.curve(run) == curve
    (said,) = [event for event in runs.events(run) if event.kind == "damaged"]
    assert (said.sentence or "").startswith("The checkpoint of step {step} is damaged")
    assert said.details == {"step": 7, "before": 5}


@pytest.mark.slow
def test_when_all_checkpoints_are_damaged_the_run_begins_again(runs: Here, curve: list[tuple[int, float]]) -> None:
    run = runs.start(SHORT)
    runs.step(run, 7)
    runs.work()
    for stop in runs.stops(run):
        flip(checkpoint(runs, run, stop.step), 0.9)
    runs.resume(run)
    runs.work()
    assert runs.curve(run) == curve
    assert {event.details["before"] for event in runs.events(run) if event.kind == "damaged"} == {0}
    assert all(runs.model_at(run, stop.step) for stop in runs.stops(run))  # written anew, and whole


def test_a_damaged_step_of_a_diverged_run_is_a_sentence(runs: Here) -> None:
    wild = replace(RECIPE.training, optimizer="sgd", learning_rate=3e37, schedule="constant", warm_up=20, clip=0.0)
    run = runs.start(replace(RECIPE, training=wild))
    runs.work()
    (bad,) = (runs.folder / run / "checkpoints").glob("bad_step.*")
    flip(bad, 0.7)
    with pytest.raises(DamagedFile, match="is damaged"):
        runs.open_step(run, runs.get(run).details["step"])


def test_of_two_files_of_one_step_the_later_counts_and_the_other_goes_with_the_next(runs: Here) -> None:
    run = runs.start(SHORT)
    runs.step(run, 2)
    runs.work()
    path = checkpoint(runs, run, 2)
    older = path.with_name("step-000000002.0123456789abcdef.safetensors")
    shutil.copy(path, older)
    os.utime(older, (0, 0))
    assert runs.model_at(run, 2)
    assert [stop.step for stop in runs.stops(run)] == [0, 1, 2]
    checkpoints = space.checkpoints_of(runs.folder, run)
    checkpoints.put(2, checkpoints.get(2))
    assert [one.name for one in checkpoints.folder.glob("step-000000002.*")] == [path.name]


# -- all other files ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_other_file_of_a_run_is_listed_and_checked_when_it_is_read(tmp_path: Path) -> None:
    source = Here(tmp_path / "source")
    first = source.start(SHORT)
    source.step(first, 1)
    source.work()
    start = source.model_at(first, 1)
    source.die()
    names = set()
    for n in range(20):
        runs = Here(tmp_path / str(n))
        run = runs.start(SHORT, start_from=start)
        runs.step(run, 1)
        runs.work()
        files = sorted(p for p in (runs.folder / run).rglob("*") if p.is_file() and "checkpoints" not in p.parts)
        names |= {path.relative_to(runs.folder / run).as_posix() for path in files}
        if n == len(files):
            runs.die()
            break
        flip(files[n], 0.5)
        runs.resume(run)
        runs.work()
        assert runs.get(run).state == "failed", files[n]
        assert files[n].name in (runs.get(run).failure or "") or files[n].name == SUMS
        runs.die()
    assert names >= {"recipe.json", "tokenizer.json", "start/config.json", "start/model.safetensors", SUMS}


def test_the_list_of_digests_is_what_the_usual_tool_reads(runs: Here) -> None:
    run = runs.start(SHORT)
    runs.step(run, 1)
    runs.work()
    lines = (runs.folder / run / SUMS).read_text().splitlines()
    assert [line[64:] for line in lines] == ["  recipe.json", "  tokenizer.json"]
    assert all(int(line[:64], 16) for line in lines)


def test_a_damaged_recipe_does_not_hide_the_run(runs: Here) -> None:
    run = runs.start(SHORT)
    flip(runs.folder / run / "recipe.json", 0.5)
    with pytest.raises(DamagedFile, match=r"recipe\.json is damaged"):
        runs.recipe(run)
    assert [found.id for found in runs.all()] == [run]


def test_a_damaged_draft_is_not_taken_for_the_text(runs: Here) -> None:
    name = runs.keep_text("my own text")
    assert runs.kept_text(name) == "my own text"
    flip(runs.folder / drafts.FOLDER / name, 0.5)
    with pytest.raises(UserError, match="not kept any more"):
        runs.kept_text(name)
    with pytest.raises(UserError, match="not kept any more"):
        runs.kept_text("../runs.sqlite")


@pytest.mark.parametrize("column", ["steps", "numbers"])
def test_numbers_that_the_disk_damaged_are_left_out_and_counted(runs: Here, column: str) -> None:
    run = runs.start(SHORT)
    runs.work()
    assert runs.damaged(run) == {}
    with runs._database.writing() as db:
        (blob,) = db.execute(f"SELECT {column} FROM chunks WHERE run = ? AND metric = 'loss'", (run,)).fetchone()
        changed = bytes([blob[0] ^ 1]) + blob[1:]
        db.execute(f"UPDATE chunks SET {column} = ? WHERE run = ? AND metric = 'loss'", (changed, run))
    assert runs.damaged(run) == {"loss": 1}
    found = runs.series(run, "loss")
    assert (len(found), found.n_damaged) == (0, 1)
    assert runs.series(run, "grad_norm").n_damaged == 0


# -- the list of runs --------------------------------------------------------------------------------------------------

DAMAGES = {
    "recipe is no JSON": ("recipe", "{half"),
    "recipe of another version": ("recipe", '{"data": {}, "surprise": {}}'),
    "recipe is a list": ("recipe", "[1]"),
    "recipe is bytes": ("recipe", b"\xff\xfe"),
    "recipe is deep": ("recipe", "[" * 100_000),
    "facts": ("facts", "nothing"),
    "facts are a list": ("facts", "[]"),
    "details": ("details", "[1, 2]"),
    "a sentence without its details": ("sentence", "It has {nothing}."),
    "a sentence that looks around": ("sentence", "{0.__class__}"),
    "state": ("state", "dancing"),
    "step": ("step", "many"),
    "name": ("name", b"\x00\x01"),
    "created": ("created", "yesterday"),
    "loss": ("loss", "low"),
    "id": ("id", "../../elsewhere"),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_an_entry_that_makes_no_sense_hides_no_other_and_can_be_deleted(runs: Here, damage: str) -> None:
    good, bad, also_good = (runs.start(SHORT, name) for name in ("one", "two", "three"))
    column, value = DAMAGES[damage]
    with runs._database.writing() as db:
        db.execute(f"UPDATE runs SET {column} = ? WHERE id = ?", (value, bad))
    assert [run.id for run in runs.all()] == [also_good, good]
    (unreadable,) = runs.unreadable()
    assert str(unreadable.why)
    if column != "id":
        with pytest.raises(UserError):
            runs.get(bad)
        runs.delete(unreadable.id)
        assert runs.unreadable() == ()
        assert not (runs.folder / bad).exists()
    else:
        with pytest.raises(UserError, match="There is no run"):  # it is no name of a folder of ours
            runs.delete(unreadable.id)
        assert (runs.folder.parent).exists()
    assert runs.get(good).name == "one"


def test_the_list_is_as_quick_above_256_runs_as_below(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recipe is read from its text once, however many there are: counted, not timed."""
    from lmviz.train.store import run_table

    run_table._recipe.cache_clear()
    with store.writing() as db:
        for i in range(600):
            tables = runs_module._without_texts(replace(SHORT, training=replace(SHORT.training, seed=i)))
            add_run(db, f"{i:012x}", "n", tables)
    read = []
    stored_recipe = run_table.stored_recipe
    monkeypatch.setattr(run_table, "stored_recipe", lambda tables: (read.append(1), stored_recipe(tables))[1])
    with store.reading() as db:
        for _ in range(3):
            assert len(all_runs(db)[0]) == 600
        assert run_table.run_of(db, f"{300:012x}").queue_place == 301
    assert len(read) == 600


def test_one_run_is_read_without_reading_the_others(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from lmviz.train.store import run_table

    with store.writing() as db:
        for i in range(20):
            add_run(db, f"{i:012x}", "n", runs_module._without_texts(SHORT))
    rows = []
    made = run_table._run
    monkeypatch.setattr(run_table, "_run", lambda *asked: (rows.append(1), made(*asked))[1])
    with store.reading() as db:
        run_table.run_of(db, f"{7:012x}")
    assert len(rows) == 1


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return Database(tmp_path / "store")


# -- other versions ----------------------------------------------------------------------------------------------------

VERSION_1 = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, created REAL NOT NULL, recipe TEXT NOT NULL,
    facts TEXT NOT NULL DEFAULT '{}', state TEXT NOT NULL, queued REAL, until INTEGER, wanted TEXT, worker TEXT,
    segment INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, pace REAL,
    loss REAL, best_step INTEGER, best_loss REAL, sentence TEXT, details TEXT
);
CREATE TABLE chunks (
    run TEXT NOT NULL, metric TEXT NOT NULL, first_step INTEGER NOT NULL, last_step INTEGER NOT NULL,
    steps BLOB NOT NULL, numbers BLOB NOT NULL, PRIMARY KEY (run, metric, first_step)
);
CREATE TABLE samples (run TEXT, step INTEGER, place INTEGER, prompt TEXT, text TEXT, PRIMARY KEY (run, step, place));
CREATE TABLE events (id INTEGER PRIMARY KEY, run TEXT, at REAL, step INTEGER, kind TEXT, sentence TEXT, details TEXT);
CREATE INDEX events_of_a_run ON events (run);
CREATE TABLE pins (run TEXT, step INTEGER, PRIMARY KEY (run, step));
CREATE TABLE workers (id TEXT PRIMARY KEY, pid INTEGER NOT NULL, run TEXT);
PRAGMA user_version = 1;
"""


@pytest.fixture
def version_1(tmp_path: Path) -> tuple[Path, str]:
    """A folder as the first version left it: no owners, no checksums, checkpoints named by their step alone."""
    runs = Here(tmp_path / "made")
    run = runs.start(SHORT, "an old run")
    runs.step(run, 7)
    runs.work()
    runs.pin(run, 5)
    old = tmp_path / "old"
    old.mkdir()
    with closing(sqlite3.connect(old / FILE)) as db:
        db.executescript(VERSION_1)
        db.execute("ATTACH ? AS new", (str(runs.folder / FILE),))
        for table in ("runs", "chunks", "samples", "events", "pins"):
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
        db.commit()
    runs.die()
    shutil.copytree(runs.folder / run, old / run)
    (old / run / SUMS).unlink()
    for path in (old / run / "checkpoints").iterdir():
        path.rename(path.with_name(f"{path.name.partition('.')[0]}.safetensors"))
    return old, run


def test_a_store_of_the_first_version_is_brought_up_to_date_and_its_run_goes_on(
    version_1: tuple[Path, str], curve: list[tuple[int, float]]
) -> None:
    folder, run = version_1
    runs = Here(folder)
    with runs._database.reading() as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == VERSION
    found = runs.get(run)
    assert (found.name, found.state, found.step, found.owner) == ("an old run", "paused", 7, "")
    assert runs.curve(run) == curve[:7]
    assert {stop.step for stop in runs.stops(run)} == {0, 1, 2, 5, 7}
    assert runs.model_at(run, 5)
    runs.resume(run)
    runs.work()
    assert runs.curve(run) == curve
    assert runs.damaged(run) == {}
    assert [one.id for one in _opened(folder)] == [run]
    runs.die()


def _opened(folder: Path) -> tuple[TrainingRun, ...]:
    with Database(folder).reading() as db:
        return all_runs(db)[0]


def test_a_damaged_checkpoint_of_the_first_version_is_seen_where_it_can_be(version_1: tuple[Path, str]) -> None:
    folder, run = version_1
    path = folder / run / "checkpoints/step-000000007.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    runs = Here(folder)
    with pytest.raises(DamagedFile, match="must be a whole safetensors file"):
        runs.model_at(run, 7)
    runs.die()


def test_a_store_in_which_an_older_lmviz_trains_is_left_alone(version_1: tuple[Path, str]) -> None:
    folder, _ = version_1
    with closing(sqlite3.connect(folder / FILE)) as db:
        db.execute("INSERT INTO workers VALUES ('w', 1, NULL)")
        db.commit()
    with hold(lock_of(folder, "w")), pytest.raises(UserError, match="An older lmviz is training in"):
        Database(folder)
    with closing(sqlite3.connect(folder / FILE)) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 1
    assert Database(folder)  # now it is gone


@pytest.mark.parametrize(("version", "sentence"), [(VERSION + 1, "newer lmviz"), (2**31 - 1, "newer"), (-1, "another")])
def test_a_store_of_another_version_is_refused_in_a_sentence(store: Database, version: int, sentence: str) -> None:
    with store.writing() as db:
        db.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(UserError, match=sentence):
        Database(store.folder)


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as db:
        db.execute("CREATE TABLE songs (name TEXT)")
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(UserError, match="it belongs to another program"):
        Database(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_every_version_leads_to_the_present_one() -> None:
    assert sorted(database.MIGRATIONS) == list(range(1, VERSION))


def test_a_new_store_and_one_brought_up_to_date_have_the_same_tables(version_1: tuple[Path, str]) -> None:
    def columns(folder: Path) -> dict[str, list[tuple[str, str]]]:
        with Database(folder).reading() as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {t: sorted((row[1], row[2]) for row in db.execute(f"PRAGMA table_info({t})")) for t in tables}

    assert columns(version_1[0]) == columns(version_1[0].parent / "new")


# -- full disks, and the limit of the folder ---------------------------------------------------------------------------


def filling(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """A disk that is full after so many writes."""
    put, written = model_files.put, []

    def limited(descriptor: int, content: bytes) -> None:
        written.append(content)
        if len(written) > writes:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(descriptor, content)

    monkeypatch.setattr(model_files, "put", limited)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Here, str]]:
    runs = Here(tmp_path_factory.mktemp("done"))
    run = runs.start(SHORT)
    runs.work()
    yield runs, run
    runs.die()


@pytest.mark.slow
@pytest.mark.parametrize("writes", range(6))
def test_an_export_onto_a_full_disk_is_a_sentence_and_leaves_nothing(
    done: tuple[Here, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    runs, run = done
    before = sorted((runs.folder / "exports").glob("*"))  # by other tests
    filling(monkeypatch, writes)
    for folder in (None, tmp_path / "mine"):
        with pytest.raises(UserError, match="no room left on the disk"):
            runs.export(run, 12, folder)
    assert list(tmp_path.iterdir()) == []
    assert sorted((runs.folder / "exports").glob("*")) == before
    assert zipfile.ZipFile(io.BytesIO(runs.zipped(run, 12))).testzip() is None  # which needs no disk


def test_an_export_into_a_folder_that_exists_takes_nothing_away(done: tuple[Here, str], tmp_path: Path) -> None:
    runs, run = done
    (tmp_path / "notes.txt").write_text("mine")
    assert load(runs.export(run, 12, tmp_path)).card.title == "Names"
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert not list(tmp_path.parent.glob(".*unfinished"))


def test_two_runs_of_one_name_export_into_two_folders(done: tuple[Here, str]) -> None:
    runs, run = done
    other = runs.start(SHORT)
    runs.work()
    assert runs.get(other).name == runs.get(run).name
    assert runs.export(run, 12) != runs.export(other, 12)
    runs.delete(other)


def test_starting_on_a_full_disk_is_a_sentence_and_leaves_nothing(runs: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(path.name for path in runs.folder.iterdir())
    for writes in range(2):
        with monkeypatch.context() as patch:
            filling(patch, writes)
            with pytest.raises(UserError, match="no room left on the disk"):
                runs.start(SHORT)
    assert runs.all() == ()
    assert sorted(path.name for path in runs.folder.iterdir()) == before


def test_a_run_can_be_deleted_from_a_full_disk(runs: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite needs room to forget a row: the run's checkpoints give it."""
    run = runs.start(SHORT)
    runs.work()
    checkpoints = runs.folder / run / "checkpoints"
    writing = Database.writing

    def full_until_room_is_made(self: Database) -> object:
        if checkpoints.exists():
            raise runs_module.DiskFull("There is no room left on the disk of {folder}.", folder=self.folder)
        return writing(self)

    monkeypatch.setattr(Database, "writing", full_until_room_is_made)
    runs.delete(run)
    assert runs.all() == ()


@pytest.mark.parametrize("do", ["start", "start from", "export", "keep a text"])
def test_the_limit_of_the_folder_holds_for_all_that_is_written(
    done: tuple[Here, str], monkeypatch: pytest.MonkeyPatch, do: str
) -> None:
    runs, run = done
    start = runs.model_at(run, 12)
    deeds: dict[str, Callable[[], object]] = {
        "start": lambda: runs.start(SHORT),
        "start from": lambda: runs.start(SHORT, start_from=start),
        "export": lambda: runs.export(run, 12),
        "keep a text": lambda: runs.keep_text("x" * 5000),
    }
    before = bytes_in(runs.folder)
    monkeypatch.setattr(runs, "limits", Limits(n_bytes=before + 100))
    monkeypatch.setattr(space, "kept", lambda *_: range(100))  # nothing can give way
    with pytest.raises(UserError, match=r"The runs may take \d+ bytes and have taken all of it"):
        deeds[do]()
    assert bytes_in(runs.folder) == before


@pytest.fixture
def only_checkpoints_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "bytes_in", lambda root: sum(p.stat().st_size for p in root.rglob("*.safetensors*")))


@pytest.mark.slow
@pytest.mark.usefixtures("only_checkpoints_count")
def test_whose_checkpoints_are_thinned_is_told_why_and_strangers_come_last(runs: Here) -> None:
    strange = runs.start(SHORT, "a stranger's", owner="b")
    runs.work()
    mine = runs.start(SHORT, "mine", owner="a")
    runs.work()
    new = runs.start(SHORT, "new", owner="a")
    size = runs.stops(mine)[-1].n_bytes
    with closing(runs._database.connect()) as db:
        space.free_space(db, runs.folder, new, size, limit=space.bytes_in(runs.folder))
        assert ("thinned" in kinds(runs, mine), "thinned" in kinds(runs, strange)) == (True, False)
        space.free_space(db, runs.folder, new, 5 * size, limit=space.bytes_in(runs.folder))
    assert "thinned" in kinds(runs, strange)
    for run in (mine, strange):
        lost = {0, 1, 2, 5, 10} - {stop.step for stop in runs.stops(run)}
        said = [event for event in runs.events(run) if event.kind == "thinned"]
        assert all((event.sentence or "").startswith("To make room for the run {name}") for event in said)
        assert {event.details["name"] for event in said} == {"new"}
        assert {int(step) for event in said for step in event.details["steps"].split(", ")} == lost


def test_how_long_a_trainer_is_silent_is_told_by_the_clock_of_who_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that slept, or a clock that was set, makes nobody silent."""
    now = [100.0]
    monkeypatch.setattr(liveness.time, "monotonic", lambda: now[0])
    path = lock_of(tmp_path, "w")
    with hold(path):
        os.utime(path, (5, 5))  # long ago
        silence = liveness.SilenceClock(tmp_path)
        assert silence.look(["w"]) == {"w": 0.0}
        now[0] += 20
        assert silence.look(["w"]) == {"w": 20.0}
        os.utime(path, (6, 6))
        assert silence.look(["w"]) == {"w": 0.0}
        now[0] += 7
        assert silence.look(["w", "gone"]) == {"w": 7.0, "gone": 0.0}
        assert silence.look([]) == {}
        assert silence.look(["w"]) == {"w": 0.0}


HOSTILE_NAMES = (
    "../../etc/passwd",
    "a/b\\c",
    ".hidden",
    "C:\\x",
    "con",
    "x" * 80,
    "été №2",
    "\u202egnp.exe",
    "‑‑rf",
    "<b>",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_the_name_of_a_run_is_no_path(done: tuple[Here, str], name: str) -> None:
    runs, run = done
    runs.rename(run, name)
    plain = folder_name(name, 12)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,60}", plain)
    folder = runs.export(run, 12)
    assert folder.parent == runs.folder / "exports"
    assert folder.name == f"{plain}-{run}"
    packed = zipfile.ZipFile(io.BytesIO(runs.zipped(run, 12)))
    assert {one.split("/")[0] for one in packed.namelist()} == {plain}
    shutil.rmtree(folder)
    runs.rename(run, "Names")


def test_what_a_model_wrote_on_steps_that_were_undone_is_forgotten(runs: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are made again, and a model writes again: of two texts of one step the first is a ghost."""
    run = runs.start(SHORT)
    runs.step(run, 5)
    runs.work()
    whole = runs.samples(run)
    with runs._database.writing() as db:
        ghosts = [(run, step, place, ".", "a ghost") for step in (7, 10, 11) for place in range(9)]
        db.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", ghosts)
    runs.step(run, 3)
    runs.work()
    assert runs.get(run).step == 8
    assert runs.samples(run) == whole  # steps 6 to 8 are no stops of time travel
    runs.resume(run)
    runs.work()
    assert not [sample for sample in runs.samples(run) if sample.text == "a ghost"]
    assert {sample.step for sample in runs.samples(run, after=5)} == {10, 12}


def test_files_are_listed_before_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "texts.json" / "in the way").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_listed(tmp_path, {"recipe.json": b"{}", "texts.json": b"[]"})
    assert sums_of(tmp_path).keys() == {"recipe.json", "texts.json"}
