"""Training: what a model is shown, what moves its weights, and what the losses are compared with."""

from __future__ import annotations

import dataclasses
import math
import re
from itertools import islice
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lmviz.errors import UserError
from lmviz.model.checkpoint import load
from lmviz.model.gpt2 import GPT2
from lmviz.train.__main__ import main
from lmviz.train.baselines import baselines, counted_loss
from lmviz.train.data import IGNORED, Windows, batches, read_corpus, split, windows
from lmviz.train.initial import new_model
from lmviz.train.loop import Snapshot, learning_rate, loss_and_accuracy, loss_of, make_optimizer, mean_loss, train
from lmviz.train.recipe import ModelRecipe, TrainingRecipe, read_recipe, recipe_from

TEXTS = [[0, 1, 2, 3, 4, 5, 6, 0], [0, 5, 5, 0], [0, 1, 0]]
SIZES = ModelRecipe("gpt2", n_ctx=4, n_layers=1, d_model=8, n_heads=2, d_mlp=16)
DROPPING = dataclasses.replace(SIZES, dropout=0.3)
TRAINING = TrainingRecipe(steps=12, learning_rate=0.01, batch_size=3)

RECIPE = """
[data]
texts = ["ab", "abc", "cab", "bca"]
around = "."
held_out = 0.25

[tokenizer]
kind = "characters"

[model]
architecture = "mini_llm"
n_ctx = 4
n_layers = 1
d_model = 4
n_heads = 1
d_mlp = 8

[training]
steps = 20
learning_rate = 0.01

[card]
title = "Three letters"
prompts = [".a"]
"""


def pairs(shown: Windows) -> list[tuple[tuple[int, ...], int]]:
    """Every target with what a model sees before it."""
    rows = zip(shown.inputs.tolist(), shown.targets.tolist(), strict=True)
    return [(tuple(ids[: i + 1]), id) for ids, wanted in rows for i, id in enumerate(wanted) if id != IGNORED]


def test_with_a_stride_of_1_every_prefix_predicts_its_next_token() -> None:
    prefixes = [(tuple(ids[:i][-4:]), ids[i]) for ids in TEXTS for i in range(1, len(ids))]
    assert sorted(pairs(windows(TEXTS, n_ctx=4))) == sorted(prefixes)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("n_ctx", [4, 5, 7, 20])
def test_every_token_but_the_first_is_a_target_once(stride: int, n_ctx: int) -> None:
    shown = windows(TEXTS, n_ctx, stride)
    assert sorted(id for _, id in pairs(shown)) == sorted(id for ids in TEXTS for id in ids[1:])
    assert shown.inputs.shape[1] <= n_ctx
    assert shown.n_targets == sum(len(ids) - 1 for ids in TEXTS)


def test_only_the_last_token_is_learned_if_the_recipe_says_so() -> None:
    shown = windows(TEXTS, n_ctx=4, targets="last")
    assert pairs(shown) == [(tuple(ids[:-1][-4:]), ids[-1]) for ids in TEXTS]


@pytest.mark.parametrize("texts", [[], [[]], [[1]]])
@pytest.mark.parametrize("targets", ["all", "last"])
def test_texts_without_a_next_token_are_refused(texts: list[list[int]], targets: str) -> None:
    with pytest.raises(UserError, match="two tokens or more"):
        windows(texts, n_ctx=4, targets=targets)


def test_a_stride_that_skips_tokens_is_refused() -> None:
    with pytest.raises(UserError, match="stride=5, n_ctx=4"):
        windows(TEXTS, n_ctx=4, stride=5)


def test_padding_changes_no_loss() -> None:
    model, shown = new_model(SIZES, 7, seed=0).eval(), windows(TEXTS, n_ctx=4)
    one_by_one = [
        float(F.cross_entropy(model(torch.tensor([ids]))[0, -1:], torch.tensor([id])).detach())
        for ids, id in pairs(shown)
    ]
    assert mean_loss(model, shown) == pytest.approx(sum(one_by_one) / len(one_by_one), abs=1e-6)
    assert mean_loss(model, shown, batch_size=2) == pytest.approx(mean_loss(model, shown), abs=1e-6)


def test_accuracy_is_the_share_of_targets_that_are_the_likeliest() -> None:
    shown, model = windows(TEXTS, n_ctx=4), new_model(SIZES, 7, seed=0).eval()
    right = [
        int(model(one.inputs)[0, pos].argmax()) == int(target)
        for one in (shown[slice(i, i + 1)] for i in range(len(shown)))
        for pos, target in enumerate(one.targets[0])
        if target != IGNORED
    ]
    assert loss_and_accuracy(model, shown)[1] == pytest.approx(sum(right) / len(right))
    assert loss_and_accuracy(model, shown, batch_size=2) == pytest.approx(loss_and_accuracy(model, shown))


def test_every_epoch_shows_every_window_once_in_an_order_of_the_seed() -> None:
    shown = windows(TEXTS, n_ctx=4)
    n_batches = math.ceil(len(shown) / 3)
    epochs = batches(shown, 3, seed=1)
    first, second = ([pair for batch in islice(epochs, n_batches) for pair in pairs(batch)] for _ in range(2))
    assert sorted(first) == sorted(second) == sorted(pairs(shown))
    assert first != second
    again = [pair for batch in islice(batches(shown, 3, seed=1), n_batches) for pair in pairs(batch)]
    assert again == first


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5, 7, 100])
def test_batches_of_an_epoch_are_alike_in_size(batch_size: int) -> None:
    shown = windows(TEXTS, n_ctx=4)
    n_batches = math.ceil(len(shown) / batch_size)
    sizes = [len(batch) for batch in islice(batches(shown, batch_size, seed=1), n_batches)]
    assert sum(sizes) == len(shown)
    assert max(sizes) <= max(sizes[0], batch_size)
    assert max(sizes) - min(sizes) <= 1
    full = [len(batch) for batch in islice(batches(shown, batch_size, seed=1, even=False), n_batches)]
    assert full[:-1] == [min(batch_size, len(shown))] * (n_batches - 1)


def test_held_out_texts_are_drawn_by_the_seed_and_kept_apart() -> None:
    texts = [f"text {i}" for i in range(40)]
    train_texts, held_out = split(texts, 0.25, seed=3)
    assert len(held_out) == 10
    assert sorted(train_texts + held_out) == sorted(texts)
    assert split(texts, 0.25, seed=3) == (train_texts, held_out)
    assert split(texts, 0.25, seed=4)[1] != held_out
    assert split(texts, 0.0, seed=3) == (texts, [])


def curve(recipe: TrainingRecipe = TRAINING, sizes: ModelRecipe = SIZES, disturb: bool = False) -> list[Snapshot]:
    shown = windows(TEXTS, n_ctx=4)
    snapshots = []
    model = new_model(sizes, 7, recipe.seed)
    for snapshot in train(model, batches(shown, recipe.batch_size, recipe.seed), recipe, shown, measure_every=5):
        snapshots.append(snapshot)
        if disturb:
            torch.rand(3)
    return snapshots


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SIZES, DROPPING], ids=["plain", "dropout"])
def test_the_same_seed_gives_the_same_curve_whoever_else_draws_numbers(sizes: ModelRecipe) -> None:
    torch.manual_seed(1)
    first = curve(sizes=sizes)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert curve(sizes=sizes) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert curve(sizes=sizes, disturb=True) == first
    assert curve(dataclasses.replace(TRAINING, seed=5), sizes) != first


def test_training_lowers_the_loss_and_measures_what_is_held_out() -> None:
    snapshots = curve()
    assert [snapshot.step for snapshot in snapshots] == list(range(1, 13))
    assert [s.step for s in snapshots if s.held_out_loss is not None] == [5, 10, 12]
    assert snapshots[0].loss == pytest.approx(
        math.log(7), abs=0.05
    )  # an untrained model finds all tokens equally likely
    assert snapshots[-1].held_out_loss < snapshots[4].held_out_loss < math.log(7)


def test_dropout_is_on_in_training_and_off_in_measuring() -> None:
    shown = windows(TEXTS, n_ctx=4)
    model = new_model(DROPPING, 7, seed=0)
    assert mean_loss(model, shown) == mean_loss(model, shown)
    assert model.training
    assert not torch.equal(model(shown.inputs), model(shown.inputs))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
def test_every_optimizer_learns(name: str) -> None:
    snapshots = curve(TrainingRecipe(steps=60, learning_rate=0.05, optimizer=name))
    assert snapshots[-1].held_out_loss < 1.6


def test_two_steps_of_momentum_are_as_by_hand() -> None:
    weight = nn.Linear(1, 1, bias=False)
    weight.weight.data.fill_(3.0)
    optimizer = make_optimizer(weight, TrainingRecipe(1, learning_rate=0.1, optimizer="momentum", momentum=0.5))
    for _ in range(2):
        optimizer.zero_grad()
        weight(torch.ones(1)).square().sum().backward()  # the gradient is 2 w
        optimizer.step()
    velocity = 2 * 3.0
    first = 3.0 - 0.1 * velocity
    assert weight.weight.item() == pytest.approx(first - 0.1 * (0.5 * velocity + 2 * first))


def test_only_matrices_decay() -> None:
    recipe = TrainingRecipe(1, learning_rate=0.5, weight_decay=0.1)
    layer = nn.Linear(2, 2)
    nn.init.ones_(layer.weight)
    nn.init.ones_(layer.bias)
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    make_optimizer(layer, recipe).step()
    assert layer.weight.flatten().tolist() == pytest.approx([0.95] * 4)
    assert layer.bias.tolist() == [1.0, 1.0]


def test_the_gradient_is_measured_before_it_is_clipped() -> None:
    free, clipped = curve(TRAINING), curve(dataclasses.replace(TRAINING, clip=0.001))
    assert clipped[0].grad_norm == free[0].grad_norm > 0.001


def test_clipping_bounds_the_step() -> None:
    recipe = TrainingRecipe(steps=1, learning_rate=1.0, optimizer="sgd", clip=0.01)
    model, shown = new_model(SIZES, 7, seed=0), windows(TEXTS, n_ctx=4)
    before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    list(train(model, batches(shown, 0, 0), recipe))
    after = nn.utils.parameters_to_vector(model.parameters()).detach()
    assert float((after - before).norm()) == pytest.approx(0.01, rel=1e-3)


def test_the_learning_rate_climbs_stays_or_falls() -> None:
    cosine = TrainingRecipe(steps=10, learning_rate=2.0, schedule="cosine", warm_up=4)
    rates = [learning_rate(cosine, step) for step in range(1, 11)]
    assert rates[:5] == [0.5, 1.0, 1.5, 2.0, 2.0]
    assert rates[7] == pytest.approx(1.0)  # half of the way down
    assert 0 < rates[9] < rates[8] < rates[7]
    constant = dataclasses.replace(cosine, schedule="constant", warm_up=0)
    assert {learning_rate(constant, step) for step in range(1, 11)} == {2.0}


def test_the_loss_is_in_nats_over_the_targets_that_count() -> None:
    logits = torch.tensor([[[0.0, 0.0, 0.0], [math.log(2), 0.0, 0.0], [9.0, 9.0, -9.0]]])
    targets = torch.tensor([[1, 0, IGNORED]])
    assert float(loss_of(logits, targets)) == pytest.approx((math.log(3) + math.log(2)) / 2)


def test_baselines_are_entropies_that_can_be_counted_by_hand() -> None:
    # After 0 comes 1 twice and 2 once; after 0 1 comes 2 or 1; after 0 2 always 1.
    found = baselines(windows([[0, 1, 2], [0, 1, 1], [0, 2, 1]], n_ctx=5), d_vocab=3)
    thirds = math.log(3) - 2 / 3 * math.log(2)  # of one in three and two in three
    assert found.uniform == pytest.approx(math.log(3))
    assert found.unigram == pytest.approx(thirds)  # the targets are 1 2 1 1 2 1
    assert found.bigram == pytest.approx((3 * thirds + 2 * math.log(2) + 0) / 6)
    assert found.floor == pytest.approx((3 * thirds + 2 * math.log(2) + 0) / 6)


def test_the_floor_sees_no_further_than_the_model() -> None:
    texts = [[1, 0, 0, 3], [2, 0, 0, 4]]
    assert baselines(windows(texts, n_ctx=3), 5).floor == 0
    assert baselines(windows(texts, n_ctx=2), 5).floor == pytest.approx(2 * math.log(2) / 6)


def test_counts_start_at_one_so_that_nothing_is_impossible() -> None:
    counted, measured = windows([[0, 1, 1]], n_ctx=5), windows([[0, 1, 2]], n_ctx=5)
    assert counted_loss(counted, measured, 0, d_vocab=3) == pytest.approx(-math.log(3 / 5 * 1 / 5) / 2)
    assert counted_loss(counted, measured, 1, d_vocab=3) == pytest.approx(-math.log(2 / 4 * 1 / 4) / 2)


def test_a_new_model_is_drawn_by_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = new_model(SIZES, 7, seed=4)
    before = torch.get_rng_state()
    second = new_model(SIZES, 7, seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(first, GPT2)
    for (name, parameter), other in zip(first.named_parameters(), second.parameters(), strict=True):
        assert torch.equal(parameter, other), name
        if "norm" in name:
            assert set(parameter.tolist()) == {float(name.endswith("weight"))}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("steps = 20", "steps = ", "recipe.toml must be TOML; it is not: .*line 19"),
        ("steps = 20", "", r"\[training\] must have steps; it is missing"),
        (
            "steps = 20",
            "steps = 20.0",
            r"steps in \[training\] must be a whole number, without quotes or a point; got 20.0",
        ),
        (
            "steps = 20",
            "steps = true",
            r"steps in \[training\] must be a whole number, without quotes or a point; got True",
        ),
        ("steps = 20", "steps = 0", "steps must be a whole number, 1 or more; got 0"),
        ("steps = 20", "steps = 20\nstep = 1", r"\[training\] has no step; it may have steps, "),
        ("steps = 20", "steps = 20\noptimizer = 'lion'", "optimizer must be one of sgd, .*; got 'lion'"),
        ("steps = 20", "steps = 20\nbatch_size = -1", "batch_size must be 0 or more; got -1"),
        ("steps = 20", "steps = 20\nclip = nan", "clip must be 0 or more; got nan"),
        ("steps = 20", "steps = 20\nclip = 1e300", "clip must be 2147483647 at most; got 1e\\+300"),
        ("= 0.01", "= inf", "learning_rate must be a finite number above 0; got inf"),
        ("= 0.01", "= 1e300", "learning_rate must be 1e\\+38 at most; got 1e\\+300"),
        ("d_model = 4", "d_model = 4\ninitial_std = 1e40", "initial_std must be 1e\\+38 at most; got 1e\\+40"),
        ("= 0.25", "= 1", "held_out must be a number from 0 up to, but not including, 1; got 1.0"),
        ("= 0.25", "= 0.999", "two tokens or more"),
        ("d_model = 4", "d_model = 4.5", r"d_model in \[model\] must be a whole number"),
        (
            "d_model = 4",
            'd_model = "4"',
            r"d_model in \[model\] must be a whole number, without quotes or a point; got '4'",
        ),
        ("n_heads = 1", "n_heads = 3", "multiple of n_heads"),
        ('"mini_llm"', '"rnn"', "architecture must be one of gpt2, llama, mini_llm; got 'rnn'"),
        ('"characters"', '"letters"', "kind must be one of characters, words, bpe; got 'letters'"),
        ('"characters"', '"characters"\nalphabet = ".ab"', "has no token for 'c'"),
        ("texts = [", 'file = "names.txt"\ntexts = [', "either texts or a file"),
        ('texts = ["ab", "abc", "cab", "bca"]', 'file = "../names.txt"', r"must lie beside it; got \.\./names\.txt"),
        ('texts = ["ab", "abc", "cab", "bca"]', 'file = "names.txt"', r"no file names\.txt in"),
        (
            'texts = ["ab", "abc", "cab", "bca"]',
            "texts = [1]",
            r"texts in \[data\] must be a list of texts, each in quotes; got",
        ),
        ("[card]", "[cards]", "The recipe has no cards"),
        ("[tokenizer]", "[data.tokenizer]", r"The recipe must have tokenizer; it is missing"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, sentence: str
) -> None:
    assert old in RECIPE
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace(old, new))
    assert main([str(path)]) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert [file.name for file in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_section_that_is_a_number_is_refused() -> None:
    with pytest.raises(UserError, match=r"data must be a section, \[data\]"):
        recipe_from({"data": 1, "tokenizer": {}, "model": {}, "training": {}})


def test_a_recipe_makes_the_same_folder_every_time(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    for out in ("first", "second"):
        assert main([str(path), "--out", str(tmp_path / out)]) == 0
    first, second = ({f.name: f.read_bytes() for f in (tmp_path / out).iterdir()} for out in ("first", "second"))
    assert first == second
    assert first["recipe.toml"] == RECIPE.encode()


def test_a_recipe_makes_a_folder_whose_card_says_what_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    assert main([str(path)]) == 0
    checkpoint = load(tmp_path)
    corpus = read_corpus(read_recipe(path), tmp_path)
    assert checkpoint.card.title == "Three letters"
    assert checkpoint.card.prompts == (".a",)
    assert f"| this model | {mean_loss(checkpoint.model, corpus.train):.4f} |" in checkpoint.card.text
    assert f"| this model | {mean_loss(checkpoint.model, corpus.held_out):.4f} |" in checkpoint.card.text
    assert f"python -m lmviz.train {path.as_posix()}" in checkpoint.card.text
