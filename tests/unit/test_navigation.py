"""The walk: its stages, the moves of a debugger, what there is to see, and where a run stops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lmviz
from lmviz.errors import UserError
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.quantise.aware import prepare
from lmviz.quantise.scheme import Scheme
from lmviz.stages.breakpoints import Breakpoint, _has_low_entropy, cell_of, next_stop
from lmviz.stages.navigation import Location, Navigator
from lmviz.stages.panels import panels_at, variables
from lmviz.stages.stages import stages_of
from lmviz.trace.step import Array, Trace
from tests.conftest import ROOT, SAMPLES


def navigator_of(model: str, text: str) -> Navigator:
    checkpoint = lmviz.load(ROOT / "sample_models" / model)
    with torch.no_grad():
        return Navigator(lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(text).ids_tensor))


@pytest.fixture(scope="module")
def pokemon() -> Navigator:
    return navigator_of("pokemon", ".pik")


@pytest.fixture(scope="module")
def llama() -> Navigator:
    return navigator_of("names-llama", ".mar")


@pytest.fixture(scope="module")
def names() -> Navigator:
    return navigator_of("names", ".mar")


def kinds(trace: Trace) -> list[str]:
    return [stage.kind for stage in stages_of(trace)]


GPT2_BLOCK = ["norm", "qkv", "scores", "softmax", "mix", "residual", "norm", "mlp", "residual"]


def test_gpt2_is_walked_in_the_order_of_the_design(names: Navigator) -> None:
    assert kinds(names.trace) == ["tokenizer", "embeddings", *GPT2_BLOCK * 3, "final_norm", "logits"]


def test_the_mini_llm_has_no_norms(pokemon: Navigator) -> None:
    block = ["qkv", "scores", "softmax", "mix", "residual", "mlp", "residual"]
    assert kinds(pokemon.trace) == ["tokenizer", "embeddings", *block, "logits"]


@pytest.mark.parametrize("model", ["pokemon", "names"])
def test_weights_that_are_rounded_whenever_they_are_read_make_no_stages_of_their_own(model: str) -> None:
    plain = navigator_of(model, ".mar")
    checkpoint = lmviz.load(ROOT / "sample_models" / model)
    prepared = prepare(checkpoint.model, Scheme("int4"))
    with torch.no_grad():
        rounded = lmviz.record(prepared, checkpoint.tokenizer.encode(".mar").ids_tensor)
    assert kinds(rounded) == kinds(plain.trace)
    assert any(step.address.endswith("parametrizations.weight.0.codes") for step in rounded)


@pytest.mark.parametrize("model", SAMPLES)
def test_every_step_is_in_exactly_one_stage(model: str) -> None:
    navigator = navigator_of(model, "Clem" if model == "small-ever" else ".a" if model != "simple-llm" else "The cat")
    covered = [i for stage in navigator.stages[1:] for i in range(stage.first, stage.last + 1)]
    assert covered == list(range(len(navigator.trace)))


class Fused(nn.Module):
    """A block in other words: fused attention, a torch norm, an unnumbered path."""

    def __init__(self) -> None:
        super().__init__()
        self.wte = nn.Embedding(7, 8)
        self.h = nn.ModuleList([FusedBlock()])
        self.ln_f = nn.LayerNorm(8)
        self.head = nn.Linear(8, 7)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.wte(ids)
        for layer in self.h:
            x = layer(x)
        return self.head(self.ln_f(x))


class FusedBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.qkv(self.ln_1(x)).chunk(3, -1))
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(z.transpose(1, 2).flatten(-2))
        return x + self.mlp(self.ln_2(x))


def test_stages_of_an_unknown_model_are_inferred() -> None:
    with torch.no_grad():
        trace = lmviz.record(Fused().eval(), torch.tensor([[1, 2, 3]]))
    found = kinds(trace)
    assert found[:2] == ["tokenizer", "embeddings"]
    assert [kind for kind in found if kind in GPT2_BLOCK] == GPT2_BLOCK
    assert found[-2:] == ["final_norm", "logits"]


def test_a_model_of_another_kind_is_shown_as_plain_steps() -> None:
    with torch.no_grad():
        trace = lmviz.record(nn.Sequential(nn.Linear(3, 3), nn.ReLU()), torch.ones(1, 3))
    assert kinds(trace) == ["tokenizer", "other"]


# -- moving ----------------------------------------------------------------------------------------------------------


def line(navigator: Navigator, location: Location) -> str:
    return navigator.lines[location.index].span.text


def test_over_by_stage_visits_every_stage_once(names: Navigator) -> None:
    location, seen = Location(), [0]
    while (after := names.move(location, "over")) != location:
        location = after
        seen.append(location.index)
    assert seen == list(range(len(names.stages)))


def test_over_by_line_does_not_enter_calls_and_into_does(pokemon: Navigator) -> None:
    at = pokemon.at(pokemon.trace["x"].index, "line")
    over = pokemon.move(at, "over")
    assert line(pokemon, over) == "x = block(x)"
    into = pokemon.move(over, "into")
    assert line(pokemon, into) == "attn_out = self.attn(x)"
    assert line(pokemon, pokemon.move(into, "into")).startswith("q = self.w_q(x)")


def test_the_last_line_of_a_call_leads_back_to_its_caller(pokemon: Navigator) -> None:
    last = pokemon.at(pokemon.trace["blocks.0.attn.joined"].index, "line")
    assert line(pokemon, pokemon.move(last, "over")) == "attn_out = self.attn(x)"


@pytest.mark.parametrize("model", SAMPLES)
def test_every_line_is_found_again_by_its_step(model: str) -> None:
    navigator = navigator_of(model, "Clem" if model == "small-ever" else ".a" if model != "simple-llm" else "The cat")
    for index, one in enumerate(navigator.lines):
        location = Location("line", index)
        assert navigator.at(one.last, "line", navigator.outwards(location)) == location


def test_over_by_line_reaches_the_end(names: Navigator) -> None:
    location, seen = names.at(0, "line"), 1
    while (after := names.move(location, "over")) != location:
        location, seen = after, seen + 1
    assert line(names, location) == "logits = self.unembed(final)" and seen == 8


def test_out_climbs_from_an_operation_to_the_stage(pokemon: Navigator) -> None:
    location = Location("op", pokemon.trace["blocks.0.attn.scores.matmul"].index)
    location = pokemon.move(location, "out")
    assert line(pokemon, location).startswith("scores = q @ k")
    for expected in ("attn_out = self.attn(x)", "x = block(x)"):
        location = pokemon.move(location, "out")
        assert line(pokemon, location) == expected
    assert pokemon.move(location, "out").grain == "stage"


def test_back_undoes_over_among_operations(pokemon: Navigator) -> None:
    for index in range(len(pokemon.trace) - 1):
        location = Location("op", index)
        assert pokemon.move(pokemon.move(location, "over"), "back") == location


@pytest.mark.parametrize("grain", ["stage", "line", "op"])
def test_no_move_leaves_the_walk(pokemon: Navigator, grain: str) -> None:
    for index in range(pokemon.count(grain)):  # type: ignore[arg-type]
        for move in (
            "over",
            "back",
            "into",
            "out",
            "first",
            "last",
            "next_stage",
            "previous_stage",
            "next_block",
            "previous_block",
        ):
            after = pokemon.move(Location(grain, index), move)  # type: ignore[arg-type]
            assert 0 <= after.index < pokemon.count(after.grain)


def test_the_same_stage_of_the_next_block_and_back(names: Navigator) -> None:
    for stage in names.stages:
        there = names.move(Location("stage", stage.index), "next_block")
        if stage.block in (None, 2):
            assert there == Location("stage", stage.index)
            continue
        found = names.stages[there.index]
        assert (found.kind, found.block) == (stage.kind, stage.block + 1)
        assert names.move(there, "previous_block") == Location("stage", stage.index)


# -- what there is to see --------------------------------------------------------------------------------------------


def names_at(navigator: Navigator, kind: str) -> list[str]:
    stage = next(stage for stage in navigator.stages if stage.kind == kind)
    return [
        panel.sign + panel.value.name + ("ᵀ" if panel.turned else "")
        for panel in panels_at(navigator, Location("stage", stage.index))
    ]


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("embeddings", ["tok", "+pos", "=x"]),
        ("qkv", ["x", "→q", ",k", ",v"]),
        ("scores", ["q", "@kᵀ", "→masked"]),
        ("softmax", ["masked", "→pattern"]),
        ("mix", ["pattern", "@v", "→z", "→joined"]),
        ("residual", ["x", "+joined", "→x_mid"]),
        ("mlp", ["x_mid", "→pre", "→hidden", "→mlp_out"]),
        ("logits", ["x_out", "→logits"]),
    ],
)
def test_a_stage_shows_what_goes_in_and_what_comes_out(pokemon: Navigator, kind: str, shown: list[str]) -> None:
    assert names_at(pokemon, kind) == shown


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("embeddings", ["ids", "→x"]),
        ("rotation", ["→angle"]),
        ("qkv", ["scaled", "→q", ",k", ",v"]),
        ("sharing", ["k_rot", ",v", "→k_each", ",v_each"]),
        ("mlp", ["gate", "·wide", "=hidden", "→mlp_out"]),
    ],
)
def test_a_stage_of_a_llama_shows_what_goes_in_and_what_comes_out(
    llama: Navigator, kind: str, shown: list[str]
) -> None:
    assert names_at(llama, kind) == shown


def test_a_rotation_shows_queries_and_keys_before_and_after(llama: Navigator) -> None:
    stage = [stage for stage in llama.stages if stage.kind == "rotation"][1]
    found = [panel.sign + panel.name for panel in panels_at(llama, Location("stage", stage.index))]
    assert found == ["q", ",k", "→q_rot", ",k_rot"]


def test_an_operation_shows_its_weights(pokemon: Navigator) -> None:
    panels = panels_at(pokemon, Location("op", pokemon.trace["blocks.0.mlp.pre"].index))
    assert [panel.value.role for panel in panels] == ["activation", "weight", "weight", "activation"]


# -- breakpoints -----------------------------------------------------------------------------------------------------


def stop(navigator: Navigator, *written: str, start: int = 0) -> str | None:
    found = next_stop(navigator, Location("op", start), tuple(map(Breakpoint.parse, written)))
    return navigator.trace[found[0].index].address if found else None


def test_a_run_stops_at_an_address_a_line_and_a_stage(pokemon: Navigator) -> None:
    span = pokemon.trace["blocks.0.attn.z"].span
    assert stop(pokemon, "address blocks.0.x_mid") == "blocks.0.x_mid"
    assert stop(pokemon, f"line mini_llm.py:{span.lines[0]}") == "blocks.0.attn.z"
    assert stop(pokemon, "stage softmax") == "blocks.0.attn.pattern"
    assert stop(pokemon, "address nowhere") is None


def test_a_run_stops_where_a_value_exceeds_a_limit(pokemon: Navigator) -> None:
    largest = max(abs(float(v.array.max())) for s in pokemon.trace for v in s.outputs if v.dtype == "float32")
    first = stop(pokemon, f"above {largest / 2}")
    assert first is not None and abs(pokemon.trace[first].outputs[0].array).max() > largest / 2
    assert stop(pokemon, f"above {largest * 2}") is None


def test_a_large_negative_number_is_above_the_limit_too() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    ids = checkpoint.tokenizer.encode(".pik").ids_tensor
    trace = lmviz.record(checkpoint.model, ids, edits={"blocks.0.attn.z": lambda z: -z.abs() - 900})
    assert stop(Navigator(trace), "above 800") == "blocks.0.attn.z"


def test_a_run_stops_where_a_distribution_is_narrow(pokemon: Navigator) -> None:
    assert stop(pokemon, f"entropy {math.log(4) + 0.01}") == "blocks.0.attn.pattern"
    assert stop(pokemon, "entropy 0") is None


def test_a_stop_at_a_number_says_which_number_it_is(pokemon: Navigator) -> None:
    def seen(written: str) -> tuple[float, Array]:
        breakpoint = Breakpoint.parse(written)
        found = next_stop(pokemon, Location("op", 0), (breakpoint,))
        assert found is not None
        address, cell = cell_of(pokemon.trace[found[0].index], breakpoint) or ("", ())
        array = pokemon.trace.value(address).array
        return float(array[cell]), array[cell[:-1]]

    number, row = seen("above 2")
    assert abs(number) > 2
    share, row = seen(f"entropy {math.log(4) + 0.01}")
    assert share == row.max() and 0 < -(row[row > 0] * np.log(row[row > 0])).sum() < math.log(4) + 0.01
    assert cell_of(pokemon.trace["blocks.0.attn.z"], Breakpoint.parse("address blocks.0.attn.z")) is None


def test_a_run_stops_at_the_first_nan() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    ids = checkpoint.tokenizer.encode(".pik").ids_tensor
    trace = lmviz.record(checkpoint.model, ids, edits={"blocks.0.attn.z": lambda z: z * math.nan})
    navigator = Navigator(trace)
    assert stop(navigator, "nan") == "blocks.0.attn.z"
    assert cell_of(trace["blocks.0.attn.z"], Breakpoint("nan")) == ("blocks.0.attn.z", (0, 0, 0, 0))
    assert (
        next_stop(navigator, Location("op", trace["blocks.0.attn.z"].index), (Breakpoint("nan"),)) is None
    )  # it only spreads


@pytest.mark.parametrize("written", ["", "leap 3", "stage nowhere", "above", "above x"])
def test_a_breakpoint_that_makes_no_sense_is_a_sentence(written: str) -> None:
    with pytest.raises(UserError, match="breakpoint"):
        Breakpoint.parse(written)


def test_dropout_after_attention_belongs_to_it() -> None:
    torch.manual_seed(0)
    model = GPT2(GPT2Config(9, 8, 2, 8, 2, 16, dropout=0.5)).train()
    trace = lmviz.record(model, torch.tensor([[1, 2, 3]]), seed=0)
    kept = next(i for i, step in enumerate(trace) if step.address == "blocks.0.attn_kept")
    assert trace[kept].op == "dropout"
    assert next(s.kind for s in stages_of(trace) if s.first <= kept <= s.last) == "mix"


def test_a_picture_calls_a_tensor_what_the_source_beside_it_does() -> None:
    navigator = navigator_of("simple-llm", "The cat sits on the")
    logits = next(stage for stage in navigator.stages if stage.kind == "logits")
    source, result = panels_at(navigator, Location("stage", logits.index))
    assert navigator.trace["logits"].span.text == "self.unembed(final)"
    assert (source.name, source.value.name, result.name) == ("final", "scaled", "logits")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("self.w_q(x)", ("x",)),
        ("tok + pos", ("tok", "pos")),
        ("x.softmax(-1)", ("x", "")),
        ("q @ k.transpose(-2, -1)", ("q", "")),
        ("F.softmax(masked, dim=-1)", ("masked",)),
        ("x[0", ()),
    ],
)
def test_the_variables_of_an_expression(text: str, names: tuple[str, ...]) -> None:
    assert variables(text) == names


def test_a_run_stops_where_a_nan_of_a_weight_gets_into_the_numbers() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    with torch.no_grad():
        checkpoint.model.blocks[0].attn.w_v.weight[0, 0] = math.nan
        trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(".pik").ids_tensor)
    first = next(step for step in trace if any(np.isnan(value.array).any() for value in step.outputs))
    assert stop(Navigator(trace), "nan") == first.address


@pytest.mark.parametrize(("limit", "hit"), [("0.1", True), ("0.05", False)])
def test_one_narrow_row_among_wide_ones_is_enough(limit: str, hit: bool) -> None:
    rows = np.array([[0.5, 0.5, 0.0], [0.99, 0.01, 0.0], [1.0, 0.0, 0.0]])  # 0.69 and 0.056 nats; the last has one cell
    assert _has_low_entropy(rows, limit) is hit
