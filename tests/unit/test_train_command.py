"""`lmviz train` from a shell: what is checked before, what a stop leaves behind, and several processes as one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lmviz.errors import UserError
from lmviz.model.checkpoint import load
from lmviz.stopped import CUT_SHORT
from lmviz.train.__main__ import WRONG_USE, main
from lmviz.train.initial import new_model
from lmviz.train.loop import make_optimizer
from lmviz.train.recipe import ModelRecipe, TrainingRecipe
from lmviz.train.unfinished import NAME, Unfinished
from tests.conftest import ROOT
from tests.unit.test_train import RECIPE

LONG = RECIPE.replace("steps = 20", "steps = 600").replace("learning_rate = 0.01", "learning_rate = 0.003")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(LONG)
    return path


def test_a_disk_without_room_is_told_before_the_training_and_not_after_it(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lmviz.train.store.files.free_bytes", lambda _: 100)
    assert main([str(recipe), "--out", str(recipe.parent / "out")]) == WRONG_USE
    said = capsys.readouterr()
    assert "There is no room left on the disk" in said.err and not said.out
    assert "with --out" in said.err and "runs" not in said.err  # it has none


@pytest.mark.nightly
def test_a_terminal_that_is_closed_loses_nothing(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(LONG.replace("steps = 600", "steps = 20000"))
    process = started(sys.executable, "-m", "lmviz.train", str(recipe), "--out", str(tmp_path / "out"))
    first_lines(process, 1)
    process.send_signal(signal.SIGHUP)
    _, said = process.communicate(timeout=60)
    assert process.returncode == CUT_SHORT and "--resume" in said


def started(*words: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    pipe = subprocess.PIPE
    return subprocess.Popen(words, env=environment, text=True, stdout=pipe, stderr=pipe, preexec_fn=_hears_signals)


def _hears_signals() -> None:
    """Also where what runs the tests ignores some, as `nohup` and a shell's `&` do."""
    for one in (signal.SIGHUP, signal.SIGINT):
        signal.signal(one, signal.SIG_DFL)


def first_lines(process: subprocess.Popen[str], n: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(n)]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_trained(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken, link = tmp_path / "taken", tmp_path / "link"
    taken.write_text("mine")
    link.symlink_to("unplugged")
    for out in (taken, taken / "below", link):
        assert main([str(recipe), "--out", str(out)]) == WRONG_USE
        said = capsys.readouterr()
        assert str(out) in said.err and "File exists" not in said.err and "--out" in said.err
        assert said.err.count("\n") == 1 and not said.out
    assert taken.read_text() == "mine"


@pytest.mark.nightly
def test_a_training_that_is_stopped_is_kept_and_ends_as_if_it_had_not_been(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(LONG.replace("steps = 600", "steps = 2000"))
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    assert main([str(recipe), "--out", str(whole)]) == 0
    process = started(sys.executable, "-m", "lmviz.train", str(recipe), "--out", str(parted))
    first_lines(process, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == CUT_SHORT
    assert re.fullmatch(r"The training stopped after step \d+; .*--resume\.\n", said)
    assert [path.name for path in parted.iterdir()] == [NAME]

    assert main([str(recipe), "--out", str(parted)]) == WRONG_USE  # it would be lost
    assert "--resume" in capsys.readouterr().err
    assert main([str(recipe), "--out", str(parted), "--resume"]) == 0
    first, second = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in (whole, parted))
    assert first == second


def test_what_is_finished_is_said_to_be_and_can_be_trained_on(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(RECIPE)
    made = tmp_path / "made"
    assert main([str(recipe), "--out", str(made)]) == 0
    assert main([str(recipe), "--out", str(made), "--resume"]) == WRONG_USE
    said = capsys.readouterr().err
    assert said.startswith(f"There is nothing left to go on with: the model in {made} is finished") and "start" in said
    (tmp_path / "on").mkdir()
    for start in (str(made), "../made"):  # where it lies, it stays
        (tmp_path / "on" / "recipe.toml").write_text(RECIPE.replace("[model]", f'[model]\nstart = "{start}"'))
        assert main([str(tmp_path / "on" / "recipe.toml"), "--out", str(tmp_path / "a" / "b")]) == 0
        assert [one.name for one in (tmp_path / "a").iterdir()] == ["b"]
    recipe.write_text(RECIPE.replace("[model]", '[model]\nstart = "made"'))
    assert main([str(recipe), "--out", str(tmp_path / "whole")]) == 0  # one below it goes along
    assert (tmp_path / "whole" / "made" / "config.json").is_file()


def test_only_the_same_training_is_gone_on_with(recipe: Path, tmp_path: Path) -> None:
    model = new_model(ModelRecipe("gpt2", n_ctx=4, n_layers=1, d_model=8, n_heads=2, d_mlp=16), 5, 0)
    optimizer = make_optimizer(model, TrainingRecipe(steps=3, learning_rate=0.1))
    with pytest.raises(UserError, match="no training to go on with"):
        Unfinished.of(recipe, tmp_path).read(model, optimizer)
    Unfinished.of(recipe, tmp_path).write(3, model, optimizer)
    assert Unfinished.of(recipe, tmp_path).read(model, optimizer) == 3
    recipe.write_text(LONG + "\n")
    with pytest.raises(UserError, match="of this very recipe"):
        Unfinished.of(recipe, tmp_path).read(model, optimizer)
    (tmp_path / NAME).write_bytes(b"no safetensors")
    with pytest.raises(UserError, match="safetensors"):
        Unfinished.of(recipe, tmp_path).read(model, optimizer)


@pytest.mark.nightly
def test_two_processes_train_as_one_and_what_is_left_when_one_dies_goes_on(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four texts in batches of two and one: the last process has nothing to learn in the batches of one."""
    recipe.write_text(LONG.replace("[training]", "[training]\nbatch_size = 2"))
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert main([str(recipe), "--out", str(alone)]) == 0
    expected = capsys.readouterr().out.splitlines()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    process = started(*launcher, "-m", "lmviz.train", str(recipe), "--out", str(together))
    lines = first_lines(process, 3)
    for line, wanted in zip(lines, expected, strict=False):
        numbers, same = (list(map(float, re.findall(r"\d+\.\d+|\d+", text))) for text in (line, wanted))
        assert numbers == pytest.approx(same, abs=2e-4)
    os.kill(_pid_of_second(process.pid), signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert re.search(r"^The training stopped after step \d+; .*--resume\.$", said, re.M)
    assert main([str(recipe), "--out", str(together), "--resume"]) == 0
    ours, theirs = (load(folder).model.state_dict() for folder in (alone, together))
    for name, weight in ours.items():
        assert torch.allclose(weight, theirs[name], atol=1e-3), name


def _pid_of_second(launcher: int) -> int:
    children = Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()
    ranks = {int(pid): Path(f"/proc/{pid}/environ").read_bytes() for pid in children}
    return next(pid for pid, environment in ranks.items() if b"\0RANK=1\0" in environment)
