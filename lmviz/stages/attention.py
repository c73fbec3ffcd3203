"""The steps of attention by what they do, around each softmax over products of queries and keys."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from lmviz.stages.blocks import comes_after_model
from lmviz.stages.data_flow import Attention, DataFlow
from lmviz.stages.norms import is_norm
from lmviz.stages.rotation import between
from lmviz.stages.stage import Kind
from lmviz.trace.step import Trace, Value


def attention_of(trace: Trace, flow: DataFlow) -> dict[int, Kind]:
    """For the steps of attention, which part they are: "qkv", "rotation", "sharing", "scores", "softmax" or "mix"."""
    kinds: dict[int, Kind] = {}
    for found in flow.attentions:
        softmax = trace[found.softmax]
        if comes_after_model(softmax):
            continue
        start = _start_of_scores(trace, flow, found)
        before = between(trace, flow, found.makers, start)
        for index in _extent(trace, flow, found):
            if index < softmax.index:
                kinds.setdefault(index, "scores" if index >= start else before.get(index, "qkv"))
            else:
                kinds[index] = "softmax" if index == softmax.index else "mix"
    return kinds


def _start_of_scores(trace: Trace, flow: DataFlow, found: Attention) -> int:
    """The first step of the statement that multiplies queries and keys, or of the mask and the bias right before it.

    Of a fused call, that call; or, where the call projects too, the product in it.
    """
    softmax, product = trace[found.softmax], trace[found.product]
    start = product.index
    if softmax.opened is not None and not any(map(flow.is_weighted, trace[softmax.opened + 1 : start])):
        start = softmax.opened
    while product.opened is not None and trace[start - 1].op in ("transpose", "mT") and start > product.opened + 1:
        start -= 1
    while start > 0 and product.opened is None and trace[start - 1].statement == product.statement:
        start -= 1
    return _start_of_mask(trace, found, start)


def _start_of_mask(trace: Trace, found: Attention, start: int) -> int:
    """From where on, up to `start`, nothing is made for queries, keys and values, but something for the scores."""
    begin = min((*found.makers, start))
    values = () if found.values is None else trace[found.values].inputs
    of_scores = _led_to(trace, begin, trace[found.softmax].inputs, found.softmax)
    of_rest = _led_to(trace, begin, trace[found.product].inputs, found.product)
    of_rest |= _led_to(trace, begin, values, start)
    later = reversed(range(begin, start))
    return min((i for i in takewhile(lambda i: i not in of_rest, later) if i in of_scores), default=start)


def _led_to(trace: Trace, begin: int, values: Iterable[Value], end: int) -> set[int]:
    """The steps of a stretch from which some values were made."""
    wanted = {value.address for value in values}
    found: set[int] = set()
    for step in reversed(trace[begin:end]):
        if any(value.address in wanted for value in step.outputs):
            wanted |= {value.address for value in step.inputs if value.role == "activation"}
            found.add(step.index)
    return found


def _extent(trace: Trace, flow: DataFlow, found: Attention) -> range:
    """The steps of one attention.

    Attention that is a module of its own is the whole of the call in which its projections are. Where a block does it
    inline, it begins with the projections and ends before what is added to the stream.
    """
    begin = min((*found.makers, found.product))
    call = trace.calls[trace[found.softmax].call]
    while call.parent is not None and not call.first <= begin:
        call = trace.calls[call.parent]
    inside = range(call.first, call.last + 1)
    if call.module and not any(i in flow.residuals for i in inside):
        return range(call.first, _projected(trace, flow, call.last) + 1)
    behind = (i for i in inside if i > found.softmax and (i in flow.residuals or is_norm(trace, flow, trace[i])))
    return range(begin, next(behind, call.last + 1))


def _projected(trace: Trace, flow: DataFlow, last: int) -> int:
    """The last step of one projection of what attention found, which some models keep beside it; else `last`."""
    end = min((i for i in flow.residuals if i > last), default=last + 1)
    between = trace[last + 1 : end]
    is_one = sum(map(flow.is_weighted, between)) == 1 and not any(is_norm(trace, flow, step) for step in between)
    return end - 1 if is_one else last
