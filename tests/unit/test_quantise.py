"""Quantisation: one weight, whole models, calibration, training that knows of it, and what it all costs."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.checkpoint import save as save_checkpoint
from lmviz.quantise.aware import finish, prepare
from lmviz.quantise.calibration import calibrate, quantise_activations
from lmviz.quantise.models import quantise_model
from lmviz.quantise.quantised import quantise
from lmviz.quantise.round_trip import error_map, float_bits, work_out
from lmviz.quantise.scheme import Scheme
from lmviz.train.data import Windows, batches, read_corpus
from lmviz.train.effect import effect
from lmviz.train.loop import mean_loss, train
from lmviz.train.recipe import TrainingRecipe, read_recipe

SAMPLES = Path(__file__).parents[2] / "sample_models"
INT4 = Scheme("int4")


@pytest.fixture(scope="module")
def held_out() -> Windows:
    folder = SAMPLES / "names"
    windows = read_corpus(read_recipe(folder / "recipe.toml"), folder).held_out
    assert windows is not None
    return windows[slice(0, 100)]


# -- one weight --------------------------------------------------------------------------------------------------------


def test_one_weight_by_hand() -> None:
    quantised = quantise(torch.tensor([[0.7, -0.24], [0.1, 0.05]]), INT4)
    assert quantised.scales is not None
    assert float(quantised.scales[0]) == pytest.approx(0.1)
    assert quantised.codes is not None
    assert quantised.codes.tolist() == [[7, -2], [1, 0]]  # 0.05 is half a step: halves go to the even number
    working = work_out(quantised, (0, 1))
    assert (working.rounded, working.code, working.zero_point) == (-2, -2, 0)
    assert working.steps == pytest.approx(-2.4)
    assert working.restored == pytest.approx(-0.2)
    assert working.error == pytest.approx(0.04)
    assert error_map(quantised)[0, 1] == pytest.approx(0.4)


def test_an_affine_weight_by_hand() -> None:
    quantised = quantise(torch.tensor([-0.5, 1.0, 0.0, 0.26]), Scheme("int4", symmetric=False))
    assert quantised.scales is not None
    assert quantised.zero_points is not None
    assert float(quantised.scales[0]) == pytest.approx(0.1)
    assert quantised.zero_points.tolist() == [5]
    assert quantised.codes is not None
    assert quantised.codes.tolist() == [0, 15, 5, 8]


def test_a_smaller_range_clips_and_makes_finer_steps() -> None:
    weight = torch.tensor([0.1, 0.2, 0.33, 10.0])
    whole, kept = quantise(weight, INT4), quantise(weight, replace(INT4, keep=0.05))
    assert float(kept.steps()[0]) < float(whole.steps()[0])
    assert not work_out(whole, (3,)).is_clipped
    assert work_out(kept, (3,)).is_clipped
    assert float(kept.error[:3].abs().max()) < float(whole.error[:3].abs().max())


def test_finer_blocks_follow_the_weights() -> None:
    weight = torch.tensor([[0.01, 0.02, 5.0, 4.0], [100.0, 90, 80, 70]])
    schemes = [Scheme("int4", granularity=granularity, group_size=2) for granularity in ("tensor", "channel", "group")]
    errors = {scheme.granularity: float(quantise(weight, scheme).error[0, :2].abs().sum()) for scheme in schemes}
    assert errors["group"] < 0.002 < errors["channel"]
    assert errors["channel"] <= errors["tensor"]
    grouped = quantise(weight, Scheme("int4", granularity="group", group_size=3))
    assert grouped.n_blocks == 4  # the last group of a row has one number
    assert grouped.steps().shape == weight.shape


def test_sizes_by_formula() -> None:
    weight = torch.randn(6, 10)
    assert quantise(weight, Scheme("fp32")).n_bytes == 240
    assert quantise(weight, Scheme("bf16")).n_bytes == 120
    assert quantise(weight, Scheme("int8")).n_bytes == 60 + 4
    assert quantise(weight, Scheme("int4", granularity="channel")).n_bytes == 30 + 6 * 4
    assert quantise(weight, Scheme("int4", symmetric=False, granularity="group", group_size=5)).n_bytes == 30 + 12 * 5


def test_the_bits_of_a_number() -> None:
    tenth = float_bits(0.1, "bf16")
    assert (tenth.sign, tenth.exponent, tenth.fraction) == ("0", "01111011", "1001101")
    half = float_bits(-0.1, "fp16")
    assert len(half.exponent + half.fraction) == 15
    for bits, bias in ((tenth, 127), (half, 15), (float_bits(0.1, "fp32"), 127)):
        fraction = 1 + int(bits.fraction, 2) / 2 ** len(bits.fraction)
        assert (-1) ** int(bits.sign) * 2.0 ** (int(bits.exponent, 2) - bias) * fraction == bits.value


@pytest.mark.parametrize("wrong", [{"format": "int3"}, {"granularity": "row"}, {"group_size": 0}, {"keep": 0}])
def test_impossible_schemes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Scheme(**wrong)  # type: ignore[arg-type]


def test_what_has_no_steps_or_no_range_is_told() -> None:
    with pytest.raises(UserError, match="bf16"):
        quantise(torch.ones(2), Scheme("bf16")).steps()
    with pytest.raises(UserError, match="has no code"):
        work_out(quantise(torch.ones(2), Scheme("fp16")), (0,))
    with pytest.raises(UserError, match="NaN or infinite"):
        quantise(torch.tensor([1.0, torch.nan]), INT4)
    with pytest.raises(UserError, match="format"):
        float_bits(0.1, "int8")


def test_nothing_but_zeros_stays_nothing_but_zeros() -> None:
    for symmetric in (True, False):
        assert not quantise(torch.zeros(3, 3), Scheme("int8", symmetric)).restored.any()


# -- whole models ------------------------------------------------------------------------------------------------------


def test_a_quantised_model_computes_with_the_restored_numbers(names: Checkpoint) -> None:
    before = {name: tensor.clone() for name, tensor in names.model.state_dict().items()}
    quantised = quantise_model(names, INT4)
    for name, parameter in quantised.checkpoint.model.named_parameters():
        expected = quantised.weights[name].restored if name in quantised.weights else before[name]
        assert torch.equal(parameter, expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in names.model.state_dict().items())
    assert all(torch.equal(weight.original, before[name]) for name, weight in quantised.weights.items())
    assert all(weight.error.any() for weight in quantised.weights.values())
    assert quantised.checkpoint.model.unembed.weight is quantised.checkpoint.model.tok_embed.weight
    assert len(set(quantised.checkpoint.model.tok_embed.weight.flatten().tolist())) <= 15


@pytest.mark.parametrize("format", ["fp32", "fp16", "bf16", "int8", "int4"])
def test_size_on_disk_is_that_of_the_formula_and_a_header(names: Checkpoint, format: str) -> None:
    quantised = quantise_model(names, Scheme(format))
    stored = quantised.stored()
    assert sum(tensor.nbytes for tensor in stored.values()) == quantised.n_bytes
    assert 0 < quantised.measured_bytes() - quantised.n_bytes < 200 * len(stored)
    assert quantised.n_bytes_before == 4 * 152_832
    assert quantised.measured_bytes() == len(save(stored))


def test_fewer_bits_cost_more(names: Checkpoint, held_out: Windows) -> None:
    effects = {
        f: effect(names, quantise_model(names, Scheme(f)).checkpoint, held_out)
        for f in ("fp32", "fp16", "int8", "int4")
    }
    assert effects["fp32"].cost == effects["fp32"].largest_change == 0
    assert effects["fp32"].same_choice == 1
    changes = [effects[format].mean_change for format in ("fp16", "int8", "int4")]
    assert changes == sorted(changes)
    assert effects["int4"].divergence > effects["int8"].divergence > 0
    assert effects["int4"].cost > 0.02
    assert effects["int4"].loss_before == pytest.approx(mean_loss(names.model, held_out))


def test_an_effect_counts_only_positions_with_a_target(names: Checkpoint, held_out: Windows) -> None:
    after = quantise_model(names, INT4).checkpoint
    one = held_out[slice(0, 1)]
    n_counted = one.n_targets
    with torch.no_grad():
        before, now = (checkpoint.model(one.inputs)[0, :n_counted].double() for checkpoint in (names, after))
    found = effect(names, after, one)
    assert found.mean_change == pytest.approx(float((now - before).abs().mean()))
    divergence = torch.nn.functional.kl_div(
        now.log_softmax(-1), before.log_softmax(-1), log_target=True, reduction="sum"
    )
    assert found.divergence == pytest.approx(float(divergence) / n_counted)


def test_any_architecture_is_quantised() -> None:
    pokemon = load(SAMPLES / "pokemon")
    quantised = quantise_model(pokemon, Scheme("int8", granularity="channel"))
    assert len(quantised.weights) == 8
    assert quantised.checkpoint.model(torch.tensor([[0, 1]])).shape == (1, 2, 27)


# -- calibration -------------------------------------------------------------------------------------------------------


def test_calibration_measures_what_goes_into_every_linear_layer(names: Checkpoint) -> None:
    ranges = calibrate(names, [".maria.", ".bob."])
    assert len(ranges) == 3 * 6 + 1
    first = ranges["blocks.0.attn.w_q"]
    with torch.no_grad():
        x = names.model.tok_embed(torch.tensor([0, 2])) + names.model.pos_embed(torch.tensor([0, 1]))
        normed = names.model.blocks[0].norm_1(x)
    assert first.low <= float(normed.min())
    assert float(normed.max()) <= first.high
    assert first.n == (7 + 5) * 64
    assert calibrate(names, [".bob.", ".maria."]) == ranges
    for text in (".maria.", ".bob."):
        alone = calibrate(names, [text])
        assert all(ranges[name].low <= seen.low <= seen.high <= ranges[name].high for name, seen in alone.items())
    with pytest.raises(UserError, match="at least one token"):
        calibrate(names, ["!!!", ""])


def test_activations_are_rounded_and_clipped_to_the_calibrated_range(names: Checkpoint, held_out: Windows) -> None:
    ranges = calibrate(names, [".maria.", ".john.", ".elisabeth."])
    rounded = quantise_activations(names, ranges)
    found = effect(names, rounded, held_out)
    assert 0 < found.mean_change < 0.5
    assert abs(found.cost) < 0.1
    narrow = {name: replace(seen, low=seen.low / 10, high=seen.high / 10) for name, seen in ranges.items()}
    assert effect(names, quantise_activations(names, narrow), held_out).cost > 10 * abs(found.cost)
    assert effect(names, names, held_out).mean_change == 0  # the original has no hooks


# -- training that knows -----------------------------------------------------------------------------------------------


def test_a_prepared_model_computes_what_the_quantised_model_computes(names: Checkpoint) -> None:
    ids = torch.tensor([[0, 13, 1, 18]])
    for scheme in (INT4, Scheme("int8", symmetric=False, granularity="group"), Scheme("bf16")):
        prepared = prepare(names.model, replace(scheme))
        if scheme.is_integer:
            assert torch.equal(prepared(ids), quantise_model(names, scheme).checkpoint.model(ids))
        assert prepared.tok_embed.parametrizations.weight.original is prepared.unembed.parametrizations.weight.original
    assert type(names.model.tok_embed) is torch.nn.Embedding


def test_gradients_reach_the_weights_behind_the_rounded_ones(names: Checkpoint) -> None:
    prepared = prepare(names.model, INT4)
    prepared(torch.tensor([[0, 13]])).sum().backward()
    for name, parameter in prepared.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0 or "w_k" in name or "w_q" in name, name


@pytest.mark.nightly
def test_training_that_knows_beats_rounding_afterwards_at_the_same_size(names: Checkpoint, held_out: Windows) -> None:
    folder = SAMPLES / "names"
    corpus = read_corpus(read_recipe(folder / "recipe.toml"), folder)
    recipe = TrainingRecipe(steps=25, learning_rate=0.002, batch_size=64)
    prepared = prepare(names.model, INT4)
    losses = [snapshot.loss for snapshot in train(prepared, batches(corpus.train, 64, seed=0), recipe)]
    assert len(losses) == 25
    aware = replace(names, model=finish(prepared, names.model))
    after, before = quantise_model(aware, INT4), quantise_model(names, INT4)
    assert after.n_bytes == before.n_bytes
    assert effect(names, after.checkpoint, held_out).loss_after < effect(names, before.checkpoint, held_out).loss_after


def test_a_finished_model_is_plain_and_lies_on_the_steps(names: Checkpoint, tmp_path: Path) -> None:
    prepared = prepare(names.model, INT4)
    recipe = TrainingRecipe(steps=2, learning_rate=0.002)
    windows = Windows(torch.tensor([[0, 13, 1]]), torch.tensor([[13, 1, 18]]))
    list(islice(train(prepared, [windows] * 2, recipe), 2))
    finished = finish(prepared.eval(), names.model)
    ids = torch.tensor([[0, 13, 1, 18]])
    assert torch.equal(finished(ids), prepared(ids))
    assert finished.state_dict().keys() == names.model.state_dict().keys()
    assert finished.tok_embed.weight is finished.unembed.weight
    checkpoint = replace(names, model=finished)
    assert effect(checkpoint, quantise_model(checkpoint, INT4).checkpoint, windows).largest_change < 1e-4
    save_checkpoint(checkpoint, tmp_path)
    assert torch.equal(load(tmp_path).model(ids), finished(ids))


@pytest.mark.parametrize("format", ["int8", "int4"])
def test_symmetric_codes_are_as_many_on_both_sides_also_of_what_is_clipped(format: str) -> None:
    scheme = Scheme(format, keep=0.5)
    assert scheme.lowest == -scheme.highest
    codes = quantise(torch.linspace(-1, 1, 64).reshape(8, 8), scheme).codes
    assert (int(codes.min()), int(codes.max())) == (scheme.lowest, scheme.highest)
