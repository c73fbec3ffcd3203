"""The doctor for a model, a training loop and a test-suite of one's own, from Python, the shell and pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.attach.check import OF_A_MODEL, Findings, _subject_of
from lmviz.attach.run import logits_in
from lmviz.attach.sentences import line_of, packed
from lmviz.cli import main
from lmviz.debug.doctor import examine, how_sure
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.subject import Subject
from lmviz.errors import UserError
from lmviz.trace.plain_data import decoded
from tests.conftest import ROOT
from tests.zoo.entry import TEXTS, subject
from tests.zoo.other_kinds import HeadsByVmap

FILE = """
import torch
import torch.nn.functional as F
from torch import nn


class Seer(nn.Module):
    def __init__(self, causal):
        super().__init__()
        self.causal = causal
        self.embed, self.places = nn.Embedding(12, 8), nn.Embedding(16, 8)
        self.qkv, self.out, self.head = nn.Linear(8, 24), nn.Linear(8, 8), nn.Linear(8, 12)

    def forward(self, ids):
        x = self.embed(ids) + self.places(torch.arange(ids.shape[1]))
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=self.causal))
        return self.head(x)


torch.manual_seed(0)
inputs = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]])
model = Seer(causal=False)
"""


def seer(causal: bool) -> nn.Module:
    names: dict[str, Any] = {}
    exec(FILE.replace("causal=False", f"causal={causal}"), names)
    model: nn.Module = names["model"]
    return model


@pytest.fixture(scope="module")
def broken() -> lmviz.Findings:
    return lmviz.check(seer(causal=False), TEXTS, n_ctx=16, causal=True)


@pytest.mark.slow
def test_any_module_is_examined_and_left_as_it_is(broken: lmviz.Findings) -> None:
    model = seer(causal=True).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = lmviz.check(model, TEXTS, n_ctx=16)
    assert not found.alarms and repr(found).endswith(f"{len(found.skipped)} not measured>")
    assert [one.check for one in found] == list(OF_A_MODEL) and model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert broken.alarms[0].check == "causality" and "✗ causality: It sees the future" in str(broken)


class Encoder(nn.Module):
    """Reads both ways on purpose; or is a language model whose mask was forgotten, or moved by one."""

    def __init__(self, sign: str = "") -> None:
        super().__init__()
        self.sign = sign
        self.embed, self.places = nn.Embedding(12, 8), nn.Embedding(16, 8)
        self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)
        self.head = nn.Linear(8, 12)
        if sign == "a mask that is not used":
            self.register_buffer("bias", torch.ones(16, 16).tril())

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> Any:
        mask = torch.ones(ids.shape[1], ids.shape[1]).triu(2) > 0 if self.sign == "one too far" else None
        logits = self.head(self.body(self.embed(ids) + self.places(torch.arange(ids.shape[1])), mask))
        if self.sign == "its loss" and labels is not None:
            return nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten()), logits
        return logits[:, -1] if self.sign == "the last logits alone" else logits


class TinyGPT(Encoder):
    pass


def _of_causality(model: nn.Module, causal: bool | None = None) -> Finding:
    made = replace(_subject_of(model.eval(), (TEXTS,), {}, None, 16), causal=causal)
    (found,) = examine(made, ("causality",))
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*enable_nested_tensor.*")
@pytest.mark.parametrize("sign", ["a mask that is not used", "one too far", "its loss", "a name", "it was said", ""])
def test_who_reads_both_ways_is_alarmed_about_only_if_something_shows_that_it_should_not(sign: str) -> None:
    torch.manual_seed(0)
    found = _of_causality(TinyGPT() if sign == "a name" else Encoder(sign), True if sign == "it was said" else None)
    assert found.holds is False
    assert how_sure(found) == ("hint" if not sign else "likely" if sign == "a name" else "sure")
    says = line_of(found)
    assert ("right for an encoder, and wrong for a model that predicts the next token" in says) == (not sign)
    assert says.startswith("✗" if sign else "?")


def test_an_encoder_can_be_said_to_be_one() -> None:
    assert _of_causality(Encoder(), causal=False).why_not == "both_ways"


def test_hints_are_no_alarms() -> None:
    made = Findings((Finding("causality", False, sure="hint"), Finding("causality", False), Finding("positions", True)))
    assert (len(made.alarms), len(made.hints)) == (1, 1)
    assert repr(made) == "<3 findings, 1 alarms, 1 hints, 0 not measured>"


def test_attention_both_ways_is_even_over_all_keys() -> None:
    torch.manual_seed(0)
    made = _subject_of(Encoder().eval(), (TEXTS,), {}, None, 16)
    (found,) = examine(made, ("entropy_collapse",))
    assert 0.9 < found.measured <= 1


def test_what_cannot_be_measured_is_said_with_its_reason(broken: lmviz.Findings) -> None:
    assert broken.skipped and all(one.why_not for one in broken.skipped)
    lines = str(broken).splitlines()
    assert len(lines) == len(broken) and all(line[2:].partition(":")[0] in OF_A_MODEL for line in lines)


class OwnMask(nn.Module):
    """A mask that its code makes anew each time, in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.places = nn.Embedding(12, 8), nn.Parameter(torch.randn(32, 8))
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(8, 12)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids) + self.places[: ids.shape[1]]
        mask = torch.triu(torch.full((ids.shape[1], ids.shape[1]), -torch.inf), 1)
        x = x + self.attention(x, x, x, attn_mask=mask, need_weights=False)[0]
        return self.head(x)


def test_what_the_doctor_makes_of_a_model_is_still_that_model() -> None:
    """In float64 torch's fused attention reads a float32 mask as garbage: then it is examined as it is."""
    torch.manual_seed(0)
    found = {one.check: one for one in lmviz.check(OwnMask(), torch.randint(0, 12, (3, 20)))}
    assert found["causality"].holds and found["texts_apart"].holds


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # torch's, of what it will move
def test_the_rounding_of_a_quantised_model_is_no_fault() -> None:
    """One scale for all of a batch moves every number a little; and no training reaches whole numbers."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(12, 8), nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 12))
    rounded = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    found = lmviz.check(rounded, torch.tensor([[1, 2, 3, 4, 5, 6]]))
    assert not found.alarms, str(found)
    unseen = {one.check for one in found if one.why_not == "quantised"}
    assert {"causality", "positions", "one_batch", "gradients_reach"} <= unseen
    assert not unseen & {"scale", "stream", "bends"}, "there is no attention, block or MLP to look at"


def test_what_is_kept_in_float16_learns_in_float32() -> None:
    """Adam divides by squares that float16 has no room for: the loss would be NaN."""
    model = Subject(seer(causal=True).half(), 12, 16, TEXTS, dtype=torch.float16)
    assert {weight.dtype for weight in (*model.fresh().parameters(), *model.pupil().parameters())} == {torch.float32}


class Both(nn.Module):
    """A text and its source, each with a mask; all by name."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.seer, self.mix = nn.Embedding(12, 12), seer(causal=True), nn.Linear(12, 12)

    def forward(self, *, source_ids: Tensor, source_mask: Tensor, ids: Tensor, keep: Tensor) -> dict[str, Tensor]:
        read = (self.source(source_ids) * source_mask[..., None]).mean(1, keepdim=True)
        return {"logits": (self.seer(ids) + self.mix(read)) * keep[..., None]}


class OfOneDict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = Both()

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.both(**batch)["logits"]  # type: ignore[no-any-return]


def _batch() -> dict[str, Tensor]:
    torch.manual_seed(0)
    source, ids = torch.randint(1, 12, (3, 5)), torch.randint(1, 12, (3, 8))
    keep = torch.ones_like(ids)
    keep[0, 6:] = 0  # the first text is padded
    return {"source_ids": source, "source_mask": torch.ones_like(source), "ids": ids, "keep": keep}


def test_a_model_of_several_inputs_is_examined_as_it_is_called() -> None:
    model, batch = OfOneDict().eval(), _batch()
    for made in (
        _subject_of(model, (batch,), {}, None, None),
        _subject_of(model.both, (), batch, None, None),
    ):
        assert made.texts == tuple(map(tuple, batch["ids"].tolist())) and made.n_ctx == 8
        found = list(examine(made, ("causality", "receptive_field", "texts_apart", "whole_context", "gradients_reach")))
        assert all(one.holds for one in found), found
    assert [path for path, _ in made.model.named_parameters()] == [path for path, _ in model.both.named_parameters()]


class OfLabels(nn.Module):
    """An encoder with a decoder as in transformers: labels alone will do, and become what the decoder reads."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.seer = nn.Embedding(12, 12), seer(causal=True)

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(labels[:, :1]), labels[:, :-1].clamp(min=0)], 1)

    def forward(self, input_ids: Tensor, decoder_input_ids: Any = None, labels: Any = None) -> dict[str, Tensor]:
        read = self.prepare_decoder_input_ids_from_labels(labels) if decoder_input_ids is None else decoder_input_ids
        logits = self.seer(read) + self.source(input_ids).mean(1, keepdim=True)
        asked = labels.view(-1)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), asked)
        return {"loss": loss, "logits": logits, "encoder_last_hidden_state": self.source(input_ids)}


@pytest.mark.slow
def test_of_an_encoder_with_a_decoder_that_is_given_labels_the_decoder_is_examined() -> None:
    torch.manual_seed(0)
    ids, labels = torch.randint(1, 12, (3, 7)), torch.randint(1, 12, (3, 5))
    labels[0, 3:] = -100
    for made in (
        _subject_of(OfLabels(), (ids,), {"labels": labels}, None, None),
        _subject_of(OfLabels(), (), {"input_ids": ids, "labels": labels}, None, None),
    ):
        assert [len(text) for text in made.texts] == [5, 5, 5]
        found = list(examine(made, ("causality", "texts_apart", "gradients_reach", "one_batch")))
        assert all(one.holds for one in found), found


def test_logits_are_what_is_called_so_and_no_other_tensor_that_fits() -> None:
    ids = torch.ones(2, 5, dtype=torch.long)
    hidden, logits = torch.zeros(2, 5, 8), torch.zeros(2, 3, 12)
    assert logits_in({"hidden": hidden}, ids) is hidden
    assert logits_in({"hidden": hidden, "logits": logits}, ids) is None


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"source_ids": _batch()["source_ids"]}, "Give check all that the model is called with"),
        (_batch() | {"keep": 1 - torch.eye(3, 8).long()}, "one text without padding"),
        ({"picture": torch.ones(2, 3, 4, 4)}, "among the inputs"),
    ],
)
def test_several_inputs_without_a_text_to_examine_are_told(inputs: dict[str, Tensor], said: str) -> None:
    with pytest.raises(UserError, match=said):
        lmviz.check(Both(), **inputs)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (torch.ones(2, 4), "whole numbers"),
        (torch.ones(2, 2, 2, dtype=torch.long), "whole numbers"),
        (torch.tensor([[1]]), "at least two"),
        ([], "at least two"),
        ("a text", "ids"),
        (torch.tensor([[1, 999]]), "cannot read these inputs"),
    ],
    ids=str,
)
def test_what_are_no_ids_is_told(ids: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        lmviz.check(seer(causal=True), ids)


def test_a_function_is_no_model_to_examine() -> None:
    with pytest.raises(UserError, match=r"torch\.nn\.Module; this model is of type function"):
        lmviz.check(lambda ids: ids, torch.tensor([[1, 2]]))  # type: ignore[arg-type]


class OneVector(nn.Module):
    """A vector for each text: a class, or a summary."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 24)

    def forward(self, ids: Tensor) -> Tensor:
        return self.embed(ids).mean(1)


@pytest.mark.parametrize("model", [nn.Embedding(50, 3), OneVector()], ids=["too narrow", "one vector"])
def test_a_model_without_logits_is_told(model: nn.Module) -> None:
    with pytest.raises(UserError, match="no logits"):
        lmviz.check(model, torch.tensor([[1, 10]]))


def test_a_finding_goes_whole_from_process_to_process(broken: lmviz.Findings) -> None:
    for finding in broken:
        there = Finding(**decoded(json.loads(json.dumps(packed(finding)))))
        assert there == finding or there.measured != there.measured


# -- a training loop -------------------------------------------------------------------------------------------------

Loop = Callable[[nn.Module], Callable[[Tensor], Any]]


def _step(model: nn.Module, rate: float = 0.01, weights: Any = None, sign: float = 1.0) -> Callable[[Tensor], Tensor]:
    optimizer = torch.optim.Adam(weights or model.parameters(), lr=rate)

    def step(batch: Tensor) -> Tensor:
        loss = nn.functional.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        (sign * loss).backward()
        optimizer.step()
        return loss

    return step


LOOPS: dict[str, tuple[Loop, str]] = {
    "healthy": (_step, ""),
    "uphill": (lambda model: _step(model, sign=-1), "falls"),
    "only the head": (lambda model: _step(model, weights=[*model.head.parameters()]), "all_move"),  # type: ignore
    "breaks": (lambda model: lambda batch: _step(model)(batch) * float("nan"), "stays_finite"),
    "detached": (lambda model: lambda batch: model(batch).detach().mean() ** 2 + 2.4, "all_move"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOPS)
def test_a_training_loop_is_examined(name: str) -> None:
    loop, alarm = LOOPS[name]
    torch.manual_seed(0)
    model = seer(causal=True)
    batches = [torch.arange(8).repeat(4, 1) + i % 3 for i in range(60)]
    found = lmviz.check_training(loop(model), batches, model=model, d_vocab=12)
    alarms = {one.check for one in found.alarms}
    assert alarm in alarms if alarm else not alarms, str(found)
    assert not any(parameter._post_accumulate_grad_hooks for parameter in model.parameters())


def test_a_loop_without_losses_or_batches_is_told() -> None:
    with pytest.raises(UserError, match="one number"):
        lmviz.check_training(lambda batch: None, [1])
    with pytest.raises(UserError, match="one batch"):
        lmviz.check_training(lambda batch: 1.0, [])


# -- the shell and pytest --------------------------------------------------------------------------------------------


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.nightly
def test_the_command_examines_a_file_and_a_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.py").write_text(FILE)
    done = run("lmviz", "doctor", "model.py", "--json", "--causal", cwd=tmp_path)
    found = json.loads(done.stdout)
    alarms = [one["check"] for one in found["findings"] if one["holds"] is False and one["sure"] != "hint"]
    assert done.returncode == 1 and "causality" in alarms and found["alarms"] == len(alarms), done.stderr
    assert main(["doctor", "small-ever", "--lang", "fr"]) == 0
    said = capsys.readouterr().out
    assert "✗ 0" in said and "`" not in said and "tokens" in said
    assert main(["doctor", str(tmp_path / "gone.py")]) == 2
    wrong = capsys.readouterr()
    assert wrong.err.count("\n") == 1 and not wrong.out


def test_of_a_model_of_vmap_no_check_says_what_is_not_true() -> None:
    """Its attention is not known as one: its order, which is in it, can't be denied."""
    torch.manual_seed(0)
    found = {one.check: one for one in examine(subject(HeadsByVmap()), ("finite", "positions", "whole_context"))}
    assert found["finite"].holds and found["whole_context"].holds
    assert found["positions"].why_not == "no_attention"


@pytest.mark.nightly
def test_a_test_of_ones_own_fails_with_the_findings(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "test_mine.py").write_text(
        "import mine\n"
        "def test_fails(lmviz_healthy):\n    lmviz_healthy(mine.model, mine.inputs, causal=True)\n"
        "def test_warns(lmviz_healthy):\n    lmviz_healthy(mine.model, mine.inputs, but=['one_batch'])\n"
        "def test_passes(lmviz_healthy):\n    lmviz_healthy(mine.model, mine.inputs, but=['causality', 'one_batch'])\n"
    )
    done = run("pytest", "-p", "lmviz.pytest_plugin", "-q", cwd=tmp_path)
    assert "1 failed, 2 passed, 1 warning" in done.stdout, done.stdout
    assert "It sees the future" in done.stdout and "before the softmax" in done.stdout
