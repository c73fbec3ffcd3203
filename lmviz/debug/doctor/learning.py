"""Can it learn at all: the loss before training, one batch learned by heart, slopes that reach every weight."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from lmviz.chance import seeded
from lmviz.debug import plain_loop
from lmviz.debug.doctor.finding import Finding, not_measured
from lmviz.debug.lesson import Lesson
from lmviz.debug.patient import Patient
from lmviz.train.baselines import baselines
from lmviz.train.data import Windows

STEPS = 150
UNTRAINED = Lesson(std=0.02, trains=False)
BY_HEART = Lesson(std=0.1, most=4)
MEANINGLESS = Lesson(std=0.1, texts="any")
FAR = 1e4  # one layer's gradient over another's: more is vanishing, or exploding


def first_loss(loss: float, d_vocab: int) -> Finding:
    """Before training every token is about as likely as any other: the loss is ln V. Measured: the first loss.

    Source: Karpathy 2019, "A recipe for training neural networks", 2: verify loss at init.
    """
    expected = math.log(d_vocab)
    holds = math.isfinite(loss) and abs(loss - expected) <= 0.2 * expected + 0.1
    details = {"d_vocab": d_vocab}
    return Finding("first_loss", holds, loss, expected, "loss", steps=(1, 1), step=1, details=details)


def beats_counting(loss: float, unigram: float, bigram: float, uniform: float = math.inf) -> Finding:
    """A model that looks back should do better than a table of pairs. Measured: its loss, in nats.

    Args:
        loss: on the texts that it was trained on, each token from those before it.
        unigram, bigram: what counting tokens, and pairs of tokens, reaches on the same texts.
        uniform: ln V, which needs no counting.

    Source: Shannon 1948, 3.
    """
    holds = math.isfinite(loss) and loss <= bigram + 0.02
    why = "" if holds or loss <= unigram else "worse_than_chance" if not loss <= uniform else "worse_than_letters"
    details = {"unigram": unigram, "uniform": uniform, "why": why}
    return Finding("beats_counting", holds, loss, bigram, "loss", details=details)


def untrained_loss(patient: Patient) -> Finding:
    """`first_loss` of the patient with new weights."""
    if not patient.is_small:
        return not_measured("first_loss", "too_large")
    inputs, targets = UNTRAINED.batch(patient)
    with torch.no_grad():
        loss = float(patient.loop.Loss(targets)(UNTRAINED.model(patient)(inputs)))
    return first_loss(loss, patient.d_vocab)


def one_batch(patient: Patient) -> Finding:
    """A model that works can learn a few texts by heart. Measured: the loss after some steps on one batch, in nats.

    No model can do better than knowing all that comes before a token: less than that means that it sees the answer.

    Source: Karpathy 2019, "A recipe for training neural networks", 2: overfit one batch.
    """
    if not patient.is_small:
        return not_measured("one_batch", "too_large")
    true = Windows(*(pair[: BY_HEART.most] for pair in patient.true_pairs))
    counted = baselines(true, patient.d_vocab)
    losses = list(BY_HEART.training(patient, BY_HEART.model(patient), STEPS))
    last, first, floor = losses[-1], losses[0], counted.floor
    learned = last < floor + 0.25 * (max(first, counted.unigram) - floor) + 0.02
    cheats = last < floor - 0.02
    why = "sees_the_answer" if cheats else "" if learned else "does_not_learn"
    details = {"first": first, "floor": floor, "steps": STEPS, "why": why, "losses": tuple(losses)}
    limit = floor + 0.25 * (max(first, counted.unigram) - floor) + 0.02
    holds = learned and not cheats
    return Finding("one_batch", holds, last, limit, "loss", steps=(1, STEPS), step=STEPS, details=details)


def gradients_reach(patient: Patient) -> Finding:
    """The loss depends on every weight. Measured: how many tensors of weights have no gradient, or one of zeros.

    Source: Rumelhart et al. 1986; the usual causes are `detach`, `no_grad`, `requires_grad=False`, or a part that is
    never called.
    """
    if not patient.is_small:
        return not_measured("gradients_reach", "too_large")
    model = MEANINGLESS.model(patient)
    frozen = [path for path, parameter in patient.model.named_parameters() if not parameter.requires_grad]
    _backward(model, *MEANINGLESS.batch(patient))
    cut = [p for p, w in model.named_parameters() if w.grad is None or not w.grad.count_nonzero()]
    lost = list(dict.fromkeys([*cut, *frozen]))
    details = {"lost": ", ".join(lost[:4]), "frozen": len(frozen), "tensors": len(list(model.parameters()))}
    where, cell = (lost[0], (0,) * model.get_parameter(lost[0]).ndim) if lost else ("", None)
    return Finding("gradients_reach", not lost, len(lost), 0, where, cell, step=1, gradient=True, details=details)


def layers(patient: Patient) -> Finding:
    """The slope is of one size from the first block to the last. Measured: the largest over the smallest.

    Measured where each block gives back the stream, as the root mean square of the loss's slope there. A large ratio is
    a slope that vanishes, or explodes, on its way back.

    Source: Bengio et al. 1994; He et al. 2016 for the cure.
    """
    if not patient.is_small:
        return not_measured("layers", "too_large")
    sizes = _by_block(MEANINGLESS.model(patient), *MEANINGLESS.batch(patient))
    if len(sizes) < 2:
        return not_measured("layers", "one_block")
    low, high = min(sizes, key=lambda b: sizes[b]), max(sizes, key=lambda b: sizes[b])
    ratio = sizes[high] / sizes[low] if sizes[low] else math.inf
    details = {"smallest": low, "largest": high, "sizes": tuple(sizes.values())}
    return Finding("layers", ratio <= FAR, ratio, FAR, low, step=1, gradient=True, details=details)


def _backward(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    with seeded(0), torch.enable_grad():
        plain_loop.Loss(targets)(model(inputs)).backward()


def _by_block(model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Root mean square of the slope at the end of each numbered part of the longest list of parts."""
    lists = [(path, m) for path, m in model.named_modules() if isinstance(m, nn.ModuleList | nn.Sequential)]
    path, parts = max(lists, key=lambda found: len(found[1]), default=("", nn.ModuleList()))
    kept: dict[str, Tensor] = {}

    def keep(name: str, _module: nn.Module, _given: object, made: object) -> None:
        stream = made[0] if isinstance(made, tuple) else made
        if isinstance(stream, Tensor) and stream.requires_grad:
            stream.retain_grad()
            kept[name] = stream

    for i, part in enumerate(parts):
        part.register_forward_hook(partial(keep, f"{path}.{i}"))
    _backward(model, inputs, targets)
    return {name: float(stream.grad.pow(2).mean().sqrt()) for name, stream in kept.items() if stream.grad is not None}
