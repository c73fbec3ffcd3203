"""Recurrent networks, opened: what one call of `nn.LSTM`, `nn.GRU` or `nn.RNN` computes, position by position.

The functions below take the arguments of torch's own and do what they are defined to do. They are recorded like any
other source and shown beside the real call, whose output stands; the two must agree to float tolerance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

State = tuple[Tensor, ...]  # h, and for an LSTM also c, of one layer in one direction: [batch, d_hidden] each
Cell = Callable[[Tensor, State, Sequence[Any]], State]


def lstm(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """What `nn.LSTM` computes (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000)."""
    network = RecurrentNetwork.of(arguments)
    output, (h_n, c_n) = network._run_layers(_lstm_position)
    return output, h_n, c_n


def gru(*arguments: Any) -> tuple[Tensor, Tensor]:
    """What `nn.GRU` computes (Cho et al. 2014, with the reset after the product, as torch has it)."""
    network = RecurrentNetwork.of(arguments)
    output, (h_n,) = network._run_layers(_gru_position)
    return output, h_n


def rnn_tanh(*arguments: Any) -> tuple[Tensor, Tensor]:
    """What `nn.RNN` computes (Elman 1990)."""
    network = RecurrentNetwork.of(arguments)
    output, (h_n,) = network._run_layers(_tanh_position)
    return output, h_n


def rnn_relu(*arguments: Any) -> tuple[Tensor, Tensor]:
    """What `nn.RNN` computes with `nonlinearity="relu"`."""
    network = RecurrentNetwork.of(arguments)
    output, (h_n,) = network._run_layers(_relu_position)
    return output, h_n


# -- one position ----------------------------------------------------------------------------------------------------


def _lstm_position(read: Tensor, state: State, weights: Sequence[Any]) -> State:
    """The next h and c; `read` is what the position's input gives to the gates, [batch, 4·d_hidden]."""
    h, c = state
    w_hh, b_hh, w_hr = weights
    gates = read + F.linear(h, w_hh, b_hh)  # [batch, gates]
    i, f, g, o = gates.chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()  # [batch, d_hidden]
    h = o.sigmoid() * c.tanh()  # [batch, d_hidden]
    if w_hr is not None:
        h = F.linear(h, w_hr)  # [batch, d_out]
    return h, c


def _gru_position(read: Tensor, state: State, weights: Sequence[Any]) -> State:
    """The next h; `read` is what the position's input gives, [batch, 3·d_hidden]."""
    (h,) = state
    w_hh, b_hh, _ = weights
    kept = F.linear(h, w_hh, b_hh)  # [batch, gates]
    read_r, read_z, read_n = read.chunk(3, dim=-1)
    kept_r, kept_z, kept_n = kept.chunk(3, dim=-1)
    r = (read_r + kept_r).sigmoid()  # [batch, d_hidden]
    z = (read_z + kept_z).sigmoid()  # [batch, d_hidden]
    n = (read_n + r * kept_n).tanh()  # [batch, d_hidden]
    h = (1 - z) * n + z * h  # [batch, d_hidden]
    return (h,)


def _tanh_position(read: Tensor, state: State, weights: Sequence[Any]) -> State:
    (h,) = state
    w_hh, b_hh, _ = weights
    h = (read + F.linear(h, w_hh, b_hh)).tanh()  # [batch, d_hidden]
    return (h,)


def _relu_position(read: Tensor, state: State, weights: Sequence[Any]) -> State:
    (h,) = state
    w_hh, b_hh, _ = weights
    h = (read + F.linear(h, w_hh, b_hh)).relu()  # [batch, d_hidden]
    return (h,)


# -- all of them -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RecurrentNetwork:
    """The arguments of a recurrent network, in order; `batch_sizes` says how many texts reach each position."""

    input: Tensor
    batch_sizes: Tensor | None
    states: State  # h_0, and for an LSTM also c_0: [layer·direction, batch, d_hidden]
    params: Sequence[Tensor]
    has_biases: bool
    num_layers: int
    dropout: float
    train: bool
    bidirectional: bool
    batch_first: bool = False

    @classmethod
    def of(cls, arguments: Sequence[Any]) -> RecurrentNetwork:
        """Texts of unequal length come packed: one row behind the other, and how many texts reach each position."""
        if is_packed(arguments):
            data, batch_sizes, hx, *rest = arguments
            return cls(data, batch_sizes, _states(hx), *rest)
        data, hx, *rest = arguments
        return cls(data, None, _states(hx), *rest)

    def weights(self, place: int) -> tuple[Any, Any, Sequence[Any]]:
        """Of a layer in a direction: w_ih, b_ih, and the others (w_hh, b_hh, w_hr)."""
        count = len(self.params) // (self.num_layers * (2 if self.bidirectional else 1))
        w_ih, w_hh, *rest = self.params[place * count : (place + 1) * count]
        b_ih, b_hh = rest[:2] if self.has_biases else (None, None)
        w_hr = rest[-1] if len(rest) % 2 else None
        return w_ih, b_ih, (w_hh, b_hh, w_hr)

    def _run_layers(self, cell: Cell) -> tuple[Tensor, list[Tensor]]:
        """Layer by layer, each in one direction or in both."""
        x = self.input.transpose(0, 1) if self.batch_first else self.input  # [pos, batch, d_model]
        last: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.train:
                x = F.dropout(x, self.dropout)
            made = []
            for direction in range(2 if self.bidirectional else 1):
                output, state = self._run_layer(cell, x, len(last), backwards=direction == 1)
                made.append(output)
                last.append(state)
            x = torch.cat(made, dim=-1) if self.bidirectional else made[0]
        output = x.transpose(0, 1) if self.batch_first else x
        return output, [torch.stack(parts) for parts in zip(*last, strict=True)]

    def _run_layer(self, cell: Cell, x: Tensor, place: int, backwards: bool) -> tuple[Tensor, State]:
        """One layer in one direction: what it says at every position, and its last state."""
        w_ih, b_ih, weights = self.weights(place)
        read = F.linear(x, w_ih, b_ih)  # what each position's input gives
        if self.batch_sizes is None:
            return _over_positions(cell, read, tuple(state[place] for state in self.states), weights, backwards)
        sizes, n_batch = self.batch_sizes.tolist(), self.states[0].size(1)
        parts = [F.pad(part, (0, 0, 0, n_batch - part.size(0))) for part in read.split(sizes)]
        read = torch.stack(parts)  # [pos, batch, gates]
        reached = torch.arange(n_batch, device=x.device) < self.batch_sizes.to(x.device)[:, None]  # [pos, batch]
        state = tuple(state[place] for state in self.states)
        output, state = _over_positions(cell, read, state, weights, backwards, reached[..., None])
        return torch.cat([output[pos, :size] for pos, size in enumerate(sizes)]), state


def _over_positions(
    cell: Cell, read: Tensor, state: State, weights: Sequence[Any], backwards: bool, reached: Tensor | None = None
) -> tuple[Tensor, State]:
    """A text that has ended keeps its state."""
    outputs: list[Any] = [None] * read.size(0)
    for pos in reversed(range(read.size(0))) if backwards else range(read.size(0)):
        before = state
        state = cell(read[pos], state, weights)
        if reached is not None:
            state = tuple(torch.where(reached[pos], new, old) for new, old in zip(state, before, strict=True))
        outputs[pos] = state[0]
    return torch.stack(outputs), state


def _states(hx: Any) -> State:
    return (hx,) if isinstance(hx, Tensor) else tuple(hx)


def is_packed(arguments: Sequence[Any]) -> bool:
    """Whether the weights come as the fourth argument, behind the sizes of the batch, and not as the third."""
    return isinstance(arguments[3], list | tuple)


def positions(arguments: Sequence[Any]) -> int:
    """How often a cell is run, over all positions, layers and directions; 1 for a cell alone.

    Only the sizes of what is given are read, so handles will do.
    """
    if isinstance(arguments[-1], bool):
        shape = arguments[1].shape if is_packed(arguments) else arguments[0].shape
        batch_first = not is_packed(arguments) and arguments[8]
        n_layers, both_ways = (arguments[i + is_packed(arguments)] for i in (4, 7))
        return int(shape[1 if batch_first else 0]) * int(n_layers) * (2 if both_ways else 1)
    return 1


# -- a cell alone ----------------------------------------------------------------------------------------------------


def lstm_cell(
    input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None
) -> tuple[Tensor, Tensor]:
    """What `nn.LSTMCell` computes."""
    h, c = _lstm_position(F.linear(input, w_ih, b_ih), (hx[0], hx[1]), (w_hh, b_hh, None))
    return h, c


def gru_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Tensor:
    """What `nn.GRUCell` computes."""
    (h,) = _gru_position(F.linear(input, w_ih, b_ih), (hx,), (w_hh, b_hh, None))
    return h


def rnn_tanh_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Tensor:
    """What `nn.RNNCell` computes."""
    (h,) = _tanh_position(F.linear(input, w_ih, b_ih), (hx,), (w_hh, b_hh, None))
    return h


def rnn_relu_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Any = None, b_hh: Any = None) -> Tensor:
    """What `nn.RNNCell` computes with `nonlinearity="relu"`."""
    (h,) = _relu_position(F.linear(input, w_ih, b_ih), (hx,), (w_hh, b_hh, None))
    return h


SHARED = "lstm_cell"  # of this one, the first output (h) is made of the very second (c) that is returned

RECURRENT = (lstm, gru, rnn_tanh, rnn_relu, lstm_cell, gru_cell, rnn_tanh_cell, rnn_relu_cell)
