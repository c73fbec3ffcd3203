"""Where the curves of a training go besides: files, and services whose programs are written here by the test."""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from pathlib import Path

import pytest

from lmviz.errors import UserError
from lmviz.train import trackers
from lmviz.train.__main__ import WRONG_USE, main
from lmviz.train.recipe import read_recipe
from lmviz.train.runs import Runs
from lmviz.train.trackers import TENSORBOARD, as_csv, as_tensorboard, opened
from tests.unit.test_train import RECIPE
from tests.waiting import rests, until

SERVICE = """
import json
said = open({file!r}, "w")
def init(project, name, config): print(json.dumps(["init", project, name, config["training"]["steps"]]), file=said)
def log(numbers, step): print(json.dumps(["log", step, sorted(numbers)]), file=said)
def finish(): print(json.dumps(["finish"]), file=said); said.close()
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def _service(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch, text: str = SERVICE) -> Path:
    (folder / f"{name}.py").write_text(text.format(file=str(folder / "said")))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return folder / "said"


def test_a_command_logs_its_curve_to_a_file_and_to_a_service(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = _service(tmp_path, "trackio", monkeypatch)
    assert main([str(recipe), "--out", str(tmp_path / "out"), "--log", "csv", "--log", "trackio"]) == 0
    rows = list(csv.DictReader((tmp_path / "out/logs/curves.csv").read_text().splitlines()))
    assert [int(row["step"]) for row in rows] == list(range(1, 21))
    assert all(float(row["loss"]) > 0 and float(row["learning_rate"]) > 0 for row in rows)
    told = [json.loads(line) for line in said.read_text().splitlines()]
    assert told[0][0] == "init" and told[0][3] == 20 and told[-1] == ["finish"]
    assert [one[1] for one in told[1:-1]] == list(range(1, 21)) and "loss" in told[1][2]


def test_what_is_not_there_or_does_not_begin_is_told_before_anything_is_trained(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert main([str(recipe), "--out", str(tmp_path / "out"), "--log", "tensorboard"]) == WRONG_USE
    said = capsys.readouterr()
    assert 'pip install "lmviz[tensorboard]"' in said.err and not said.out
    _service(tmp_path, "wandb", monkeypatch, "def init(**rest):\n    raise OSError('no account')\n")
    assert main([str(recipe), "--out", str(tmp_path / "out"), "--log", "wandb"]) == WRONG_USE
    assert "no account" in capsys.readouterr().err
    with pytest.raises(UserError, match="none of these"):
        opened(["mlflow"], tmp_path, "mine", None)  # type: ignore[arg-type]


def test_curves_are_files_of_tensorboard_that_it_reads() -> None:
    points = {"loss": [(1, 2.5), (2, 1.25)], "accuracy": [(2, 0.5)]}
    with zipfile.ZipFile(io.BytesIO(as_tensorboard(points, "mine"))) as archive:
        (name,) = archive.namelist()
        content = archive.read(name)
    assert name.startswith("mine/events.out.tfevents") and _scalars(content) == points


def _scalars(content: bytes) -> dict[str, list[tuple[int, float]]]:
    """The numbers of an event file: records of a length, its checksum, an event, and its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict[str, list[tuple[int, float]]] = {}
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 8], "little")
        event = Event.FromString(content[at + 12 : at + 12 + size])
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
        at += 16 + size
    return found


def test_a_table_has_a_line_for_each_step_at_which_something_was_measured() -> None:
    written = as_csv({"loss": [(1, 2.5), (2, 1.5)], "held_out_loss": [(2, 1.75)]})
    assert written.decode() == "step,loss,held_out_loss\n1,2.5,\n2,1.5,1.75\n"


@pytest.mark.nightly
def test_a_training_of_the_app_is_logged_where_its_server_asks_and_its_curves_can_be_had(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trackers.VARIABLE, "csv, nothing")
    runs = Runs(tmp_path / "runs")
    run = runs.start(read_recipe(recipe), "mine")
    until(lambda: rests(runs, run))
    runs.close()
    logged = list(csv.DictReader((runs.folder / run / "curves.csv").read_text().splitlines()))
    curves = runs.curves(run)
    assert [float(row["loss"]) for row in logged if row["loss"]] == [number for _, number in curves["loss"]]
    assert len(curves["loss"]) == 20 and TENSORBOARD not in str(runs.events(run))
