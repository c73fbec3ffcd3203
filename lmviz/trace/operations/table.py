"""All records, by name, and the other spellings under which torch has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from lmviz.trace.operations.operation import Operation
from lmviz.trace.operations.records import (
    activations,
    arithmetic,
    attention,
    choice,
    class_losses,
    comparing,
    complexes,
    conversion,
    convolution,
    creation,
    cumulative,
    einsum,
    fourier,
    functions,
    fused_layers,
    indexing,
    joining,
    lengths,
    lookup,
    normalising,
    order,
    pair_losses,
    pooling,
    products,
    recurrent,
    reduce,
    resampling,
    row_losses,
    scatter,
    softmax,
    views,
    windows,
)

FAMILIES = (
    *(activations, arithmetic, attention, choice, class_losses, comparing, complexes, conversion, convolution),
    *(cumulative, einsum, fourier, functions, fused_layers, indexing, joining, lengths, lookup, creation, normalising),
    *(order, pair_losses, pooling, products, recurrent, reduce, resampling, row_losses, scatter, softmax, views),
    windows,
)


def by_name(records: Iterable[Operation]) -> dict[str, Operation]:
    """Each record under its name and its spellings, of which no two may be the same."""
    found: dict[str, Operation] = {}
    for record in records:
        for name in (record.name, *record.spellings.split()):
            if name in found:
                raise ValueError(f"{name!r} is the name of two operations: {found[name].name} and {record.name}.")
            found[name] = record
    return found


_RECORDS = tuple(chain.from_iterable(family.OPERATIONS for family in FAMILIES))
OPERATIONS: Mapping[str, Operation] = MappingProxyType({record.name: record for record in _RECORDS})
SPELLINGS: Mapping[str, Operation] = MappingProxyType(by_name(_RECORDS))


def sign_of(op: str) -> str:
    """What is written between the tensors of an operation in a picture."""
    return OPERATIONS[op].sign if op in OPERATIONS else ","
