"""A token's way through the filters, worked out again."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmviz.generate.account import account
from lmviz.generate.settings import Settings
from lmviz.generate.token_step import TokenStep
from tests.property.test_generate import LOGITS, SETTINGS


def step_of(logits: list[float], ids: list[int], settings: Settings) -> TokenStep:
    return TokenStep(0, 0, tuple(ids), tuple(ids), settings, np.array(logits, dtype=np.float32))


@given(LOGITS, SETTINGS, st.data())
def test_an_account_ends_in_the_tokens_own_probability(
    logits: list[float], chosen: Settings, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.integers(0, len(logits) - 1), min_size=1, max_size=8))
    step = step_of(logits, ids, chosen)
    id = data.draw(st.integers(0, len(logits) - 1))
    found, columns = account(step, id), {column.name: column for column in step.columns()}
    if step.chosen is not None:
        assert found.share == pytest.approx(float(step.probs()[id]), rel=1e-4, abs=1e-6)
    assert bool(found.cut_by) == (columns["min_p"].scores[id] == -np.inf and columns["logits"].scores[id] > -np.inf)
    for entry in found.entries:
        assert (entry.action == "cut") == (id in columns[entry.name].cut)
        if entry.action in ("divide", "multiply"):
            assert entry.after == pytest.approx(float(columns[entry.name].scores[id]), rel=1e-5)


@given(LOGITS, SETTINGS)
def test_the_limits_that_an_account_names_tell_the_cut_from_the_kept(logits: list[float], chosen: Settings) -> None:
    step = step_of(logits, [0], chosen)
    for id in range(len(logits)):
        for entry in account(step, id).entries:
            if entry.name in ("top_k", "min_p"):
                near = math.isclose(entry.before, entry.by, rel_tol=1e-5, abs_tol=1e-9)
                assert near or (entry.before > entry.by) == (entry.action == "keep")


def test_it_is_worked_out_as_one_would_by_hand() -> None:
    settings = Settings(temperature=0.5, top_k=2, repetition_penalty=2.0)
    found = account(step_of([3.0, 1.0, -1.0], [0, 2], settings), 0)
    assert [(entry.name, entry.action, entry.before, entry.by, entry.after) for entry in found.entries] == [
        ("repetition_penalty", "divide", 3.0, 2.0, 1.5),
        ("temperature", "divide", 1.5, 0.5, 3.0),
        ("top_k", "keep", 3.0, 2.0, 3.0),
    ]
    assert found.share == pytest.approx(math.exp(3) / (math.exp(3) + math.exp(2)))
    cut = account(step_of([3.0, 1.0, -1.0], [0, 2], settings), 2)
    assert cut.cut_by == "top_k" and cut.entries[-1].before == -4.0 and cut.share == 0
