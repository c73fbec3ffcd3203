"""What a recording shows of itself in a notebook and in a terminal: all of it is there, and nothing of it acts."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.errors import UserError
from tests.conftest import ROOT


class Whole(HTMLParser):
    """Reads HTML: which tags there are, and that each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.add(tag)
        for _, value in attrs:
            assert "http" not in (value or "") and "url(" not in (value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


class Model(nn.Module):
    """Numbers of many kinds, and a name that would be a tag."""

    def forward(self, x: Tensor) -> Tensor:
        scores = x.masked_fill(x > 1, float("-inf"))  # [batch, pos, width]
        empty = x[:, :0]
        turned = torch.complex(x, x)
        is_large = x > 0
        half = x.bfloat16()
        count = x.long()
        alone = x.sum() + len("<script>alert('&')</script>")
        return scores + alone + turned.real + is_large + half + count + empty.sum()


@pytest.fixture(scope="module")
def trace() -> lmviz.Trace:
    torch.manual_seed(0)
    return lmviz.record(Model(), torch.randn(2, 20, 30))


def shown(thing: Any) -> Whole:
    return Whole(thing._repr_html_())


def test_everything_shows_itself_whole_and_escaped(trace: lmviz.Trace) -> None:
    everything = [trace, *trace, *(value for step in trace for value in (*step.inputs, *step.outputs))]
    for thing in everything:
        found = shown(thing)
        assert found.tags <= {"div", "b", "small", "code", "table", "tr", "td", "i", "details", "summary", "span"}
        assert "<script" not in thing._repr_html_() and "<script" not in found.words.split("len(")[0]
    assert "<script>alert" in shown(trace["alone"]).words


def test_numbers_are_those_of_the_recording(trace: lmviz.Trace) -> None:
    step = trace["scores"]
    html = step.outputs[0]._repr_html_()
    assert html.count("<td style") == 12 * 12 and "−∞" in html and "[0, :12, :12]" in html
    first = step.outputs[0].array[0, 0, 0]
    assert f"{first:.3g}".replace("-", "−") in html and "[batch 2, pos 20, width 30]" in html
    assert (
        "NaN" not in html and "True" in trace["is_large"]._repr_html_() and "no numbers" in shown(trace["empty"]).words
    )


def test_a_trace_opens_step_by_step(trace: lmviz.Trace) -> None:
    assert trace._repr_html_().count("<details>") == len(trace)
    model = nn.Sequential(*(nn.ReLU() for _ in range(100)))
    many = lmviz.record(model, torch.ones(2))
    assert many._repr_html_().count("<details>") == 60 and "and 40 more" in many._repr_html_()


def test_a_terminal_says_what_it_is(trace: lmviz.Trace) -> None:
    assert re.fullmatch(r"<Trace: \d+ steps, 0 weights; trace.find\(\) lists its addresses>", repr(trace))
    assert repr(trace["scores"]) == (
        '<Step 1 scores: x.masked_fill(x > 1, float("-inf")) → [batch 2, pos 20, width 30] float32>'
    )
    assert repr(trace["scores"].outputs[0]) == "<Value scores [batch 2, pos 20, width 30] float32>"
    broken = lmviz.record(nn.Linear(2, 2), torch.ones(1, 3))
    assert "stopped by RuntimeError" in repr(broken) and "RuntimeError" in repr(broken[0]) + shown(broken[0]).words
    assert "loss 2" in repr(lmviz.record(nn.Identity(), torch.ones(2, requires_grad=True), backward=torch.sum))


def test_an_explanation_is_its_line_of_arithmetic() -> None:
    torch.manual_seed(0)
    trace = lmviz.record(nn.Linear(3, 2), torch.tensor([[1.0, 2.0, -3.0]]))
    why = lmviz.explain(trace[0], (0, 1))
    numbers = [f"{one:.3g}".replace("-", "−") for one in trace.weights["weight"].array[1]]
    assert all(one in repr(why) for one in numbers) and f"{why.value:.3g} ≈ ".replace("-", "−") in repr(why)
    assert "weight[1, 2]" in why._repr_html_() and shown(why).words.startswith(f"{why.value:.3g}".replace("-", "−"))
    long = lmviz.record(nn.Linear(500, 1), torch.ones(1, 500))
    assert "more)" in repr(lmviz.explain(long[0], (0, 0))) and len(repr(lmviz.explain(long[0], (0, 0)))) < 500


def test_what_cannot_be_read_says_why_in_its_place() -> None:
    model, x = nn.Linear(2, 2), torch.ones(1, 2)
    trace = lmviz.record(model, x)
    with torch.no_grad():
        model.weight.add_(1)
    assert "record again" in shown(trace[0]).words


@pytest.mark.slow
def test_tab_and_type_checkers_know_the_public_names() -> None:
    code = "import lmviz, sys; print(*dir(lmviz)); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted(lmviz.__all__) and (ROOT / "lmviz/py.typed").is_file()


@pytest.mark.slow
def _without_size(text: str) -> str:
    """How large a page is changes with every line of our own code in it."""
    return re.sub(r"[\d.]+ MB", "MB", text)


@pytest.mark.nightly
def test_the_notebook_of_the_docs_runs_and_shows_what_is_kept_of_it() -> None:
    nbformat, notebook = pytest.importorskip("nbformat"), pytest.importorskip("tools.notebook")
    kept, now = nbformat.read(notebook.NOTEBOOK, as_version=4), notebook.executed()
    shown, before = (
        [[output.data for output in cell.outputs] for cell in one.cells if cell.cell_type == "code"]
        for one in (now, kept)
    )
    plain, plain_before = (
        [[_without_size(data["text/plain"]) for data in cell] for cell in one] for one in (shown, before)
    )
    assert plain == plain_before
    words = ("blocks.0.attn.pattern", "F.softmax(masked, dim=-1)", "≈")
    for (data,), word in zip(shown[:3], words, strict=True):
        assert word in Whole(data["text/html"]).words and data["text/plain"].startswith("<")
    for (data,) in shown[3:]:
        assert data["text/html"].startswith('<iframe sandbox="allow-scripts ') and "srcdoc=" in data["text/html"]


@pytest.mark.slow
def test_a_walk_inside_a_notebook_is_bounded_and_says_what_it_lacks() -> None:
    trace = lmviz.record(nn.Sequential(nn.Embedding(40, 700), nn.Linear(700, 900)), torch.arange(70)[None] % 40)
    page = trace.inline(limit=1_000_000, lang="fr")
    assert len(page.html) <= 1_000_000 and len(page.left_out) == 3
    assert '<html lang="fr">' in page.html and "<html" not in page._repr_html_()  # it stands in an attribute
    assert page._repr_html_().count('"') == page._repr_html_().split("srcdoc=")[0].count('"') + 2
    assert repr(page).startswith("<InlinePage: ")
    with pytest.raises(UserError, match="en, fr"):
        trace.inline(lang="de")


def test_a_walk_is_shown_below_the_cell_and_outside_a_notebook_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model, shown = nn.Linear(2, 2), []
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(UserError, match="notebook"):
        lmviz.show(model, torch.ones(1, 2), inline=True)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=shown.append))
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    trace = lmviz.show(model, torch.ones(1, 2), inline=True, name="Mine")
    assert "Mine" in shown[0].html and isinstance(trace, lmviz.Trace)
