"""Every check of the doctor: healthy models pass, a sick one fails, and no sample model gives a false alarm."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.bugs.models import broken, loop_of
from lmviz.debug.doctor import CHECKS, examine, how_sure
from lmviz.debug.doctor.curves import RULES
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.doctor.learning import first_loss
from lmviz.debug.doctor.lessons import shifted
from lmviz.debug.doctor.outputs import sampling
from lmviz.debug.doctor.texts import known_tokens, length_in_context
from lmviz.debug.subject import Subject, random_texts, subject_of
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.mini_llm import Block, MiniLLM, MiniLLMConfig
from tests.conftest import ROOT, SAMPLES


@pytest.fixture(scope="module")
def simple() -> Checkpoint:
    return lmviz.load(ROOT / "sample_models" / "simple-llm")


@pytest.fixture(scope="module")
def pokemon() -> Checkpoint:
    return lmviz.load(ROOT / "sample_models" / "pokemon")


def found(subject: Subject, check: str) -> Finding:
    (finding,) = examine(subject, (check,))
    return finding


def changed(checkpoint: Checkpoint, change: Callable[[nn.Module], None]) -> Subject:
    """A copy of the model with something done to it."""
    model = copy.deepcopy(checkpoint.model)
    with torch.no_grad():
        change(model)
    return subject_of(replace(checkpoint, model=model))


@pytest.mark.nightly
def test_no_check_raises_a_false_alarm_on_a_sample_model_and_each_holds_on_one() -> None:
    held: set[str] = set()
    for sample in SAMPLES:
        findings = list(examine(subject_of(lmviz.load(ROOT / "sample_models" / sample))))
        assert [finding.check for finding in findings] == list(CHECKS)
        assert not [finding for finding in findings if finding.holds is False]
        assert not [finding for finding in findings if finding.why_not == "does_not_run"]
        assert sum(finding.holds is True for finding in findings) >= len(CHECKS) - 6
        held |= {finding.check for finding in findings if finding.holds}
    assert held == set(CHECKS)


def test_every_check_names_sources_that_can_be_followed() -> None:
    for known in (*CHECKS.values(), *RULES.values()):
        assert known.sources, known.name
        assert all(source.name and source.url.startswith("https://") for source in known.sources)


@pytest.mark.slow
def test_examining_changes_neither_the_model_nor_torchs_random_numbers(simple: Checkpoint) -> None:
    before = {name: tensor.clone() for name, tensor in simple.model.state_dict().items()}
    state = torch.random.get_rng_state()
    list(examine(subject_of(simple)))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in simple.model.state_dict().items())
    assert not simple.model.training


SICK_BY_A_BUG = {
    "causality": "no_mask",
    "receptive_field": "heads_not_transposed",
    "positions": "no_positions",
    "whole_context": "positions_off_by_one",
    "pattern_rows": "mask_after_softmax",
    "scale": "no_scale",
    "norm": "norm_axis",
    "stream": "no_residual",
    "bends": "no_activation",
    "repeatable": "dropout_in_evaluation",
    "double_softmax": "softmax_in_model",
    "tied": "untied",
    "targets_shifted": "targets_not_shifted",
    "padding": "padding_trained_on",
    "gradients_afresh": "zero_grad_missing",
    "all_move": "optimizer_forgets",
    "one_batch": "climbs",
    "gradients_reach": "gradient_cut",
}


@pytest.mark.slow
@pytest.mark.sampled(8)
@pytest.mark.parametrize(("check", "bug"), SICK_BY_A_BUG.items())
def test_a_check_fails_on_a_model_with_the_bug_it_is_for(simple: Checkpoint, check: str, bug: str) -> None:
    faulty = broken(simple, BUGS[bug])
    assert found(subject_of(simple), check).holds is True
    assert found(subject_of(faulty, loop=loop_of(BUGS[bug])), check).holds is False


def test_the_first_weight_that_is_not_a_number_is_named(simple: Checkpoint) -> None:
    def spoil(model: nn.Module) -> None:
        model.get_parameter("blocks.1.mlp.w_in.weight")[3, 4] = math.nan

    finding = found(changed(simple, spoil), "finite")
    assert (finding.holds, finding.where, finding.cell) == (False, "blocks.1.mlp.w_in.weight", (3, 4))


def test_the_first_tensor_that_overflows_is_named(simple: Checkpoint) -> None:
    def blow_up(model: nn.Module) -> None:
        model.get_parameter("blocks.0.mlp.w_in.weight").mul_(1e38)

    finding = found(changed(simple, blow_up), "finite")
    assert finding.holds is False
    assert finding.where == "blocks.1.norm_1.variance.pow"  # the first square of a number above 1e19


@pytest.mark.parametrize("check", ["entropy_collapse", "saturated_softmax"])
def test_attention_that_is_all_on_one_token_is_seen(simple: Checkpoint, check: str) -> None:
    def sharpen(model: nn.Module) -> None:
        for block in range(2):
            model.get_parameter(f"blocks.{block}.attn.w_q.weight").mul_(1e5)

    assert found(changed(simple, sharpen), check).holds is False


class Unscaled(nn.Module):
    """Attention as in T5: distances are looked up in a table and added, and nothing is divided by √d_head."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.embed, self.distances = kind, nn.Embedding(12, 32), nn.Embedding(64, 4)
        self.q, self.k, self.v, self.head = (nn.Linear(32, n, bias=False) for n in (32, 32, 32, 12))
        for matrix, std in ((self.q, 32**-0.5 / (8**0.5 if kind == "small queries" else 1)), (self.k, 32**-0.5)):
            nn.init.normal_(matrix.weight, std=std)
        self.to_heads = nn.Parameter(torch.randn(32, 4))

    def forward(self, ids: Tensor) -> Tensor:
        x, n = self.embed(ids), torch.arange(ids.shape[1])
        q, k, v = (part(x).unflatten(-1, (4, 8)).transpose(1, 2) for part in (self.q, self.k, self.v))
        scores = q @ k.transpose(-2, -1)
        if self.kind == "a factor of 1":
            scores = scores * 1.0
        if self.kind == "divided":
            scores = scores / math.sqrt(8)
        if self.kind == "a product":
            scores = scores + torch.addmm(self.distances.weight[0], x[0], self.to_heads).T[:, None]
        elif self.kind != "nothing":
            scores = scores + self.distances(n[None] - n[:, None] + 32).permute(2, 0, 1)
        pattern = scores.masked_fill(n[None] > n[:, None], -torch.inf).softmax(-1)
        return self.head(x + (pattern @ v).transpose(1, 2).flatten(2))


@pytest.mark.parametrize(
    ("kind", "holds", "sure"),
    [
        ("nothing", False, "likely"),
        ("a product", False, "likely"),  # is no table that was learned
        ("distances", False, "hint"),
        ("small queries", None, "own_scale"),
        ("a factor of 1", None, "own_scale"),
        ("divided", True, ""),
    ],
)
def test_a_factor_that_is_left_out_on_purpose_is_no_alarm(kind: str, holds: bool | None, sure: str) -> None:
    torch.manual_seed(0)
    scale = found(Subject(Unscaled(kind).eval(), 12, 16, ((1, 2, 3, 4, 5, 6, 7, 8),)), "scale")
    assert scale.holds is holds
    assert sure in ("", how_sure(scale), scale.why_not)


def test_units_that_are_always_off_are_counted(pokemon: Checkpoint) -> None:
    def switch_off(model: nn.Module) -> None:
        model.get_parameter("blocks.0.mlp.w_in.bias")[:20] = -1000

    finding = found(changed(pokemon, switch_off), "dead_units")
    assert finding.holds is False
    assert finding.where == "blocks.0.mlp.hidden"
    assert int(str(finding.details["dead"])) >= 20


class _NothingKept(Block):
    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.mlp(self.attn(x))
        return mixed


def test_a_slope_that_vanishes_on_its_way_back_is_measured() -> None:
    model = MiniLLM(MiniLLMConfig(n_layers=6))
    healthy = Subject(model, 27, 8, random_texts(27, 8))
    assert found(healthy, "layers").holds is True
    deep = MiniLLM(MiniLLMConfig(n_layers=6))
    deep.blocks = nn.ModuleList(_NothingKept(deep.cfg) for _ in range(6))
    finding = found(replace_model(healthy, deep), "layers")
    assert finding.holds is False
    assert finding.where == "blocks.0"


def replace_model(subject: Subject, model: nn.Module) -> Subject:
    return Subject(model, subject.d_vocab, subject.n_ctx, subject.texts)


def test_weights_that_are_frozen_are_named(simple: Checkpoint) -> None:
    def freeze(model: nn.Module) -> None:
        model.get_parameter("pos_embed.weight").requires_grad_(False)

    finding = found(changed(simple, freeze), "gradients_reach")
    assert (finding.holds, finding.where) == (False, "pos_embed.weight")


def test_an_id_without_a_row_is_found(simple: Checkpoint) -> None:
    subject = subject_of(simple)
    faulty = Subject(subject.model, subject.d_vocab, subject.n_ctx, ((1, 2), (3, 23, 1)))
    finding = found(faulty, "ids_in_range")
    assert (finding.holds, finding.measured, finding.details["text"], finding.details["pos"]) == (False, 23, 1, 1)


def test_a_model_that_cannot_run_is_told_check_by_check(simple: Checkpoint) -> None:
    subject = subject_of(simple)
    faulty = Subject(subject.model, subject.d_vocab, subject.n_ctx, ((1, 2), (3, 23, 1)))
    findings = list(examine(faulty))
    assert [finding.check for finding in findings] == list(CHECKS)
    assert any(finding.why_not == "does_not_run" for finding in findings)


def test_texts_that_are_mostly_cut_off_are_found() -> None:
    assert length_in_context([9, 10, 11], 10).holds is True
    finding = length_in_context([100, 100], 10)
    assert finding.holds is False
    assert finding.measured == 100
    assert finding.details["lost"] == pytest.approx(0.89)


def test_texts_that_the_tokenizer_does_not_know_are_found(simple: Checkpoint, pokemon: Checkpoint) -> None:
    assert known_tokens(simple.tokenizer, ["The cat sits on the mat"]).holds is True
    assert known_tokens(simple.tokenizer, ["Le chat dort"]).measured == 1.0
    dropped = known_tokens(pokemon.tokenizer, ["PIKACHU"])
    assert (dropped.holds, dropped.details["dropped"]) == (False, 7)


@pytest.mark.parametrize(("loss", "holds"), [(math.log(50), True), (3.7, True), (12.0, False), (0.2, False)])
def test_the_first_loss_is_near_ln_v(loss: float, holds: bool) -> None:
    assert first_loss(loss, 50).holds is holds


def test_a_large_start_is_seen_in_a_real_model(simple: Checkpoint) -> None:
    subject = subject_of(simple)
    assert found(subject, "first_loss").holds is True
    with torch.no_grad():
        inputs, targets = subject.pairs
        loss = float(subject.loop.Loss(targets)(subject.fresh(2.0).eval()(inputs)))
    assert first_loss(loss, subject.d_vocab).holds is False


def test_how_far_targets_are_shifted_is_measured() -> None:
    ids = torch.arange(12).view(2, 6)
    assert shifted(ids[:, :-1], ids[:, 1:]).measured == 1.0
    finding = shifted(ids, ids)
    assert (finding.holds, finding.measured, finding.details["same"]) == (False, 0.0, 1.0)


@pytest.mark.parametrize(
    ("settings", "text", "why"),
    [
        (Settings(temperature=0.8, top_k=5), (), ""),
        (Settings(temperature=0), (), "nothing_drawn"),
        (Settings(top_k=1), (), "nothing_drawn"),
        (Settings(temperature=0.02), (), "nothing_drawn"),
        (Settings(temperature=100.0), (), "almost_even"),
        (Settings(top_k=99), (), "top_k_too_large"),
        (Settings(), (1, 2, 1, 2, 1, 2, 1, 2), "loop"),
    ],
)
def test_settings_that_leave_no_choice_or_too_much_are_told(
    settings: Settings, text: tuple[int, ...], why: str
) -> None:
    logits = torch.linspace(0, 8, 27)
    finding = sampling(settings, logits, text)
    assert (finding.details["why"], finding.holds) == (why, not why)
