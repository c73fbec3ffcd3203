"""The code that makes a number: it runs as it is, and prints the number of the page."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from lmviz.model.checkpoint import load, save
from lmviz.registry.bug import WithBug
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.folder import Folder
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording, Request
from lmviz.services.snippet import READ_FROM_FILE, snippet
from lmviz.trace.exported import tensors_of
from tests.conftest import SAMPLES

PATTERN = "blocks.0.attn.pattern"


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


def recorded(models: Models, model: object, **asked: object) -> Recording:
    prompt = asked.pop("prompt", "") or models.first_prompt(model)  # type: ignore[arg-type]
    return models.record(Request(model, prompt, **asked))  # type: ignore[arg-type]


def printed(code: str) -> list[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    return said.getvalue().splitlines()


def check(models: Models, run: Recording, address: str) -> None:
    value = run.trace.value(address)
    assert value is not None
    cell = tuple(n - 1 for n in value.shape)
    code = snippet(models, run, address, cell)
    found = printed(code)
    assert found[0] == str(value.array[cell]), code
    if len(found) > 1 and np.isfinite(value.array[cell]):
        assert float(found[1]) == pytest.approx(float(value.array[cell]), rel=1e-4, abs=1e-5)


@pytest.mark.nightly
@pytest.mark.parametrize("name", SAMPLES)
def test_numbers_of_a_sample_are_made_again(models: Models, name: str) -> None:
    run = recorded(models, Folder(name), temperature=0.7)
    found = [*tensors_of(run.trace)]
    for address in [*found[:: max(1, len(found) // 6)], "readout.probs", *("loss.nll" for _ in run.tokens.ids[1:2])]:
        check(models, run, address)
    assert "lmviz.load(" in snippet(models, run, found[0], None)


def test_what_was_edited_is_edited(models: Models) -> None:
    edits = (HeadOff(PATTERN, 1), CellEdit("blocks.0.mlp.w_in.bias", (3,), 2.5), CellEdit(PATTERN, (0, 0, 1, 0), 0.25))
    run = recorded(models, Folder("names"), edits=edits)
    check(models, run, "logits")
    check(models, run, PATTERN)


def test_a_text_that_is_cut_and_one_with_quotes_are_the_text_of_the_page(models: Models) -> None:
    for prompt in (".anna" * 30, ".a'b\"c\\"):
        check(models, recorded(models, Folder("names"), prompt=prompt), "logits")


def test_a_folder_is_named_and_a_model_in_no_folder_is_read_from_a_recording(
    models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(load("small-ever"), tmp_path / "mine")
    check(models, recorded(models, Folder(str(tmp_path / "mine"))), "logits")
    broken = recorded(models, WithBug("no_mask", Folder("names")))
    assert READ_FROM_FILE in snippet(models, broken, "logits")
    broken.save(tmp_path / READ_FROM_FILE)
    check(models, broken, "logits")
    graded = recorded(models, Folder("small-ever"), target="Creatrice", gradients=True)
    value = graded.trace.value("logits")
    assert value is not None and value.grad is not None
    found = printed(snippet(models, graded, "logits", (0, 0, 1), gradient=True))
    assert np.float32(found[0]) == value.grad[0, 0, 1]
