"""What a step does in a transformer, by where its operands come from: residual additions, parts of attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lmviz.trace.step import Step, Trace, Value

_WEIGHTED = frozenset(("linear", "matmul", "einsum", "conv1d", "addmm", "bmm", "baddbmm", "bilinear", "_grouped_mm"))
_PRODUCTS = frozenset(("matmul", "einsum", "bmm", "baddbmm"))
ATTENDING = frozenset(("softmax", "scaled_dot_product_attention", "multi_head_attention_forward"))
_ONE_OF_SEVERAL = frozenset(("getitem", "select", "index_select"))
_ADDING = frozenset(("add", "iadd", "add_"))
_ADDING_SOME = frozenset(("scatter_add", "scatter_add_", "index_add", "index_add_"))  # to some positions only
_ADDED = {"linear": "bias", "bilinear": "bias", "conv1d": "bias", "addmm": "input", "baddbmm": "input"}
_UNCHANGED = frozenset(
    ("to", "float", "double", "half", "bfloat16", "type_as", "contiguous", "clone", "view", "reshape")
)
_DEPTH = 12  # steps between a product and its softmax, or between a projection and a product


@dataclass(frozen=True)
class Attention:
    """One softmax over products of queries and keys. All numbers are those of steps."""

    softmax: int
    product: int
    makers: frozenset[int]  # the products with weights that made q, k and v
    values: int | None  # the product of the shares and v


class DataFlow:
    """Which value of a trace was made from which."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._streams: dict[str, frozenset[str]] = {}  # of a sum: itself, and what it was a sum onto
        self._of_data: set[int] = set()
        for step in trace:
            if any(self.is_of_data(value) for value in step.inputs) and not self._is_an_experts_matrix(step):
                self._of_data.add(step.index)
        self.residuals = {step.index: branch for step in trace if (branch := self._branch(step)) is not None}
        self.attentions = tuple(filter(None, map(self._attention, trace)))
        for one in self.attentions:  # what is added to scores is a bias, also where an earlier layer read it too
            for index in range(one.product + 1, one.softmax):
                self.residuals.pop(index, None)

    def _is_an_experts_matrix(self, step: Step) -> bool:
        """Whether it takes one matrix of several, [expert, in, out]: weights, though the data says which."""
        if step.op not in _ONE_OF_SEVERAL or not step.outputs or self.is_of_data(step.inputs[0]):
            return False
        return len(step.inputs[0].shape) == 3 and len(step.outputs[0].shape) == 2

    def maker(self, value: Value) -> Step | None:
        """The step that made a value; None for weights, inputs and constants."""
        return self._trace[value.address] if value.role == "activation" and value.address in self._trace else None

    def is_of_data(self, value: Value) -> bool:
        """Whether it depends on what the model was given, and not on weights and constants alone."""
        step = self.maker(value)
        return value.role == "input" or (step is not None and step.index in self._of_data)

    def is_weighted(self, step: Step) -> bool:
        """Whether it is a product of what the model was given with weights."""
        if step.op not in _WEIGHTED or step.index not in self._of_data:
            return False
        return not all(self.is_of_data(value) for value in _factors(step))

    def is_product(self, step: Step) -> bool:
        """Whether it is a product of two values that both depend on what the model was given."""
        return step.op in _PRODUCTS and sum(self.is_of_data(value) for value in _factors(step)) >= 2

    def is_of_unknown(self, step: Step) -> bool:
        """Whether it is a product of two values of which nothing is known, as those are that `vmap` hands out."""
        return step.op in _PRODUCTS and sum(map(self._is_unknown, _factors(step))) >= 2

    def _is_unknown(self, value: Value) -> bool:
        """Whether a value is a constant, or one in another layout."""
        step = self.maker(value)
        return value.role == "constant" if step is None else len(step.inputs) == 1 and self._is_unknown(step.inputs[0])

    def _is_asked_by_weights(self, step: Step) -> bool:
        """Whether it is a product of queries that were learned and keys of what the model was given: a number for each
        key comes last (Jaegle et al. 2021). Where a number for each learned vector does, experts are chosen."""
        if step.op not in _PRODUCTS or len(step.inputs) != 2:
            return False
        queries, keys = step.inputs
        return not self.is_of_data(queries) and self.is_of_data(keys) and _ends_with_second(step)

    def _branch(self, step: Step) -> Step | None:
        """Of a residual addition x + f(x), the step that made f(x): from x, through weights or attention."""
        for onto, branch in self._ways_to_add(step):
            made, streams = self.maker(branch), self._stream(onto)
            if made is not None and onto.address != branch.address and self._leads_to(branch, streams):
                self._streams[step.outputs[0].address] = streams | {step.outputs[0].address}
                return made
        return None

    def _ways_to_add(self, step: Step) -> tuple[tuple[Value, Value], ...]:
        """What may be the stream in a sum, with what is added to it. A stream may begin as learned vectors."""
        if step.op in _ADDING_SOME:
            return ((step.inputs[0], step.inputs[-1]),)
        if step.op not in _ADDING or len(step.inputs) != 2 or step.index not in self._of_data:
            return ()
        one, other = step.inputs
        return ((one, other), (other, one)) if one.shape == other.shape else ()

    def _stream(self, value: Value) -> frozenset[str]:
        """A value with all that it is a sum onto, also as it was before a cast or in another layout."""
        found = self._streams.get(value.address, frozenset((value.address,)))
        step = self.maker(value)
        if step is not None and step.op in _UNCHANGED and self.is_of_data(step.inputs[0]):
            found |= self._stream(step.inputs[0])
        return found

    def _leads_to(self, branch: Value, streams: frozenset[str]) -> bool:
        """Whether a value was made from one of some others through weights or attention."""
        todo, seen = [(branch, False)], set()
        earliest = min(self._trace[name].index if name in self._trace else 0 for name in streams)
        while todo:
            value, through = todo.pop()
            if value.address in streams:
                if through:
                    return True
                continue
            step = self.maker(value)
            if step is None or step.index < earliest or (step.index, through) in seen:
                continue
            seen.add((step.index, through))
            through = through or self.is_weighted(step) or step.op in ATTENDING
            todo += [(behind, through) for behind in step.inputs if behind.address]
        return False

    def _attention(self, softmax: Step) -> Attention | None:
        if softmax.op != "softmax" or not softmax.inputs:
            return None
        product = self._product_behind(softmax.inputs[0], _DEPTH)
        if product is None:
            return None
        makers = set(self._makers(product, _DEPTH))
        values = next((s for s in self._after(softmax) if self.is_product(s)), None)
        if values is None and self._is_asked_by_weights(product):
            return None
        if values is not None:
            makers |= {i for i in self._makers(values, _DEPTH) if i < softmax.index}
        return Attention(softmax.index, product.index, frozenset(makers), None if values is None else values.index)

    def _after(self, step: Step) -> Iterator[Step]:
        """The steps that use what a step made, or what they made of it, the next first."""
        made = {value.address for value in step.outputs}
        for later in self._trace[step.index + 1 : step.index + 1 + 4 * _DEPTH]:
            if any(value.address in made for value in later.inputs):
                made |= {value.address for value in later.outputs}
                yield later

    def _product_behind(self, value: Value, depth: int) -> Step | None:
        """The product of queries and keys from which scores came, through scaling and masking."""
        step = self.maker(value)
        if step is not None and (self.is_product(step) or self._is_asked_by_weights(step)):
            return step if depth else None
        if depth == 0 or step is None or self.is_weighted(step) or step.op in ATTENDING:
            return None
        behind = (self._product_behind(v, depth - 1) for v in step.inputs if self.is_of_data(v))
        return next(filter(None, behind), None)

    def _makers(self, step: Step, depth: int) -> Iterator[int]:
        """The last products with weights on the way to a step."""
        for value in step.inputs:
            made = self.maker(value)
            if depth and made is not None and made.index in self._of_data and made.index not in self.residuals:
                if self.is_weighted(made):
                    yield made.index
                elif made.op not in ATTENDING:
                    yield from self._makers(made, depth - 1)


def _factors(step: Step) -> list[Value]:
    """What a product multiplies, without what is added to it."""
    added = _ADDED.get(step.op)
    return [value for value, name in zip(step.inputs, step.arguments, strict=True) if name != added]


def _ends_with_second(step: Step) -> bool:
    """Whether the last axis of a product is one of its second factor."""
    if step.op != "einsum":
        return True
    given, _, made = str(step.settings.get("equation", "")).replace(" ", "").partition("->")
    one, _, other = given.partition(",")
    return made[-1:] != "" and made[-1] in other and made[-1] not in one
