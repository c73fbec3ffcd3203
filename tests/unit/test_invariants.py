"""What must hold at each stage holds on healthy models, and is measured as broken on broken ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import lmviz
from lmviz.debug.invariants import Check, checks_of
from lmviz.model.architecture import Norm
from lmviz.stages.stage import Stage
from lmviz.stages.stages import stages_of
from tests.conftest import PROMPTS, ROOT, SAMPLES

Change = Callable[[torch.Tensor], torch.Tensor]


def checks(model: str, text: str, **edits: Change) -> list[Check]:
    checkpoint = lmviz.load(ROOT / "sample_models" / model)
    changes = {address.replace("__", "."): change for address, change in edits.items()}
    with torch.no_grad():
        trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(text).ids_tensor, edits=changes)
    return [check for stage in stages_of(trace) for check in checks_of(trace, stage)]


def broken(found: list[Check]) -> set[str]:
    return {check.name for check in found if not check.holds}


@pytest.mark.parametrize("model", SAMPLES)
def test_a_healthy_model_keeps_every_invariant(model: str) -> None:
    found = checks(model, PROMPTS[model])
    assert not broken(found)
    assert {"finite", "rows_sum_to_one", "no_future", "sum_of_parts"} <= {check.name for check in found}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "change", "name"),
    [
        ("blocks.0.attn.pattern", lambda p: p * 0.5, "rows_sum_to_one"),
        ("blocks.0.attn.pattern", lambda p: torch.full_like(p, 0.25), "no_future"),
        ("blocks.0.x_mid", lambda x: x + 1, "sum_of_parts"),
        ("blocks.0.norm_1.normed", lambda x: x + 1, "mean_zero"),
        ("blocks.0.norm_1.normed", lambda x: x * 2, "variance_one"),
        ("blocks.0.mlp.hidden", lambda x: x * float("nan"), "finite"),
    ],
)
def test_what_is_broken_is_measured(address: str, change: Change, name: str) -> None:
    found = checks("names", ".mar", **{address.replace(".", "__"): change})
    assert name in broken(found)


def in_one_cell(cell: tuple[int, ...], value: float) -> Change:
    def changed(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[cell] = value
        return x

    return changed


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("head", [0, 3])
def test_one_wrong_number_in_any_row_of_any_head_is_measured(row: int, head: int) -> None:
    pattern = "blocks__0__attn__pattern"
    assert "rows_sum_to_one" in broken(checks("names", ".mar", **{pattern: in_one_cell((0, head, row, 0), 0.123)}))
    if row < 3:
        assert "no_future" in broken(checks("names", ".mar", **{pattern: in_one_cell((0, head, row, 3), 1e-3)}))
    assert "sum_of_parts" in broken(checks("names", ".mar", blocks__0__x_mid=in_one_cell((0, row, 17 * head), 9.0)))
    normed = "blocks__0__norm_1__normed"
    assert "mean_zero" in broken(checks("names", ".mar", **{normed: in_one_cell((0, row, 20 * head), 50.0)}))
    assert "finite" in broken(checks("names", ".mar", blocks__0__x_mid=in_one_cell((0, row, 63), float("inf"))))


def test_the_measured_value_is_the_tensors_own() -> None:
    found = checks("names", ".mar", blocks__0__attn__pattern=lambda p: p * 0.5)
    assert min(check.measured for check in found if check.name == "rows_sum_to_one") == pytest.approx(0.5)


class _RMSNorm(torch.nn.Module):
    """A norm that does not centre: written out under the name that our lessons use, or torch's own."""

    def __init__(self, written_out: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([0.5, 1.0, 2.0, 4.0]))
        self.written_out = written_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.written_out:
            return torch.nn.functional.rms_norm(x, (4,), self.weight)
        mean_square = x.pow(2).mean(dim=-1, keepdim=True)
        normed = x / torch.sqrt(mean_square + 1e-6)
        return normed * self.weight


class _Normed(torch.nn.Module):
    def __init__(self, written_out: bool) -> None:
        super().__init__()
        self.norm_1 = _RMSNorm(written_out)
        self.out = torch.nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.norm_1(x))


@pytest.mark.parametrize("norm", [None, "rms"])
@pytest.mark.parametrize("written_out", [True, False])
def test_a_norm_that_does_not_centre_has_mean_square_one(written_out: bool, norm: Norm | None) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 4) + 5

    def found(**edits: Change) -> dict[str, Check]:
        trace = lmviz.record(_Normed(written_out), x, edits=edits)
        return {check.name: check for stage in stages_of(trace) for check in checks_of(trace, stage, norm)}

    assert found()["mean_square_one"].holds
    assert not {"mean_zero", "variance_one"} & found().keys()
    where = "norm_1.normed" if written_out else "norm_1"
    assert not found(**{where: lambda normed: normed * 1.1})["mean_square_one"].holds


def test_what_a_norm_must_do_is_what_the_architecture_says() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/names")
    with torch.no_grad():
        trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(".mar").ids_tensor)
    (norm, *_) = (stage for stage in stages_of(trace) if stage.kind == "norm")
    for says, names in (("layer", {"mean_zero", "variance_one"}), ("rms", {"mean_square_one"}), ("none", set())):
        assert {check.name for check in checks_of(trace, norm, says)} - {"finite"} == names  # type: ignore[arg-type]


class _Attends(torch.nn.Module):
    def forward(self, q: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)


def test_a_fused_call_that_is_written_out_is_measured_against_the_real_one() -> None:
    torch.manual_seed(0)
    trace = lmviz.record(_Attends(), torch.randn(1, 2, 4, 8))
    found = [check for stage in stages_of(trace) for check in checks_of(trace, stage)]
    (agreement,) = [check for check in found if check.name == "written_out"]
    assert agreement.holds
    assert 0 <= agreement.measured < 1e-5


class Halves(torch.nn.Module):
    """The two halves of a vector are turned apart, by the same angle or, wrongly, by another one."""

    def __init__(self, other: float) -> None:
        super().__init__()
        self.other = other

    def forward(self, x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, -1)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat((left * cos - right * sin, right * cos + self.other * (left * sin)), -1)


class Halved(Halves):
    def forward(self, x: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
        left, right = x.chunk(2, -1)
        cos, sin = angle.cos() * self.other, angle.sin()
        return torch.cat((left * cos - right * sin, right * cos + left * sin), -1)


@pytest.mark.parametrize(
    ("model", "holds"),
    [(Halved(1.0), [True]), (Halved(0.5), [False]), (Halves(0.5), [])],
    ids=("turned", "shrunk", "other products"),
)
def test_two_halves_that_are_turned_apart_are_together_as_long_as_before(model: Halves, holds: list[bool]) -> None:
    torch.manual_seed(0)
    trace = lmviz.record(model, torch.randn(1, 2, 5, 4), torch.arange(5.0)[:, None] * torch.tensor([1.0, 0.1]))
    stage = Stage(0, "rotation", 0, 0, len(trace) - 1, len(trace) - 1)
    assert [check.holds for check in checks_of(trace, stage) if check.name == "lengths_kept"] == holds
