"""Where each torch call stands: the tree of module calls, runs of statements, and expressions.

A call belongs to the innermost function whose source is shown. It may have been made by helpers further in, whose
source is not; what they do counts to the expression that called them.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from lmviz.trace.capture.raw import Activation, RawCall, RawStep
from lmviz.trace.source.model_index import ModelIndex
from lmviz.trace.source.sites import Site, SourceSpan, site

_PART_OF_A_STATEMENT = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"))
_TORCH_PLUMBING = ("torch/overrides.py", "torch/nn/functional.py", "torch/_tensor.py", "torch/functional.py")
_NOWHERE = SourceSpan("", "", (0, 0), (0, 0))


@dataclass(slots=True, eq=False)
class ShownCall:
    """A call of a module that has a source of its own to step through, or has such calls inside."""

    path: str
    module: nn.Module | None
    above: int | None  # index of the call around it
    made_by: StatementRun | None
    first: int = -1
    last: int = -1


@dataclass(slots=True, eq=False)
class StatementRun:
    """One run of one statement."""

    index: int
    span: SourceSpan
    call: int  # index of its module call
    parent: StatementRun | None  # the statement that called the function that this one is in
    lasti: int  # the instruction that it has come to, and the function that it has called from there
    called: Activation | None
    first: int = -1
    last: int = -1


@dataclass(slots=True, eq=False)
class Expression:
    """One evaluation of one expression: all the torch calls that it made, in functions that are not shown too."""

    site: Site
    run: StatementRun
    call: RawCall  # the module call whose source it is in
    inside: RawCall | None  # the call of a module that it made
    parent: Expression | None  # the expression that called the function that this one is in
    lasti: int
    called: Activation | None
    in_torch: bool  # whether its source is torch's own
    last: RawStep | None = None  # the last call that it, or what it called, has made


@dataclass(slots=True, frozen=True)
class _View:
    """Where an activation is seen: in the innermost shown function, at an instruction (None: its own current one)."""

    activation: Activation
    lasti: int | None = None
    called: Activation | None = None  # what that function has called on the way here


class Places:
    """Finds the places of steps, which must come in the order of the run."""

    def __init__(self, model_index: ModelIndex) -> None:
        self._model_index = model_index
        self.prefix = ""  # of the recording that is being placed
        self.runs: list[StatementRun] = []
        self.calls: list[ShownCall] = []
        self._views: dict[Activation, _View | None] = {}
        self._running: dict[Activation, StatementRun] = {}
        self._evaluated: dict[Activation, Expression] = {}
        self._callers: dict[Activation, Expression | None] = {}
        self._numbers: dict[RawCall, int] = {}
        self._passes: dict[tuple[StatementRun, int], list[Expression]] = {}

    def place(self, step: RawStep) -> Expression:
        view = self._view(step.activation) or _least(step.activation)
        lasti = step.lasti if view.lasti is None else view.lasti
        expression = self._expression(view.activation, lasti, view.called)
        around: Expression | None = expression
        while around is not None:
            around.last = step
            around = around.parent
        return expression

    def _view(self, activation: Activation) -> _View | None:
        """How an activation is seen; None if nothing above it is shown."""
        if activation not in self._views:
            up, view = activation.up, None
            if self._model_index.shows(activation.code):
                view = _View(activation)
            elif up is not None and (above := self._view(up)) is not None:
                view = above if above.lasti is not None else _View(up, activation.lasti, activation)
            self._views[activation] = view
        return self._views[activation]

    def _caller(self, activation: Activation) -> Expression | None:
        """The shown expression that called a function; the same one as long as that runs."""
        if activation not in self._callers:
            up = activation.up
            above = None if up is None else self._view(up)
            if up is None or above is None:
                self._callers[activation] = None
            elif above.lasti is None:
                self._callers[activation] = self._expression(up, activation.lasti, activation)
            else:
                self._callers[activation] = self._expression(above.activation, above.lasti, above.called)
        return self._callers[activation]

    def _expression(self, activation: Activation, lasti: int, called: Activation | None) -> Expression:
        """The evaluation in progress that an instruction belongs to, or a new one."""
        here = Site(_NOWHERE, _NOWHERE) if activation.up is None else site(activation.code, lasti)
        run = self._run(activation, lasti, called, here)
        old = self._evaluated.get(activation)
        if (
            old is not None
            and old.run is run
            and old.lasti == lasti
            and (here.repeats or (called and old.called is called))
        ):
            return old
        caller = self._caller(activation)
        inside = None if called is None or called.call is activation.call else called.call
        in_torch = self._model_index.is_torch(activation.code)
        new = Expression(here, run, activation.call, inside, caller, lasti, called, in_torch)
        self._evaluated[activation] = new
        if here.passes:
            loop = caller.run if caller is not None and activation.code.co_name == "<lambda>" else run
            self._passes.setdefault((loop, lasti), []).append(new)
        return new

    def name_passes(self) -> None:
        """Once all is placed: what each pass of a loop is unpacked to, where there was a call in every pass."""
        for passes in self._passes.values():
            if len(passes) == len(passes[0].site.passes):
                for number, expression in enumerate(passes):
                    expression.site = expression.site.in_pass(number)
        self._passes.clear()

    def _run(self, activation: Activation, lasti: int, called: Activation | None, here: Site) -> StatementRun:
        """The run of a statement that an instruction belongs to: the one in progress, or a new one.

        Within a run, instructions only go forward. One that comes again was called by a loop, unless it is still in
        the same function that it has called, or in the loop of a comprehension that has no frame of its own.
        """
        repeats, inlined = here.repeats, here.inlined
        while (
            activation.code.co_name in _PART_OF_A_STATEMENT
            and (up := activation.up)
            and self._model_index.shows(up.code)
        ):
            activation, lasti, called = up, activation.lasti, activation
        run = self._running.get(activation)
        if run is not None and run.span is here.statement:
            again = repeats or (called is not None and run.called is called)
            if lasti > run.lasti or (lasti == run.lasti and again) or inlined:
                run.lasti, run.called = lasti, called
                return run
        caller = self._caller(activation)
        call = self._number(activation.call, caller)
        run = StatementRun(len(self.runs), here.statement, call, caller.run if caller else None, lasti, called)
        self.runs.append(run)
        self._running[activation] = run
        return run

    def _number(self, call: RawCall, caller: Expression | None) -> int:
        """The index of a module call, given the expression that led to it; the calls around it come first."""
        if call not in self._numbers:
            made_by = caller.run if caller is not None and caller.call is call.parent else None
            above = None
            if call.parent is not None:
                above = made_by.call if made_by else self._number(call.parent, caller)
            self._numbers[call] = len(self.calls)
            path = self._model_index.path_of(call.module, self.prefix)
            self.calls.append(ShownCall(path, call.module, above, made_by))
        return self._numbers[call]


def _least(activation: Activation) -> _View:
    """Where nothing is shown: the innermost function that is not torch's way of calling itself."""
    above, lasti = activation, None
    while above.code.co_filename.endswith(_TORCH_PLUMBING) and above.up is not None and above.up.up is not None:
        above, lasti = above.up, above.lasti
    return _View(above, lasti)
