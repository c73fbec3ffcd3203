"""The rules on training curves: quiet on healthy trainings, and each raised by the curve that it is for."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from lmviz.debug.doctor.curves import RULES, diagnose
from lmviz.debug.doctor.history import Counted, History, history_of
from lmviz.debug.doctor.log import MOST_CHARACTERS, read_log
from lmviz.errors import UserError
from lmviz.train.baselines import baselines, double_softmax_floor
from lmviz.train.data import batches_of, read_corpus
from lmviz.train.initial import new_model
from lmviz.train.loop import train
from lmviz.train.recipe import read_recipe
from tests.conftest import ROOT, SAMPLES


def decay(n: int = 100, start: float = 3.3, end: float = 0.5) -> Iterator[tuple[int, float]]:
    return ((step, end + (start - end) * math.exp(-step / 12)) for step in range(1, n + 1))


HEALTHY = History(
    losses=tuple(decay()),
    held_out=tuple(decay(end=0.6))[9::10],
    grad_norms=tuple((step, 1 / step**0.5) for step in range(1, 101)),
    update_ratios=tuple((step, 0.003) for step in range(1, 101, 10)),
    d_vocab=27,
    counted=Counted(uniform=math.log(27), unigram=2.8, bigram=2.3),
)
STEPS = range(1, 101)
SICK = {
    "stays_finite": replace(HEALTHY, losses=(*HEALTHY.losses[:60], *((s, math.nan) for s in range(61, 101)))),
    "half_precision": replace(
        HEALTHY,
        losses=tuple((s, loss if s < 60 else 0.0) for s, loss in HEALTHY.losses),
        grad_norms=tuple((s, length if s < 60 else math.nan) for s, length in HEALTHY.grad_norms),
    ),
    "beats_counting": replace(HEALTHY, true_loss=2.5),
    "never_negative": replace(HEALTHY, losses=tuple((s, loss - 2) for s, loss in HEALTHY.losses)),
    "first_loss": replace(HEALTHY, losses=tuple(decay(start=30))),
    "falls": replace(HEALTHY, losses=tuple((s, 3.29 - s / 1e5) for s in STEPS)),
    "stays_down": replace(HEALTHY, losses=tuple((s, loss if s < 50 else 3.0) for s, loss in HEALTHY.losses)),
    "gradient_spikes": replace(
        HEALTHY,
        grad_norms=tuple((s, 80.0 if s == 50 else 1.0) for s in STEPS),
        losses=tuple((s, loss if s <= 50 else 2.0) for s, loss in HEALTHY.losses),
    ),
    "gradients_add_up": replace(HEALTHY, grad_norms=tuple((s, 0.7 * s) for s in STEPS)),
    "update_size": replace(HEALTHY, update_ratios=tuple((s, 0.9) for s in STEPS)),
    "generalises": replace(HEALTHY, held_out=((20, 2.0), (40, 1.5), (60, 1.9), (100, 2.6))),
    "is_done": replace(HEALTHY, losses=tuple((s, 3.3 - s / 100) for s in STEPS)),
    "above_double_floor": replace(
        HEALTHY, losses=tuple((s, double_softmax_floor(27) + 0.01 + math.exp(-s / 8)) for s in STEPS)
    ),
}


def test_a_healthy_training_passes_every_rule() -> None:
    assert all(finding.holds is True for finding in diagnose(HEALTHY)), diagnose(HEALTHY)


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_raised_by_the_curve_that_it_is_for(rule: str) -> None:
    finding = RULES[rule].run(SICK[rule])
    assert finding.holds is False
    assert finding.check == rule


def test_a_loss_that_explodes_at_once_and_then_sinks_a_little_has_not_fallen() -> None:
    losses = ((1, 3.3), (2, 4e5), (3, 1.6e6), *((step, 1e6 / step) for step in range(4, 61)))
    finding = RULES["falls"].run(History(losses))
    assert (finding.holds, finding.details["why"], finding.details["first"]) == (False, "rises", 3.3)


def test_of_losses_below_0_only_that_is_said() -> None:
    found = {finding.check: finding.holds for finding in diagnose(SICK["never_negative"])}
    assert found == {"stays_finite": True, "never_negative": False}


def test_the_steps_that_a_finding_is_about_are_named() -> None:
    assert RULES["stays_finite"].run(SICK["stays_finite"]).steps == (61, 100)
    assert RULES["generalises"].run(SICK["generalises"]).steps == (40, 100)
    assert RULES["gradient_spikes"].run(SICK["gradient_spikes"]).steps == (50, 50)
    low, high = RULES["stays_down"].run(SICK["stays_down"]).steps or (0, 0)
    assert 40 <= low <= 50 < high


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 7, 12, 20, 40, 100, 300])
@pytest.mark.parametrize("first", [1, 1000])
def test_the_noise_of_single_batches_is_no_fault(n: int, first: int) -> None:
    told: list[str] = []
    for seed in range(40):
        drawn = random.Random(seed)
        scatter = drawn.choice([0.01, 0.05, 0.1, 0.2])
        losses = tuple((first + i, 2.5 + 1.5 * math.exp(-i / n * 4) + drawn.gauss(0, scatter)) for i in range(n))
        level = tuple((step, 2.5 + drawn.gauss(0, scatter)) for step, _ in losses) if first > 1 else losses
        found = diagnose(History(level, grad_norms=tuple((step, drawn.uniform(0.5, 1.5)) for step, _ in level)))
        told += [finding.check for finding in found if finding.holds is False]
    assert len(told) <= 1, told


@pytest.mark.parametrize("n", [3, 6, 9])
def test_what_has_too_few_points_is_not_judged(n: int) -> None:
    found = {f.check: f for f in diagnose(History(tuple((i, 3.0 + i % 2) for i in range(1, n + 1)), ((n, 3.2),)))}
    for check in ("falls", "stays_down", "is_done", "generalises"):
        assert (found[check].holds, found[check].why_not) == (None, "too_few")


def test_a_piece_out_of_the_middle_is_not_told_that_it_does_not_fall() -> None:
    piece = History(tuple((50_000 + i, 2.5 + 0.05 * math.sin(i)) for i in range(200)))
    found = {f.check: f for f in diagnose(piece)}
    assert (found["falls"].why_not, found["is_done"].why_not) == ("starts_late", "starts_late")


def line(*knots: tuple[int, float]) -> tuple[tuple[int, float], ...]:
    """Losses at steps 1 to 100, straight from knot to knot."""
    found = []
    for step in STEPS:
        (a, low), (b, high) = next((p, q) for p, q in pairwise(knots) if p[0] <= step <= q[0])
        found.append((step, low + (high - low) * (step - a) / (b - a)))
    return tuple(found)


def test_only_the_last_fifth_tells_whether_a_training_is_over() -> None:
    over = History(line((0, 3.0), (55, 2.9), (75, 1.0), (100, 1.0)))  # nearly all in the last half
    assert RULES["is_done"].run(over).holds is True
    goes_on = History(line((0, 3.0), (40, 1.6), (82, 1.6), (100, 1.0)))
    assert RULES["is_done"].run(goes_on).holds is False


def test_a_large_gap_to_new_texts_is_told_after_one_validation_and_an_old_one_tells_nothing() -> None:
    losses = tuple((4800 + 10 * i, 0.27 + 0.01 * (i % 3)) for i in range(1, 8))
    finding = RULES["generalises"].run(History(losses, ((4800, 1.73),)))
    assert (finding.holds, finding.details["why"]) == (False, "gap")
    assert RULES["generalises"].run(History(tuple(decay(start=9, end=1)), ((1, 9.0),))).holds is None


def test_a_loss_of_0_that_was_come_down_to_is_no_overflow() -> None:
    slowly = History(tuple((s, max(0.0, round(math.exp(-s / 8), 4))) for s in STEPS))
    assert slowly.losses[-1][1] == 0
    assert RULES["half_precision"].run(slowly).holds is not False
    at_first = tuple((s, math.inf if s < 4 else 1.0) for s in STEPS)  # loss scaling looks for its scale
    assert RULES["half_precision"].run(replace(HEALTHY, grad_norms=at_first)).holds is True
    broken = tuple((s, 1.0 if s < 50 else math.nan) for s in STEPS)
    assert RULES["half_precision"].run(replace(HEALTHY, grad_norms=broken)).details["why"] == "gradient"


@pytest.mark.parametrize(
    ("loss", "why"), [(2.2, ""), (2.6, ""), (3.0, "worse_than_letters"), (26.9, "worse_than_chance")]
)
def test_how_far_a_model_is_from_counting_is_told(loss: float, why: str) -> None:
    finding = RULES["beats_counting"].run(replace(HEALTHY, true_loss=loss))
    assert (finding.holds, finding.details["why"]) == (loss < 2.3, why)


@pytest.mark.nightly
def test_a_training_that_counting_beats_is_not_called_healthy() -> None:
    """SGD at a rate that suits Adam: the loss falls nicely, and ends above a table of pairs."""
    folder = ROOT / "sample_models" / "pokemon"
    recipe = read_recipe(folder / "recipe.toml")
    training = replace(recipe.training, optimizer="sgd", steps=1500, learning_rate=0.01)
    corpus = read_corpus(recipe, folder)
    model = new_model(recipe.model, corpus.tokenizer.d_vocab, training.seed)
    shown = batches_of(corpus.train, training)
    counted = baselines(corpus.train, corpus.tokenizer.d_vocab)
    history = replace(
        history_of(train(model, shown, training), corpus.tokenizer.d_vocab),
        counted=Counted(counted.uniform, counted.unigram, counted.bigram),
    )
    found = {finding.check: finding.holds for finding in diagnose(history)}
    assert found["falls"] is True and found["beats_counting"] is False


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("sample", SAMPLES)
def test_no_rule_raises_a_false_alarm_on_a_training_of_a_sample(sample: str) -> None:
    folder = Path(ROOT / "sample_models" / sample)
    recipe = read_recipe(folder / "recipe.toml")
    if steps := {"names": 40, "names-llama": 40, "sentences": 120}.get(sample):  # their beginning tells as much
        recipe = replace(recipe, training=replace(recipe.training, steps=steps, warm_up=5))
    corpus = read_corpus(recipe, folder)
    model = new_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed)
    shown = batches_of(corpus.train, recipe.training)
    history = history_of(train(model, shown, recipe.training, look_every=20), corpus.tokenizer.d_vocab)
    alarms = [finding for finding in diagnose(history) if finding.holds is False]
    if alarms and alarms[0].check == "gradient_spikes":  # AdamW on all of few texts leaps on some processors
        step, losses = alarms.pop(0).step, dict(history.finite)
        assert step is not None and max(losses[step + 1], losses[step + 2]) > 1.5 * losses[step - 1]
    assert not alarms


LOGS = {
    "nanoGPT": (
        "step 0: train loss 4.29, val loss 4.28\niter 0: loss 4.27, time 25624.01ms, mfu -100.00%\n"
        "iter 10: loss 3.10, time 20ms, mfu 2%\nstep 250: train loss 1.96, val loss 2.06",
        ((0, 4.27), (10, 3.1), (250, 1.96)),
        ((0, 4.28), (250, 2.06)),
    ),
    "Hugging Face": (
        "{'loss': 2.31, 'grad_norm': 1.2, 'learning_rate': 5e-05, 'epoch': 0.1}\n"
        "{'loss': 2.01, 'grad_norm': 1.1, 'learning_rate': 5e-05, 'epoch': 0.25}\n"
        "{'eval_loss': 2.2, 'eval_runtime': 3.1, 'epoch': 1.0}\n"
        "{'train_runtime': 12.0, 'train_loss': 9.9, 'epoch': 1.0}",
        ((1, 2.31), (2, 2.01)),
        ((2, 2.2),),
    ),
    "Keras": (
        "Epoch 1/2\n100/100 [=====] - 2s 20ms/step - loss: 0.9 - accuracy: 0.5 - val_loss: 1.0\n"
        "Epoch 2/2\n100/100 [=====] - 2s 20ms/step - loss: 0.5 - val_loss: 0.7",
        ((1, 0.9), (2, 0.5)),
        ((1, 1.0), (2, 0.7)),
    ),
    "key=value": ("epoch 3 loss=0.5\nnothing here\nepoch 4 loss=4e-1", ((3, 0.5), (4, 0.4)), ()),
    "CSV": ("step,loss,val_loss\n1,3.2,\n2,3.1,3.3", ((1, 3.2), (2, 3.1)), ((2, 3.3),)),
    "French CSV": ("étape;perte\n1;3,25\n2;3,1", ((1, 3.25), (2, 3.1)), ()),
    "bare columns": ("1 3.2 3.3\n2 2.5 2.9", ((1, 3.2), (2, 2.5)), ((1, 3.3), (2, 2.9))),
    "JSON lines": ('{"step": 10, "train/loss": 2.5, "val/loss": 2.6}', ((10, 2.5),), ((10, 2.6),)),
    "the guide": ("Epoch 0, Loss: 2.3\nEpoch 1, Loss: 2.1", ((0, 2.3), (1, 2.1)), ()),
    "epochs that count anew": ("batch 1 loss 3\nbatch 2 loss 2\nbatch 1 loss 1", ((1, 3), (2, 2), (3, 1)), ()),
}


@pytest.mark.parametrize("kind", LOGS)
def test_logs_are_read_as_they_are_printed(kind: str) -> None:
    text, losses, held_out = LOGS[kind]
    history = read_log(text).history
    assert history.losses == losses
    assert history.held_out == held_out


def test_a_loss_that_is_no_number_is_read_as_none() -> None:
    log = read_log("step 1 loss 2.5\nstep 2 loss nan\nrubbish")
    assert math.isnan(log.history.losses[1][1])
    assert (log.n_read, log.n_skipped) == (2, 1)


@pytest.mark.parametrize("text", ["", "hello", "\x00,,;\n{}[]", "step 4", "x" * (MOST_CHARACTERS + 1)])
def test_rubbish_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UserError):
        read_log(text)


def test_a_log_of_nothing_but_nan_is_diagnosed() -> None:
    (finding,) = diagnose(read_log("step 1 loss nan\nstep 2 loss nan").history)
    assert (finding.check, finding.holds, finding.steps) == ("stays_finite", False, (1, 2))
