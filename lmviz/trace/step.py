"""What a recording is made of: frozen data, and arrays.

A `Trace` is a sequence of `Step`s, one for each torch call, in the order in which they happened. Each step belongs to a
statement, and each statement to a call of a module: together they are the tree that a debugger walks.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, overload

import numpy as np
from numpy.typing import NDArray

from lmviz.errors import item
from lmviz.trace import html
from lmviz.trace.source.sites import SourceSpan

if TYPE_CHECKING:
    from lmviz.trace.saved import Saved

Array = NDArray[Any]
Cell = tuple[int, ...]
Role = Literal["activation", "weight", "input", "constant"]


def fits(cell: Cell, shape: tuple[int, ...]) -> bool:
    """Whether a tensor of a shape has a cell: one whole number for each axis, counted from 0 and not from the end."""
    return len(cell) == len(shape) and all(
        hasattr(i, "__index__") and 0 <= i < n for i, n in zip(cell, shape, strict=True)
    )


class Cells(Protocol):
    """Where the numbers of a value come from: memory, or a replay."""

    def read(self) -> Array: ...

    def read_grad(self) -> Array | None: ...

    def read_edge(self) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """One tensor, as it was at one step.

    `address` says where it was made: a step's address, a weight's path in the model, or an argument's name; it is empty
    for a constant. `axes` holds one name for each axis, empty where the source names none.
    """

    name: str
    address: str
    role: Role
    axes: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    cells: Cells = field(repr=False)
    edited: bool = False  # put here by an edit: what led up to it has no part in it
    before: Value | None = None  # what this was, if the call has changed it through another tensor: a view of it
    ragged: bool = False  # a batch of rows of unequal length: the array is a box around them, NaN where there is none
    several: bool = False  # stands for all that `torch.func.vmap` goes through: the numbers are those of the first

    @property
    def array(self) -> Array:
        """The numbers, [*shape], read-only. What was not kept is computed again; bfloat16 is given as float32."""
        return self.cells.read()

    @property
    def grad(self) -> Array | None:
        """d loss / d this value, [*shape]; None without `backward=`, or where the loss does not depend on it."""
        return self.cells.read_grad()

    @property
    def edge(self) -> int:
        """Along which edge of the backward graph the gradient comes: what shares one is one to autograd. -1: none."""
        return self.cells.read_edge()

    @property
    def n_bytes(self) -> int:
        bits = re.search(r"\d+", self.dtype)  # "bfloat16", "complex64", "float8_e4m3fn"; what has none is "bool"
        return int(np.prod(self.shape, dtype=np.int64)) * (max(8, int(bits[0])) // 8 if bits else 1)

    def __repr__(self) -> str:
        return html.value_text(self)

    def _repr_html_(self) -> str:
        return html.value_html(self)


@dataclass(frozen=True, slots=True)
class InputRef:
    """Stands in a setting for a tensor: the `n`-th of the step's inputs (as in `x[mask]`)."""

    n: int


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One torch call, as the model's own source made it."""

    index: int
    op: str  # "matmul", however the source spells it: a @ b, a.matmul(b), torch.matmul(a, b)
    module: str  # "blocks.0.attn": whose source made the call
    address: str  # "blocks.0.attn.pattern": the module and the name that the result was given
    span: SourceSpan  # the expression: file, lines, columns, text
    inputs: tuple[Value, ...]
    settings: Mapping[str, object]  # {"dim": -1}
    outputs: tuple[Value, ...]
    arguments: tuple[str, ...] = ()  # the argument that each input was given as: ("input", "other")
    statement: int = -1  # index into Trace.statements
    call: int = 0  # index into Trace.calls
    opened: int | None = None  # the fused step beside which this one was replayed
    returned: int | None = None  # and the output of that step which is what this one made, if one is
    in_place: bool = False
    error: str = ""
    edited: bool = False  # whether an edit took the place of what it, or a step inside it, made

    def operand(self, argument: str) -> Value | Any:
        """What the call was given as `argument`: a Value, or a plain setting; None if nothing."""
        for name, value in zip(self.arguments, self.inputs, strict=True):
            if name == argument:
                return value
        return self.settings.get(argument)

    def __repr__(self) -> str:
        return html.step_text(self)

    def _repr_html_(self) -> str:
        return html.step_html(self)


@dataclass(frozen=True, slots=True)
class Statement:
    """One run of one statement, with the steps it made: `first` to `last`, both included, calls inside too.

    `parent` is the statement that called the function that this one is in; None in the model's own `forward`.
    """

    index: int
    span: SourceSpan
    call: int
    first: int
    last: int
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module that has a source of its own to step through."""

    index: int
    module: str
    class_name: str
    parent: int | None
    statement: int | None  # the caller's statement that made this call
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a recording stopped: the exception, the step that raised it (None if plain Python did), and its source."""

    step: int | None
    exception: BaseException = field(repr=False)
    span: SourceSpan | None = None

    def __str__(self) -> str:
        return f"{type(self.exception).__name__}: {self.exception}"


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """All that a trace consists of, once it was assembled."""

    steps: tuple[Step, ...]
    statements: tuple[Statement, ...]
    calls: tuple[ModuleCall, ...]
    inputs: tuple[Value, ...]
    weights: Mapping[str, Value]
    failed_at: int | None
    failed_in: SourceSpan | None
    origins: tuple[tuple[int, ...], ...]  # of each step: where the recorder met it
    aliases: Mapping[str, tuple[int, int]]  # further names of what steps made: step and output

    def by_address(self) -> dict[str, tuple[int, int]]:
        """Where each address was made: step and output. A step's own address goes before any other name."""
        found = dict(self.aliases)
        for step in reversed(self.steps):
            for output, value in enumerate(step.outputs):
                found[value.address] = (step.index, output)
            found[step.address] = (step.index, 0)
        return found


class Trace(Sequence[Step]):
    """A recorded run. `trace["blocks.0.attn.pattern"]`, `trace[12]`, slices and iteration give its steps.

    An address that the run passed several times is its first time; `"x#2"` is the second. A module's path stands for
    the last step of its first call, and the name that a result is given later, as in `x = block(x)`, for the step that
    made it. Recording is quick because the steps are assembled when they are first asked for.
    """

    def __init__(
        self,
        assemble: Callable[[], Contents],
        result: Any = None,
        failure: BaseException | None = None,
        loss: float | None = None,
        segments: tuple[Any, ...] = (),
        about: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._assemble = assemble
        self._result = result
        self._exception = failure
        self.loss = loss  # in nats, if `backward=` was given
        self.segments = segments  # what `record(follows=)` continues
        self.about = about  # what the file that it was read from says besides: its tokens, say

    @cached_property
    def contents(self) -> Contents:
        """All of it at once, for what writes it to a file."""
        return self._assemble()

    def __repr__(self) -> str:
        return html.trace_text(self)

    def _repr_html_(self) -> str:
        return html.trace_html(self)

    def save(self, path: str | os.PathLike[str], tokenizer: Any = None, limit: int | None = None) -> Saved:
        """Write it to a file, which `lmviz.open_trace`, the app and `lmviz FILE` open. Nothing in the file is code.

        Args:
            path: "mine.lmviz", say; what is there already is written over.
            tokenizer: how ids are written: anything with `decode`, a list of words, or a dict.
            limit: bytes of numbers. What does not fit is left out, gradients first, and says so where it is looked at.

        Returns:
            What was written, and what was left out.

        Raises:
            UserError: the file cannot be written.
        """
        # What a page says of the inputs is known above this part, which is found by its name when it is needed.
        kept: Saved = import_module("lmviz.attach.kept").save_trace(self, path, tokenizer, limit)
        return kept

    def __reduce__(self) -> Any:
        raise pickle.PicklingError(
            "A trace holds a model that ran, and can't be pickled: keep it with trace.save(path), and read it with "
            "lmviz.open_trace(path)."
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # nothing in it changes

    def to_html(
        self,
        path: str | os.PathLike[str],
        tokenizer: Any = None,
        *,
        title: str = "",
        lang: str = "en",
        limit: int = 6_000_000,
    ) -> tuple[str, ...]:
        """Write the walk through this recording as one page of HTML: a browser opens it from the disk, and it asks
        nothing of any server. Stages, lines and operations, the source, every number's arithmetic, in all languages.

        The page is drawn by the app's own code, which stands above recordings and is looked up by its name here, as
        `lmviz` looks up its public names: so a trace can be made and read without any of it.

        Args:
            path: the file, in a folder that exists.
            tokenizer: names the ids, as in `lmviz.show`.
            title: what the page is called; default: the class of the model.
            lang: the language that it opens in, "en" or "fr".
            limit: bytes of the file. What has no room is left out, the largest tensors first.

        Returns:
            What is not in the page, in sentences, which it says too.

        Raises:
            UserError: it can't be written there, or the limit is too small.
        """
        write: Callable[..., tuple[str, ...]] = import_module("lmviz.attach.page").trace_page
        return write(self, path, tokenizer, title, lang, limit)

    def inline(
        self,
        tokenizer: Any = None,
        *,
        title: str = "",
        lang: str = "en",
        height: int = 760,
        limit: int = 2_000_000,
    ) -> Any:
        """The same page for a notebook, which shows it below the cell: no server, and nothing else is asked.

        Args:
            height: of the frame, in pixels.
            limit: bytes that it adds to the notebook; the others are those of `to_html`.
        """
        make: Callable[..., Any] = import_module("lmviz.attach.inline").inline_page
        return make(self, tokenizer, title, lang, height, limit)

    @cached_property
    def _by_address(self) -> dict[str, tuple[int, int]]:
        return self.contents.by_address()

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.contents.steps

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self.contents.statements

    @property
    def calls(self) -> tuple[ModuleCall, ...]:
        return self.contents.calls

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.contents.inputs

    @property
    def weights(self) -> Mapping[str, Value]:
        """The weights that the run used, by their path in the model."""
        return self.contents.weights

    @property
    def failure(self) -> Failure | None:
        if self._exception is None:
            return None
        return Failure(self.contents.failed_at, self._exception, self.contents.failed_in)

    @property
    def output(self) -> Any:
        """What the model returned, untouched. Raises what the model raised."""
        if self._exception is not None:
            raise self._exception
        return self._result

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __contains__(self, key: object) -> bool:
        return key in self._by_address

    @overload
    def __getitem__(self, key: int | str) -> Step: ...

    @overload
    def __getitem__(self, key: slice) -> tuple[Step, ...]: ...

    def __getitem__(self, key: int | str | slice) -> Step | tuple[Step, ...]:
        if not isinstance(key, str):
            return item(self.steps, key)
        if key not in self._by_address:
            near = ", ".join(self.find(key.rsplit(".", 1)[-1])[:5])
            raise KeyError(
                f"no step has the address {key!r}; trace.find() lists the addresses{near and f' ({near}, …)'}."
            )
        return self.steps[self._by_address[key][0]]

    def find(self, text: str = "") -> list[str]:
        """The addresses that contain `text`, in the order of the run."""
        return [step.address for step in self.steps if text in step.address]

    def origin(self, address: str) -> tuple[int, ...] | None:
        """Where the recorder met the value with this address, for edits; None if there is none."""
        step, output = self._by_address.get(address, (-1, 0))
        return None if step < 0 else (*self.contents.origins[step], output)

    def value(self, address: str) -> Value | None:
        """The value that an address names: an output of a step, a weight or an input; None if there is none."""
        if address in self.weights:
            return self.weights[address]
        for value in self.inputs:
            if value.address == address:
                return value
        step, output = self._by_address.get(address, (-1, 0))
        return self.steps[step].outputs[output] if step >= 0 and self.steps[step].outputs else None
