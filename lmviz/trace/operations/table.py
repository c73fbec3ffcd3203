"""All records, by name, and the other spellings under which torch has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType

from lmviz.trace.operations import records
from lmviz.trace.operations.operation import Operation


def _families() -> tuple[ModuleType, ...]:
    """The files of `records/`, in the order of their names: a new one need not be listed."""
    names = sorted(module.name for module in iter_modules(records.__path__))
    return tuple(import_module(f"{records.__name__}.{name}") for name in names)


def by_name(records: Iterable[Operation]) -> dict[str, Operation]:
    """Each record under its name and its spellings, of which no two may be the same."""
    found: dict[str, Operation] = {}
    for record in records:
        for name in (record.name, *record.spellings.split()):
            if name in found:
                raise ValueError(f"{name!r} is the name of two operations: {found[name].name} and {record.name}.")
            found[name] = record
    return found


FAMILIES = _families()
_RECORDS = tuple(chain.from_iterable(family.OPERATIONS for family in FAMILIES))
OPERATIONS: Mapping[str, Operation] = MappingProxyType({record.name: record for record in _RECORDS})
SPELLINGS: Mapping[str, Operation] = MappingProxyType(by_name(_RECORDS))


def sign_of(op: str) -> str:
    """What is written between the tensors of an operation in a picture."""
    return OPERATIONS[op].sign if op in OPERATIONS else ","
