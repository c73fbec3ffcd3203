"""Addresses: where a result was made, and the name that the source gives it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lmviz.trace.assembly.entries import Entry, expressions_for
from lmviz.trace.assembly.places import Expression
from lmviz.trace.source.model_index import ModelIndex, join
from lmviz.trace.step import Value


class Naming:
    """Gives out addresses, each to one tensor. What passes an address for the second time has it with "#2".

    A weight always has its path. An input has its name; "x#0" where the model gives that name to something of its own,
    as `x = self.embed(x)` does.
    """

    def __init__(self, model_index: ModelIndex) -> None:
        self._model_index = model_index
        self._used: Counter[str] = Counter()
        self.aliases: dict[str, tuple[int, int]] = {}  # further names of what a step made: step and output

    def unique(self, address: str) -> str:
        self._used[address] += 1
        return address if self._used[address] == 1 else f"{address}#{self._used[address]}"

    def reserve(self, addresses: Iterable[str]) -> None:
        """What has these addresses was there before the first step."""
        for address in addresses:
            self._used[address] = max(self._used[address], 1)

    def input_address(self, address: str, is_taken: bool) -> str:
        """The address of an input; whether results have or will have its name, too."""
        return self.unique(f"{address}#0" if is_taken or self._used[address] else address)

    def taken_names(self, entries: Iterable[Entry], prefix: str) -> set[str]:
        """The addresses that results will have or be found under, before they are numbered."""
        found: set[str] = set()
        for entry in entries:
            if entry.fused is None:
                found.add(self._base(entry, self._names(entry), prefix))
                for expression in expressions_for(entry):
                    home = self._home(expression, prefix)
                    found.update(join(home, name) for name in expression.site.names)
        return found

    def outputs(self, entry: Entry, prefix: str) -> list[tuple[str, str]]:
        """The name and the address of each thing that a call made; the call's own address is set on the way."""
        names = self._names(entry)
        base = self._base(entry, names, prefix)
        entry.address = self.unique(base)
        made = [handle for handle in entry.raw.outputs if handle.before is None]
        if len(made) > 1 and len(names) == len(made):
            own = [name or entry.raw.op.name for name in names]
            home = base.rpartition(".")[0]
            return [(own[0], entry.address), *((name, self.unique(join(home, name))) for name in own[1:])]
        name = base.rpartition(".")[2]
        if len(made) > 1:
            return [(f"{name}.{i}", self.unique(f"{entry.address}.{i}")) for i in range(len(made))]
        return [(name, entry.address)]

    def overwritten(self, old: Value | None) -> tuple[str, str]:
        """For what was changed through another tensor: the name that it had."""
        name, address = (old.name, old.address) if old is not None else ("", "")
        return name, self.unique(address.partition("#")[0]) if address else ""

    def note_aliases(self, entry: Entry, prefix: str) -> None:
        """`x = block(x)`: the name here of what the block has called otherwise."""
        for expression in [*expressions_for(entry)][1:]:
            names, outputs = expression.site.names, entry.raw.outputs
            if names and (len(names) == 1 or len(names) == len(outputs)):
                home = self._home(expression, prefix)
                self.aliases.update({self.unique(join(home, name)): (entry.index, i) for i, name in enumerate(names)})

    def _names(self, entry: Entry) -> tuple[str, ...]:
        """The names that the source gives to all that a call made, or to each part of it."""
        expression = entry.expression
        if expression.last is not entry.raw or (expression.inside and expression.in_torch):
            return ()
        names, n_made = expression.site.names, sum(handle.before is None for handle in entry.raw.outputs)
        return names if len(names) in (1, n_made) else ()

    def _base(self, entry: Entry, names: tuple[str, ...], prefix: str) -> str:
        """An address before numbering: the module, and the name or the operation; inside a helper module, that one."""
        expression, op = entry.expression, entry.raw.op.name
        if names and any(names):
            return join(self._home(expression, prefix), next(name for name in names if name))
        if expression.inside is not None and expression.inside.module is not None:
            inside = self._model_index.path_of(expression.inside.module, prefix)
            return inside if inside and expression.last is entry.raw else join(inside, op)
        return join(self._home(expression, prefix), join(expression.site.target, op))

    def _home(self, expression: Expression, prefix: str) -> str:
        return self._model_index.path_of(expression.call.module, prefix)
