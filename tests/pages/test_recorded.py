"""A recording from a file in the step-through: what the live model shows, but for what needs the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lmviz.registry.folder import Folder
from lmviz.registry.models import Models
from lmviz.registry.recorded import Recorded, open_recording
from lmviz.registry.recording import Recording, Request
from tests.conftest import SAMPLES
from tests.pages.conftest import Open, cells_of, errors, go, scene


def kept(name: str, folder: Path, **asked: object) -> tuple[Recording, Recorded]:
    models = Models()
    run = models.record(Request(Folder(name), models.first_prompt(Folder(name)), **asked))  # type: ignore[arg-type]
    run.save(folder / f"{name}.lmviz")
    return run, open_recording(folder / f"{name}.lmviz")


@pytest.mark.parametrize("name", SAMPLES)
def test_a_recording_of_a_sample_has_all_its_numbers_and_stages(name: str, tmp_path: Path) -> None:
    run, reference = kept(name, tmp_path)
    found = Models().record(Request(reference, ""))
    assert found.navigator.stages == run.navigator.stages and found.tokens.pieces == run.tokens.pieces
    assert found.n_parameters == run.n_parameters and found.buffers == run.buffers
    assert found.ledger() == run.ledger()
    for step in run.trace:
        for value in step.outputs:
            other = found.trace.value(value.address)
            assert other is not None
            np.testing.assert_array_equal(value.array, other.array)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_recording_is_walked_and_offers_nothing_that_needs_its_model(
    open_page: Open, tmp_path: Path, language: str
) -> None:
    run, reference = kept("names", tmp_path, temperature=0.5)
    app = open_page(model=str(reference), lang=language)
    assert not errors(app) and "names.lmviz" in str(app.selectbox(key="model").options)
    assert app.text_input(key="prompt").disabled
    softmax = next(stage for stage in run.navigator.stages if stage.kind == "softmax")
    address = run.trace[softmax.stop].address
    go(app, step=address, cell=json.dumps([address, [0, 0, 3, 1]]))
    shown = scene(app)
    assert shown["inspector"]["lines"] and shown["inspector"]["agrees"] and shown["inspector"]["fixed"]
    panel = shown["picture"]["panels"][-1]
    value = run.trace.value(address)
    assert panel["heads_off"] is None and value is not None
    np.testing.assert_allclose(cells_of(panel), value.array[0, 0], rtol=1e-6)
    go(app, step="probabilities", cell="")
    assert scene(app)["picture"]["temperature"] is None and not scene(app)["bar"]["can_grad"]
    go(app, edits=json.dumps([[address, [0, 0, 3, 1], 2.5]]))
    assert len(errors(app)) == 1 and not app.exception


def test_gradients_that_are_in_a_recording_are_shown(open_page: Open, tmp_path: Path) -> None:
    run, reference = kept("small-ever", tmp_path, target="Creatrice", gradients=True)
    app = open_page(model=str(reference), step="logits")
    assert scene(app)["bar"]["can_grad"]
    go(app, step="logits", grad="true")
    panel, value = scene(app)["picture"]["panels"][-1], run.trace.value("logits")
    assert not errors(app) and value is not None and value.grad is not None
    np.testing.assert_allclose(cells_of(panel), value.grad[0], rtol=1e-5)


def test_a_link_to_a_recording_that_is_not_open_is_a_sentence(open_page: Open) -> None:
    app = open_page(model="recording/nothing")
    assert len(errors(app)) == 1 and "drop its file" in errors(app)[0] and not app.exception


def test_what_was_changed_by_hand_is_told(open_page: Open, tmp_path: Path) -> None:
    from lmviz.registry.edits import CellEdit

    _, reference = kept("small-ever", tmp_path, edits=(CellEdit("logits", (0, 0, 1), 3.0),))
    assert any("changed by hand" in one.value for one in open_page(model=str(reference)).caption)


def test_a_recording_that_contradicts_itself_is_told_where_it_does(open_page: Open, tmp_path: Path) -> None:
    from lmviz.trace.saved import HEADER

    kept("small-ever", tmp_path)
    path = tmp_path / "small-ever.lmviz"
    whole = path.read_bytes()
    n = int.from_bytes(whole[:8], "little")
    outer = json.loads(whole[8 : 8 + n])
    inner = json.loads(outer["__metadata__"][HEADER])
    for value in inner["values"]:
        value["name"] = value["name"].replace("probs", "frogs")
    header = json.dumps({**outer, "__metadata__": {HEADER: json.dumps(inner)}}).encode()
    header += b" " * (-len(header) % 8)
    (tmp_path / "odd.lmviz").write_bytes(len(header).to_bytes(8, "little") + header + whole[8 + n :])
    app = open_page(model=str(open_recording(tmp_path / "odd.lmviz")), step="probabilities")
    assert not app.exception and "contradicts itself" in errors(app)[0]
