"""Can it learn at all: the loss before training, one batch learned by heart, slopes that reach every weight."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from lmviz.debug import plain_loop
from lmviz.debug.copies import copy_of
from lmviz.debug.doctor.dependence import receptive_field
from lmviz.debug.doctor.finding import Finding, Sure, not_measured
from lmviz.debug.doctor.lessons import shifted
from lmviz.debug.doctor.outputs import double_softmax
from lmviz.debug.lesson import Lesson
from lmviz.debug.loss_probe import LossProbe, nats, probe_loss
from lmviz.debug.subject import Subject, random_texts
from lmviz.random_state import seeded
from lmviz.train.baselines import baselines
from lmviz.train.data import Windows

STEPS = 150
_BATCHES_TRIED = 4  # batches that a weight may be reached by
UNTRAINED = Lesson(std=0.02, trains=False)
MEMORISING = Lesson(std=0.1, most=4)
_FROM_ITS_OWN = Lesson(std=0, most=4)
_STARTS = ((MEMORISING, 0), (MEMORISING, 1), (_FROM_ITS_OWN, 0))  # a narrow model learns from some only
MEANINGLESS = Lesson(std=0.1, texts="any")
FAR = 1e4  # one layer's gradient over another's: more is vanishing, or exploding


def first_loss(loss: float, d_vocab: int) -> Finding:
    """Before training every token is about as likely as any other: the loss is ln V. Measured: the first loss.

    Source: Karpathy 2019, "A recipe for training neural networks", 2: verify loss at init. How far it may be: ours.
    """
    expected = math.log(d_vocab)
    holds = math.isfinite(loss) and abs(loss - expected) <= 0.2 * expected + 0.1
    why = "" if holds else "low" if loss < expected else "high"
    details = {"d_vocab": d_vocab, "why": why}
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


def untrained_loss(subject: Subject) -> Finding:
    """`first_loss` of the subject as it is, if it is worse than guessing, and with new weights.

    As it is: weights that start too large are sure of themselves, and wrong; no training leaves a model so on its own
    texts.
    """
    asked = subject.asked
    if not asked.counted.any():
        return not_measured("first_loss", "too_short")
    loss, guessing = nats(subject.logits(asked.inputs), asked), math.log(subject.d_vocab)
    if not loss <= 1.3 * guessing + 0.2 and not subject.has_random_texts and subject.output != "probs":
        own = replace(first_loss(loss, subject.d_vocab), holds=False)
        return replace(own, step=0, steps=None, where="logits", details={**own.details, "why": "as_it_is"})
    if not subject.is_small:
        return not_measured("first_loss", "too_large")
    model = UNTRAINED.model(subject)
    subject.reading.attach(model)
    return first_loss(nats(subject.logits(asked.inputs, model), asked), subject.d_vocab)


def one_batch(subject: Subject) -> Finding:
    """A model that works can learn a few texts by heart. Measured: the loss after some steps on one batch, in nats.

    No model can do better than knowing all that comes before a token: less than that means that it sees the answer.
    The loss is that of what the loop asks, whatever the loop itself makes of it.

    Source: Karpathy 2019, "A recipe for training neural networks", 2: overfit one batch. What is enough: ours.
    """
    if not subject.is_small:
        return not_measured("one_batch", "too_large")
    inputs, targets = MEMORISING.batch(subject)
    asked = probe_loss(subject.loop, inputs, targets, subject.d_vocab, subject.output)
    if not asked.counted.any():
        return not_measured("one_batch", "too_short")
    honest = _honest(subject, asked)
    counted = baselines(honest, subject.d_vocab)
    window = int(str(receptive_field(subject).details.get("window", 0)))
    floor = _floor_of_window(honest, window) if window else counted.floor
    first, last, losses = math.nan, math.nan, tuple[float, ...]()
    for lesson, seed in _STARTS:
        model = lesson.model(subject, seed)
        first = _nats_of(subject, lesson.model(subject, seed), asked)
        limit = floor + 0.25 * (max(first, counted.unigram) - floor) + 0.02
        losses = _until(subject, lesson, model, asked, (floor + 0.05, limit))
        last = _nats_of(subject, model, asked)
        if last < limit:
            break
    cheats = last < floor - 0.02
    why = "sees_the_answer" if cheats else "" if last < limit else "does_not_learn"
    steps = len(losses)
    details = {"first": first, "floor": floor, "steps": steps, "why": why, "losses": losses}
    return Finding("one_batch", not why, last, limit, "loss", steps=(1, steps), step=steps, details=details)


def _until(
    subject: Subject, lesson: Lesson, model: nn.Module, asked: LossProbe, enough: tuple[float, float]
) -> tuple[float, ...]:
    """The loop's losses; of half its steps only, if by then the model has learned enough, and not suspiciously much."""
    losses: list[float] = []
    for loss in lesson.training(subject, model, STEPS):
        losses.append(loss)
        if len(losses) == STEPS // 2 and enough[0] < _nats_of(subject, copy_of(model), asked) < enough[1]:
            break
    return tuple(losses)


def _nats_of(subject: Subject, model: nn.Module, asked: LossProbe) -> float:
    """The loss of a model in training, in evaluation. It gives logits and nothing else from now on."""
    subject.reading.attach(model.eval())
    found = subject.logits(asked.inputs, model)
    is_read_as_logits = subject.output != "probs" or not double_softmax(subject).holds
    return nats(found if is_read_as_logits else found.clamp_min(1e-30).log(), asked)


def _floor_of_window(windows: Windows, n_seen: int) -> float:
    """The entropy of a target given the last so many tokens."""
    pairs = [
        (tuple(inputs[max(0, pos + 1 - n_seen) : pos + 1]), target)
        for inputs, targets in zip(windows.inputs.tolist(), windows.targets.tolist(), strict=True)
        for pos, target in enumerate(targets)
        if target != plain_loop.PAD
    ]
    seen, together = Counter(context for context, _ in pairs), Counter(pairs)
    return -sum(n * math.log(n / seen[context]) for (context, _), n in together.items()) / len(pairs)


def _honest(subject: Subject, asked: LossProbe) -> Windows:
    """What is asked, with the inputs; the next tokens, where something else is asked: the floor is that of reading."""
    if shifted(asked.inputs, asked.tokens).holds:
        return Windows(asked.inputs, asked.tokens)
    return Windows(*(pair[: MEMORISING.most] for pair in subject.true_pairs))


def gradients_reach(subject: Subject) -> Finding:
    """The loss depends on every weight. Measured: how many tensors of weights have no gradient, or one of zeros.

    Weights that were frozen in so many words, that no logit depends on, and experts that no token was sent to, are a
    hint only.

    Source: Rumelhart et al. 1986; the usual causes are `detach`, `no_grad`, `requires_grad=False`, or a part that is
    never called.
    """
    if not subject.is_small:
        return not_measured("gradients_reach", "too_large")
    frozen = [path for path, parameter in subject.model.named_parameters() if not parameter.requires_grad]
    reached = set[str]()
    for seed in range(_BATCHES_TRIED):
        model = MEANINGLESS.model(subject)
        inputs, targets = plain_loop.make_pairs(random_texts(subject.d_vocab, 12, seed=seed), subject.n_ctx)
        _backward(subject, model, inputs, targets)
        reached |= {p for p, w in model.named_parameters() if w.grad is not None and w.grad.count_nonzero()}
        if len(reached) == len(list(model.named_parameters())):
            break
    cut = [path for path, _ in model.named_parameters() if path not in reached and not _is_shift_of_keys(path, reached)]
    lost = list(dict.fromkeys([*cut, *frozen]))
    details = {"lost": ", ".join(lost[:4]), "frozen": len(frozen), "tensors": len(list(model.parameters()))}
    where, cell = (lost[0], (0,) * model.get_parameter(lost[0]).ndim) if lost else ("", None)
    meant = [path in frozen or _has_siblings(path, reached) or not _matters(subject, path) for path in lost]
    sure: Sure | None = "hint" if all(meant) else None
    return Finding("gradients_reach", not lost, len(lost), 0, where, cell, step=1, gradient=True, details=details,
                   sure=sure)  # fmt: skip


def _is_shift_of_keys(path: str, reached: set[str]) -> bool:
    """The bias of keys adds one number to all of a query's scores, which the softmax takes away: its slope is 0."""
    return path.endswith(".bias") and path.removesuffix("bias") + "weight" in reached


def _matters(subject: Subject, path: str) -> bool:
    """Whether the logits change with a weight: then a gradient should reach it."""
    model = MEANINGLESS.model(subject).eval()
    subject.reading.attach(model)
    inputs, _ = MEANINGLESS.batch(subject)
    before = subject.logits(inputs, model)
    with torch.no_grad():
        model.get_parameter(path).add_(0.5)
        model.get_parameter(path).view(-1)[::2] *= 3
    return bool((subject.logits(inputs, model) - before).abs().max() > 0)


def _has_siblings(path: str, reached: set[str]) -> bool:
    """Whether it is one of several numbered parts alike, another of which is reached: an expert, for example."""
    parts = path.split(".")
    for i, part in reversed(list(enumerate(parts))):
        if part.isdigit():
            return any(
                other.split(".")[:i] == parts[:i] and other.split(".")[i + 1 :] == parts[i + 1 :] for other in reached
            )
    return False


def layers(subject: Subject) -> Finding:
    """The slope is of one size from the first block to the last. Measured: the largest over the smallest.

    Measured where each block gives back the stream, as the root mean square of the loss's slope there. A large ratio is
    a slope that vanishes, or explodes, on its way back.

    Source: Bengio et al. 1994; He et al. 2016 for the cure. The limit is ours.
    """
    if not subject.is_small:
        return not_measured("layers", "too_large")
    sizes = _by_block(subject, MEANINGLESS.model(subject), *MEANINGLESS.batch(subject))
    if len(sizes) < 2:
        return not_measured("layers", "one_block")
    low, high = min(sizes, key=lambda b: sizes[b]), max(sizes, key=lambda b: sizes[b])
    ratio = sizes[high] / sizes[low] if sizes[low] else math.inf
    details = {"smallest": low, "largest": high, "sizes": tuple(sizes.values())}
    return Finding("layers", ratio <= FAR, ratio, FAR, low, step=1, gradient=True, details=details)


def _backward(subject: Subject, model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    """The slopes of the plain loss in the weights of a model of one's own."""
    subject.reading.attach(model)
    with seeded(0), torch.enable_grad():
        plain_loop.Loss(targets)(model(inputs)).backward()


def _by_block(subject: Subject, model: nn.Module, inputs: Tensor, targets: Tensor) -> dict[str, float]:
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
    _backward(subject, model, inputs, targets)
    return {name: float(stream.grad.pow(2).mean().sqrt()) for name, stream in kept.items() if stream.grad is not None}
