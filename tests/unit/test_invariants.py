"""What must hold at each stage holds on healthy models, and is measured as broken on broken ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import lmviz
from lmviz.debug.invariants import Check, checks_of
from lmviz.stages.stages import stages_of
from tests.conftest import ROOT, SAMPLES

Change = Callable[[torch.Tensor], torch.Tensor]


def checks(model: str, text: str, **edits: Change) -> list[Check]:
    checkpoint = lmviz.load(ROOT / "sample_models" / model)
    changes = {address.replace("__", "."): change for address, change in edits.items()}
    with torch.no_grad():
        trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(text).ids_tensor, edits=changes)
    return [check for stage in stages_of(trace) for check in checks_of(trace, stage)]


def broken(found: list[Check]) -> set[str]:
    return {check.name for check in found if not check.holds}


PROMPTS = {"small-ever": "Clem", "pokemon": ".pik", "simple-llm": "The cat sits on", "names": ".mar"}


@pytest.mark.parametrize("model", SAMPLES)
def test_a_healthy_model_keeps_every_invariant(model: str) -> None:
    found = checks(model, PROMPTS[model])
    assert not broken(found)
    assert {"finite", "rows_sum_to_one", "no_future", "sum_of_parts"} <= {check.name for check in found}


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
