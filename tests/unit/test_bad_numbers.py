"""One definition of a bad number: no mask is one, whoever makes it, and what overflows is, wherever one looks."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lmviz
from lmviz.debug import plain_loop
from lmviz.debug.bad_numbers import bad_values
from lmviz.debug.doctor.numbers import finite
from lmviz.debug.first_bad import first_bad
from lmviz.debug.invariants import checks_of
from lmviz.debug.subject import Subject
from lmviz.stages.stages import stages_of
from lmviz.trace.step import Trace

N = 5
INF, LOWEST = math.inf, torch.finfo(torch.float32).min
Masked = Callable[[nn.Module, Tensor], Tensor]  # of a model and its scores [batch, query, key]


class Model(nn.Module):
    """Attention of one head, whose mask somebody else makes."""

    def __init__(self, masked: Masked) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(7, 8)
        self.w_q, self.w_k, self.out = (nn.Linear(8, n, bias=False) for n in (8, 8, 7))
        self.masked = masked
        self.register_buffer("table", torch.full((N, N), -INF).triu(1), persistent=False)
        self.register_buffer("later", torch.ones(N, N).triu(1).bool(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        n = ids.shape[1]
        padded = F.pad(ids, (0, N - n))
        x = self.embed(padded)
        scores = self.w_q(x) @ self.w_k(x).mT
        pattern = self.masked(self, scores).softmax(-1)
        return self.out(pattern @ x)[:, :n]


def _distances() -> Tensor:
    return (torch.arange(N)[:, None] - torch.arange(N)).abs()


def by_setitem(model: nn.Module, scores: Tensor) -> Tensor:
    mask = torch.zeros(N, N)
    mask[model.later] = -INF
    return scores + mask


def in_place(model: nn.Module, scores: Tensor) -> Tensor:
    mask = torch.empty(N, N).fill_(-INF)
    mask.triu_(1)
    scores += mask
    return scores


def cut_and_joined(model: nn.Module, scores: Tensor) -> Tensor:
    half = model.table[None, :, :2].contiguous()
    return scores + torch.cat([half, model.table[None, :, 2:]], dim=-1)


MASKS: dict[str, Masked] = {
    "full, cut to a triangle": lambda m, s: s + torch.full((N, N), -INF).triu(1),
    "full, cut by a function": lambda m, s: s + torch.triu(torch.full((N, N), float("-inf")), diagonal=1),
    "full like the scores": lambda m, s: s + torch.full_like(s, -INF).triu(1),
    "turned round": lambda m, s: s + torch.full((N, N), -INF).tril(-1).mT,
    "with the axes swapped": lambda m, s: s + torch.full((N, N), -INF).tril(-1).transpose(0, 1)[None],
    "spread over the batch": lambda m, s: s + m.table.expand(s.shape[0], -1, -1),
    "subtracted": lambda m, s: s - torch.full((N, N), INF).triu(1),
    "masked_fill": lambda m, s: s.masked_fill(m.later, -INF),
    "masked_fill in place": lambda m, s: s.masked_fill_(m.later, -INF),
    "masked_fill of zeros": lambda m, s: s + torch.zeros(N, N).masked_fill(m.later, -INF),
    "where with a number": lambda m, s: torch.where(m.later, -INF, s),
    "where with a tensor": lambda m, s: torch.where(m.later, torch.tensor(-INF), s),
    "where with the scores' own": lambda m, s: torch.where(m.later, torch.full_like(s, -INF), s),
    "a table that the model holds": lambda m, s: s + m.table,
    "such a table, scaled": lambda m, s: (s + m.table) / 2,
    "such a table, cut and joined": cut_and_joined,
    "setitem": by_setitem,
    "in place": in_place,
    "logarithm": lambda m, s: s + torch.ones(N, N).tril().log(),
    "logarithm of distances": lambda m, s: s + (_distances() / 2).log().mul(3).to(torch.long).clamp(0, 4),
    "clamped": lambda m, s: torch.maximum(s + m.table, torch.tensor(-INF)),
    "lowest number of float32": lambda m, s: s + (1 - torch.ones(N, N).tril()) * LOWEST,
    "lowest of float16": lambda m, s: (30 * s.half() + (m.later.half() * torch.finfo(torch.float16).min)).float(),
    "numbers, then float16": lambda m, s: (s.half() + (m.later.float() * -1e9).half()).float(),
    "baddbmm": lambda m, s: torch.baddbmm(m.table, s, torch.eye(N).expand(s.shape[0], N, N)),
    "of its own attention": lambda m, s: s + m.table.masked_fill(m.later, -INF),
    "shown to log_softmax": lambda m, s: (s + m.table).log_softmax(-1),
    "with its lowest number taken": lambda m, s: (s - s.masked_fill(m.later, INF).amin(-1, keepdim=True)) + m.table,
    "a row that is all masked, cleaned": lambda m, s: (s + torch.full((N, N), -INF).triu()).softmax(-1).nan_to_num(0),
}  # fmt: skip
BAD: dict[str, tuple[Masked, str]] = {
    "overflow": (lambda m, s: s * 1e30 * 1e30 + m.table, "mul#2"),
    "overflow below": (lambda m, s: -(s * s * 1e38 * 10) + m.table, "mul#3"),
    "overflow under a mask": (lambda m, s: (s.exp() * 1e30 * 1e30).masked_fill(m.later, -INF), "mul#2"),
    "exponential": (lambda m, s: (s + 1000).exp(), "exp"),
    "logarithm of nothing": (lambda m, s: s + (s.abs() * 0).log() + s.relu().log(), "log"),
    "not a number": (lambda m, s: s * 0 * INF, "mul#2"),
    "the other infinity": (lambda m, s: s.masked_fill(m.later, INF), "masked_fill"),
    "a mask in a product": (lambda m, s: ((s + m.table) @ torch.ones(N, 1)).expand_as(s), "matmul"),
    "a table times infinity": (lambda m, s: s + m.later.float() * -INF, "mul"),
}


def recorded(masked: Masked) -> tuple[Trace, Subject]:
    model = Model(masked).eval()
    texts = ((1, 2, 3, 4, 5), (6, 5, 4, 3, 2))
    subject = Subject(model, 7, N, texts, None, plain_loop)
    with torch.no_grad():
        return lmviz.record(model, torch.tensor(texts)), subject


def count_at_stages(trace: Trace) -> int:
    checks = [check for stage in stages_of(trace) for check in checks_of(trace, stage)]
    return int(sum(check.measured for check in checks if check.name == "finite"))


@pytest.mark.parametrize("name", MASKS)
def test_no_mask_is_a_bad_number(name: str) -> None:
    trace, subject = recorded(MASKS[name])
    assert trace.failure is None
    assert first_bad(trace) is None
    assert count_at_stages(trace) == 0
    assert finite(subject).holds


@pytest.mark.parametrize("name", BAD)
def test_what_overflows_is_one_for_all_who_look(name: str) -> None:
    masked, address = BAD[name]
    trace, subject = recorded(masked)
    found = first_bad(trace)
    assert found is not None and found.address.endswith(address), found
    assert count_at_stages(trace) > 0
    alarm = finite(subject)
    assert (alarm.holds, alarm.where) == (False, found.address)


def test_a_weight_that_was_lost_is_no_mask() -> None:
    model = Model(MASKS["masked_fill"])
    with torch.no_grad():
        model.out.weight[2, 3] = -INF
        trace = lmviz.record(model, torch.tensor([[1, 2, 3, 4, 5]]))
    found = first_bad(trace)
    assert found is not None and found.address == "out"
    assert count_at_stages(trace) > 0


def test_a_scale_that_was_lost_is_no_mask() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(16).index_fill(0, torch.tensor(3), -INF))

        def forward(self, x: Tensor) -> Tensor:
            scaled = x * self.weight
            return scaled

    found = first_bad(lmviz.record(Scaled(), torch.ones(2, 16)))
    assert found is not None and (found.address, found.cell) == ("scaled", (0, 3))


def test_a_mask_that_is_given_is_none_either() -> None:
    class Given(nn.Module):
        def forward(self, scores: Tensor, mask: Tensor) -> Tensor:
            return (scores + mask).softmax(-1)

    assert first_bad(lmviz.record(Given(), torch.randn(N, N), torch.full((N, N), -INF).triu(1))) is None


@pytest.mark.slow
@pytest.mark.parametrize("mask", [None, torch.ones(N, N).tril().bool(), torch.full((N, N), -INF).triu(1)])
def test_the_mask_of_a_fused_call_is_none(mask: Tensor | None) -> None:
    class Fused(nn.Module):
        def forward(self, q: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(q, q, q, attn_mask=mask, is_causal=mask is None)

    trace = lmviz.record(Fused(), torch.randn(1, 2, N, 8))
    assert any(step.opened is not None for step in trace)
    assert first_bad(trace) is None
    assert count_at_stages(trace) == 0


class Hides(nn.Module):
    """An overflow in all cells but the last, of which a mask then hides one; and what comes of that."""

    def forward(self, x: Tensor) -> Tensor:
        large = x * 1e30
        hidden = large.masked_fill(torch.tensor([True, False, False]), -INF)
        turned = -hidden
        swapped = turned.flip(0)
        both = hidden + torch.tensor([0.0, 0.0, -INF])
        low = torch.where(torch.tensor([False, False, True]), torch.zeros(3), -large)
        joined = torch.cat([hidden[:1], low])
        return swapped + both + joined[1:]


def test_what_comes_of_an_overflow_is_bad_but_not_what_a_mask_has_hidden() -> None:
    trace = lmviz.record(Hides(), torch.tensor([1e30, 1e30, 1.0]))
    found = {value.name: bad.tolist() for _, value, bad in bad_values(trace, trace)}
    assert found["large"] == [True, True, False]
    assert found["hidden"] == [False, True, False]
    assert found["turned"] == [False, True, False]
    assert found["both"] == [False, True, False]
    assert found["low"] == [True, True, False]
    assert found["joined"] == [True, True, True, False]  # which of them was the mask's can't be told any more


@pytest.mark.slow
def test_a_long_chain_of_infinities_is_followed_to_its_beginning() -> None:
    class Long(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x = x * 1e30
            for _ in range(3000):
                x = x + 1
            return x

    trace = lmviz.record(Long(), torch.tensor([1e30]))
    assert len([*bad_values(trace, [trace[-1]])]) == 1
