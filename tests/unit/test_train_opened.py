"""One training step, opened: its numbers are the step's own, and the arithmetic beside them is right."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lmviz.errors import UserError
from lmviz.train.data import IGNORED, Windows, batches, windows
from lmviz.train.gradient_check import check_gradient, random_cells
from lmviz.train.initial import new_model
from lmviz.train.loop import make_optimizer, set_learning_rate, train
from lmviz.train.opened import OpenedStep, open_step
from lmviz.train.recipe import ModelRecipe, TrainingRecipe
from lmviz.train.state import tensors_of
from lmviz.train.update_rules import update

TEXTS = [[0, 1, 2, 3, 4, 5, 6, 0], [0, 5, 5, 0], [0, 1, 0]]
SIZES = ModelRecipe("gpt2", n_ctx=4, n_layers=1, d_model=8, n_heads=2, d_mlp=16, dropout=0.2, initial_std=0.5)
TRAINING = TrainingRecipe(steps=12, learning_rate=0.05, batch_size=3, schedule="cosine", warm_up=3, seed=1)
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_an_update_by_hand_is_that_of_torch_step_after_step(name: str, decay: float) -> None:
    recipe = replace(TRAINING, optimizer=name, weight_decay=decay)
    generator = torch.Generator().manual_seed(3)
    model = torch.nn.Linear(3, 2, bias=False).double()
    optimizer = make_optimizer(model, recipe)
    for step in range(1, 9):
        model.weight.grad = torch.randn(2, 3, generator=generator, dtype=torch.float64) * 10 ** (step % 3 - 1)
        rate = set_learning_rate(optimizer, recipe, step)
        cell = (step % 2, step % 3)
        remembered = {
            kind: float(tensor[cell] if tensor.ndim else tensor)
            for kind, tensor in optimizer.state[model.weight].items()
            if tensor is not None
        }
        weight, gradient = float(model.weight[cell].detach()), float(model.weight.grad[cell])
        by_hand = update(recipe, weight, gradient, rate, decay=decay, remembered=remembered)
        optimizer.step()
        assert by_hand.value == pytest.approx(float(model.weight[cell].detach()), rel=1e-12, abs=1e-14)
        assert by_hand.lines[0].value == weight


def opened(recipe: TrainingRecipe, step: int) -> tuple[OpenedStep, list[float]]:
    """A step of a training, opened, and the losses that the training itself reported."""
    shown = windows(TEXTS, n_ctx=4)
    model = new_model(SIZES, 7, recipe.seed)
    optimizer = make_optimizer(model, recipe)
    steps = train(model, batches(shown, 3, recipe.seed), recipe, optimizer=optimizer)
    losses = [next(steps).loss for _ in range(step - 1)]
    kept = tensors_of(model, optimizer)
    losses.append(next(steps).loss)
    batch = next(batches(shown, 3, recipe.seed, done=step - 1))
    found = open_step(new_model(SIZES, 7, seed=50), kept, batch, recipe, step)
    for name, weight in model.named_parameters():
        assert np.array_equal(found.after[name], weight.detach().numpy()), name
    return found, losses


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [0.0, 0.01, 1000.0])
@pytest.mark.parametrize("step", [1, 2, 9])
def test_an_opened_step_is_the_one_that_the_training_made(name: str, clip: float, step: int) -> None:
    found, losses = opened(replace(TRAINING, optimizer=name, clip=clip, weight_decay=0.1), step)
    assert found.loss == losses[-1]
    assert np.nanmean(found.losses) == pytest.approx(found.loss, rel=1e-6)
    assert (found.clipping < 1) == (clip == 0.01)
    squares = sum(float(np.square(gradient.astype(np.float64)).sum()) for gradient in found.gradients.values())
    assert math.sqrt(squares) == pytest.approx(found.grad_norm, rel=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_of_every_cell_is_written_out_and_agrees_with_torch(name: str) -> None:
    found, _ = opened(replace(TRAINING, optimizer=name, clip=0.5, weight_decay=0.1), step=4)
    for weight, after in found.after.items():
        moved = float(np.abs(after - found.before[weight]).max())
        for cell in np.ndindex(*after.shape):
            by_hand = found.update(weight, cell)
            assert by_hand.value == pytest.approx(after[cell], rel=1e-6, abs=1e-6 * moved + 1e-9)
            assert by_hand["w"] == found.before[weight][cell]


def test_the_losses_of_an_opened_step_are_of_its_targets() -> None:
    found, _ = opened(TRAINING, step=1)
    assert found.losses.shape == tuple(found.batch.targets.shape)
    assert np.array_equal(np.isnan(found.losses), (found.batch.targets == IGNORED).numpy())


def test_the_loss_falls_on_the_batch_that_a_step_learned_from() -> None:
    found, _ = opened(replace(TRAINING, optimizer="sgd", warm_up=0, schedule="constant"), step=1)
    assert found.loss_after is not None
    assert found.loss_after < found.loss


def test_opening_a_step_leaves_the_model_alone() -> None:
    shown, model = windows(TEXTS, n_ctx=4), new_model(SIZES, 7, 0)
    kept = tensors_of(model, make_optimizer(model, TRAINING))
    open_step(model, kept, shown, TRAINING, 1)
    for name, tensor in tensors_of(model, make_optimizer(model, TRAINING)).items():
        assert torch.equal(tensor, kept[name])


def test_a_step_that_could_not_be_made_opens_too() -> None:
    model = new_model(SIZES, 7, 0)
    model.tok_embed.weight.data[0, 0] = math.nan
    kept = tensors_of(model, make_optimizer(model, TRAINING))
    found = open_step(model, kept, windows(TEXTS, n_ctx=4), TRAINING, 1)
    assert math.isnan(found.loss)
    assert found.loss_after is None
    assert np.array_equal(found.after["pos_embed.weight"], found.before["pos_embed.weight"])


def test_a_weight_that_is_not_there_is_named_with_those_that_are() -> None:
    found, _ = opened(TRAINING, step=1)
    with pytest.raises(UserError, match=r"no weight w_z; it has tok_embed.weight, pos_embed.weight"):
        found.update("w_z", (0, 0))


def test_the_lines_of_an_update_can_be_checked_by_hand() -> None:
    recipe = replace(TRAINING, optimizer="adam")
    lines = update(
        recipe, weight=0.5, gradient=0.2, rate=0.1, remembered={"step": 1.0, "exp_avg": 0.1, "exp_avg_sq": 0.01}
    )
    assert lines["t"] == 2
    assert lines["m'"] == pytest.approx(0.9 * 0.1 + 0.1 * 0.2)
    assert lines["v'"] == pytest.approx(0.999 * 0.01 + 0.001 * 0.04)
    assert lines[r"\hat m"] == pytest.approx(lines["m'"] / (1 - 0.81))
    assert lines.value == pytest.approx(0.5 - 0.1 * lines[r"\hat m"] / (math.sqrt(lines[r"\hat v"]) + 1e-8))


@pytest.mark.parametrize("architecture", ["gpt2", "mini_llm"])
def test_the_numeric_gradient_is_autograds(architecture: str) -> None:
    sizes = replace(SIZES, architecture=architecture, dropout=0.0)
    model = new_model(sizes, 7, seed=2)
    cells = random_cells(model, 40)
    assert {name for name, _ in cells} == {name for name, _ in model.named_parameters()}
    for row in check_gradient(model, windows(TEXTS, n_ctx=4), cells):
        assert row.relative < 1e-5 or abs(row.autograd) < 1e-9, row


def test_a_gradient_check_finds_a_gradient_that_is_wrong() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: object, grad: torch.Tensor) -> torch.Tensor:
            return 1.1 * grad

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(4, 4)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return Wrong.apply(self.embed(ids))

    shown = windows([[0, 1, 2, 3]], n_ctx=4)
    (row,) = check_gradient(Model(), shown, [("embed.weight", (0, 1))])
    assert row.relative == pytest.approx(0.1 / 1.1, rel=1e-4)


def test_a_gradient_check_leaves_the_model_alone_and_names_a_cell_that_is_not_there() -> None:
    model, shown = new_model(SIZES, 7, 0), windows(TEXTS, n_ctx=4)
    before = [weight.clone() for weight in model.parameters()]
    check_gradient(model, shown, random_cells(model, 5))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(weight.grad is None for weight in model.parameters())
    with pytest.raises(UserError, match=r"no cell \[1\] of tok_embed.weight"):
        check_gradient(model, shown, [("tok_embed.weight", (1,))])


def test_the_gradient_of_a_logit_is_its_probability_less_the_target() -> None:
    """The lesson's check of the whole chain, on a model that is nothing but a table of logits."""

    class Table(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logits = torch.nn.Parameter(torch.tensor([0.3, -0.2, 1.0]))

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.logits.expand(*ids.shape, 3)

    model = Table()
    rows = check_gradient(
        model, Windows(torch.zeros(1, 1, dtype=torch.long), torch.tensor([[2]])), [("logits", (i,)) for i in range(3)]
    )
    expected = F.softmax(model.logits.detach().double(), dim=0) - torch.tensor([0.0, 0.0, 1.0])
    assert [row.numeric for row in rows] == pytest.approx(expected.tolist(), rel=1e-6)
