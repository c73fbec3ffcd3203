"""Logits are found in whatever a model gives back; copies are whole; what a loss asks is read off its slopes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.debug.copies import copy_of
from lmviz.debug.loss_probe import NOTHING, LossProbe, fillers, output_of, probe_loss
from lmviz.debug.reading import reading_of
from lmviz.debug.subject import Subject

V, T = 7, 5
IDS = torch.tensor([[1, 2, 3, 4, 5], [3, 4, 5, 6, 0]])


class Sums(nn.Module):
    """Logits of the sum of all tokens so far, given back in one way or another."""

    def __init__(self, give: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(V, 4), nn.Linear(4, V)
        self.give = give

    def logits(self, ids: Tensor) -> Tensor:
        found: Tensor = self.head(self.embed(ids).cumsum(1))
        return found

    def forward(self, ids: Tensor) -> Any:
        return self.give(self.logits(ids))


class NeedsTargets(Sums):
    def forward(self, ids: Tensor, labels: Tensor | None = None) -> Any:
        logits = self.logits(ids)
        return (logits[:, -1:], None) if labels is None else (logits.view(-1, V), logits.mean())


class PositionsFirst(Sums):
    def forward(self, ids: Tensor) -> Any:
        return self.head(self.embed(ids).cumsum(0))


GIVEN: dict[str, Callable[[Tensor], Any]] = {
    "a tensor": lambda z: z,
    "a tuple": lambda z: (z, None),
    "the loss first": lambda z: (z.mean(), z, z[..., :4]),
    "a dict": lambda z: {"hidden": z[..., :4], "logits": z},
    "an object": lambda z: SimpleNamespace(loss=None, logits=z),
    "one row": lambda z: z.view(-1, V),
    "tokens before places": lambda z: z.transpose(1, 2),
    "the last place": lambda z: z[:, -1],
    "the last place, kept": lambda z: (z[:, [-1]], None),
}


@pytest.mark.parametrize("how", GIVEN)
def test_the_logits_of_all_places_are_found_in_what_a_model_gives(how: str) -> None:
    model = Sums(GIVEN[how]).eval()
    reading_of(model, V, IDS).attach(model)
    with torch.no_grad():
        assert torch.allclose(model(IDS), model.logits(IDS))


def test_a_model_that_wants_targets_is_given_some() -> None:
    model = NeedsTargets(lambda z: z).eval()
    reading = reading_of(model, V, IDS)
    assert (reading.kind, reading.argument) == ("with_targets", "labels")
    reading.attach(model)
    reading.attach(model)  # a second time changes nothing
    assert torch.equal(model(IDS), model.logits(IDS))


def test_a_model_that_reads_positions_first_is_given_them_first() -> None:
    model = PositionsFirst(lambda z: z).eval()
    reading = reading_of(model, V, IDS)
    assert reading.kind == "pos_first"
    reading.attach(model)
    assert torch.allclose(model(IDS), model.logits(IDS))


def test_a_few_more_logits_than_tokens_are_logits() -> None:
    model = Sums(lambda z: F.pad(z, (0, 1))).eval()
    reading = reading_of(model, V, IDS)
    assert reading.d_vocab == V + 1
    with pytest.raises(ValueError, match="no logits"):
        reading_of(Sums(lambda z: z[..., :3]).eval(), V, IDS)


class Captured(nn.Module):
    """Its own functions hold its layers."""

    def __init__(self) -> None:
        super().__init__()
        inner = nn.Linear(3, 3)
        self.inner, self.listed = inner, [nn.Linear(3, 3)]
        self.by_name = lambda x: inner(x)
        self.by_part = partial(lambda layer, x: layer(x), inner)
        self.left: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.left = self.by_name(x) + self.by_part(x) + self.listed[0](x)
        return self.left


def test_a_copy_holds_nothing_of_the_original() -> None:
    model, x = Captured(), torch.ones(1, 3)
    before = model(x).detach()  # leaves a tensor behind that deepcopy refuses
    with pytest.raises(RuntimeError):
        copy.deepcopy(model)
    copied = copy_of(model)
    with torch.no_grad():
        for weight in (*copied.parameters(), *copied.listed[0].parameters()):  # type: ignore[union-attr, index]
            weight.zero_()
    assert not copied(x).any()
    assert torch.equal(model(x).detach(), before)


# -- what a loss asks ------------------------------------------------------------------------------------------------

TARGETS = torch.tensor([[2, 3, 4, 5, NOTHING], [4, 5, 6, 0, NOTHING]])
KEPT = TARGETS >= 0


def squares(z: Tensor) -> Tensor:
    return F.mse_loss(z[KEPT], F.one_hot(TARGETS[KEPT], V).to(z.dtype))


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda z: F.cross_entropy(z.flatten(0, 1), TARGETS.flatten()),
    "sum": lambda z: F.cross_entropy(z.transpose(1, 2), TARGETS, reduction="sum") / 3,
    "smoothed": lambda z: F.cross_entropy(z.flatten(0, 1), TARGETS.flatten(), label_smoothing=0.2),
    "by hand": lambda z: -z.log_softmax(-1)[KEPT].gather(1, TARGETS[KEPT, None]).mean(),
    "penalty": lambda z: F.cross_entropy(z.flatten(0, 1), TARGETS.flatten()) + 1e-3 * z.logsumexp(-1).pow(2).mean(),
    "two softmaxes": lambda z: F.cross_entropy(z.softmax(-1).flatten(0, 1), TARGETS.flatten()),
    "no softmax": lambda z: F.nll_loss(z.flatten(0, 1), TARGETS.flatten()),
    "squares": squares,
    "one by one": lambda z: F.binary_cross_entropy_with_logits(z[KEPT], F.one_hot(TARGETS[KEPT], V).to(z.dtype)),
}


def asked(loss: Callable[[Tensor], Tensor]) -> LossProbe:
    return probe_loss(SimpleNamespace(Loss=lambda targets: loss), IDS, TARGETS, V)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LOSSES)
def test_which_token_is_asked_for_where_is_read_off_a_loss(name: str) -> None:
    found = asked(LOSSES[name])
    assert torch.equal(found.tokens, TARGETS)
    assert float(found.moved.max()) < 1e-9


def test_a_loss_that_mixes_places_is_told() -> None:
    mixed = asked(lambda z: F.cross_entropy(z.transpose(1, 2).reshape(-1, V), TARGETS.flatten()))
    assert float(mixed.moved.max()) > 0.01
    nothing = asked(lambda z: z.argmax(-1).double().mean())
    assert not nothing.counted.any() and not nothing.slopes.any()


def test_what_a_model_gives_is_told_from_its_numbers() -> None:
    logits = torch.randn(1, 3, V)
    found = [output_of(z) for z in (logits, logits.softmax(-1), logits.log_softmax(-1))]
    assert found == ["logits", "probs", "log_probs"]


@pytest.mark.parametrize(
    ("row", "filled"),
    [([1, 2, 0, 0, 0], [2, 3, 4]), ([1, 2, 3, 0, 9], []), ([8, 8, 8, 1, 2], [0, 1, 2]), ([1, 2, 3, 4, 8], [])],
)
def test_fillers_are_told_from_an_end(row: list[int], filled: list[int]) -> None:
    texts = ((1, 2, 3), (1, 2, 3, 4))
    assert fillers(torch.tensor([row]), texts)[0].nonzero().flatten().tolist() == filled
    with_end = fillers(torch.tensor([[1, 2, 0, 0, 0]]), ((1, 2, 0),))
    assert with_end[0].nonzero().flatten().tolist() == [3, 4]


def test_a_model_in_training_is_judged_in_evaluation_and_left_as_it_was() -> None:
    model = nn.Sequential(nn.Embedding(V, 8), nn.Dropout(0.5), nn.Linear(8, V)).train()
    subject = Subject(model, V, T, ((1, 2, 3), (3, 4, 5)))
    assert not subject.at_rest.training and model.training
    assert torch.equal(subject.logits(subject.ids), subject.logits(subject.ids))
