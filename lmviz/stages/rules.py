"""Which kind of stage a step belongs to: ordered rules, read from top to bottom; the first that holds says it.

Two lists. `STEP_RULES` look at one step and at what was said of the step before it. `GROUP_RULES` then look again at
neighbouring steps of one kind, since only together they show what a part of a block is for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise, takewhile
from typing import Generic, TypeVar

from lmviz.stages.attention import attention_of
from lmviz.stages.blocks import Block, blocks_of, comes_after_model, like_what_reads_it, root_of
from lmviz.stages.data_flow import DataFlow
from lmviz.stages.norms import is_norm, is_written_norm
from lmviz.stages.rotation import angles_of
from lmviz.stages.stage import LOSS, READOUT, Kind
from lmviz.trace.step import Step, Trace, Value

_PRODUCTS = frozenset(("linear", "matmul", "einsum", "addmm"))
_SHARES, _LARGEST = ("softmax", "sigmoid"), ("topk", "argmax", "max", "sort")
_MIXING = re.compile("cum|conv|scan|roll|flip|fft|pool|lstm|gru|rnn|shift|pad$")  # what lets positions see each other
_Subject = TypeVar("_Subject")


@dataclass(frozen=True, slots=True)
class Rule(Generic[_Subject]):
    """Where it `holds`, the stage is of this `kind`; `looks_at` says what it decides by."""

    name: str
    kind: Kind
    looks_at: str
    holds: Callable[[_Subject], bool]


@dataclass(frozen=True, eq=False)
class Facts:
    """What the rules may look at: a trace, which value was made from which, the blocks, and the parts of attention."""

    trace: Trace

    @cached_property
    def flow(self) -> DataFlow:
        return DataFlow(self.trace)

    @cached_property
    def blocks(self) -> list[Block | None]:
        """Of each step."""
        return blocks_of(self.trace, self.flow)

    @cached_property
    def attention(self) -> dict[int, Kind]:
        """The part of attention that a step is, by its index."""
        return attention_of(self.trace, self.flow)

    @cached_property
    def angles(self) -> frozenset[int]:
        """The steps that make what queries and keys are turned by."""
        return angles_of(self.trace, self.attention)

    @cached_property
    def blocks_span(self) -> range:
        """From the first to the last step in a block, with layers outside of them that attend or add to the stream;
        empty if there is no block."""
        inside = [i for i, block in enumerate(self.blocks) if block is not None]
        if not inside:
            return range(0)
        return range(min(inside[0], *self._of_layers), max(inside[-1], *self._of_layers) + 1)

    @property
    def has_no_blocks(self) -> bool:
        return not self.blocks_span

    @cached_property
    def last_of_layers(self) -> int:
        """The last step that attends or adds to the stream, whether it is in a block or not; -1 if there is none."""
        return max(self._of_layers, default=-1)

    @cached_property
    def _of_layers(self) -> tuple[int, ...]:
        return *(i for i in self.flow.residuals if not comes_after_model(self.trace[i])), *self.attention

    @cached_property
    def scoring(self) -> int:
        """The last product with weights, if it makes a number for each row of a table that was looked up; else -1."""
        last = next(filter(self.flow.is_weighted, reversed(self.trace)), None)
        if last is None or not last.outputs:
            return -1
        tables = {value.shape[0] for step in self.trace for value in step.inputs if _is_table(step, value)}
        return last.index if last.outputs[0].shape[-1:] and last.outputs[0].shape[-1] in tables else -1

    @cached_property
    def mixing_before_last_norm(self) -> int:
        """The last step before the last norm that lets positions see each other; -1 if there is none."""
        last = next((step.index for step in reversed(self.trace) if self.is_norm(step)), 0)
        return next((step.index for step in reversed(self.trace[:last]) if _mixes(step)), -1)

    def is_norm(self, step: Step) -> bool:
        return is_norm(self.trace, self.flow, step)


def _is_table(step: Step, value: Value) -> bool:
    return step.op == "embedding" and len(value.shape) == 2 and value.role not in ("activation", "input")


# -- one step --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepAt:
    """A step, the block that it is in, and the kind of the step before it."""

    facts: Facts
    step: Step
    block: Block | None
    before: Kind

    @property
    def attention(self) -> Kind | None:
        return self.facts.attention.get(self.step.index)

    @property
    def is_among_blocks(self) -> bool:
        """Whether it is in a block, or stands between two of them."""
        return self.block is not None or self.step.index in self.facts.blocks_span

    @property
    def is_before_blocks(self) -> bool:
        span = self.facts.blocks_span
        return bool(span) and self.step.index < span.start

    @property
    def is_after_blocks(self) -> bool:
        span = self.facts.blocks_span
        return bool(span) and self.step.index >= span.stop

    @property
    def is_before_layers(self) -> bool:
        """Whether, in a model without blocks, something behind it attends or adds to the stream, or nothing does."""
        last = self.facts.last_of_layers
        return self.facts.has_no_blocks and (last < 0 or self.step.index < last)

    @property
    def is_norm(self) -> bool:
        return self.facts.is_norm(self.step)

    @property
    def keeps_width(self) -> bool:
        """Whether one axis of what it makes is as long as the last one that the step before has made."""
        before = self.facts.trace[self.step.index - 1].outputs
        return not before or not self.step.outputs or before[0].shape[-1] in self.step.outputs[0].shape


STEP_RULES: tuple[Rule[StepAt], ...] = (
    Rule("readout", "probabilities", "the prefix of its module", lambda at: root_of(at.step) == READOUT),
    Rule("loss", "loss", "the prefix of its module", lambda at: root_of(at.step) == LOSS),
    Rule(
        "sum onto the stream",
        "residual",
        "where its two operands come from",
        lambda at: at.step.index in at.facts.flow.residuals and (at.is_among_blocks or at.facts.has_no_blocks),
    ),
    Rule("projections", "qkv", "the product of queries and keys behind it", lambda at: at.attention == "qkv"),
    Rule("rotation", "rotation", "the cosines that it meets", lambda at: at.attention == "rotation"),
    Rule("sharing", "sharing", "its operation, and its place", lambda at: at.attention == "sharing"),
    Rule("scores", "scores", "the softmax behind it", lambda at: at.attention == "scores"),
    Rule("softmax", "softmax", "the product of queries and keys before it", lambda at: at.attention == "softmax"),
    Rule("mix", "mix", "the softmax before it", lambda at: at.attention == "mix"),
    Rule(
        "norm",
        "norm",
        "its operation, or the name of its module",
        lambda at: at.is_norm and (at.is_among_blocks or at.is_before_blocks or at.is_before_layers),
    ),
    Rule(
        "norm with another behind it",  # in what follows the blocks of a U-Net
        "norm",
        "its operation, and the convolutions before the last norm",
        lambda at: at.is_norm and at.step.index < at.facts.mixing_before_last_norm,
    ),
    Rule("last norm", "final_norm", "its operation, or the name of its module", lambda at: at.is_norm),
    Rule(
        "dropout of the mix",  # what attention found is thinned out before it is added
        "mix",
        "its operation, and the step before it",
        lambda at: at.step.op == "dropout" and at.before == "mix",
    ),
    Rule("rest of a block", "mlp", "its place", lambda at: at.block is not None),
    Rule(
        "angles",
        "rotation",
        "the rotations that it is made for",
        lambda at: at.step.index in at.facts.angles and not at.is_among_blocks,
    ),
    Rule("before the blocks", "embeddings", "its place", lambda at: at.is_before_blocks),
    Rule(
        "product behind the blocks",
        "logits",
        "its place, and its operation",
        lambda at: at.is_after_blocks and at.step.op in _PRODUCTS,
    ),
    Rule(
        "product that scores the table",
        "logits",
        "its place, and how many numbers it makes",
        lambda at: at.facts.has_no_blocks and at.step.index == at.facts.scoring,
    ),
    Rule(
        "rest of the logits",
        "logits",
        "its place, and the step before it, whose width it keeps",  # a loss of the model's own does not
        lambda at: at.is_after_blocks and at.before == "logits" and at.keeps_width,
    ),
    Rule(
        "rest of the last norm",
        "final_norm",
        "its place, and the step before it",
        lambda at: at.is_after_blocks and at.before == "final_norm" and not _mixes(at.step),
    ),
    Rule(
        "lookup in a table",
        "embeddings",
        "its operation, and its place",
        lambda at: at.step.op == "embedding" and not at.is_after_blocks,
    ),
    Rule("anything else", "other", "nothing", lambda at: True),
)


# -- neighbouring steps of one kind ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Neighbouring steps of one block that `STEP_RULES` have found to be of one kind."""

    facts: Facts
    kind: Kind
    block: Block | None
    steps: tuple[Step, ...]

    @property
    def mixes_positions(self) -> bool:
        flow = self.facts.flow
        return any(_mixes(step) or flow.is_product(step) or flow.is_of_unknown(step) for step in self.steps)

    @property
    def has_weights(self) -> bool:
        return any(map(self.facts.flow.is_weighted, self.steps))

    @property
    def is_written_norm(self) -> bool:
        return is_written_norm(self.facts.flow, self.steps)

    @property
    def chooses_experts(self) -> bool:
        return len(_choice(self.facts, self.steps)) == len(self.steps)

    @property
    def is_added(self) -> bool:
        """Whether, outside of blocks, the next step adds what it makes to the stream."""
        branch = self.facts.flow.residuals.get(self.steps[-1].index + 1)
        return self.block is None and branch in self.steps

    @property
    def is_before_logits(self) -> bool:
        """Whether it stands behind the blocks, and no product between: a loss has means, too."""
        span, first = self.facts.blocks_span, self.steps[0].index
        return (
            bool(span)
            and first >= span.stop
            and not any(map(self.facts.flow.is_weighted, self.facts.trace[span.stop : first]))
        )


GROUP_RULES: tuple[Rule[StepGroup], ...] = (
    Rule(
        "choice of experts",
        "router",
        "the largest of some shares, in the rest of a block",
        lambda group: group.kind == "mlp" and group.chooses_experts,
    ),
    Rule(
        "positions that see each other",
        "other",
        "the operations of the rest of a block",
        lambda group: group.kind == "mlp" and group.mixes_positions,
    ),
    Rule(
        "weights, for each position by itself",
        "mlp",
        "the products of the rest of a block",
        lambda group: group.kind == "mlp" and group.has_weights,
    ),
    Rule(
        "weights on a way beside the stream",
        "mlp",
        "the sum behind it, outside of blocks",
        lambda group: group.kind == "other" and group.is_added and group.has_weights and not group.mixes_positions,
    ),
    Rule(
        "norm that is written out",
        "norm",
        "the statistics in the rest of a block",
        lambda group: group.kind == "mlp" and group.is_written_norm,
    ),
    Rule(
        "last norm that is written out",
        "final_norm",
        "the statistics behind the blocks",
        lambda group: group.kind == "other" and group.is_before_logits and group.is_written_norm,
    ),
)


# -- all of a trace --------------------------------------------------------------------------------------------------


def kinds_of(
    facts: Facts,
    step_rules: tuple[Rule[StepAt], ...] = STEP_RULES,
    group_rules: tuple[Rule[StepGroup], ...] = GROUP_RULES,
) -> list[Kind]:
    """The kind of the stage that each step belongs to."""
    kinds: list[Kind] = []
    for step, block in zip(facts.trace, facts.blocks, strict=True):
        at = StepAt(facts, step, block, kinds[-1] if kinds else "other")
        kinds.append(next(rule.kind for rule in step_rules if rule.holds(at)))
    kinds = like_what_reads_it(facts.trace, kinds)
    for group in list(_groups(facts, kinds)):
        first, last = group.steps[0].index, group.steps[-1].index
        found = next((rule.kind for rule in group_rules if rule.holds(group)), _default(group, kinds))
        kinds[first : last + 1] = [found] * len(group.steps)
    return kinds


def _groups(facts: Facts, kinds: list[Kind]) -> Iterator[StepGroup]:
    """Neighbouring steps of one kind in one block; a norm that is written out before an MLP is a group of its own."""
    blocks = facts.blocks
    for (kind, block), steps in groupby(facts.trace, key=lambda step: (kinds[step.index], blocks[step.index])):
        group = StepGroup(facts, kind, block, tuple(steps))
        norm = tuple(takewhile(lambda step: not facts.flow.is_weighted(step), group.steps))
        is_apart = kind == "mlp" and len(norm) < len(group.steps) and is_written_norm(facts.flow, norm)
        if is_apart and not group.mixes_positions:
            yield StepGroup(facts, kind, block, norm)
            group = StepGroup(facts, kind, block, group.steps[len(norm) :])
        choice = _choice(facts, group.steps) if kind == "mlp" else range(0)
        cuts = (0, choice.start, choice.stop, len(group.steps)) if choice else (0, len(group.steps))
        for first, end in pairwise(cuts):
            if first < end:
                yield StepGroup(facts, kind, block, group.steps[first:end])


def _choice(facts: Facts, steps: tuple[Step, ...]) -> range:
    """The steps of an MLP, by their places in it, that choose which of several experts work for a token
    (Shazeer et al. 2017).

    That is a product with weights, shares made of it, and the largest of those; none of another product between. What
    comes before, up to the product before, is an expert that works for every token.
    """
    products = [i for i, step in enumerate(steps) if facts.flow.is_weighted(step)]
    for before, product, following in zip([-1, *products], products, [*products[1:], len(steps)], strict=False):
        behind = steps[product + 1 : following]
        largest = next((step for step in behind if step.op in _LARGEST), None)
        if largest is None or not any(step.op in _SHARES for step in behind):
            continue
        last = product + 1 + behind.index(largest)
        while last + 1 < following and steps[last + 1].call == largest.call:
            last += 1
        first = product if before >= 0 else 0
        while first > before + 1 and steps[first - 1].call == largest.call:
            first -= 1
        return range(first, last + 1)
    return range(0)


def _default(group: StepGroup, kinds: list[Kind]) -> Kind:
    """What does nothing of its own in a block (a layout, a factor) belongs to what it is beside."""
    if group.kind != "mlp":
        return group.kind
    beside = (group.steps[0].index - 1, group.steps[-1].index + 1)
    blocks = group.facts.blocks
    return next((kinds[i] for i in beside if 0 <= i < len(kinds) and blocks[i] == group.block), "other")


def _mixes(step: Step) -> bool:
    """Whether it lets positions see each other: whole numbers are counts of tokens, or places."""
    return _MIXING.search(step.op) is not None and any(
        value.dtype.startswith(("float", "bf")) for value in step.outputs
    )
