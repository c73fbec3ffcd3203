"""A recording that was written to a file and read back is the same in all that can be looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.errors import UserError
from lmviz.explain import explain
from lmviz.explain.backward import explain_gradient
from lmviz.stages.stages import stages_of
from lmviz.trace.opened import opened
from lmviz.trace.saved import HEADER, save
from lmviz.trace.source.sites import listing
from lmviz.trace.step import Trace, Value
from tests.conftest import ROOT
from tests.zoo import later_models, modern, nanogpt_like, torch_nn
from tests.zoo.entry import V

IDS = torch.arange(2 * 6).reshape(2, 6) % V


class Odd(nn.Module):
    """Settings and results of many kinds: masks in an index, slices, types, complex numbers, in place, infinities."""

    def forward(self, x: Tensor) -> dict[str, Any]:
        turned = torch.fft.fft(x)  # [batch, pos]
        turned = turned.to(torch.complex128) * (1 + 2j)
        part = x[:, None, 1::2, ...].to(torch.float16)
        chosen = x[x > 0]
        shown = x.masked_fill(x > 0, -torch.inf)
        shown[0] = 3
        empty = x[:, :0]
        return {"turned": turned, "rest": (part, [chosen, shown]), "empty": empty, "text": "done", "own": self}


class Cached(nn.Module):
    """Begins with what was kept of nothing, as a cache of keys does."""

    def forward(self, x: Tensor) -> Tensor:
        kept = x[:, :0]
        keys = torch.cat([kept, x], dim=1)
        return keys.transpose(0, 1) + 1


def _trained(model: nn.Module) -> Trace:
    return lmviz.record(model, IDS, backward=lambda logits: logits.float().pow(2).mean())


RECORDED: dict[str, Callable[[], Trace]] = {
    "nanoGPT": lambda: _trained(nanogpt_like.gpt(dropout=0.1)),
    "Llama": lambda: _trained(modern.Llama()),
    "LSTM": lambda: _trained(torch_nn.Recurrent()),
    "attention of torch": lambda: _trained(torch_nn.EncoderLM()),
    "experts": lambda: lmviz.record(later_models.Mixture(), IDS),
    "odd": lambda: lmviz.record(Odd(), torch.randn(2, 6)),
    "bfloat16": lambda: lmviz.record(nn.Linear(4, 2).bfloat16(), torch.ones(3, 4, dtype=torch.bfloat16)),
    "raises": lambda: lmviz.record(nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3)), torch.ones(1, 4)),
    "no step": lambda: lmviz.record(nn.Identity(), torch.ones(2)),
}


@pytest.fixture(scope="module", params=sorted(RECORDED))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trace, Trace]:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("saved") / "one.safetensors"
    trace = RECORDED[request.param]()
    save(trace, path)
    return trace, opened(path).trace


@pytest.mark.slow
def test_every_step_is_the_same(pair: tuple[Trace, Trace]) -> None:
    ours, theirs = pair
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        for (
            name
        ) in "index op module address span arguments statement call opened returned in_place error edited".split():
            assert getattr(a, name) == getattr(b, name), name
        assert {k: repr(v) for k, v in a.settings.items()} == {k: repr(v) for k, v in b.settings.items()}
        assert len(a.inputs) == len(b.inputs) and len(a.outputs) == len(b.outputs)
        assert listing(a.span) == listing(b.span)
    assert ours.statements == theirs.statements and ours.calls == theirs.calls
    assert stages_of(ours) == stages_of(theirs)
    assert ours.loss == theirs.loss and str(ours.failure) == str(theirs.failure)
    for address in ours.contents.by_address():
        assert ours[address].index == theirs[address].index and ours.origin(address) == theirs.origin(address)


@pytest.mark.slow
def test_every_number_and_every_slope_is_the_same(pair: tuple[Trace, Trace]) -> None:
    for a, b in zip(*pair, strict=True):
        for ours, theirs in zip((*a.inputs, *a.outputs), (*b.inputs, *b.outputs), strict=True):
            assert (ours.name, ours.address, ours.role, ours.axes, ours.shape, ours.dtype, ours.n_bytes) == (
                *(theirs.name, theirs.address, theirs.role, theirs.axes, theirs.shape, theirs.dtype, theirs.n_bytes),
            )
            np.testing.assert_array_equal(ours.array, theirs.array)
            assert ours.array.dtype == theirs.array.dtype and not theirs.array.flags.writeable
            assert (ours.grad is None) == (theirs.grad is None)
            if ours.grad is not None and theirs.grad is not None:
                np.testing.assert_array_equal(ours.grad, theirs.grad)


@pytest.mark.slow
def test_every_explanation_is_the_same(pair: tuple[Trace, Trace]) -> None:
    ours, theirs = pair
    for a, b in zip(ours, theirs, strict=True):
        if a.outputs and a.outputs[0].array.size:
            cell = tuple(n // 2 for n in a.outputs[0].shape)
            one, other = explain(a, cell), explain(b, cell)
            assert (one.value, one.written, one.formula) == (other.value, other.written, other.formula)
            assert one.terms == other.terms
            if a.outputs[0].grad is not None:
                one, other = (explain_gradient(trace, a.outputs[0].address, cell) for trace in pair)
                assert one.value == other.value and one.written == other.written


def test_what_a_model_returned_comes_back_as_far_as_it_is_data(tmp_path: Path) -> None:
    trace = RECORDED["odd"]()
    save(trace, tmp_path / "odd")
    found = opened(tmp_path / "odd").trace.output
    assert torch.equal(found["turned"], trace.output["turned"]) and found["text"] == "done"
    assert torch.equal(found["rest"][1][1], trace.output["rest"][1][1]) and found["empty"].shape == (2, 0)
    assert repr(found["own"]) == "Odd()"


def test_what_does_not_fit_says_so_and_the_rest_is_there(tmp_path: Path) -> None:
    trace = _trained(modern.Parallel())
    save(trace, tmp_path / "small", limit=20_000)
    found = opened(tmp_path / "small").trace
    assert (tmp_path / "small").stat().st_size < 20_000 + 400_000
    sizes = [(value, value.n_bytes) for step in found for value in step.outputs]
    gone = [value for value, _ in sizes if not _is_there(value)]
    assert 0 < len(gone) < len(sizes)
    with pytest.raises(UserError, match="too large"):
        _ = gone[0].array


def _is_there(value: Value) -> bool:
    try:
        return value.array is not None
    except UserError:
        return False


@pytest.mark.slow
def test_a_recording_is_read_where_there_is_neither_model_nor_source(tmp_path: Path) -> None:
    """The lines of a file that was edited or deleted since are those of the recording."""
    (tmp_path / "mine.py").write_text("from torch import nn\nclass Twice(nn.Module):\n    def forward(self, x):\n"
                                      "        doubled = x + x  # [pos]\n        return doubled\n")  # fmt: skip
    code = (
        "import mine, torch, lmviz, sys; from pathlib import Path; from lmviz.trace.saved import save;"
        "save(lmviz.record(mine.Twice(), torch.arange(3.)), Path('it'), {'about': (1, 'two')})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env={"PYTHONPATH": f"{ROOT}:{tmp_path}"})
    (tmp_path / "mine.py").unlink()
    found = opened(tmp_path / "it")
    step = found.trace["doubled"]
    assert step.outputs[0].array.tolist() == [0, 2, 4] and step.outputs[0].axes == ("pos",)
    assert listing(step.span).lines[-2:] == ("        doubled = x + x  # [pos]", "        return doubled")
    assert found.more == {"about": (1, "two")}


def test_a_page_says_of_each_tensor_that_it_lacks_why(tmp_path: Path) -> None:
    """One without cells lacks nothing, and complex numbers are not said to be too large."""
    _, *lacking = lmviz.record(Cached(), torch.randn(2, 6)).to_html(tmp_path / "cached.html")
    assert lacking == []
    _, *lacking = lmviz.record(Odd(), torch.randn(2, 6)).to_html(tmp_path / "odd.html")
    assert lacking == ["The arithmetic of 3 tensors is not in this page: they are made of complex numbers."]


@pytest.mark.parametrize("spoil", ["empty", "text", "no header", "later", "cut", "no step", "far"])
def test_a_file_that_is_no_recording_is_refused_in_a_sentence(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "it"
    save(RECORDED["raises"](), path)
    whole = path.read_bytes()
    n = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + n])
    inner = json.loads(header["__metadata__"][HEADER])
    if spoil == "later":
        inner["format"] = 99
    elif spoil == "no step":
        inner["steps"] = [{"index": 0}]
    elif spoil == "far":
        inner["inputs"] = [10_000]
    header["__metadata__"] = {} if spoil == "no header" else {HEADER: json.dumps(inner)}
    changed = json.dumps(header).encode()
    changed += b" " * (-len(changed) % 8)
    written = {"empty": b"", "text": b"not at all " * 10, "cut": whole[: n // 2]}
    path.write_bytes(written.get(spoil, len(changed).to_bytes(8, "little") + changed + whole[8 + n :]))
    with pytest.raises(UserError, match="must be a recording"):
        opened(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (
        ("pipe", "ordinary file"),
        (".", "ordinary file"),
        ("none", "no file none"),
        ("a\0b", "no file"),
    ):
        with pytest.raises(UserError, match=said):
            opened(tmp_path / name)
