"""How an optimiser moves one weight, written out number by number, in float64 and without torch."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

from lmviz.train.recipe import TrainingRecipe

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults for Adam and AdamW


@dataclass(frozen=True)
class Line:
    """One line of the arithmetic: a symbol, what it is computed from, and its value."""

    symbol: str  # LaTeX
    formula: str  # LaTeX, in the symbols of the lines before it; empty for what is given
    value: float


@dataclass(frozen=True)
class Update:
    """The way of one weight through one step. The last line is the weight afterwards."""

    lines: tuple[Line, ...]

    @property
    def value(self) -> float:
        return self.lines[-1].value

    def __getitem__(self, symbol: str) -> float:
        return next(line.value for line in self.lines if line.symbol == symbol)


def update(
    recipe: TrainingRecipe,
    weight: float,
    gradient: float,
    rate: float,
    *,
    clipping: float = 1.0,
    decay: float = 0.0,
    remembered: Mapping[str, float] | None = None,
) -> Update:
    """One step of the recipe's optimiser on one weight.

    Args:
        gradient: as the backward pass left it, before clipping.
        rate: the learning rate of this step.
        clipping: what the whole gradient was multiplied by to shorten it; 1 if it was short enough.
        decay: the weight decay of this weight; biases and norms have none.
        remembered: what torch's optimiser remembers of this weight from the steps before, by torch's names; empty
            before the first step.

    Source:
        Kingma & Ba 2015, algorithm 1 (Adam); Loshchilov & Hutter 2019, algorithm 2 (AdamW); and `torch.optim`, whose
        momentum starts with the first gradient and whose Adam adds epsilon to the corrected root.
    """
    rule = {"sgd": _sgd, "momentum": _momentum, "adam": _adam, "adamw": _adamw}[recipe.optimizer]
    given = [Line("w", "", weight), Line(r"\eta", "", rate), Line("g", "", gradient)]
    if clipping != 1.0:
        given += [Line("c", "", clipping), Line("g_c", r"c \cdot g", clipping * gradient)]
    symbol = "g" if clipping == 1.0 else "g_c"
    known = _Known(weight, clipping * gradient, symbol, rate, decay, remembered or {}, recipe.momentum)
    return Update((*given, *rule(known)))


@dataclass(frozen=True)
class _Known:
    """What a rule starts from."""

    weight: float
    gradient: float
    symbol: str  # of the gradient
    rate: float
    decay: float
    remembered: Mapping[str, float]
    momentum: float


def _sgd(known: _Known) -> Iterator[Line]:
    g, symbol = yield from _with_decay(known)
    yield Line("w'", rf"w - \eta \cdot {symbol}", known.weight - known.rate * g)


def _momentum(known: _Known) -> Iterator[Line]:
    g, symbol = yield from _with_decay(known)
    velocity = g
    if "momentum_buffer" in known.remembered:
        before = known.remembered["momentum_buffer"]
        velocity = known.momentum * before + g
        yield Line(r"\mu", "", known.momentum)
        yield Line("v", "", before)
        yield Line("v'", rf"\mu \cdot v + {symbol}", velocity)
    else:
        yield Line("v'", symbol, velocity)
    yield Line("w'", r"w - \eta \cdot v'", known.weight - known.rate * velocity)


def _adam(known: _Known) -> Iterator[Line]:
    g, symbol = yield from _with_decay(known)
    step = yield from _adam_step(known, g, symbol)
    yield Line("w'", r"w - \eta \cdot \Delta", known.weight - known.rate * step)


def _adamw(known: _Known) -> Iterator[Line]:
    shrunk, name = known.weight, "w"
    if known.decay:
        shrunk, name = known.weight * (1 - known.rate * known.decay), "w_d"
        yield Line(r"\lambda", "", known.decay)
        yield Line("w_d", r"w \cdot (1 - \eta \cdot \lambda)", shrunk)
    step = yield from _adam_step(known, known.gradient, known.symbol)
    yield Line("w'", rf"{name} - \eta \cdot \Delta", shrunk - known.rate * step)


def _with_decay(known: _Known) -> Generator[Line, None, tuple[float, str]]:
    """Decay as part of the gradient, as SGD and Adam have it."""
    if not known.decay:
        return known.gradient, known.symbol
    g = known.gradient + known.decay * known.weight
    yield Line(r"\lambda", "", known.decay)
    yield Line("g_d", rf"{known.symbol} + \lambda \cdot w", g)
    return g, "g_d"


def _adam_step(known: _Known, g: float, symbol: str) -> Generator[Line, None, float]:
    """The two moving averages, their correction for having started from 0, and the step before the learning rate."""
    t = round(known.remembered.get("step", 0.0)) + 1
    m, v = known.remembered.get("exp_avg", 0.0), known.remembered.get("exp_avg_sq", 0.0)
    m_new, v_new = BETA_1 * m + (1 - BETA_1) * g, BETA_2 * v + (1 - BETA_2) * g**2
    m_hat, v_hat = m_new / (1 - BETA_1**t), v_new / (1 - BETA_2**t)
    step = m_hat / (math.sqrt(v_hat) + EPSILON)
    yield Line("t", "", t)
    yield Line("m", "", m)
    yield Line("v", "", v)
    yield Line(r"\epsilon", "", EPSILON)
    yield Line("m'", rf"{BETA_1} \cdot m + {1 - BETA_1:.3g} \cdot {symbol}", m_new)
    yield Line("v'", rf"{BETA_2} \cdot v + {1 - BETA_2:.3g} \cdot {symbol}^2", v_new)
    yield Line(r"\hat m", rf"m' / (1 - {BETA_1}^t)", m_hat)
    yield Line(r"\hat v", rf"v' / (1 - {BETA_2}^t)", v_hat)
    yield Line(r"\Delta", r"\hat m / (\sqrt{\hat v} + \epsilon)", step)
    return step
