"""Recordings and their numbers as files: `trace.save`, `lmviz.open_trace`, `lmviz.export`, and files from anywhere."""

from __future__ import annotations

import copy
import csv
import io
import json
import pickle
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lmviz
from lmviz.attach.doctor_command import findings_of
from lmviz.attach.target import RecordingTarget, read_target
from lmviz.errors import UserError
from lmviz.registry.models import Models
from lmviz.registry.recorded import KEPT, Recorded, open_recording, take_recording
from lmviz.registry.recording import Recording, Request
from lmviz.trace.exported import exported, tensors_of
from lmviz.trace.opened import opened
from lmviz.trace.saved import HEADER
from lmviz.trace.step import Trace
from lmviz.ui.step_through.tables import tokens
from tests.words import FRENCH

LETTERS = "abcdefghijkl"


def small() -> Trace:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(12, 4), nn.LayerNorm(4), nn.Linear(4, 12))
    return lmviz.record(model, torch.tensor([[1, 2, 3]]), backward=lambda logits: logits.square().mean())


def transformers_llama() -> Trace:
    from transformers import AutoConfig, AutoModelForCausalLM

    from tests.by_transformers import SIZES

    torch.manual_seed(0)
    config = AutoConfig.for_model("llama", **{**SIZES, "num_key_value_heads": 2})
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        return lmviz.record(model, torch.tensor([[1, 2, 3, 4]]))


@pytest.mark.slow
@pytest.mark.parametrize("made", [small, transformers_llama])
def test_all_numbers_and_stages_of_a_trace_come_back(made: Any, tmp_path: Path) -> None:
    trace = made()
    saved = trace.save(tmp_path / "it.lmviz", tokenizer=LETTERS)
    assert not saved.left_out and "all that was recorded" in str(saved) and saved.n_bytes == saved.path.stat().st_size
    found = lmviz.open_trace(tmp_path / "it.lmviz")
    assert [one.address for one in found] == [one.address for one in trace]
    for address, value in tensors_of(trace).items():
        other = found.value(address)
        assert other is not None
        np.testing.assert_array_equal(value.array, other.array)
        if value.grad is not None:
            np.testing.assert_array_equal(value.grad, other.grad)
    here, there = (Models().record(Request(open_recording(tmp_path / "it.lmviz"), "")), found)
    assert here.trace[-1].address == there[-1].address
    again = found.save(tmp_path / "again.lmviz")  # what was said of it goes on
    assert again.n_tensors == saved.n_tensors
    assert opened(tmp_path / "again.lmviz").more == opened(tmp_path / "it.lmviz").more


def test_a_recording_says_what_was_read_and_how_many_parameters_read_it(tmp_path: Path) -> None:
    small().save(tmp_path / "it.lmviz", tokenizer=LETTERS)
    run = Models().record(Request(open_recording(tmp_path / "it.lmviz"), ""))
    assert run.tokens.pieces == ("b", "c", "d") and run.tokens.ids == (1, 2, 3)
    assert run.n_parameters == 12 * 4 + 8 + 4 * 12 + 12


def test_ids_whose_text_nobody_knows_stand_nowhere_in_it(tmp_path: Path) -> None:
    for words, placed in ((LETTERS, True), (None, False)):
        small().save(tmp_path / f"{placed}.lmviz", tokenizer=words)
        sheet = tokens(Models().record(Request(open_recording(tmp_path / f"{placed}.lmviz"), "")))
        assert (sheet["text"] is not None) == placed
        assert [row["span"] is not None for row in sheet["rows"]] == [placed] * len(sheet["rows"])


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    saved = small().save(tmp_path / "it.lmviz", limit=600)
    assert saved.left_out and "did not fit" in str(saved)
    value = lmviz.open_trace(tmp_path / "it.lmviz").value(saved.left_out[-1])
    assert value is not None
    with pytest.raises(UserError, match="too large"):
        np.asarray((value.array, value.grad))


def test_a_file_that_cannot_be_written_is_told_and_what_was_there_stays(tmp_path: Path) -> None:
    trace = small()
    for wrong in (tmp_path, tmp_path / "not" / "there.lmviz", tmp_path / "a\0b", tmp_path / ("x" * 300)):
        with pytest.raises(UserError, match="written to"):
            trace.save(wrong)
        with pytest.raises(UserError):
            lmviz.export(trace, wrong)
    with pytest.raises(UserError, match="from 0 on"):
        trace.save(tmp_path / "it", limit=-1)
    assert not list(tmp_path.iterdir())


def test_a_trace_is_not_pickled_and_says_how_it_is_kept() -> None:
    trace = small()
    with pytest.raises(pickle.PicklingError, match=r"trace\.save\(path\)"):
        pickle.dumps({"mine": trace})
    assert copy.deepcopy([trace])[0] is trace and copy.copy(trace) is trace


def test_the_numbers_in_every_format_are_those_of_the_trace(tmp_path: Path) -> None:
    trace = small()
    with np.load(lmviz.export(trace, tmp_path / "all.npz")) as arrays:
        assert set(arrays) == set(tensors_of(trace))
        for address, value in tensors_of(trace).items():
            np.testing.assert_array_equal(arrays[address], value.array)
    step = trace["0"] if "0" in trace else trace[0]
    value = step.outputs[0]
    rows = list(csv.reader(io.StringIO(lmviz.export(value, tmp_path / "one.csv").read_text())))
    assert len(rows[0]) == len(set(rows[0])) == len(value.shape) + 1
    for row in rows[1:]:
        assert np.float32(row[-1]) == value.array[tuple(map(int, row[:-1]))]
    found = json.loads(lmviz.export(value, tmp_path / "one.json").read_text())
    assert found["shape"] == list(value.shape) and found["address"] == value.address
    np.testing.assert_array_equal(np.asarray(found["values"], np.float32), value.array)
    many = list(csv.reader(io.StringIO(lmviz.export(trace, tmp_path / "all.csv").read_text())))
    assert {row[0] for row in many[1:]} == {address for address, one in tensors_of(trace).items() if one.array.size}


def test_odd_numbers_are_written_so_that_they_can_be_read() -> None:
    trace = lmviz.record(lambda x: x.log() * (1 + 2j), torch.tensor([0.0, -1.0, 1.0]))
    found = json.loads(exported(tensors_of(trace), "json"))
    assert found[0]["values"] == ["-inf", "nan", 0.0]
    assert found[-1]["values"][-1] == [0.0, 0.0]
    with pytest.raises(UserError, match=r"\.npz, \.csv or \.json"):
        exported(tensors_of(trace), "xlsx")


def test_too_much_is_not_written_out_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lmviz.trace.exported.MOST_WRITTEN", 10)
    with pytest.raises(UserError, match=r"take \.npz"):
        exported(tensors_of(small()), "csv")
    assert exported(tensors_of(small()), "npz")


def test_the_shell_takes_a_recording_and_the_doctor_does_not(tmp_path: Path) -> None:
    small().save(tmp_path / "it.lmviz")
    assert read_target("it.lmviz", tmp_path) == RecordingTarget(tmp_path / "it.lmviz")
    with pytest.raises(UserError, match="recording"):
        findings_of(str(tmp_path / "it.lmviz"))
    (tmp_path / "bad.lmviz").write_bytes(b"nothing")
    with pytest.raises(UserError, match="must be a recording"):
        open_recording(tmp_path / "bad.lmviz")


def test_recordings_that_visitors_give_go_when_others_have_come(tmp_path: Path) -> None:
    given = []
    for n in range(KEPT + 2):
        lmviz.record(nn.Identity(), torch.ones(n + 1)).save(tmp_path / "it.lmviz")
        with (tmp_path / "it.lmviz").open("rb") as file:
            given.append(take_recording(file, "../../mine<b>.lmviz"))
    with pytest.raises(UserError, match="not any more"):
        given[0].file()
    assert given[-1].file().title == "mine<b>.lmviz" and given[-1].file().run.trace is not None
    assert not given[0].title(Models()).plain.startswith("mine")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "it.lmviz"
    small().save(path, tokenizer=LETTERS)
    return path.read_bytes()


ODD: list[Any] = [
    *(None, -1, 1, 10**9, 10**30, True, 1.5, "", "x", "\ud800", "a" * 30_000, "softmax", [], [0], [None], {}),
    *({"=": "float", "of": "nan"}, {"=": "device", "of": "moon"}, {"=": "q"}, [[[[0]]]]),
]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_file_that_says_odd_things_is_refused_or_walked(whole: bytes, tmp_path: Path, seed: int) -> None:
    """Whatever stands anywhere in the header: a sentence, or a recording of which every part can be looked at."""
    n = int.from_bytes(whole[:8], "little")
    outer, draw = json.loads(whole[8 : 8 + n]), random.Random(seed)
    inner = json.loads(outer["__metadata__"][HEADER])
    places = list(_places(inner, ()))
    for _ in range(40):
        changed = copy.deepcopy(inner)
        *above, last = draw.choice(places)
        around: Any = changed
        for name in above:
            around = around[name]
        around[last] = draw.choice(ODD)
        header = json.dumps({**outer, "__metadata__": {HEADER: json.dumps(changed)}}).encode()
        header += b" " * (-len(header) % 8)
        path = tmp_path / "it.lmviz"
        path.unlink(missing_ok=True)  # what is looked at elsewhere is not written over
        path.write_bytes(len(header).to_bytes(8, "little") + header + whole[8 + n :])
        try:
            run = Models().record(Request(open_recording(path), ""))
        except UserError:
            continue
        _walk(run)


def test_tensors_that_say_that_they_were_others_are_walked(whole: bytes, tmp_path: Path) -> None:
    n = int.from_bytes(whole[:8], "little")
    outer = json.loads(whole[8 : 8 + n])
    inner = json.loads(outer["__metadata__"][HEADER])
    for place, value in enumerate(inner["values"]):
        value["before"] = place - 1 if place else None
    header = json.dumps({**outer, "__metadata__": {HEADER: json.dumps(inner)}}).encode()
    header += b" " * (-len(header) % 8)
    (tmp_path / "it.lmviz").write_bytes(len(header).to_bytes(8, "little") + header + whole[8 + n :])
    _walk(Models().record(Request(open_recording(tmp_path / "it.lmviz"), "")))


def _places(found: Any, at: tuple[Any, ...]) -> Any:
    if at:
        yield at
    if isinstance(found, dict | list):
        for name, one in found.items() if isinstance(found, dict) else enumerate(found):
            if at != () or name != "sources":
                yield from _places(one, (*at, name))


def _walk(run: Recording) -> None:
    for stage in run.navigator.stages:
        assert stage.stop < len(run.trace)
    for step in run.trace:
        assert repr(step) and step.span.file is not None
        for value in step.outputs:
            with suppress(UserError):  # it says that it was left out
                assert value.array.shape == value.shape
                assert value.grad is None or value.grad.shape == value.shape
                if 0 not in value.shape:
                    run.explain(value.address, (0,) * len(value.shape))


def _with(whole: bytes, outer: dict[str, Any] | None = None, inner: str = "") -> bytes:
    """The file with something else in its header: in the entry of a tensor, or in place of the recording."""
    n = int.from_bytes(whole[:8], "little")
    found = json.loads(whole[8 : 8 + n])
    found["0"] |= outer or {}
    if inner:
        found["__metadata__"][HEADER] = inner
    header = json.dumps(found).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + whole[8 + n :]


CUT, OTHER = "est tronqué ou a été modifié", "c’est un fichier d’un autre type"
SPOILED: dict[str, tuple[Any, str]] = {
    **{f"cut at {at}": (lambda whole, at=at: whole[:at], CUT) for at in (0, 7, 8, 100, 3000, -1)},
    "a huge header": (lambda whole: (2**62).to_bytes(8, "little") + whole[8:], OTHER),
    "a web page": (lambda _: b"<!doctype html><script>alert(1)</script>", OTHER),
    "an archive": (lambda _: b"PK\3\4\x14" + bytes(200), OTHER),
    "zeros": (lambda _: bytes(200), OTHER),
    "weights": (lambda whole: _with(whole).replace(b'"lmviz"', b'"model"'), "comme les poids d’un modèle"),
    "no such dtype": (lambda whole: _with(whole, {"dtype": "F99"}), "son en-tête est faux, `` "),
    "a shape too large": (lambda whole: _with(whole, {"shape": [2**62, 4]}), "son en-tête est faux"),
    "a place outside": (lambda whole: _with(whole, {"data_offsets": [10**9, 10**9 + 8]}), "son en-tête est faux"),
    "brackets": (lambda whole: _with(whole, inner="[" * 100_000), "imbriquées trop profondément"),
    "another version": (lambda whole: _with(whole, inner='{"format": "<b>"}'), "son format est `` <b> ``"),
    "nothing": (lambda whole: _with(whole, inner="{}"), "sa partie `` format `` manque"),
    "a list for an object": (lambda whole: _with(whole, inner="[]"), "il se contredit."),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_file_that_is_spoiled_is_refused_in_the_words_of_the_reader(whole: bytes, tmp_path: Path, name: str) -> None:
    spoil, said = SPOILED[name]
    (tmp_path / "it.lmviz").write_bytes(spoil(whole))
    with pytest.raises(UserError, match=r"it\.lmviz must be a recording") as refused:
        lmviz.open_trace(tmp_path / "it.lmviz")
    assert said in FRENCH.error(refused.value)


@pytest.mark.parametrize("sentence", ["{a:>2000000000}", "{a:{a}}", "{a.__class__}", "{a}{a}"])
def test_a_reason_in_a_file_is_filled_in_with_nothing_but_its_details(
    whole: bytes, tmp_path: Path, sentence: str
) -> None:
    n = int.from_bytes(whole[:8], "little")
    inner = json.loads(json.loads(whole[8 : 8 + n])["__metadata__"][HEADER])
    for told in ([sentence, {"a": "x"}], ["{why}", {"why": [sentence, {"a": "x"}]}]):
        inner["values"][0]["array"] = told
        (tmp_path / "it.lmviz").write_bytes(_with(whole, inner=json.dumps(inner)))
        with pytest.raises(UserError, match="contradicts itself"):
            lmviz.open_trace(tmp_path / "it.lmviz")


@pytest.mark.parametrize("wrong", [{"ids": None}, {"given": [[1]]}, {"row": 7}, {"temperature": -1.0}])
def test_a_trace_whose_file_says_odd_things_of_its_input_is_refused_at_once(
    whole: bytes, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    n = int.from_bytes(whole[:8], "little")
    inner = json.loads(json.loads(whole[8 : 8 + n])["__metadata__"][HEADER])
    (tmp_path / "it.lmviz").write_bytes(_with(whole, inner=json.dumps(inner | {"more": inner["more"] | wrong})))
    with pytest.raises(UserError, match="must say what its model read"):
        lmviz.open_trace(tmp_path / "it.lmviz")


def test_a_page_of_a_recording_that_contradicts_itself_is_a_sentence(whole: bytes, tmp_path: Path) -> None:
    n = int.from_bytes(whole[:8], "little")
    inner = json.loads(json.loads(whole[8 : 8 + n])["__metadata__"][HEADER])
    for value in inner["values"]:
        value["address"] = "x"
    (tmp_path / "it.lmviz").write_bytes(_with(whole, inner=json.dumps(inner)))
    with pytest.raises(UserError, match="contradicts itself"):
        lmviz.open_trace(tmp_path / "it.lmviz").to_html(tmp_path / "it.html")
    assert not (tmp_path / "it.html").exists()


def test_a_link_names_no_file() -> None:
    for written in ("recording/../../etc/passwd", "recording//etc/passwd", "recording/"):
        assert Recorded.read(written, lambda _: Recorded("x")) is None
