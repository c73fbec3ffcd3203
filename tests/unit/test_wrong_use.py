"""A public function that is given something else than it takes says so in one sentence, whoever calls it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.errors import NoSuchItem


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(12, 8), nn.Linear(8, 12)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        logits: Tensor = self.head(x)
        return logits


MODEL, IDS = Tiny(), torch.tensor([[1, 2, 3]])
TRACE = lmviz.record(MODEL, IDS)
STEP = TRACE["x"]
WRONG: Any = object()
PLACE = Path("/nowhere/at/all")


def run(condition: Any = None) -> lmviz.Run:
    """A training of two steps."""
    with lmviz.watch(MODEL, browser=False) as watched:
        if condition is not None:
            lmviz.breakpoint_if(condition)
        for _ in range(2):
            MODEL(IDS).sum().backward()
    return watched


USES: dict[str, tuple[Callable[[], object], str]] = {
    "run, too far": (lambda: run()[5], "below 2, for there are so many, counted from 0; got 5"),
    "run, too far back": (lambda: run()[-3], "got -3"),
    "run, by a name": (lambda: run()["a"], "whole number or a slice; got str"),  # type: ignore[call-overload]
    "run shown, too far": (lambda: run().show(7), "below 2"),
    "run shown, by a name": (lambda: run().show("a"), r"Run\.show takes int as `index`"),  # type: ignore[arg-type]
    "every": (lambda: lmviz.watch(MODEL, every=WRONG), "watch takes int as `every`; got object"),
    "memory": (lambda: lmviz.watch(MODEL, memory=WRONG), "watch takes int | float as `memory`"),
    "condition": (lambda: run(3), "takes Callable as `condition`; got int"),
    "condition of many": (lambda: run(lambda s: s.outputs[0].array > 1e9), r"at x it is a ndarray .* \(…\)\.any\(\)"),
    "trace, too far": (lambda: TRACE[99], "below 2"),
    "trace, by a step": (lambda: TRACE[WRONG], "got object"),
    "a class": (lambda: lmviz.record(Tiny, IDS), r"the class Tiny: make one, as in Tiny\(\)"),
    "a class, shown": (lambda: lmviz.show(Tiny, IDS), "the class Tiny"),
    "a generator": (lambda: lmviz.record(MODEL, (i for i in IDS)), "a generator is empty after the first time"),
    "a generator, shown": (lambda: lmviz.show(MODEL, iter(IDS)), "is empty after the first time"),
    "a generator by name": (lambda: lmviz.record(MODEL, ids=map(int, "1")), "a map is empty"),
    "an input too few": (lambda: lmviz.record(MODEL), r"takes ids, .* \(missing a required argument: 'ids'\): give"),
    "a dict by name": (
        lambda: lmviz.show(MODEL, **{"x": IDS, "y": IDS}),
        r"one dict, .* `inputs = \({…},\)` in a file",
    ),
    "backward": (lambda: lmviz.record(MODEL, IDS, backward=WRONG), "The loss must be a function"),
    "edits": (lambda: lmviz.record(MODEL, IDS, edits=WRONG), "takes Mapping | None as `edits`"),
    "edits by number": (lambda: lmviz.record(MODEL, IDS, edits={WRONG: abs}), "object"),
    "seed": (lambda: lmviz.record(MODEL, IDS, seed=WRONG), "takes int as `seed`"),
    "budget": (lambda: lmviz.record(MODEL, IDS, budget=WRONG), "as `budget`"),
    "follows": (lambda: lmviz.record(MODEL, IDS, follows=WRONG), "takes Trace | None as `follows`"),
    "prefix": (lambda: lmviz.record(MODEL, IDS, prefix=WRONG), "takes str as `prefix`"),
    "step": (lambda: lmviz.explain(WRONG, (0,)), "explain takes Step as `step`"),
    "cell": (lambda: lmviz.explain(STEP, WRONG), "takes tuple as `cell`"),
    "part of a cell": (lambda: lmviz.explain(STEP, (0, 0, 0.5)), "one index for each axis"),  # type: ignore[arg-type]
    "output": (lambda: lmviz.explain(STEP, (0, 0, 0), WRONG), "takes int as `output`"),
    "export": (lambda: lmviz.export(WRONG, PLACE), "takes Trace | Step | Value as `what`"),
    "place of an export": (lambda: lmviz.export(TRACE, WRONG), "takes str | PathLike as `path`"),
    "recording": (lambda: lmviz.open_trace(WRONG), "open_trace takes str | PathLike"),
    "folder": (lambda: lmviz.load(WRONG), "load takes str | PathLike as `folder`"),
    "type": (lambda: lmviz.load("names", dtype=WRONG), "takes dtype as `dtype`"),
    "type of no weight": (lambda: lmviz.load("names", dtype=torch.int8), "torch.float32.*; got torch.int8"),
    "memory of a model": (lambda: lmviz.load("names", memory=WRONG), "as `memory`"),
    "context": (lambda: lmviz.check(MODEL, IDS, n_ctx=WRONG), "takes int | None as `n_ctx`"),
    "no context": (lambda: lmviz.check(MODEL, IDS, n_ctx=0), "at least 2 positions; got 0"),
    "steps": (lambda: lmviz.check_training(WRONG, [1]), "takes Callable as `step_fn`"),
    "batches": (lambda: lmviz.check_training(float, WRONG), "takes Iterable as `batches`"),
    "trained model": (lambda: lmviz.check_training(float, [1], WRONG), "takes Module | None as `model`"),
    "vocabulary": (lambda: lmviz.check_training(float, [1], d_vocab=0), "at least 2 tokens; got 0"),
    "place of a picture": (lambda: lmviz.picture(STEP.outputs[0], WRONG), "takes str | PathLike as `path`"),
    "lead": (lambda: lmviz.picture(STEP.outputs[0], PLACE, lead=WRONG), "takes tuple | list as `lead`"),
    "place of a recording": (lambda: TRACE.save(WRONG), r"Trace\.save takes str | PathLike as `path`"),
    "limit of a recording": (lambda: TRACE.save(PLACE, limit=WRONG), "as `limit`"),
    "place of a page": (lambda: TRACE.to_html(WRONG), r"Trace\.to_html takes"),
    "limit of a page": (lambda: TRACE.to_html(PLACE, limit=WRONG), "as `limit`"),
    "title of a page": (lambda: TRACE.to_html(PLACE, title=WRONG), "takes str as `title`"),
    "limit in a notebook": (lambda: TRACE.inline(limit=WRONG), "as `limit`"),
    "name": (lambda: lmviz.show(MODEL, IDS, name=WRONG), "takes str as `name`"),
}


@pytest.mark.parametrize("use", USES)
def test_wrong_use_is_one_sentence(use: str) -> None:
    call, said = USES[use]
    with pytest.raises(lmviz.UserError, match=said.replace(" | ", r" \| ")):
        call()


def test_a_loop_over_a_run_ends_where_it_ends() -> None:
    assert len(list(run())) == len(list(reversed(run()))) == 2
    with pytest.raises(IndexError):
        run()[2]
    assert issubclass(NoSuchItem, lmviz.UserError)


def test_a_cell_may_be_written_as_a_list_or_a_tensor() -> None:
    why = lmviz.explain(STEP, (0, 1, 2))
    for cell in ([0, 1, 2], torch.tensor([0, 1, 2])):
        assert lmviz.explain(STEP, cell).value == why.value  # type: ignore[arg-type]


def test_a_device_may_be_one_of_torch() -> None:
    assert len(lmviz.record(MODEL, IDS, device=torch.device("cpu"))) == len(TRACE)  # type: ignore[arg-type]


def test_a_loss_that_raised_is_told_from_a_model_that_did() -> None:
    trace = lmviz.record(MODEL, IDS, backward=nn.functional.cross_entropy)
    assert "its loss stopped by TypeError" in repr(trace) and trace["head"]
    assert "its loss" not in repr(lmviz.record(MODEL, "abc"))
