"""The step-through on a model of one's own: its words, a save of its file, and what a link may not name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn

from lmviz.attach.example import example_of
from lmviz.attach.memory import MemoryProgram, live
from lmviz.errors import UserError
from lmviz.registry.attached import attach, detach
from tests.pages.conftest import errors, scene

Open = Callable[..., AppTest]


class Tiny(nn.Module):
    def __init__(self, width: int = 12, bend: Any = torch.relu) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(12, 8)
        self.first = nn.Linear(8, 16)
        self.second = nn.Linear(16, width)
        self.bend = bend

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)  # [batch, pos, d_model]
        hidden = self.bend(self.first(x))
        logits = self.second(hidden)
        return logits


def example(model: nn.Module, loss: Any = None) -> Any:
    return live(example_of(model, torch.tensor([[1, 2, 3, 4]]), "abcdefghijkl", loss))


@pytest.fixture
def program() -> Iterator[MemoryProgram]:
    made = MemoryProgram("tiny", "tiny.py")
    made.add(example(Tiny()))
    attach(made)
    yield made
    detach("tiny")


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_stage_of_it_is_drawn_with_its_own_words(open_page: Open, program: MemoryProgram, lang: str) -> None:
    app = open_page(model="attached/tiny", lang=lang)
    found = scene(app)
    assert not errors(app) and [token["text"] for token in found["tokens"]] == ["b", "c", "d", "e"]
    assert "ids [1, 4]" in found["say"]["text"] and not found["say"]["more"] and found["source"]["why"]
    assert app.text_input(key="prompt").disabled
    for stage in found["map"]:
        shown = scene(open_page(model="attached/tiny", lang=lang, step=stage["kind"]))
        assert shown["say"]["title"] and "{" not in shown["say"]["text"]
    bars = scene(open_page(model="attached/tiny", step="probabilities"))["picture"]
    assert bars["rows"][0]["text"] in "abcdefghijkl" and bars["target"] is None and not bars["last"]


class LastOnly(nn.Module):
    """A model that, as many do without targets, gives the logits of the last position only."""

    def __init__(self, as_row: bool) -> None:
        super().__init__()
        self.as_row = as_row
        torch.manual_seed(0)
        self.embed = nn.Embedding(12, 8)
        self.head = nn.Linear(8, 12)

    def forward(self, ids: Tensor, targets: Tensor | None = None) -> tuple[Tensor, None]:
        x = self.embed(ids).cumsum(1)
        logits = self.head(x[:, -1] if self.as_row else x[:, [-1], :])
        return logits, None


@pytest.mark.parametrize("as_row", [True, False])
@pytest.mark.parametrize("focus", ["0", "3"])
def test_a_model_that_tells_the_last_position_only_has_its_probabilities(
    open_page: Open, program: MemoryProgram, as_row: bool, focus: str
) -> None:
    model, ids = LastOnly(as_row), torch.tensor([[5, 6, 7, 8], [1, 2, 3, 4]])
    program.add(live(example_of(model, ids, "abcdefghijkl")))
    shares = model(ids)[0].detach().reshape(2, 12).softmax(-1)[0].numpy()
    best = "abcdefghijkl"[shares.argmax()]
    for grad in ("", "true"):
        app = open_page(model="attached/tiny", step="probabilities", focus=focus, grad=grad)
        said = scene(app)["say"]["text"]
        assert not errors(app)
    found = scene(open_page(model="attached/tiny", step="probabilities", focus=focus))
    assert found["picture"]["rows"][0]["text"] == best
    assert found["picture"]["rows"][0]["p"] == pytest.approx(shares.max(), rel=1e-5)
    said = found["say"]["text"]
    assert f"After ‹i› the model finds ‹{best}›" in said and "for the last position only" in said
    assert not any(stage["kind"] == "loss" for stage in found["map"])


def test_a_vector_for_each_text_is_not_taken_for_logits(open_page: Open, program: MemoryProgram) -> None:
    class Pooled(LastOnly):
        def forward(self, ids: Tensor, targets: Tensor | None = None) -> Any:
            return self.embed(ids).mean(1).repeat(1, 2)

    program.add(example(Pooled(True)))
    assert not any(stage["kind"] == "probabilities" for stage in scene(open_page(model="attached/tiny"))["map"])


def test_its_own_loss_is_not_explained_as_another(open_page: Open, program: MemoryProgram) -> None:
    program.add(example(Tiny(), loss=lambda logits: logits.pow(2).mean()))
    say = scene(open_page(model="attached/tiny", step="loss"))["say"]
    assert "nats" not in say["text"] and not say["formula"]
    assert "nats" in scene(open_page(model="attached/tiny@1", step="loss"))["say"]["text"]
    graded = scene(open_page(model="attached/tiny", step="hidden", by="op", grad="true"))
    assert graded["picture"]["panels"] and not errors(open_page(model="attached/tiny@1", grad="true", step="hidden"))


def test_a_new_run_moves_the_page_to_the_first_number_that_differs(open_page: Open, program: MemoryProgram) -> None:
    app = open_page(model="attached/tiny")
    program.add(example(Tiny(bend=torch.tanh)))
    app.run()
    found = scene(app)
    assert found["say"]["title"] == "hidden" and [panel["mark"] for panel in found["picture"]["panels"]] == [
        *("A", "B", "A − B"),
    ]
    assert found["compared"] and found["inspector"]["address"] == "hidden" and "first number" in app.success[0].value
    assert app.query_params["b_model"] == "attached/tiny@1"
    program.add(example(Tiny(bend=torch.tanh)))
    app.run()
    assert "every number is as before" in app.success[0].value and not scene(app)["compared"]
    program.add(example(Tiny(width=11, bend=torch.tanh)))
    assert "another shape" in app.run().success[0].value


def test_what_is_compared_has_no_text_where_its_program_reads_none(open_page: Open, program: MemoryProgram) -> None:
    app = open_page(model="attached/tiny")
    for bend in (torch.relu, torch.tanh):
        program.add(live(example_of(Tiny(bend=bend), torch.tensor([[1, 2, 3, 4]]))))
        app.run()
    assert scene(app)["compared"] == "B: tiny.py, run 2"


def test_a_page_that_is_there_before_the_first_run_is_over_speaks_of_no_other(open_page: Open) -> None:
    waiting = MemoryProgram("waiting", "waiting.py")
    attach(waiting)
    try:
        app = open_page(model="attached/waiting")
        waiting.add(example(Tiny()))
        app.run()
        assert not app.success and scene(app)["map"]
    finally:
        detach("waiting")


def test_a_file_that_has_never_run_says_why_once(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = UserError("tiny.py must name a `model`.")

    def record(*_: object) -> None:
        raise wrong

    monkeypatch.setattr(MemoryProgram, "record", record)
    monkeypatch.setattr(MemoryProgram, "wrong", lambda _: wrong)
    attach(MemoryProgram("waiting", "waiting.py"))
    try:
        assert [one.value for one in open_page(model="attached/waiting").error] == [str(wrong)]
    finally:
        detach("waiting")


def test_a_model_that_raises_opens_at_the_step_that_did(open_page: Open, program: MemoryProgram) -> None:
    app = open_page(model="attached/tiny")
    broken = Tiny(bend=torch.tanh)  # other numbers before the error are not what one looks for first
    broken.second = nn.Linear(17, 12)
    program.add(example(broken))
    app.run()
    say = scene(app)["say"]
    assert say["title"] == "logits" and "4x16 and 17x12" in say["error"]
    assert scene(app)["source"]["lit"] is not None


def test_a_link_to_what_is_not_attached_is_a_sentence(open_page: Open) -> None:
    for model in ("attached/gone", "attached/tiny@4", "attached/../../etc"):
        app = open_page(model=model)
        (said,) = errors(app)
        assert said and "Traceback" not in said


def test_other_pages_say_that_they_cannot_open_it(open_on: Open, program: MemoryProgram) -> None:
    for page in ("generation", "quantisation", "embeddings"):
        app = open_on(page, model="attached/tiny")
        assert not app.exception and "stepped through" in " ".join(errors(app)), page
