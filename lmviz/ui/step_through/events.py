"""What a click or a key in the debugger does to the view. Each event is a function from run and view to a new view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lmviz.errors import UserError
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.notes import PROMPT_LIMIT
from lmviz.registry.recording import Recording
from lmviz.stages.breakpoints import Breakpoint, cell_of, next_stop
from lmviz.stages.navigation import Grain, Location
from lmviz.stages.panels import panels_at
from lmviz.ui import state
from lmviz.ui.pictures import lead_of
from lmviz.ui.step_through import ahead, stops
from lmviz.ui.step_through.view import StepThroughView

Event = dict[str, Any]
Pinned = tuple[str, tuple[int, ...]]  # a tensor's address and an index into it
TRAIL, EDITS, WATCHES, STOPS = 50, 50, 8, 20  # how many of each are kept
_MOST_MOVES = 200  # that one event can ask for
ENDING = "ending"  # that somebody at the end has asked what now
LARGEST = {"float64": 1e300, "float32": 3e38, "float16": 6e4, "bfloat16": 3e38}  # what an edit can put in


def place(run: Recording, view: StepThroughView) -> Location:
    """The place that a view names; the beginning if this run has no such place."""
    if view.step in run.trace and view.step:
        grain: Grain = view.grain  # type: ignore[assignment]
        return run.navigator.at(run.trace[view.step].index, grain, max(view.line, 0))
    return Location("stage", next((stage.index for stage in run.navigator.stages if stage.kind == view.step), 0))


def on_event(run: Recording, event: Event) -> None:
    """Change the view as an event asks, once: the browser sends it again where no answer comes.

    An event about a run that is no longer shown changes nothing.
    """
    ahead.told(event)
    state.keep("seq", state.remember("seq", 0) + _times(event))  # what is drawn next is another answer, and so is drawn
    message = event.get("message")
    if message and message == state.remember("message", None):
        return
    state.keep("message", message)
    handle = EVENTS.get(str(event.get("type")))
    if handle is not None:
        try:
            before = state.view(StepThroughView)
            after = handle(run, before, event)
            state.replace_view(after)
            if not _chooses_grain(event) and (grain := place(run, after).grain) != place(run, before).grain:
                state.keep("regrained", grain)
            state.keep("whole", event["type"] in _FOR_ALL)
        except (KeyError, ValueError, TypeError, IndexError, UserError):
            return


def _chooses_grain(event: Event) -> bool:
    """Whether somebody asks to step by something else, or clicks a stage on the map."""
    return event["type"] in ("grain", "stage") or event.get("move") in ("into", "out")


def _times(event: Event) -> int:
    times = event.get("times", 1)
    return max(1, min(times, _MOST_MOVES)) if isinstance(times, int) else 1


def at(run: Recording, view: StepThroughView, location: Location) -> StepThroughView:
    """The view at another place."""
    step = run.navigator.step(location)
    line = run.navigator.outwards(location) if location.grain == "line" else -1
    return replace(view, step=step.address if step else "", by=location.grain, line=line)


# -- moving ----------------------------------------------------------------------------------------------------------


def _move(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    location = place(run, view)
    if event.get("play") and (found := next_stop(run.navigator, location, tuple(map(Breakpoint.parse, view.stops)))):
        onward = run.navigator.span(run.navigator.move(location, "over"))[1]
        if found[0].index <= onward:
            return _run_to_breakpoint(run, view, event)
    for _ in range(_times(event)):
        location = run.navigator.move(location, event["move"])
    return at(run, view, location)


def _grain(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    step = run.navigator.span(place(run, view))[1]
    if step < 0 and event["grain"] == "stage":
        return at(run, view, Location())
    return at(run, view, run.navigator.at(max(step, 0), event["grain"]))


def _stage(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return at(run, view, Location("stage", range(len(run.navigator.stages))[int(event["index"])]))


def _call(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return at(run, view, run.navigator.at(range(len(run.trace))[int(event["last"])], "line"))


def _run_to_breakpoint(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """Run to the next breakpoint; stay if there is none ahead."""
    found = next_stop(run.navigator, place(run, view), tuple(map(Breakpoint.parse, view.stops)))
    if found is None:
        state.keep("stopped", view.t("stops.none"))
        return view
    location, stop = found
    state.keep("stopped", f"● {stops.named(stop, view.t)}")
    seen = cell_of(run.trace[location.index], stop)
    if stop.kind in ("line", "stage"):
        location = run.navigator.at(location.index, stop.kind)
    return at(run, view if seen is None else _shown(run, view, seen), location)


def _shown(run: Recording, view: StepThroughView, pinned: Pinned, trail: tuple[Pinned, ...] = ()) -> StepThroughView:
    """The view with a cell pinned that nobody has clicked: its head, and the part that it is in, are in the picture."""
    windows = state.remember("windows", {})
    state.keep("windows", {address: at for address, at in windows.items() if address != pinned[0]})
    return replace(view, cell=pinned, trail=trail, head=_head_of(run, view, pinned))


def _head_of(run: Recording, view: StepThroughView, pinned: Pinned) -> int:
    """The head whose picture has a cell in it: the chosen one, if it is in that."""
    value, n_heads = run.trace.value(pinned[0]), run.config.n_heads
    if value is None:
        return view.head
    heads = (view.head, *range(max((n_heads, *value.shape))))
    leads = (lead_of(value.shape, value.axes, head, run.row, n_heads) for head in heads)
    return next((head for head, lead in zip(heads, leads, strict=True) if lead == pinned[1][:-2]), view.head)


def _stop(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """Set a breakpoint, or remove it."""
    stop = str(Breakpoint.parse(str(event["stop"])))
    return replace(view, stops=_toggled(view.stops, stop)[-STOPS:])


def _focus(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, focus=range(len(run.tokens))[int(event["pos"])])


def _head(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, head=max(0, int(event["head"])))


def _window(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    windows = dict(state.remember("windows", {}))
    windows[str(event["address"])] = (max(0, int(event["row"])), max(0, int(event["col"])))
    state.keep("windows", windows)
    return view


# -- asking ----------------------------------------------------------------------------------------------------------


def _pin(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    cell = _cell(run, event)
    return replace(view, cell=cell, trail=(), head=_head_of(run, view, cell))


def _unpin(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, cell=None, trail=())


def _follow(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """Follow an operand to where it was made: a step's result, or a weight beside the step that uses it."""
    cell = _cell(run, event)
    trail = (*view.trail, view.cell) if view.cell is not None else view.trail
    return _go_to(run, _shown(run, view, cell, trail[-TRAIL:]), cell[0])


def _trail(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    index = range(len(view.trail))[int(event["index"])]
    cell = view.trail[index]
    return _go_to(run, _shown(run, view, cell, view.trail[:index]), cell[0])


def _go_to(run: Recording, view: StepThroughView, address: str) -> StepThroughView:
    """Stand where a tensor can be seen."""
    shown = panels_at(run.navigator, place(run, view))
    if any(panel.value.address == address for panel in shown):
        return view
    if address in run.trace:
        step = run.trace[address].index
        stage = run.navigator.at(step, "stage")
        in_stage = any(panel.value.address == address and panel.is_result for panel in panels_at(run.navigator, stage))
        stays = stage == place(run, view)  # a number on the way to what is shown: its arithmetic is beside the picture
        return at(run, view, stage if in_stage or stays else Location("op", step))
    asked = run.trace[view.trail[-1][0]] if view.trail and view.trail[-1][0] in run.trace else None
    users = [step for step in run.trace if any(value.address == address for value in step.inputs)]
    user = asked if asked in users else next(iter(users), None)
    return at(run, view, Location("op", user.index)) if user is not None else view


def _watch(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, watch=_toggled(view.watch, _cell(run, event))[-WATCHES:])


def _search(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    state.keep("search", None if event["text"] is None else str(event["text"]))
    return view


def _go(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """Stand at a step, by its address."""
    state.keep("search", None)
    return _go_to(run, replace(view, cell=None, trail=()), run.trace[str(event["address"])].address)


def _grad(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, grad=bool(event["grad"]))


# -- changing --------------------------------------------------------------------------------------------------------


def _edit(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """Another number in the place of one; a second edit of the same cell takes the place of the first."""
    address, cell = _cell(run, event)
    largest = LARGEST.get(getattr(run.trace.value(address), "dtype", ""), 0.0)
    if not abs(float(event["value"])) <= largest:
        raise ValueError(event["value"])
    new = CellEdit(address, cell, float(event["value"]))
    others = (
        one for one in view.edits if not (isinstance(one, CellEdit) and (one.address, one.cell) == (address, cell))
    )
    return replace(view, edits=(*others, new)[-EDITS:])


def _head_off(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    address, head = str(event["address"]), int(event["head"])
    value = run.trace.value(address)
    if value is None or "head" not in value.axes or not 0 <= head < value.shape[value.axes.index("head")]:
        raise KeyError(address)
    return replace(view, edits=_toggled(view.edits, HeadOff(address, head)))


def _undo(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    index = range(len(view.edits))[int(event["index"])]
    return replace(view, edits=view.edits[:index] + view.edits[index + 1 :])


def _reset(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, edits=(), b_plain=False)


def _compare_off(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, b_model=None, b_prompt="", b_plain=False)


def _end(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """What now? asked at the end of the walk."""
    state.keep(ENDING, True)
    return view


def _append(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    """The text with one token more: what a model that writes does."""
    tokenizer = run.checkpoint.tokenizer
    ids = [*tokenizer.encode(run.request.prompt).ids, range(run.config.d_vocab)[int(event["id"])]]
    return replace(view, prompt=tokenizer.decode(ids)[:PROMPT_LIMIT], focus=-1, cell=None, trail=(), target="")


def _temperature(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, temperature=min(10.0, max(0.01, float(event["temperature"]))))


def _target(run: Recording, view: StepThroughView, event: Event) -> StepThroughView:
    return replace(view, target=str(event["target"])[:60])


def _toggled(things: tuple[Any, ...], thing: Any) -> tuple[Any, ...]:
    return tuple(one for one in things if one != thing) if thing in things else (*things, thing)


def _cell(run: Recording, event: Event) -> Pinned:
    """The cell that an event names, if this run has it."""
    address, cell = str(event["address"]), tuple(int(i) for i in event["cell"])
    if not run.has(address, cell):
        raise KeyError(address)
    return address, cell


# what the rest of the page shows too
_FOR_ALL = frozenset(("edit", "head_off", "undo", "reset", "stop", "compare_off", "append", "end"))
EVENTS: dict[str, Callable[[Recording, StepThroughView, Event], StepThroughView]] = {
    "move": _move,
    "grain": _grain,
    "stage": _stage,
    "call": _call,
    "run": _run_to_breakpoint,
    "stop": _stop,
    "focus": _focus,
    "head": _head,
    "window": _window,
    "pin": _pin,
    "unpin": _unpin,
    "walk": _follow,
    "trail": _trail,
    "watch": _watch,
    "search": _search,
    "go": _go,
    "grad": _grad,
    "edit": _edit,
    "head_off": _head_off,
    "undo": _undo,
    "reset": _reset,
    "compare_off": _compare_off,
    "append": _append,
    "end": _end,
    "temperature": _temperature,
    "target": _target,
}
