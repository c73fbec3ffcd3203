"""A file of one's own under the debugger: what it may name, what can go wrong in it, and what a save of it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lmviz.attach.app import free_port, open_app, server_settings
from lmviz.attach.example import Example, example_in, example_of
from lmviz.attach.program import FileProgram
from lmviz.attach.run import own_run
from lmviz.attach.target import CodeTarget, ModelTarget, read_target
from lmviz.attach.token_words import word_of
from lmviz.debug.bugs.difference import first_difference
from lmviz.errors import UserError
from lmviz.registry.attached import Attached, attach, detach
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.program import Asked
from lmviz.registry.recording import Request
from tests.attached import LOSS, MODEL
from tests.conftest import ROOT, SAMPLES
from tests.waiting import until

Attach = Callable[..., FileProgram]


def test_the_server_listens_on_this_machine_only_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until somebody says otherwise in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STREAMLIT_")]:
        monkeypatch.delenv(name)
    found = server_settings()
    assert found["server.address"] == "localhost" and found["client.showErrorDetails"] == "none"
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("STREAMLIT_SERVER_MAX_UPLOAD_SIZE", "1")
    monkeypatch.setenv("STREAMLIT_RUNNER_FAST_RERUNS", "true")
    found = server_settings()
    assert (found["server.address"], found["server.maxUploadSize"]) == ("0.0.0.0", 1) and found["runner.fastReruns"]


def test_ctrl_c_ends_the_server_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(port: int, headless: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lmviz.attach.app.run_server", interrupted)
    assert open_app(None, free_port(8600), browser=False) == 130


@pytest.fixture
def program_of(tmp_path: Path) -> Iterator[Attach]:
    """Writes a file and makes a program of it."""
    made: list[FileProgram] = []

    def attached(text: str, patience: float = 60.0) -> FileProgram:
        (tmp_path / "model.py").write_text(text, encoding="utf-8")
        made.append(FileProgram(read_target(str(tmp_path / "model.py")), patience))
        return made[-1]

    yield attached
    for program in made:
        program.end()


# -- the command line ------------------------------------------------------------------------------------------------


def test_a_target_is_what_it_looks_like(tmp_path: Path) -> None:
    (tmp_path / "model.py").touch()
    (tmp_path / "names").mkdir()
    for sample in SAMPLES:
        assert read_target(sample, tmp_path) == ModelTarget(sample)
    assert read_target("model.py", tmp_path) == CodeTarget(tmp_path, tmp_path / "model.py")
    assert read_target("./model.py", tmp_path).title == "model.py"  # type: ignore[union-attr]
    assert read_target("my.package:make_it", tmp_path) == CodeTarget(tmp_path, factory="my.package:make_it")
    folder = ROOT / "sample_models/names"
    assert read_target(str(folder), tmp_path) == ModelTarget(str(folder), folder)
    with pytest.raises(UserError, match=r"config\.json"):
        read_target("./names", tmp_path)


@pytest.mark.parametrize(
    "wrong", ["", "nothing", "gone.py", "a:b:c", "org/name/more", "../../etc/passwd", "x" * 5000, "\0"]
)
def test_a_wrong_target_says_what_is_accepted(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UserError, match=r"small-ever.*package\.module:function"):
        read_target(wrong, tmp_path)


def command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "lmviz", *arguments]
    return subprocess.run(run, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)


@pytest.mark.nightly
def test_the_command_in_an_empty_folder(tmp_path: Path) -> None:
    wrong = command("nonsense", cwd=tmp_path)
    assert wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "Traceback" not in wrong.stderr
    said = command("--help", cwd=tmp_path).stdout
    assert all(word in said for word in ("model.py", "package.module:function", "lmviz train", "lmviz doctor"))
    assert "recipe" in command("train", "--help", cwd=tmp_path).stdout
    missing = command("train", "gone.toml", cwd=tmp_path)
    assert missing.returncode == 2 and "gone.toml" in missing.stderr and "Traceback" not in missing.stderr


# -- what a file names -----------------------------------------------------------------------------------------------


class Sized:
    ids = (1, 2)

    def encode(self, text: str) -> Sized:
        return self

    def decode(self, ids: list[int]) -> str:
        return f"<{ids[0]}>"


LINEAR, ONES = nn.Linear(2, 2), torch.ones(1, 2)


@pytest.mark.parametrize(
    "names",
    [
        {"model": LINEAR, "inputs": ONES},
        {"model": LINEAR, "inputs": (ONES,)},
        {"model": LINEAR, "inputs": {"input": ONES}},
        {"model": LINEAR, "inputs": [[1.0, 1.0]]},
        {"lmviz_example": lambda: (LINEAR, ONES)},
        {"lmviz_example": lambda: {"model": LINEAR, "inputs": ONES}},
        {"lmviz_example": lambda: LINEAR, "inputs": ONES},
        {"lmviz_example": lambda: Example(LINEAR, (ONES,))},
    ],
)
def test_inputs_are_written_in_many_ways(names: dict[str, object]) -> None:
    run = own_run(example_in(names, "model.py"), Asked())
    np.testing.assert_array_equal(run.trace.output, LINEAR(ONES).detach())


def test_a_text_is_read_by_the_tokenizer() -> None:
    example = example_of(nn.Embedding(3, 3), "some text", Sized())
    assert example.args[0].tolist() == [[1, 2]]
    assert own_run(example, Asked()).pieces == ("<1>", "<2>")
    assert example_of(nn.Embedding(3, 3), "cab", "abc").args[0].tolist() == [[2, 0, 1]]
    for tokenizer, said in (("abc", "has no d"), (["a", "d"], "encode")):
        with pytest.raises(UserError, match=said):
            example_of(nn.Embedding(3, 3), "dab", tokenizer)


@pytest.mark.parametrize(
    ("tokenizer", "word"),
    [("abc", "b"), (["a", "b"], "b"), ({1: "b"}, "b"), ({"a": 0, "b": 1}, "b"), (Sized(), "<1>"), (None, "1")],
)
def test_any_kind_of_vocabulary_names_its_ids(tokenizer: object, word: str) -> None:
    assert word_of(tokenizer)(1) == word


@pytest.mark.parametrize(
    "names", [{}, {"model": LINEAR}, {"inputs": ONES}, {"lmviz_example": lambda: 3}, {"lmviz_example": 3}]
)
def test_a_file_that_names_no_model_is_told_what_to_name(names: dict[str, object]) -> None:
    with pytest.raises(UserError, match="model"):
        example_in(names, "model.py")


def test_what_is_no_model_or_no_loss_is_refused() -> None:
    with pytest.raises(UserError, match=r"torch\.nn\.Module"):
        example_of(3, ONES)
    with pytest.raises(UserError, match="loss"):
        example_of(LINEAR, ONES, loss=0.5)


# -- its own process -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_file_runs_in_a_process_of_its_own_and_can_be_asked_again(program_of: Attach) -> None:
    program = program_of("import os, sys\nprint('hello', end='')\nsys.stdin.read()\n" + MODEL + LOSS)
    assert program.latest == 0
    program.run()
    assert (program.look(), program.wrong(), program.latest, program.title) == ("ready", None, 1, "model.py")
    run = program.record(0, Asked())
    assert run.pieces == ("b", "c", "d", "e") and run.words == tuple("abcdefghijkl") and run.given[0][0] == "ids"
    assert run.trace["hidden"].span.text == "torch.relu(self.first(x))" and run.trace.loss is not None
    assert run.trace["x"].outputs[0].grad is not None  # since it names a loss
    assert program.record(1, Asked()) is run
    edited = program.record(1, Asked(edits=(CellEdit("x", (0, 0, 0), 5.0),)))
    assert edited.trace["x"].outputs[0].array[0, 0, 0] == 5
    warm = program.record(1, Asked(temperature=2.0)).trace["readout.scaled"].outputs[0].array
    np.testing.assert_allclose(2 * warm, run.trace["readout.scaled"].outputs[0].array)
    with pytest.raises(UserError, match="inside the tensor"):
        program.record(1, Asked(edits=(HeadOff("x", 99),)))
    with pytest.raises(UserError, match="no run 7"):
        program.record(7, Asked())


BAD = {
    "no Python": ("model = (\n", "line 1"),
    "no names": ("inputs = 3\n", "it names inputs"),
    "names that are guarded": (
        "if __name__ == '__main__':\n    model = inputs = 3\n",
        "below `if __name__ .* is not run",
    ),
    "an exception": ("x = 1\nx / 0\n", "line 2.*ZeroDivisionError"),
    "a module that is missing": ("import not_there_at_all\n", "not_there_at_all"),
    "an end": ("import sys\nsys.exit(3)\n", r"sys\.exit\(3\)"),
    "an end by force": ("import os\nos._exit(7)\n", "exit code 7"),
    "a question": ("input('what?')\n", "EOFError"),
    "an interrupt": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    "nothing that ends": ("print('x', flush=True)\nwhile True: pass\n", "stopped after 2 seconds"),
    "no module": ("model = inputs = 3\n", r"torch\.nn\.Module"),
}


@pytest.mark.sampled(5)
@pytest.mark.slow
@pytest.mark.parametrize("what", BAD)
def test_what_goes_wrong_in_a_file_is_one_sentence(program_of: Attach, what: str) -> None:
    text, said = BAD[what]
    program = program_of(text, patience=2.0 if what == "nothing that ends" else 60.0)
    program.run()
    assert program.look() == "failed" and program.latest == 0
    with pytest.raises(UserError, match=said) as error:
        program.record(0, Asked())
    assert "\n" not in str(error.value)
    assert "model.py" in str(error.value) or what == "no module"


@pytest.mark.nightly
def test_what_is_saved_twice_in_a_second_is_read_twice(
    program_of: Attach, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python tells what it has compiled from what is new by whole seconds and the length alone."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    parts, second = tmp_path / "parts.py", 10**9

    def saved(text: str, at: int) -> None:
        parts.write_text(text, encoding="utf-8")
        os.utime(parts, ns=(at, at))

    saved("SCALE = 1.0\n", 1_700_000_000 * second)
    program = program_of("import parts\n" + MODEL.replace("self.second(hidden)", "self.second(hidden) * parts.SCALE"))
    program.run()
    before = program.record(0, Asked()).trace
    saved("SCALE = 2.0\n", 1_700_000_000 * second + second // 2)
    until(lambda: program.latest == 2 or program.look() == "failed")
    found = first_difference(program.record(0, Asked()).trace, before)
    assert found is not None and (found.address, found.how) == ("logits", "value")


@pytest.mark.nightly
@pytest.mark.slow
def test_a_save_runs_it_again_and_the_first_other_number_is_found(program_of: Attach, tmp_path: Path) -> None:
    """Also of a module beside it. What broke meanwhile leaves the last run that worked."""
    (tmp_path / "parts.py").write_text("SCALE = 1.0\n")
    program = program_of("import parts\n" + MODEL.replace("self.second(hidden)", "self.second(hidden) * parts.SCALE"))
    program.run()
    before = program.record(0, Asked()).trace

    def saved(file: str, text: str) -> str:
        (tmp_path / file).write_text(text, encoding="utf-8")
        os.utime(tmp_path / file, (time.time(), time.time() + saved.__dict__.setdefault("n", 1)))
        saved.__dict__["n"] += 1
        states = [program.look()]
        until(lambda: (states.append(program.look()), states[-1] != "running")[1])
        assert states[0] == "running"
        return states[-1]

    assert saved("parts.py", "SCALE = 2.0\n") == "ready" and program.latest == 2
    found = first_difference(program.record(0, Asked()).trace, before)
    assert found is not None and (found.address, found.how) == ("logits", "value")
    assert saved("parts.py", "SCALE = \n") == "failed" and program.latest == 2
    assert "line 1" in str(program.wrong()) and "parts.py" in str(program.wrong())
    assert program.record(0, Asked()).trace["logits"].outputs[0].array.shape == (1, 4, 12)
    broken = (tmp_path / "model.py").read_text().replace("nn.Linear(16, 12)", "nn.Linear(17, 12)")
    saved("parts.py", "SCALE = 1.0\n")
    assert saved("model.py", broken) == "ready"
    failure = program.record(0, Asked()).trace.failure
    assert failure is not None and failure.step is not None and "17" in str(failure)
    assert program.record(0, Asked()).trace[failure.step].span.text == "self.second(hidden)"


@pytest.mark.nightly
@pytest.mark.slow
def test_a_function_of_a_package_is_attached(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "made.py").write_text(MODEL + "\ndef make():\n    return model\n")
    program = FileProgram(read_target("pack.made:make", tmp_path))
    program.run()
    assert program.record(0, Asked()).trace.find("hidden") == ["hidden"] and program.name == "pack.made.make"
    program.end()
    gone = FileProgram(read_target("pack.made:gone", tmp_path))
    gone.run()
    assert "no function gone" in str(gone.wrong())


# -- who may name it -------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_a_link_names_what_is_attached_and_never_a_file(program_of: Attach, tmp_path: Path) -> None:
    program = program_of(MODEL)
    models = Models()
    for written in ("attached/model", f"attached/{tmp_path}/model.py", "attached/../model", str(tmp_path / "model.py")):
        with pytest.raises(UserError):
            models.record(Request(read_reference(written), ""))
    assert program.latest == 0  # nothing ran
    reference = attach(program)
    try:
        assert read_reference(str(reference)) == reference == Attached("model")
        assert read_reference("attached/model@3") == Attached("model", 3)
        program.run()
        assert models.record(Request(reference, "")).tokens.text == "bcde"
        with pytest.raises(UserError, match="stepped through"):
            models.checkpoint(reference)
    finally:
        detach("model")
    with pytest.raises(UserError, match="attached to this server"):
        models.record(Request(reference, ""))


@pytest.mark.nightly
def test_a_file_that_was_renamed_is_told_and_what_worked_stays(program_of: Attach) -> None:
    program = program_of(MODEL)
    program.run()
    file = program.target.file
    assert file is not None
    file.rename(file.with_name("other.py"))
    program.run()
    wrong = program.wrong()
    assert wrong is not None and str(wrong).startswith("model.py is not there any more") and program.latest == 1


@pytest.mark.nightly
@pytest.mark.parametrize("marked", [True, False])
def test_a_file_of_a_package_imports_from_it_as_it_does_at_home(tmp_path: Path, marked: bool) -> None:
    package = tmp_path / "own" / "nets"
    package.mkdir(parents=True)
    for folder in (package.parent, package) if marked else ():
        (folder / "__init__.py").touch()
    (package.parent / "sizes.py").write_text("D_VOCAB = 12\n", encoding="utf-8")
    (package / "model.py").write_text("from ..sizes import D_VOCAB\n" + MODEL, encoding="utf-8")
    program = FileProgram(read_target(str(package / "model.py")), 60.0)
    try:
        program.run()
        assert program.wrong() is None and program.latest == 1
    finally:
        program.end()
