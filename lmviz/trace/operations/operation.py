"""The record of one torch operation: all that lmviz knows of it, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from lmviz.trace.operations.axes import AxisRule
from lmviz.trace.operations.explanation import Explanation
from lmviz.trace.operations.slopes import Rule
from lmviz.trace.step import Cell, Step, Value

_Updater = Callable[[Step, Cell, Value], Explanation]  # of (step, cell, the argument as it was)
Placer = Callable[[Step, int], tuple[list[int], NDArray[Any]]]  # of (step, output), places counted as `Moving` does
_Explainer = Callable[..., Explanation]  # of (step, cell), or of (step, cell, output) for what has several outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What lmviz knows of one torch operation, however a source spells it.

    Torch spells one operation in many ways (`a @ b`, `a.matmul(b)`, `torch.matmul(a, b)`); a trace uses one name. What
    the pages say of it are two sentences, `op.NAME` in the English and in the French catalogue.

    `arguments` names the arguments in their order: `*shape` takes the rest of the positional ones, and `dims[]` may be
    a list, which its owner can change later. A spelling "functional.unfold" is `torch.nn.functional.unfold` only.
    """

    name: str
    spellings: str = ""  # torch's other names for it: "radd"
    implied: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # settings that a spelling stands for
    arguments: str  # "input dim keepdim"
    otherwise: tuple[int, str] = (-1, "")  # if there are tensors at this position, these are the arguments
    defaults: Mapping[str, object] = field(default_factory=dict)  # settings that a call may leave out
    axes: AxisRule  # the names of the result's axes, from those of what went in, and the other way round
    explain: _Explainer  # the arithmetic behind a cell of the result
    slopes: Rule  # how the result changes with one number of what went in
    sign: str = ","  # what is written before its second tensor in a picture
    several: bool = False  # whether it may have several outputs: `explain` is then told which
    complex: bool = False  # whether `explain` can compute with complex numbers
    places: Placer | None = None  # where numbers are only moved: which inputs, and the place of each cell's number
    random: bool = False  # whether it may draw from a generator
    writes: tuple[str, str] = ("", "")  # when this argument is true, those are overwritten
    updates: _Updater | None = None  # the arithmetic behind a cell of what it overwrites so

    @property
    def variadic(self) -> str:
        """The argument that takes the rest of the positional ones; "" if none does."""
        return next((argument[1:] for argument in self.arguments.split() if argument.startswith("*")), "")

    @property
    def takes_lists(self) -> bool:
        return any(mark in self.arguments for mark in ("*", "[]"))


def names_of(arguments: str) -> tuple[str, ...]:
    """The names alone.

    >>> names_of("input dims[] *sizes")
    ('input', 'dims', 'sizes')
    """
    return tuple(argument.strip("*[]") for argument in arguments.split())
