"""Rules on the curves of a training. Each looks at a `History` and says which steps it is about."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import fmean, median

from lmviz.debug import sources
from lmviz.debug.doctor.finding import Finding, Sure, not_measured
from lmviz.debug.doctor.history import History, noise_of
from lmviz.debug.doctor.learning import beats_counting, first_loss
from lmviz.debug.sources import Source
from lmviz.train.baselines import double_softmax_floor

_ROUNDING = 1e-4  # what rounding alone may put a loss below 0
FEW = 10  # fewer losses than this say nothing of a curve
SHORT = 5  # fewer gradients than this say nothing of how they begin
_TOO_HIGH_BEFORE_ZERO = 0.05  # a loss above this that is followed by exactly 0 did not come down there
GAP_NATS, GAP_PART = 0.5, 0.5  # of the loss on new texts, above that in training: more is learning by heart
_CLEAR = 4  # standard errors, from which on a difference is more than noise


def stays_finite(history: History) -> Finding:
    """A loss is a number, in training, on new texts, and as a mean. Measured: the first step at which one is none.

    Source: nanoGPT #215.
    """
    named = (("loss", history.losses), ("held_out", history.held_out), *history.others)
    bad = [(step, name) for name, points in named for step, loss in points if not math.isfinite(loss)]
    if not bad:
        return Finding("stays_finite", True)
    first, name = min(bad)
    last = max(history.last_step, first)
    return Finding("stays_finite", False, first, where="loss", steps=(first, last), step=first, details={"name": name})


def _stays_above(held_out: list[tuple[int, float]], best_step: int, best: float) -> bool:
    """Whether the losses after the best one lie above it by more than noise explains."""
    after = [loss for step, loss in held_out if step > best_step]
    if len(after) < 2:
        return False
    noise = noise_of(tuple(held_out)) * math.sqrt(1 + 1 / len(after))
    return median(after) > 1.05 * best and median(after) - best > _CLEAR * noise


def half_precision(history: History) -> Finding:
    """No loss is exactly 0 at once, and gradients are numbers. Measured: the steps that look like an overflow.

    In half precision a number above 65,504 is infinite: the gradient becomes NaN, the step is left out or spoils the
    weights, and some programs write 0 in place of a loss that is none.

    Source: Micikevicius et al. 2018, 3.2 (loss scaling); IEEE 754 for the largest number of 16 bits.
    """
    zeros = [step for step, loss in history.losses if loss == 0]
    broken = [step for step, length in history.grad_norms if not math.isfinite(length)]
    if _drops_to_zero(history, zeros) and len(zeros) > 1 and (len(zeros) > 2 or broken):
        return _overflow("zero_loss", zeros)
    tail = [math.isfinite(length) for _, length in history.grad_norms[-3:]]
    if len(tail) == 3 and (not any(tail) or 2 * len(broken) > len(history.grad_norms)):
        return replace(_overflow("gradient", broken), gradient=True)
    if not history.grad_norms and not zeros:
        return not_measured("half_precision", "no_gradients")
    return Finding("half_precision", True, len(broken), 0)


def _drops_to_zero(history: History, zeros: list[int]) -> bool:
    """Whether the loss is 0 at once, and did not come down there."""
    before = [loss for step, loss in history.losses if zeros and step < zeros[0] and loss > 0]
    return bool(zeros) and (not before or before[-1] > _TOO_HIGH_BEFORE_ZERO)


def _overflow(why: str, steps: list[int]) -> Finding:
    details = {"why": why, "first": steps[0], "n": len(steps)}
    ends = (steps[0], steps[-1])
    return Finding("half_precision", False, len(steps), 0, "loss", steps=ends, step=steps[0], details=details)


def _starts_even(history: History) -> Finding:
    """`first_loss`, on the first loss of a log, if the log begins at the beginning."""
    if history.d_vocab is None or not history.finite:
        return not_measured("first_loss", "no_vocabulary")
    step, loss = history.losses[0]
    return first_loss(loss, history.d_vocab) if step <= 1 else not_measured("first_loss", "starts_late")


def never_negative(history: History) -> Finding:
    """A cross-entropy is at least 0. Measured: the lowest loss.

    Source: torch.nn.functional.cross_entropy.
    """
    losses = [(loss, step) for step, loss in (*history.losses, *history.held_out) if math.isfinite(loss)]
    lowest, step = min(losses)
    below = [at for loss, at in losses if loss < -_ROUNDING]
    if not below:
        return Finding("never_negative", True, lowest)
    return Finding("never_negative", False, lowest, where="loss", steps=(min(below), max(below)), step=step)


def _unclear_fall(history: History, why: str, fall: float, unsure: float) -> str:
    """Why a curve does not say whether its loss falls; empty: it does."""
    n, hardly_falls = len(history.finite), why in ("still", "slow")
    if why == "rises" and -fall < unsure:
        return "too_noisy"
    if hardly_falls and not history.begins:
        return "starts_late"
    if hardly_falls and fall + unsure > 0.1 and n < 10 * FEW:
        return "too_noisy"
    return "too_few" if why == "slow" and n < 5 * FEW else ""


def falls(history: History) -> Finding:
    """A loss goes down. Measured: by how much, as a part of the first. Rising: the learning rate is too high.

    A difference that the noise of single batches explains is none.

    Source: the guide for beginners, pitfall 1; Bengio 2012, 3.1 (the learning rate).
    """
    n = len(history.finite)
    if n < FEW:
        return not_measured("falls", "too_few")
    fall = (history.start - history.end) / abs(history.start) if history.start else 0.0
    unsure = _CLEAR * _error(history, max(1, n // 20)) / abs(history.start) if history.start else 0.0
    why = "" if fall > 0.1 else "rises" if fall < -0.02 else "still" if fall < 0.01 else "slow"
    if why_not := _unclear_fall(history, why, fall, unsure):
        return not_measured("falls", why_not)
    details = {"why": why, "first": history.finite[0][1], "last": history.end}
    steps = (history.losses[0][0], history.last_step)
    holds = not why or history.start < 0.05
    return Finding("falls", holds, fall, 0.1, "loss", steps=steps, step=steps[1], details=details)


def _error(history: History, width: int) -> float:
    """The standard error of a difference of two means over so many losses."""
    return history.noise * math.sqrt(2 / width)


def stays_down(history: History) -> Finding:
    """What a loss has gained it keeps. Measured: the highest later loss over the lowest before, in parts of all that it
    fell. A loss that climbs back tells of a learning rate that is too high.

    Source: Cohen et al. 2021, on the edge of stability; nanoGPT #215.
    """
    smooth = list(_smoothed(history))
    if len(smooth) < FEW:
        return not_measured("stays_down", "too_few")
    fallen = smooth[0][1] - min(loss for _, loss in smooth)
    low, worst, span, losses = smooth[0], 0.0, (smooth[0][0], smooth[0][0]), (smooth[0][1], smooth[0][1])
    for step, loss in smooth:
        if loss < low[1]:
            low = (step, loss)
        elif loss - low[1] > worst:
            worst, span, losses = loss - low[1], (low[0], step), (low[1], loss)
    part = worst / fallen if fallen > 0.05 * smooth[0][1] else 0.0
    is_noise = worst <= 1.5 * _CLEAR * _error(history, max(1, len(history.finite) // 20))  # the largest of many rises
    details = {"rise": worst, "low": losses[0], "high": losses[1]}
    return Finding("stays_down", part <= 0.5 or is_noise, part, 0.5, "loss", steps=span, step=span[1], details=details)


def gradient_spikes(history: History) -> Finding:
    """Gradients keep to one size. Measured: the longest over the middle one of the steps just before it.

    Only a gradient counts that is longer than those of the beginning, since one that has become tiny may grow again,
    and after which the loss is higher.

    Source: Pascanu et al. 2013, 3.2 (and clipping, the cure).
    """
    lengths = [(step, length) for step, length in history.grad_norms if math.isfinite(length)]
    if len(lengths) < 2 * SHORT:
        return not_measured("gradient_spikes", "no_gradients")
    at_first, losses = max(length for _, length in lengths[:SHORT]), dict(history.finite)
    found = (1.0, lengths[0][0])
    for i in range(SHORT, len(lengths)):
        step, length = lengths[i]
        usual = median(before for _, before in lengths[max(0, i - 20) : i])
        if length > at_first and usual > 0 and _hurts(losses, [s for s, _ in lengths], i, history.start):
            found = max(found, (length / usual, step))
    ratio, step = found
    return Finding("gradient_spikes", ratio <= 10, ratio, 10, "loss", steps=(step, step), step=step, gradient=True)


def _hurts(losses: dict[int, float], steps: list[int], i: int, start: float) -> bool:
    """Whether the losses of the ten steps after the i-th are higher than those before it, or are no numbers at all."""
    before = [losses[step] for step in steps[max(0, i - 10) : i] if step in losses]
    after = [losses[step] for step in steps[i + 1 : i + 11] if step in losses]
    return not before or not after or median(after) - median(before) > 0.1 * abs(start)


def gradients_add_up(history: History) -> Finding:
    """Gradients don't grow by one more of the same at each step. Measured: how far they are from 1, 2, 3, … times.

    Source: torch.optim.Optimizer.zero_grad.
    """
    lengths = [length for _, length in history.grad_norms[:6]]
    are_numbers = all(map(math.isfinite, lengths))
    if len(lengths) < SHORT or history.grad_norms[0][0] != 1 or not lengths[0] or not are_numbers:
        return not_measured("gradients_add_up", "no_gradients")
    off = max(abs(length / lengths[0] / n - 1) for n, length in enumerate(lengths, start=1))
    return Finding("gradients_add_up", off > 0.25, off, 0.25, "loss", steps=(1, 6), step=2, gradient=True)


def update_size(history: History) -> Finding:
    """A step changes the weights a little: about a thousandth. Measured: the usual update over the weights.

    Source: CS231n notes, "Ratio of weights:updates".
    """
    ratios = [ratio for _, ratio in history.update_ratios if math.isfinite(ratio)]
    if not ratios:
        return not_measured("update_size", "no_updates")
    usual = median(ratios)
    why = "high" if usual > 0.2 else "low" if usual < 1e-5 else ""
    extreme = max if why == "high" else min
    step, _ = extreme((point for point in history.update_ratios if math.isfinite(point[1])), key=lambda point: point[1])
    details = {"why": why, "low": 1e-5, "high": 0.2}
    limit = 0.2 if why == "high" else 1e-5
    return Finding("update_size", not why, usual, limit, "loss", step=step, gradient=True, details=details)


def generalises(history: History) -> Finding:
    """The loss on texts it never saw falls too. Measured: how far that has climbed since its lowest, in parts of it; or
    how far it lies above the loss in training at the same time.

    Source: Prechelt 1998, "Early stopping, but when?". How large a gap is too large: ours.
    """
    held_out = [(step, loss) for step, loss in history.held_out if math.isfinite(loss)]
    if not held_out or not history.finite:
        return not_measured("generalises", "no_held_out")
    best_step, best = min(held_out, key=lambda point: point[1])
    last_step, last = held_out[-1]
    train = _loss_at(history, last_step)
    climbed = (last - best) / best if best > 0 else 0.0
    climbs = climbed > 0.05 and _stays_above(held_out, best_step, best) and history.end <= best
    is_far = train is not None and last - train > max(GAP_NATS, GAP_PART * last)
    beside = history.end if train is None else train
    why = "gap" if is_far and not climbs else ""
    details = {"best": best, "best_step": best_step, "last": last, "last_step": last_step, "train": beside, "why": why}
    if not (climbs or is_far) and len(held_out) < 3:
        return not_measured("generalises", "too_few")
    steps = (best_step, last_step)
    holds = not (climbs or is_far)
    return Finding("generalises", holds, climbed, 0.05, "loss", steps=steps, step=last_step, details=details)


def _loss_at(history: History, step: int) -> float | None:
    """The mean of the training losses nearest to a step; None if none is near."""
    some = sorted(history.finite, key=lambda point: abs(point[0] - step))[: max(3, len(history.finite) // 20)]
    is_near = len(some) == max(3, len(history.finite) // 20) and abs(some[0][0] - step) <= 0.1 * history.last_step
    return fmean(loss for _, loss in some) if is_near else None


def beats_counting_of(history: History) -> Finding:
    """`beats_counting`, of a training whose texts were counted."""
    if history.counted is None or (history.true_loss is None and not history.finite):
        return not_measured("beats_counting", "no_counts")
    loss = history.end if history.true_loss is None else history.true_loss
    finding = beats_counting(loss, history.counted.unigram, history.counted.bigram, history.counted.uniform)
    return replace(finding, step=history.last_step if history.losses else 0)


def is_done(history: History) -> Finding:
    """A training ends when nothing more is gained. Measured: what the last fifth gained, in parts of all that was.

    Source: the guide for beginners, pitfall 3, cure 1; Karpathy 2019, 6 ("leave it training"). The limit is ours.
    """
    smooth = list(_smoothed(history))
    if len(smooth) < FEW:
        return not_measured("is_done", "too_few")
    if not history.begins:
        return not_measured("is_done", "starts_late")
    start, end = smooth[0][1], smooth[-1][1]
    before = smooth[-max(2, len(smooth) // 5)]
    gained = before[1] - end
    part = max(0.0, gained / (start - end)) if start > end else 0.0
    is_noise = gained <= _CLEAR * _error(history, max(1, len(history.finite) // 20))
    steps = (before[0], history.last_step)
    return Finding("is_done", part <= 0.15 or is_noise, part, 0.15, "loss", steps=steps, step=steps[1])


def above_double_floor(history: History) -> Finding:
    """A loss that lies still just above ln(1 + (V − 1) / e) smells of two softmaxes. Measured: how far above.

    Source: llama-from-scratch #5.
    """
    if history.d_vocab is None or len(history.finite) < FEW:
        return not_measured("above_double_floor", "no_vocabulary" if history.d_vocab is None else "too_few")
    floor = double_softmax_floor(history.d_vocab)
    above = history.end - floor
    settled = history.finite[-len(history.finite) // 4 :]
    moves = max(loss for _, loss in settled) - min(loss for _, loss in settled)
    lowest = min(loss for _, loss in history.finite)
    smells = lowest >= floor - 1e-3 and above < 0.15 and moves < 0.05 and history.start - history.end > 0.05
    steps = (settled[0][0], history.last_step)
    details = {"floor": floor}
    return Finding("above_double_floor", not smells, above, 0.15, "loss", steps=steps, step=steps[1], details=details)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check of a history, and what is known about it before it runs."""

    name: str
    run: Callable[[History], Finding]
    sure: Sure
    sources: tuple[Source, ...]


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("stays_finite", stays_finite, "sure", (sources.NAN_AT_3000,)),
        Rule("half_precision", half_precision, "likely", (sources.MICIKEVICIUS.at("3.2"),)),
        Rule("never_negative", never_negative, "sure", (sources.CROSS_ENTROPY,)),
        Rule("first_loss", _starts_even, "likely", (sources.KARPATHY.at("2"),)),
        Rule("falls", falls, "likely", (sources.BENGIO_RATES.at("3.1"),)),
        Rule("stays_down", stays_down, "likely", (sources.COHEN, sources.BLOWS_UP)),
        Rule("gradient_spikes", gradient_spikes, "likely", (sources.PASCANU.at("3.2"),)),
        Rule("gradients_add_up", gradients_add_up, "hint", (sources.ZERO_GRAD,)),
        Rule("update_size", update_size, "hint", (sources.CS231N,)),
        Rule("generalises", generalises, "likely", (sources.PRECHELT,)),
        Rule("beats_counting", beats_counting_of, "likely", (sources.SHANNON.at("3"),)),
        Rule("is_done", is_done, "hint", (sources.KARPATHY.at("6"),)),
        Rule("above_double_floor", above_double_floor, "hint", (sources.TWO_SOFTMAXES,)),
    )
}


def diagnose(history: History) -> tuple[Finding, ...]:
    """What the rules say. Most have nothing to say where there is no number, or one that no cross-entropy can be."""
    if not history.finite:
        return (stays_finite(history),)
    if not half_precision(history).holds and history.finite[-1][1] == 0:  # what comes after is no loss
        return stays_finite(history), half_precision(history)
    if not (sign := never_negative(history)).holds:
        return stays_finite(history), sign
    return tuple(rule.run(history) for rule in RULES.values())


def _smoothed(history: History) -> Iterator[tuple[int, float]]:
    """Means over stretches of a twentieth: the last step of each, and its mean loss."""
    losses = history.finite
    width = max(1, len(losses) // 20)
    for start in range(0, len(losses) - width + 1, width):
        stretch = losses[start : start + width]
        yield stretch[-1][0], sum(loss for _, loss in stretch) / width
