"""All stages of a trace, in order.

What no rule recognises is a stage too, of kind "other": nothing that a model does is hidden.
"""

from __future__ import annotations

from dataclasses import replace

from lmviz.stages.blocks import Block
from lmviz.stages.rules import Facts, kinds_of
from lmviz.stages.stage import Kind, Stage
from lmviz.trace.step import Step, Trace


def stages_of(trace: Trace) -> tuple[Stage, ...]:
    """All stages in the order of the run: the tokenizer, every step in exactly one stage, the loss last."""
    facts = Facts(trace)
    stacks = {block[0] for block in facts.blocks if block is not None}
    stages = [Stage(0, "tokenizer", None, -1, -1, -1)]
    for step, kind, block in zip(trace, kinds_of(facts), facts.blocks, strict=True):
        here = _stage(step, kind, block, has_stacks=len(stacks) > 1)
        if _goes_on(facts, stages[-1], here):
            stages[-1] = replace(stages[-1], last=step.index, stop=step.index)
        else:
            stages.append(here)
    stages.sort(key=lambda stage: stage.kind == "loss")  # with gradients it is computed before the probabilities
    return tuple(replace(stage, index=index) for index, stage in enumerate(stages))


def stage_at(stages: tuple[Stage, ...], step: int) -> Stage:
    """The stage that a step belongs to."""
    return next((stage for stage in stages if stage.first <= step <= stage.last), stages[0])


def _stage(step: Step, kind: Kind, block: Block | None, has_stacks: bool) -> Stage:
    stack, number = block or ("", None)
    return Stage(-1, kind, number, step.index, step.index, step.index, stack if has_stacks else "")


def _goes_on(facts: Facts, before: Stage, here: Stage) -> bool:
    """Whether a step belongs to the stage before it: the same kind and block, and not another norm."""
    if (before.kind, before.block, before.stack) != (here.kind, here.block, here.stack):
        return False
    first, step = facts.trace[before.first], facts.trace[here.first]
    is_norm_kind = here.kind in ("norm", "final_norm")
    return not (is_norm_kind and first.call != step.call and facts.is_norm(first) and facts.is_norm(step))
