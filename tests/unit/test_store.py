"""The store of runs: whole or not at all, readable while it is written, bounded, and plain about what goes wrong."""

from __future__ import annotations

import contextlib
import errno
import math
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from lmviz.errors import UserError
from lmviz.model import files as model_files
from lmviz.model.files import write_whole
from lmviz.train import drafts
from lmviz.train.store import database, files, space
from lmviz.train.store.checkpoints import Checkpoints, Saved, crowded, is_milestone, next_milestone, only_to_resume
from lmviz.train.store.database import FILE, Database, transaction
from lmviz.train.store.files import read_tensors, tensors_as_bytes
from lmviz.train.store.series import CHUNK, Writer, means, read_series, thinned
from lmviz.train.store.space import checkpoints_of, free_space
from lmviz.train.work.checkpoint_writer import CheckpointWriter

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> Database:
    return Database(tmp_path / "runs")


def append(db: sqlite3.Connection, writer: Writer, steps: range) -> None:
    with transaction(db):
        writer.append({"loss": [(step, step / 2) for step in steps], "rate": [(steps[-1], 1.0)]})


def read(store: Database, metric: str = "loss", n_points: int = 10**6, **how: object) -> list[tuple[int, float]]:
    with store.reading() as db:
        found = read_series(db, "a", metric, n_points, **how)
    return list(zip(found.steps.tolist(), found.numbers.tolist(), strict=True))


@pytest.fixture
def db(store: Database) -> Iterator[sqlite3.Connection]:
    with closing(store.connect()) as found:
        yield found


def test_a_series_is_read_as_it_was_written(store: Database, db: sqlite3.Connection) -> None:
    writer = Writer(db, "a")
    append(db, writer, range(1, 4))
    append(db, writer, range(4, CHUNK + 10))
    append(db, writer, range(CHUNK + 10, 3 * CHUNK))
    assert read(store) == [(step, step / 2) for step in range(1, 3 * CHUNK)]
    assert read(store, "rate") == [(3, 1.0), (CHUNK + 9, 1.0), (3 * CHUNK - 1, 1.0)]
    assert read(store, "nothing") == []
    assert read(store, steps=(5, 7)) == [(5, 2.5), (6, 3.0), (7, 3.5)]
    assert read(store, steps=(3 * CHUNK - 2, 10**9)) == [
        (3 * CHUNK - 2, 3 * CHUNK / 2 - 1),
        (3 * CHUNK - 1, 3 * CHUNK / 2 - 0.5),
    ]


@pytest.mark.parametrize("cut", [0, 2, CHUNK - 1, CHUNK, CHUNK + 1, 10**6])
def test_what_comes_after_a_step_can_be_forgotten_and_written_again(
    store: Database, db: sqlite3.Connection, cut: int
) -> None:
    n = 2 * CHUNK + 5
    append(db, Writer(db, "a"), range(1, n))
    writer = Writer(db, "a")
    with transaction(db):
        writer.cut(cut)
    kept = min(cut, n - 1)
    assert read(store) == [(step, step / 2) for step in range(1, kept + 1)]
    append(db, writer, range(kept + 1, n + 3))
    assert read(store) == [(step, step / 2) for step in range(1, n + 3)]


def test_a_thinned_series_keeps_its_ends_and_every_peak() -> None:
    steps, numbers = np.arange(100_000), np.random.default_rng(0).normal(size=100_000)
    numbers[[777, 50_000]] = [90.0, -90.0]
    found = thinned(steps, numbers, 500)
    assert len(found) <= 500
    assert found.n_measured == 100_000
    assert (found.steps[0], found.steps[-1]) == (0, 99_999)
    assert {777, 50_000} <= set(found.steps.tolist())
    assert np.array_equal(numbers[found.steps], found.numbers)


def test_numbers_that_are_not_finite_are_kept_in_a_whole_series_and_left_out_of_a_thinned_one() -> None:
    steps, numbers = np.arange(1000), np.ones(1000)
    numbers[500:] = math.nan
    assert np.isnan(thinned(steps, numbers, 1000).numbers).sum() == 500
    assert np.isfinite(thinned(steps, numbers, 100).numbers).all()
    assert len(thinned(steps, np.full(1000, math.inf), 100)) == 0


def write_for_a_while(folder: Path, n_flushes: int) -> None:
    with closing(Database(folder).connect()) as db:
        writer = Writer(db, "a")
        for flush in range(n_flushes):
            append(db, writer, range(20 * flush + 1, 20 * flush + 21))
            time.sleep(0.01)  # so that on a busy machine, too, there is something to read before all is there


def read_for_a_while(store: Database, n_steps: int, is_written: Callable[[], bool]) -> int:
    """Read until all is there; returns how many different lengths were seen on the way."""
    lengths = {0}
    while max(lengths) < n_steps:
        goes_on, points = is_written(), read(store)
        assert goes_on or len(points) == n_steps, "the writer has ended too early"
        assert points == [(step, step / 2) for step in range(1, len(points) + 1)]
        assert len(points) >= max(lengths)
        lengths.add(len(points))
    return len(lengths)


@pytest.mark.nightly
def test_two_readers_and_a_writer_do_not_wait_for_each_other_or_see_half_of_anything(tmp_path: Path) -> None:
    writer = SPAWN.Process(target=write_for_a_while, args=(tmp_path, 200), daemon=True)
    writer.start()
    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(read_for_a_while, Database(tmp_path), 20 * 200, writer.is_alive) for _ in range(2)]
        assert all(reader.result(timeout=60) >= 3 for reader in readers)
    writer.join()
    assert writer.exitcode == 0


def test_a_store_can_be_made_by_several_at_the_same_time(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for store in threads.map(lambda _: Database(tmp_path), range(16)):
            with store.reading() as db:
                assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_a_transaction_that_fails_leaves_nothing(store: Database) -> None:
    with contextlib.suppress(RuntimeError), store.writing() as db:
        db.execute("INSERT INTO pins VALUES ('a', 1)")
        raise RuntimeError
    with store.reading() as db:
        assert db.execute("SELECT count(*) FROM pins").fetchone()[0] == 0


def test_a_store_of_a_newer_lmviz_is_left_alone(store: Database) -> None:
    with store.writing() as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(UserError, match="newer lmviz"):
        Database(store.folder)


def test_a_locked_store_is_a_sentence(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    with store.writing(), pytest.raises(UserError, match="locked by another program"), store.writing():
        pass


@pytest.mark.parametrize(
    ("pragma", "sentence"),
    [
        ("query_only = 1", "must be a folder that lmviz may write to"),
        ("max_page_count = 1", "no room left on the disk"),
    ],
)
def test_a_store_that_cannot_be_written_is_a_sentence(
    store: Database, monkeypatch: pytest.MonkeyPatch, pragma: str, sentence: str
) -> None:
    connect = Database.connect

    def limited(self: Database) -> sqlite3.Connection:
        db = connect(self)
        db.execute(f"PRAGMA {pragma}")
        return db

    monkeypatch.setattr(Database, "connect", limited)
    with pytest.raises(UserError, match=sentence), store.writing() as db:
        db.execute("INSERT INTO chunks VALUES ('a', 'b', 1, 2, zeroblob(1000000), '', 0)")
    with store.reading() as db:
        assert db.execute("SELECT count(*) FROM chunks").fetchone()[0] == 0


def test_a_folder_that_is_a_file_and_a_file_that_is_no_store_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be read or written"):
        Database(tmp_path / "file")
    (tmp_path / FILE).write_text("this is no database, " * 100)
    with pytest.raises(UserError, match="is damaged"):
        Database(tmp_path)


def test_a_store_that_went_away_is_a_sentence(store: Database) -> None:
    for path in store.folder.iterdir():
        path.unlink()
    with pytest.raises(UserError, match="may write to"), store.reading():
        pass


def test_our_own_mistakes_are_no_sentences(store: Database) -> None:
    with pytest.raises(sqlite3.ProgrammingError), store.reading() as db:
        db.execute("SELECT ?", ())


def test_a_file_that_could_not_be_written_is_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(model_files, "put", full)
    with pytest.raises(UserError, match="no room left on the disk"), files.sentences(tmp_path):
        write_whole(path, b"new content")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_tensors_come_back_with_their_facts_and_a_broken_file_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(7.0)}
    write_whole(path, tensors_as_bytes(tensors, {"step": "3"}))
    found, facts = read_tensors(path)
    assert facts == {"step": "3"}
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match="must be a whole safetensors file"):
        read_tensors(path)


def test_milestones_are_1_2_5_and_so_on() -> None:
    steps = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]
    assert [step for step in range(2001) if is_milestone(step)] == steps
    assert [next_milestone(step) for step in steps[:-1]] == steps[1:]
    assert next_milestone(51) == 100


def test_the_most_crowded_checkpoints_go_first_and_of_two_such_the_older() -> None:
    saved = [Saved(step, 10) for step in (0, 1, 2, 5, 10, 20, 50, 100)]
    assert crowded(saved, kept={100}, n_bytes=1) == [0]
    assert crowded(saved, kept={100}, n_bytes=40) == [0, 1, 2, 5]
    assert crowded(saved, kept={0, 2, 100}, n_bytes=30) == [1, 5, 10]
    assert crowded(saved, kept={0, 2, 100}, n_bytes=1000) == [1, 5, 10, 20, 50]
    assert crowded(saved, kept=set(), n_bytes=0) == []


def test_a_checkpoint_that_is_no_milestone_is_kept_only_for_a_reason() -> None:
    assert only_to_resume([Saved(step, 1) for step in (0, 5, 7, 10, 13, 14)], kept={13, 14}) == [7]


@pytest.fixture
def checkpoints(store: Database) -> Checkpoints:
    checkpoints = checkpoints_of(store.folder, "a")
    checkpoints.folder.mkdir(parents=True)
    return checkpoints


def test_a_shelf_knows_what_lies_on_it(checkpoints: Checkpoints) -> None:
    for step in (0, 20, 3):
        checkpoints.put(step, {"weight/a": torch.full((2,), float(step))})
    (checkpoints.folder / "step-000000009.safetensors.unfinished").write_bytes(b"half")
    (checkpoints.folder / "notes.txt").write_text("mine")
    assert [saved.step for saved in checkpoints.saved()] == [0, 3, 20]
    assert checkpoints.get(3)["weight/a"].tolist() == [3.0, 3.0]
    with pytest.raises(UserError, match="no checkpoint of step 9; there are 0, 3, 20"):
        checkpoints.get(9)
    checkpoints.remove_unfinished()
    checkpoints.drop([0, 1])
    assert sorted(path.name.partition(".")[0] for path in checkpoints.folder.iterdir()) == [
        "notes",
        "step-000000003",
        "step-000000020",
    ]


def test_a_shelf_does_not_bring_back_a_run_that_was_deleted(checkpoints: Checkpoints) -> None:
    checkpoints.folder.rmdir()
    with pytest.raises(FileNotFoundError):
        checkpoints.put(1, {"a": torch.ones(1)})


def add_run(store: Database, run: str, best: int, pin: int) -> None:
    checkpoints = checkpoints_of(store.folder, run)
    checkpoints.folder.mkdir(parents=True, exist_ok=True)
    for step in (0, 1, 2, 5, 10):
        checkpoints.put(step, {"a": torch.zeros(10_000)})
    with store.writing() as db:
        db.execute("INSERT INTO pins VALUES (?, ?)", (run, pin))
        db.execute(
            "INSERT INTO runs (id, name, created, recipe, state, best_step) VALUES (?, '', ?, '', 'done', ?)",
            (run, time.time(), best),
        )


@pytest.fixture
def only_checkpoints_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long SQLite's measurements grows depends on how quick this machine is."""
    monkeypatch.setattr(space, "bytes_in", lambda root: sum(p.stat().st_size for p in root.rglob("*.safetensors*")))


@pytest.mark.usefixtures("only_checkpoints_count")
def test_room_is_made_in_ones_own_run_first_then_in_others_and_never_from_what_is_kept(store: Database) -> None:
    add_run(store, "a", best=2, pin=1)
    add_run(store, "b", best=5, pin=0)
    size = checkpoints_of(store.folder, "a").saved()[0].n_bytes

    def steps(run: str) -> list[int]:
        return [saved.step for saved in checkpoints_of(store.folder, run).saved()]

    with closing(store.connect()) as db:
        full = space.bytes_in(store.folder)
        free_space(db, store.folder, "b", size, limit=full + size)
        assert (steps("a"), steps("b")) == ([0, 1, 2, 5, 10], [0, 1, 2, 5, 10])
        free_space(db, store.folder, "b", size, limit=full)
        assert (steps("a"), steps("b")) == ([0, 1, 2, 5, 10], [0, 2, 5, 10])
        free_space(db, store.folder, "b", 3 * size, limit=full - size)
        assert (steps("a"), steps("b")) == ([1, 2, 10], [0, 5, 10])
        with pytest.raises(UserError, match="nothing left to thin: delete runs or pins"):
            free_space(db, store.folder, "b", size, limit=size)
    assert (steps("a"), steps("b")) == ([1, 2, 10], [0, 5, 10])


def test_means_are_those_of_whole_stretches_however_they_are_read() -> None:
    steps, numbers = np.arange(1, 24), np.random.default_rng(0).normal(size=23)
    found = means(steps, numbers, 5)
    assert found.steps.tolist() == [5, 10, 15, 20]
    assert found.numbers == pytest.approx([numbers[i : i + 5].mean() for i in (0, 5, 10, 15)])
    later = means(steps[10:], numbers[10:], 5)
    assert later.numbers.tolist() == found.numbers[2:].tolist()
    assert len(means(steps[:4], numbers[:4], 5)) == 0


def test_what_is_written_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a power cut leaves all of the old file or all of the new one: content, then name, then folder."""
    done: list[str] = []
    put, sync, replace_ = model_files.put, os.fsync, Path.replace

    def name_of(descriptor: int) -> str:
        return "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content"

    monkeypatch.setattr(model_files, "put", lambda *asked: (done.append("written"), put(*asked))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append(f"{name_of(fd)} synced"), sync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda *asked: (done.append("named"), replace_(*asked))[1])
    Checkpoints(tmp_path).put(1, {"a": torch.ones(3)})
    assert done == ["written", "content synced", "named", "folder synced"]


def test_the_list_of_runs_survives_a_power_cut(store: Database) -> None:
    """WAL with synchronous = NORMAL: the last second may be lost, and nothing be damaged; with OFF it may."""
    with store.reading() as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert db.execute("PRAGMA synchronous").fetchone()[0] == 1


def test_only_so_many_drafts_are_kept_and_the_oldest_make_room(tmp_path: Path) -> None:
    names = []
    for n in range(drafts.MOST_KEPT + 3):
        names.append(drafts.keep(tmp_path, f"text {n}"))
        os.utime(tmp_path / drafts.FOLDER / names[-1], (n, n))
    names.append(drafts.keep(tmp_path, "the last"))
    assert len(list((tmp_path / drafts.FOLDER).iterdir())) == drafts.MOST_KEPT == 40
    assert drafts.kept(tmp_path, names[-1]) == "the last"
    assert drafts.kept(tmp_path, names[5]) == "text 5"
    for gone in names[:4]:
        with pytest.raises(UserError, match="not kept any more"):
            drafts.kept(tmp_path, gone)


def test_weights_that_are_not_finite_are_no_checkpoint(store: Database) -> None:
    checkpoints_of(store.folder, "a").folder.mkdir(parents=True)
    with closing(store.connect()) as db:
        writer = CheckpointWriter(db, store.folder, "a", n_bytes=10**6)
        writer.save(1, {"w": torch.ones(3)})
        writer.save(2, {"w": torch.tensor([1.0, math.nan, 1.0])})
        writer.close()
    assert [one.step for one in checkpoints_of(store.folder, "a").saved()] == [1]
