"""Recurrent networks in one call: LSTM, GRU and RNN, from their definition.

Their steps are recorded too, written out beside the call; here the whole is computed once more, in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.trace.operations.arguments import Argument, argument_of, inputs, required_argument
from lmviz.trace.operations.axes import UNNAMED
from lmviz.trace.operations.derivative import slopes_of_torch
from lmviz.trace.operations.explanation import Explanation, Floats, Term, Terms, write
from lmviz.trace.operations.latex import result
from lmviz.trace.operations.operation import Operation
from lmviz.trace.step import Cell, Step


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """Of one layer in one direction; what a call has not is None."""

    w_ih: Floats
    w_hh: Floats
    b_ih: Floats | None = None
    b_hh: Floats | None = None
    w_hr: Argument | None = None

    def from_input(self, x: Floats) -> Floats:
        found: Floats = x @ self.w_ih.T + (0.0 if self.b_ih is None else self.b_ih)
        return found

    def from_hidden(self, h: Floats) -> Floats:
        found: Floats = h @ self.w_hh.T + (0.0 if self.b_hh is None else self.b_hh)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _PositionState:
    """One position of one layer in one direction, [batch, d_hidden] each, with what made it."""

    h: Floats
    c: Floats | None
    parts: dict[str, Floats]


def _sigmoid(x: Floats) -> Floats:
    found: Floats = np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))
    return found


def _next_state(kind: str, x: Floats, h: Floats, c: Floats | None, weights: _Weights) -> _PositionState:
    """From the state before a position to that after it.

    Source:
        Hochreiter and Schmidhuber 1997 and Gers et al. 2000 (lstm); Cho et al. 2014 (gru); Elman 1990 (rnn).
    """
    from_input, from_hidden = weights.from_input(x), weights.from_hidden(h)
    if kind.startswith("lstm"):
        i, f, g, o = np.split(from_input + from_hidden, 4, axis=-1)
        assert c is not None
        made = {"i": _sigmoid(i), "f": _sigmoid(f), "g": np.tanh(g), "o": _sigmoid(o), "before": c}
        after = made["f"] * c + made["i"] * made["g"]
        hidden = made["o"] * np.tanh(after)
        out = hidden if weights.w_hr is None else hidden @ weights.w_hr.row(...).T
        return _PositionState(out, after, {**made, "hidden": hidden})
    if kind.startswith("gru"):
        (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(from_input, 3, axis=-1), np.split(from_hidden, 3, axis=-1)
        z, n = _sigmoid(z_x + z_h), np.tanh(n_x + _sigmoid(r_x + r_h) * n_h)
        return _PositionState((1 - z) * n + z * h, None, {"z": z, "n": n, "before": h})
    total = from_input + from_hidden
    return _PositionState(
        np.maximum(total, 0.0) if "relu" in kind else np.tanh(total), None, {"x": from_input, "h": from_hidden}
    )


def _explain_state(left: str, kind: str, state: _PositionState, at: Cell, weights: _Weights, of_c: bool) -> Explanation:
    """One number of a state after a position: from the gates, and from the state before."""
    names: tuple[str, ...]
    if of_c:
        names, template, formula = ("f", "before", "i", "g"), "{f} × {before} + {i} × {g}", "f c + i g"
    elif kind.startswith("lstm") and weights.w_hr is not None:
        return _projected(left, state, at, weights.w_hr)
    elif kind.startswith("lstm"):
        assert state.c is not None
        o, c = float(state.parts["o"][at]), float(state.c[at])
        return Explanation(rf"{left} = o \tanh c", (), o * float(np.tanh(c)), write("{o} × tanh({c})", o=o, c=c))
    elif kind.startswith("gru"):
        names, formula = ("z", "n", "before"), "(1 - z) n + z h"
        template = "({1} − {z}) × {n} + {z} × {before}"
    else:
        bend = "max({0}, {x} + {h})" if "relu" in kind else "tanh({x} + {h})"
        names, template, formula = ("x", "h"), bend, r"\mathrm{bend}(W x + U h)"
    value = float((state.c if of_c and state.c is not None else state.h)[at])
    numbers = {name: float(state.parts[name][at]) for name in names}
    return Explanation(f"{left} = {formula}", (), value, write(template, **numbers))


def _projected(left: str, state: _PositionState, at: Cell, w_hr: Argument) -> Explanation:
    """A projection of the hidden state: W_hr (o tanh c)."""
    hidden, row = state.parts["hidden"][at[:-1]], w_hr.row((at[-1], slice(None)))
    products = hidden * row

    def term(i: int) -> Term:
        return Term(str(i), (float(hidden[i]), float(row[i])), float(products[i]), (None, w_hr.at((at[-1], i))))

    formula = rf"{left} = \sum_i (o \tanh c)_i \cdot {w_hr.latex(at[-1], 'i')}"
    return Explanation(formula, Terms(products, term), float(products.sum()))


# -- layers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """One layer in one direction: its moments by position, and how many texts reach each."""

    weights: _Weights
    states_by_position: list[_PositionState]
    sizes: list[int]
    backwards: bool

    def last(self, text: int) -> _PositionState:
        """Of a text: the moment that ended it."""
        broadcast_ranges = [pos for pos, size in enumerate(self.sizes) if text < size]
        return self.states_by_position[broadcast_ranges[0] if self.backwards else broadcast_ranges[-1]]


class _Network:
    """A whole call, run position by position."""

    def __init__(self, step: Step) -> None:
        self.kind = step.op
        if step.settings.get("dropout") and step.settings.get("train") and int(_setting(step, "num_layers")) > 1:
            raise NotImplementedError("a recurrent network with dropout")
        self.sizes, rows = _rows(step)
        self.directions = 2 if step.settings.get("bidirectional") else 1
        self.layers: list[_Layer] = []
        states = _states(step)
        for _ in range(int(_setting(step, "num_layers"))):
            first = len(self.layers)
            for direction in range(self.directions):
                place = first + direction
                started = tuple(state[place] for state in states)
                self.layers.append(self._layer(rows, started, _weights(step, place, self.directions), direction == 1))
            made = self.layers[first:]
            rows = [
                np.concatenate([layer.states_by_position[pos].h for layer in made], axis=-1) for pos in range(len(rows))
            ]

    def _layer(self, rows: list[Floats], started: tuple[Floats, ...], weights: _Weights, backwards: bool) -> _Layer:
        h, c = started[0], started[1] if len(started) > 1 else None
        found: list[Any] = [None] * len(rows)
        for pos in reversed(range(len(rows))) if backwards else range(len(rows)):
            size = self.sizes[pos]
            state = _next_state(self.kind, rows[pos], h[:size], None if c is None else c[:size], weights)
            found[pos] = state
            h = np.concatenate([state.h, h[size:]])
            c = None if c is None or state.c is None else np.concatenate([state.c, c[size:]])
        return _Layer(weights, found, self.sizes, backwards)


def _setting(step: Step, name: str) -> Any:
    value = step.settings.get(name)
    return 1 if value is None else value


def _rows(step: Step) -> tuple[list[int], list[Floats]]:
    """How many texts reach each position, and what is read there, [batch, d_model]."""
    x, packed = required_argument(step, "input").row(...), argument_of(step, "batch_sizes")
    if packed is not None:
        sizes = [int(n) for n in packed.array]
        return sizes, np.split(x, np.cumsum(sizes)[:-1])
    if step.settings.get("batch_first"):
        x = x.swapaxes(0, 1)
    return [x.shape[1]] * len(x), [*x]


def _states(step: Step) -> tuple[Floats, ...]:
    named = zip(step.arguments, inputs(step), strict=True)
    return tuple(part.row(...) for name, part in named if name.partition(".")[0] == "hx")


def _weights(step: Step, place: int, directions: int) -> _Weights:
    named = zip(step.arguments, inputs(step), strict=True)
    every = [part for name, part in named if name.partition(".")[0] == "params"]
    count = len(every) // (int(_setting(step, "num_layers")) * directions)
    w_ih, w_hh, *rest = every[place * count : (place + 1) * count]
    b_ih, b_hh = (part.row(...) for part in rest[:2]) if step.settings.get("has_biases") else (None, None)
    return _Weights(w_ih.row(...), w_hh.row(...), b_ih, b_hh, rest[-1] if len(rest) % 2 else None)


def _explain_recurrent(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """A number of what a recurrent network says at a position; or of its last state, h and, for an LSTM, c.

    Args:
        step: an "lstm", "gru", "rnn_tanh" or "rnn_relu" step with input [pos, batch, d_model] (or batch first, or
            packed) and hx [layer·direction, batch, d_hidden].
    """
    network, left = _Network(step), result(step, cell, output)
    if output:
        layer = network.layers[cell[0]]
        return _explain_state(left, step.op, layer.last(cell[1]), cell[1:], layer.weights, of_c=output == 2)
    pos, text = _position(step, network, cell)
    last = network.layers[-network.directions :]
    which, k = divmod(cell[-1], last[0].states_by_position[0].h.shape[-1])
    return _explain_state(
        left, step.op, last[which].states_by_position[pos], (text, k), last[which].weights, of_c=False
    )


def _position(step: Step, network: _Network, cell: Cell) -> tuple[int, int]:
    """The position, and the text, that a cell of the output belongs to."""
    if argument_of(step, "batch_sizes") is not None:
        ends = np.cumsum(network.sizes)
        pos = int(np.searchsorted(ends, cell[0], side="right"))
        return pos, cell[0] - (int(ends[pos - 1]) if pos else 0)
    return (cell[1], cell[0]) if step.settings.get("batch_first") else (cell[0], cell[1])


def _explain_cell(step: Step, cell: Cell, output: int = 0) -> Explanation:
    """The same for a cell alone: lstm_cell, gru_cell, rnn_tanh_cell, rnn_relu_cell."""
    rows: list[Any] = [
        None if (part := argument_of(step, name)) is None else part.row(...) for name in _CELL.split()[2:]
    ]
    weights = _Weights(*rows)
    states = _states(step)
    x = required_argument(step, "input").row(...)
    state = _next_state(step.op, x, states[0], states[1] if len(states) > 1 else None, weights)
    return _explain_state(result(step, cell, output), step.op, state, cell, weights, of_c=output == 1)


_CELL = "input hx w_ih w_hh b_ih b_hh"
_SETTINGS = "has_biases num_layers dropout train bidirectional"


def _records() -> Iterator[Operation]:
    for name in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        yield Operation(
            name=name,
            arguments=f"input hx[] params[] {_SETTINGS} batch_first",
            otherwise=(3, f"input batch_sizes hx params {_SETTINGS}"),
            axes=UNNAMED,
            explain=_explain_recurrent,
            slopes=slopes_of_torch,
            several=True,
            random=True,
        )
        yield Operation(
            name=f"{name}_cell",
            arguments=_CELL.replace("hx", "hx[]"),
            axes=UNNAMED,
            explain=_explain_cell,
            slopes=slopes_of_torch,
            several=True,
        )


OPERATIONS = tuple(_records())
