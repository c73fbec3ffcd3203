"""A training that is cut in two, or that can't go on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import nn

from lmviz.errors import UserError
from lmviz.random_state import seeded
from lmviz.train.data import Windows, batches, windows
from lmviz.train.gradient import Diverged
from lmviz.train.groups import Groups, group_of
from lmviz.train.initial import new_model
from lmviz.train.loop import Snapshot, make_optimizer, train
from lmviz.train.recipe import ModelRecipe, TrainingRecipe
from lmviz.train.sampling import draw
from lmviz.train.state import is_finite, restore, tensors_of

TEXTS = [[0, 1, 2, 3, 4, 5, 6, 0], [0, 5, 5, 0], [0, 1, 0]]
SIZES = ModelRecipe("gpt2", n_ctx=4, n_layers=2, d_model=8, n_heads=2, d_mlp=16, dropout=0.3)
TRAINING = TrainingRecipe(steps=20, learning_rate=0.01, batch_size=3, schedule="cosine", warm_up=4, clip=1.0, seed=7)
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


def shown() -> Windows:
    return windows(TEXTS, n_ctx=4)


def whole(recipe: TrainingRecipe) -> list[Snapshot]:
    model = new_model(SIZES, 7, recipe.seed)
    return list(train(model, batches(shown(), 3, recipe.seed), recipe, shown(), 5, look_every=4))


@pytest.mark.slow
@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("cut", [1, 3, 4, 11])
def test_a_training_that_was_cut_in_two_gives_the_curve_of_one_that_was_not(name: str, cut: int) -> None:
    recipe = replace(TRAINING, optimizer=name, weight_decay=0.1)
    model = new_model(SIZES, 7, recipe.seed)
    optimizer = make_optimizer(model, recipe)
    stream = train(model, batches(shown(), 3, recipe.seed), recipe, shown(), 5, optimizer=optimizer, look_every=4)
    first = [next(stream) for _ in range(cut)]
    kept = tensors_of(model, optimizer)
    next(stream)  # what was kept does not move on with the model
    again = new_model(SIZES, 7, seed=99)
    optimizer = make_optimizer(again, recipe)
    restore(again, kept, optimizer)
    rest = batches(shown(), 3, recipe.seed, done=cut)
    second = list(train(again, rest, recipe, shown(), 5, optimizer=optimizer, done=cut, look_every=4))
    assert first + second == whole(recipe)


@pytest.mark.parametrize("batch_size", [0, 1, 3, 4, 100])
def test_batches_go_on_where_they_were_left(batch_size: int) -> None:
    stream = batches(shown(), batch_size, seed=3)
    all_of_them = [next(stream).inputs.tolist() for _ in range(30)]
    for done in (0, 1, 4, 5, 13, 29):
        assert next(batches(shown(), batch_size, seed=3, done=done)).inputs.tolist() == all_of_them[done]


def test_what_is_kept_fits_only_a_model_of_the_same_sizes() -> None:
    small, large = new_model(SIZES, 7, 0), new_model(replace(SIZES, d_mlp=17), 7, 0)
    with pytest.raises(UserError, match=r"blocks.0.mlp.w_in.bias is missing or has another shape"):
        restore(large, tensors_of(small, make_optimizer(small, TRAINING)))


def poisoned(at: int) -> Iterator[Windows]:
    """Batches of which one has an id for which the model has infinite weights."""
    for step, batch in enumerate(batches(windows([[0, 1, 2, 3]], n_ctx=4), 0, 0), start=1):
        yield Windows(torch.full_like(batch.inputs, 6), batch.targets) if step == at else batch


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_training_before_it_moves_a_weight(bad: float) -> None:
    model = new_model(replace(SIZES, tied=False), 7, 0)
    model.tok_embed.weight.data[6] = bad
    stream = train(model, poisoned(at=3), TRAINING)
    assert [next(stream).step, next(stream).step] == [1, 2]
    before = [weight.clone() for weight in model.parameters()]
    with pytest.raises(Diverged, match="Step 3 gave a loss of nan") as caught:
        next(stream)
    assert caught.value.step == 3
    assert caught.value.batch.inputs.unique().tolist() == [6]
    for weight, was in zip(model.parameters(), before, strict=True):
        assert torch.equal(weight.nan_to_num(), was.nan_to_num())


class FiniteLossEndlessGradient(nn.Module):
    """The slope of a square root at 0 is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.weight.sqrt().expand(*ids.shape, 4)


def test_a_gradient_that_is_not_finite_stops_the_training_though_the_loss_is() -> None:
    stream = train(FiniteLossEndlessGradient(), batches(windows([[0, 1, 2, 3]], 4), 0, 0), TRAINING)
    with pytest.raises(Diverged, match=r"Step 1 gave a loss of 1\.38.* and a gradient of length (inf|nan)"):
        next(stream)


def test_whether_a_state_is_finite_is_about_all_of_it() -> None:
    assert is_finite({"a": torch.ones(2), "b": torch.zeros(())})
    assert not is_finite({"a": torch.ones(2), "b": torch.tensor([0.0, math.inf])})


def test_every_weight_of_a_model_belongs_to_a_group_with_a_name() -> None:
    groups = {group_of(name) for name, _ in new_model(replace(SIZES, tied=False), 7, 0).named_parameters()}
    block = {f"blocks.{i}.{part}" for i in (0, 1) for part in ("attn", "mlp", "norms")}
    assert groups == {"embeddings", "norm_final", "unembed", *block}


def test_the_motion_of_a_group_is_the_length_of_its_update_over_that_of_its_weights() -> None:
    model = new_model(SIZES, 7, 0)
    groups = Groups(model)
    before = groups.copies()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.grad = torch.full_like(weight, 2.0 if "mlp" in name else 0.0)
            weight.add_(weight, alpha=0.01 if "attn" in name else 0.0)
    found = {group_update.group: group_update for group_update in groups.group_updates(before)}
    assert found["blocks.0.attn"].update_ratio == pytest.approx(0.01, rel=1e-4)
    assert found["blocks.1.mlp"].update_ratio == 0
    n_weights = sum(weight.numel() for weight in model.blocks[1].mlp.parameters())
    assert found["blocks.1.mlp"].grad_norm == pytest.approx(2 * math.sqrt(n_weights))


def test_motions_are_measured_on_the_first_step_and_every_few() -> None:
    assert [snapshot.step for snapshot in whole(TRAINING) if snapshot.group_updates] == [1, 4, 8, 12, 16, 20]


def test_a_snapshot_counts_the_targets_of_its_batch() -> None:
    model = new_model(SIZES, 7, 0)
    steps = train(model, batches(shown(), 0, 0), TRAINING)
    assert next(steps).n_targets == shown().n_targets


def test_drawing_leaves_the_random_numbers_of_others_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    with seeded(1):
        torch.rand(7)
    draw(new_model(SIZES, 7, 0), [0], n_texts=2, n_tokens=3, n_ctx=4, seed=1)
    assert torch.equal(torch.rand(2), expected)


def test_samples_are_drawn_by_the_seed_from_the_probabilities_of_the_model() -> None:
    model = new_model(SIZES, 7, 0)
    first = draw(model, [0, 1], n_texts=3, n_tokens=9, n_ctx=4, seed=1)
    assert model.training
    assert [len(text) for text in first] == [9, 9, 9]
    assert draw(model, [0, 1], 3, 9, 4, seed=1) == first != draw(model, [0, 1], 3, 9, 4, seed=2)
    model.unembed.weight.data.zero_()
    model.norm_final.bias.data.fill_(1.0)
    model.unembed.weight.data[5] = 50.0  # certain of 5
    assert draw(model, [0], 1, 4, 4, seed=3) == ((5, 5, 5, 5),)


def test_a_model_whose_numbers_are_not_finite_writes_nothing() -> None:
    model = new_model(SIZES, 7, 0)
    model.norm_final.bias.data.fill_(math.nan)
    assert draw(model, [0], 2, 4, 4, seed=3) == ()
