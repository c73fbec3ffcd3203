"""Normalisation: numbers that share a row, a channel or a group are brought to mean 0 and variance 1, or length 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, option, required_argument, tensor
from lmviz.trace.operations.axes import LAST_AXES, ROWS, WHOLE
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Operand, Piece, Term, Terms, write
from lmviz.trace.operations.group import Group, axes_of, group
from lmviz.trace.operations.latex import numeral, result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records.reduce import squares, terms_of
from lmviz.trace.operations.slopes import Ints, Slopes, Use, constant, flat, mesh, no_slopes
from lmviz.trace.step import Cell, Step, Value

_EPSILON = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
_CENTRED = ("layer_norm", "group_norm", "batch_norm", "instance_norm")


@dataclass(frozen=True, slots=True, eq=False)
class _Normed:
    """One normalised row: (numbers - mean) / scale; rms_norm takes no mean off."""

    row: Group
    mean: np.float64
    scale: np.float64
    eps: float

    @property
    def numbers(self) -> Floats:
        normed: Floats = (self.row.numbers - self.mean) / self.scale
        return normed


def _normed_row(step: Step, cell: Cell) -> _Normed:
    """The numbers that a cell was normalised with. Without `eps`, rms_norm takes the precision of its input's type."""
    row = _row(step, required_argument(step, "input"), cell)
    eps = option(step, "eps", _EPSILON[step.inputs[0].dtype] if step.op == "rms_norm" else 1e-5)
    mean = row.numbers.mean() if step.op in _CENTRED else np.float64(0)
    return _Normed(row, mean, np.sqrt(((row.numbers - mean) ** 2).mean() + eps), eps)


def _row(step: Step, x: Argument, cell: Cell) -> Group:
    """layer_norm and rms_norm go over the last axes, batch_norm over all but the channels (the second axis),
    instance_norm over all behind them, group_norm over some channels and all behind them."""
    ndim = x.array.ndim
    if step.op in ("layer_norm", "rms_norm"):
        shape: Any = step.settings["normalized_shape"]
        return group(x, tuple(range(ndim - (1 if isinstance(shape, int) else len(shape)), ndim)), cell)
    if step.op == "group_norm":
        size = x.shape[1] // int(option(step, "num_groups", 1))
        first = cell[1] // size * size
        every = (slice(None),) * (ndim - 2)
        return Group(x, (cell[0], slice(first, first + size), *every), tuple(range(1, ndim)))
    axes = tuple(range(2, ndim))
    return group(x, axes if step.op == "instance_norm" else (0, *axes), cell)


def _weights_at(step: Step, cell: Cell) -> list[tuple[str, Argument, Cell]]:
    """The scale and the shift of a cell, if the step has them: one for each place in the row, or for each channel."""
    found = [(name, argument_of(step, name)) for name in ("weight", "bias")]
    by_channel = step.op in ("group_norm", "batch_norm", "instance_norm")
    return [
        (name, part, (cell[1],) if by_channel else cell[len(cell) - part.array.ndim :])
        for name, part in found
        if part is not None
    ]


def _explain_norm(step: Step, cell: Cell) -> Explanation:
    """(x - mean) / √(variance + eps) × weight + bias; rms_norm has neither mean nor bias.

    Returns:
        One term for each number of the row: its squared distance from the mean. Their mean is the variance.

    Source:
        Ba et al. 2016, eq. 4; Zhang and Sennrich 2019, eq. 4; Wu and He 2018, eq. 1 and 7; Ioffe and Szegedy 2015.
    """
    this, x, centred = _normed_row(step, cell), required_argument(step, "input"), step.op in _CENTRED
    value = (x.number(cell) - this.mean) / this.scale
    named: dict[str, Piece] = {"x": x.piece(cell), "mean": float(this.mean), "n": float(len(this.row)), "eps": this.eps}
    terms = squares(this.row, float(this.mean)) if centred else _own_squares(this.row)
    return _scaled(step, cell, value, (_ABOUT_MEAN if centred else _ABOUT_0), named, terms)


_ABOUT_MEAN = ("({x} − {mean}) / √(({terms}) / {n} + {eps})", r"(x_i - \mu)^2", r"@ - \mu")
_ABOUT_0 = ("{x} / √(({terms}) / {n} + {eps})", "x_i^2", "@")


def _scaled(
    step: Step, cell: Cell, value: Any, how: tuple[str, str, str], named: dict[str, Piece], terms: Terms
) -> Explanation:
    template, square, above = how
    x = required_argument(step, "input").latex(*cell)
    formula = rf"\frac{{{above.replace('@', x)}}}{{\sqrt{{\tfrac{{1}}{{n}} \sum_i {square} + \varepsilon}}}}"
    return _shifted(step, cell, value, template, formula, named, terms)


def _shifted(
    step: Step, cell: Cell, value: Any, template: str, formula: str, named: dict[str, Piece], terms: Any = ()
) -> Explanation:
    """A normalised number times its weight, plus its bias."""
    for name, part, at in _weights_at(step, cell):
        value = value * part.number(at) if name == "weight" else value + part.number(at)
        template += f" × {{{name}}}" if name == "weight" else f" + {{{name}}}"
        formula += (r" \cdot " if name == "weight" else " + ") + part.latex(*at)
        named[name] = part.piece(at)
    return Explanation(f"{result(step, cell)} = {formula}", terms, float(value), write(template, **named))


def _own_squares(row: Group) -> Terms:
    template = "|{x}| ^ {2}" if row.tensor.is_complex else "({x}) ^ {2}"

    def term(i: int) -> Term:
        x = row.operand(i)
        return Term(row.label(i), (x.value, x.value), abs(x.value) ** 2, (x, x), write(template, x=x))

    return Terms(np.abs(row.numbers) ** 2, term)


# -- with statistics that were learned -------------------------------------------------------------------------------


def _explain_tracked_norm(step: Step, cell: Cell) -> Explanation:
    """batch_norm and instance_norm: with the mean and variance of this batch, or with those that were kept.

    Source:
        Ioffe and Szegedy 2015, algorithms 1 and 2; Ulyanov et al. 2016.
    """
    if _uses_batch(step):
        return _explain_norm(step, cell)
    x, mean, variance = (required_argument(step, name) for name in ("input", "running_mean", "running_var"))
    at, eps = (cell[1],), option(step, "eps", 1e-5)
    value = (x.number(cell) - mean.number(at)) / np.sqrt(variance.number(at) + eps)
    formula = rf"\frac{{{x.latex(*cell)} - {mean.latex(*at)}}}{{\sqrt{{{variance.latex(*at)} + {numeral(eps)}}}}}"
    named: dict[str, Piece] = {"x": x.piece(cell), "m": mean.piece(at), "v": variance.piece(at), "eps": eps}
    return _shifted(step, cell, value, "({x} − {m}) / √({v} + {eps})", formula, named)


def _uses_batch(step: Step) -> bool:
    """Whether mean and variance are those of this batch."""
    if step.op == "batch_norm":
        return bool(step.settings.get("training"))
    return step.settings.get("use_input_stats") is not False


def _explain_kept(step: Step, cell: Cell, before: Value) -> Explanation:
    """What is kept of mean and variance: (1 - momentum) × before + momentum × this batch's, the variance unbiased."""
    momentum = step.settings.get("momentum", 0.1)
    if momentum is None or step.op != "batch_norm":
        raise NotImplementedError("an average over all batches so far")
    x, old, share = required_argument(step, "input"), tensor(before), float(momentum)  # type: ignore[arg-type]
    row = group(x, (0, *range(2, x.array.ndim)), (0, cell[0], *(0 for _ in x.shape[2:])))
    of_mean = before is step.operand("running_mean")
    n = float(len(row)) if of_mean else float(len(row) - 1)
    terms = terms_of(row, len(row)) if of_mean else squares(row, float(row.numbers.mean()))
    value = (1 - share) * old.number(cell) + share * terms.values.sum() / n
    written = write("({1} − {m}) × {old} + {m} × ({terms}) / {n}", m=share, old=old.piece(cell), n=n)
    formula = rf"(1 - {share:g}) {old.latex(*cell)} + {share:g} \, " + (r"\mu" if of_mean else r"\sigma^2")
    return Explanation(formula, terms, float(value), written)


# -- slopes ----------------------------------------------------------------------------------------------------------


def _slopes_norm(use: Use) -> Slopes:
    """Along the row, with h the normed numbers and j this place: weight_i ([i = j] - 1/n - h_i h_j / n) / scale.

    rms_norm lacks the 1/n. A weight's slope is the normed number at each position; a bias's is 1.
    """
    x = required_argument(use.step, "input")
    if use.argument != "input":
        lead = mesh(*map(range, x.shape[: x.array.ndim - len(use.cell)]))
        cells = flat([*lead, *(np.full(len(lead[0]) if lead else 1, i) for i in use.cell)], use.shape)
        return constant(cells) if use.argument == "bias" else Slopes(cells, _normed(use, cells))
    this = _normed_row(use.step, use.cell)
    h, n = this.numbers, len(this.row)
    j = this.row.place(use.cell)
    centred = 1 / n if use.step.op == "layer_norm" else 0.0
    slopes = ((np.arange(n) == j) - centred - h * h[j] / n) / this.scale
    weight = use.step.operand("weight")
    cells = np.arange(n) + use.place - j
    return Slopes(cells, slopes * weight.array.astype(np.float64).reshape(-1) if weight is not None else slopes)


def _normed(use: Use, cells: Ints) -> Floats:
    """The normed numbers, before weight and bias, at some cells."""
    x = required_argument(use.step, "input").row(...)
    axes = tuple(range(x.ndim - len(use.cell), x.ndim))
    this = _normed_row(use.step, tuple(0 for _ in x.shape))
    mean = x.mean(axis=axes, keepdims=True) if use.step.op == "layer_norm" else np.float64(0)
    normed: Floats = (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + this.eps)
    return normed.reshape(-1)[cells]


def _slopes_tracked_norm(use: Use) -> Slopes:
    """What was kept of earlier batches is not learned by gradients while this batch's own numbers are used."""
    if use.argument.startswith("running_") and _uses_batch(use.step):
        return no_slopes(use)
    return slopes_of_torch(use)


# -- divided by a length ---------------------------------------------------------------------------------------------


def _explain_normalize(step: Step, cell: Cell) -> Explanation:
    """x / max(length of its row, eps), where the length is the p-norm along `dim`."""
    x, p, eps = required_argument(step, "input"), option(step, "p", 2.0), option(step, "eps", 1e-12)
    row = group(x, axes_of(step.settings.get("dim", 1), x.array.ndim), cell)
    powers = np.abs(row.numbers) ** p
    length = np.maximum(powers.sum() ** (1 / p), eps)
    root = "√({terms})" if p == 2 else "({terms}) ^ ({one} / {p})"
    written = write(f"{{x}} / max({root}, {{eps}})", x=x.piece(cell), eps=eps, p=p, one=1.0)
    formula = rf"{result(step, cell)} = \frac{{{x.latex(*cell)}}}{{\max(\|{x.name}\|_{{{p:g}}}, {numeral(eps)})}}"
    if np.isinf(p):
        raise NotImplementedError("a length by the largest number")
    return Explanation(formula, power_terms(row, p), float(x.number(cell) / length), written)


def _explain_weight_norm(step: Step, cell: Cell) -> Explanation:
    """x × g / length: a weight as a direction, and a learned length of each of its rows along `dim`; -1: of all of it.

    Source:
        Salimans and Kingma 2016, eq. 2.
    """
    x, g, dim = required_argument(step, "input"), required_argument(step, "g"), int(option(step, "dim", 0))
    row = group(x, tuple(axis for axis in range(x.array.ndim) if axis != dim), cell)
    place = tuple(0 if n == 1 else cell[axis] for axis, n in enumerate(g.shape))
    with np.errstate(divide="ignore", invalid="ignore"):  # a row of zeros has no direction
        value = x.number(cell) * g.number(place) / np.sqrt((row.numbers**2).sum())
    written = write("{x} × {g} / √({terms})", x=x.piece(cell), g=g.piece(place))
    formula = rf"{result(step, cell)} = {g.latex(*place)} \, \frac{{{x.latex(*cell)}}}{{\|{x.name}\|}}"
    return Explanation(formula, _own_squares(row), float(value), written)


def power_terms(row: Group, p: float) -> Terms:
    """|x|^p of each number of a row."""
    if p == 2:
        return _own_squares(row)

    def term(i: int) -> Term:
        x: Operand = row.operand(i)
        value = float(abs(x.value) ** p)
        return Term(row.label(i), (value,), value, (None,), write("|{x}|" if p == 1 else "|{x}| ^ {p}", x=x, p=p))

    return Terms(np.abs(row.numbers) ** p, term)


def _explain_local_response(step: Step, cell: Cell) -> Explanation:
    """x / (k + alpha × mean of the squares of some channels around it) ^ beta.

    Source:
        Krizhevsky et al. 2012, 3.3; torch takes the mean, not the sum, of the squares.
    """
    x, size = required_argument(step, "input"), int(option(step, "size", 1))
    alpha, beta, k = option(step, "alpha", 1e-4), option(step, "beta", 0.75), option(step, "k", 1.0)
    first = cell[1] - size // 2
    near = slice(max(first, 0), min(first + size, x.shape[1]))
    row = Group(x, (cell[0], near, *cell[2:]), (1,))
    value = x.number(cell) / (k + alpha * (row.numbers**2).sum() / size) ** beta
    written = write("{x} / ({k} + {alpha} × ({terms}) / {n}) ^ {beta}", x=x.piece(cell), k=k, alpha=alpha,
        n=float(size), beta=beta)  # fmt: skip
    formula = rf"\frac{{{x.latex(*cell)}}}{{({k:g} + \frac{{{alpha:g}}}{{{size}}} \sum_i x_i^2)^{{{beta:g}}}}}"
    return Explanation(f"{result(step, cell)} = {formula}", _own_squares(row), float(value), written)


_TRACKED = "input running_mean running_var weight bias"

OPERATIONS = (
    Operation(name="layer_norm", arguments="input normalized_shape[] weight bias eps", defaults={"eps": 1e-5},
        axes=LAST_AXES, explain=_explain_norm, slopes=_slopes_norm),
    Operation(name="rms_norm", arguments="input normalized_shape[] weight eps", axes=LAST_AXES, explain=_explain_norm,
        slopes=_slopes_norm),
    Operation(name="group_norm", arguments="input num_groups weight bias eps", axes=WHOLE, explain=_explain_norm,
        slopes=slopes_of_torch),
    Operation(name="batch_norm", arguments=f"{_TRACKED} training momentum eps", axes=WHOLE,
        explain=_explain_tracked_norm, slopes=_slopes_tracked_norm,
        writes=("training", "running_mean running_var"), updates=_explain_kept),
    Operation(name="instance_norm", arguments=f"{_TRACKED} use_input_stats momentum eps", axes=WHOLE,
        explain=_explain_tracked_norm, slopes=_slopes_tracked_norm,
        writes=("use_input_stats", "running_mean running_var")),
    Operation(name="normalize", arguments="input p dim eps", axes=ROWS, explain=_explain_normalize,
        slopes=slopes_of_torch),
    Operation(name="_weight_norm", arguments="input g dim", axes=WHOLE, explain=_explain_weight_norm,
        slopes=slopes_of_torch),
    Operation(name="local_response_norm", arguments="input size alpha beta k", axes=WHOLE,
        explain=_explain_local_response, slopes=slopes_of_torch),
)  # fmt: skip
