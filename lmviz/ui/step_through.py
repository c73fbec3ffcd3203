"""The step-through page: the row of choices on top, the debugger below, the tools behind a button."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from lmviz.errors import UserError
from lmviz.ui import shell, state
from lmviz.ui.state import View
from lmviz.ui.text import error_text, text, visible

if TYPE_CHECKING:
    from lmviz.walk.cursor import Cursor
    from lmviz.workbench import Run, Workbench


def page(view: View) -> None:
    """The whole page. The shell is painted before torch is imported."""
    top = st.container(horizontal=True, vertical_alignment="center", key="top")
    body = st.container(key="body")
    with body, st.spinner(text(view.lang, "top.loading")):
        bench = workbench()
    with top:
        _choices(bench, view)
    with body:
        _body(bench, view)


@st.cache_resource(show_spinner=False)
def workbench() -> Workbench:
    """The models and runs that all sessions share."""
    from lmviz.workbench import Workbench

    bench = Workbench()
    shell.freeze_imports()
    return bench


def _choices(bench: Workbench, view: View) -> None:
    """Model, prompt, language, presenting. Widgets mirror the view; changing one changes the view."""
    models = bench.models()
    st.session_state["model"] = view.model if view.model in models else models[0]
    st.selectbox(
        text(view.lang, "top.model"),
        models,
        key="model",
        label_visibility="collapsed",
        width=170,
        on_change=lambda: _go(model=st.session_state["model"], prompt=None, focus=-1, head=0, cell=None, trail=()),
    )
    st.session_state["prompt"] = _prompt(bench, view)
    st.text_input(
        text(view.lang, "top.prompt"),
        key="prompt",
        label_visibility="collapsed",
        placeholder=text(view.lang, "top.prompt_placeholder"),
        max_chars=4000,
        on_change=lambda: _go(prompt=st.session_state["prompt"], focus=-1),
    )
    shell.language_choice()
    st.session_state["present"] = view.present
    st.toggle(
        text(view.lang, "top.present"),
        key="present",
        help=text(view.lang, "top.present_help"),
        on_change=lambda: _go(present=st.session_state["present"]),
    )


def _go(**changes: Any) -> None:
    state.update(**changes)
    state.write()


def _prompt(bench: Workbench, view: View) -> str:
    if view.prompt is not None:
        return view.prompt
    try:
        return bench.first_prompt(view.model)
    except UserError:
        return ""


def _body(bench: Workbench, view: View) -> None:
    if parts := state.notes():
        st.info(text(view.lang, "note.link", parts=", ".join(parts)))
    try:
        run = bench.run(_request(bench, view))
    except UserError as error:
        st.error(error_text(view.lang, error))
        return
    for sentence, details in run.said:
        shown = {name: visible(value) if isinstance(value, str) else value for name, value in details.items()}
        st.caption(error_text(view.lang, UserError(sentence, **shown)))
    if run.trace.failure is not None:
        st.error(text(view.lang, "note.failed", error=str(run.trace.failure)))
    _debugger(bench)


def _request(bench: Workbench, view: View) -> Any:
    from lmviz.workbench import Edit, Request

    edits = tuple(
        Edit(address, cell, value) if len(cell) != 1 else Edit(address, None, head=cell[0])
        for address, cell, value in view.edits
    )
    return Request(view.model, _prompt(bench, view), view.target, view.temperature, edits, view.grad)


@st.fragment
def _debugger(bench: Workbench) -> None:
    """The debugger. A step runs this function alone."""
    from lmviz.ui import debugger
    from lmviz.ui.debugger.scene import scene

    view = state.view()
    run = bench.run(_request(bench, view))
    cursor = place(run, view)
    windows = state.remember("windows", {})
    drawn = scene(bench, run, view, cursor, windows)
    drawn["seq"] = state.remember("seq", 0)
    drawn["bar"] |= {"breakpoints": False, "stopped": False}
    debugger.show(drawn, lambda event: on_event(bench, event))
    state.write()


def place(run: Run, view: View) -> Cursor:
    """The place that a view names; the beginning if this run has no such place."""
    from lmviz.walk.cursor import Cursor

    if not view.step or view.step not in run.trace:
        stage = next((s.index for s in run.walk.stages if s.kind == view.step), 0)
        return Cursor("stage", stage)
    return run.walk.at(run.trace[view.step].index, view.by)  # type: ignore[arg-type]


def on_event(bench: Workbench, event: dict[str, Any]) -> None:
    """Change the view as a click or a key in the debugger asks."""
    view = state.view()
    state.keep("seq", state.remember("seq", 0) + 1)
    run = bench.run(_request(bench, view))
    handle = _EVENTS.get(str(event.get("type")))
    if handle is None:
        return
    try:
        changed = handle(run, view, event)
    except (KeyError, ValueError, TypeError, IndexError):
        return  # an event about a run that is no longer shown
    state.update(**{name: getattr(changed, name) for name in vars(changed)})


def _stand(run: Run, view: View, cursor: Cursor) -> View:
    step = run.walk.step(cursor)
    return replace(view, step=step.address if step else "", by=cursor.grain)


def _move(run: Run, view: View, event: dict[str, Any]) -> View:
    cursor = place(run, view)
    for _ in range(min(int(event.get("times", 1)), 200)):
        cursor = run.walk.move(cursor, event["move"])
    return _stand(run, view, cursor)


def _grain(run: Run, view: View, event: dict[str, Any]) -> View:
    from lmviz.walk.cursor import Cursor

    grain = event["grain"]
    cursor = place(run, view)
    step = run.walk.span(cursor)[1]
    return _stand(run, view, run.walk.at(max(step, 0), grain) if grain != "stage" or step >= 0 else Cursor())


def _stage(run: Run, view: View, event: dict[str, Any]) -> View:
    from lmviz.walk.cursor import Cursor

    return _stand(run, view, Cursor("stage", min(int(event["index"]), len(run.walk.stages) - 1)))


def _call(run: Run, view: View, event: dict[str, Any]) -> View:
    return _stand(run, view, run.walk.at(int(event["last"]), "line"))


def _focus(run: Run, view: View, event: dict[str, Any]) -> View:
    return replace(view, focus=int(event["pos"]))


def _head(run: Run, view: View, event: dict[str, Any]) -> View:
    return replace(view, head=int(event["head"]))


def _pin(run: Run, view: View, event: dict[str, Any]) -> View:
    return replace(view, cell=_checked(run, event), trail=())


def _unpin(run: Run, view: View, event: dict[str, Any]) -> View:
    return replace(view, cell=None, trail=())


def _walk(run: Run, view: View, event: dict[str, Any]) -> View:
    """Follow an operand to where it was made: a step's result, or a weight beside the step that uses it."""
    cell = _checked(run, event)
    trail = (*view.trail, view.cell) if view.cell is not None else view.trail
    view = replace(view, cell=cell, trail=trail[-50:])
    if cell[0] in run.trace:
        grain = "stage" if _shown_by_stage(run, cell[0]) else "op"
        return _stand(run, view, run.walk.at(run.trace[cell[0]].index, grain))  # type: ignore[arg-type]
    user = next((s for s in run.trace if any(value.address == cell[0] for value in s.inputs)), None)
    asked = run.trace[view.trail[-1][0]] if view.trail and view.trail[-1][0] in run.trace else None
    user = asked if asked is not None and any(v.address == cell[0] for v in asked.inputs) else user
    return _stand(run, view, run.walk.at(user.index, "op")) if user is not None else view


def _shown_by_stage(run: Run, address: str) -> bool:
    from lmviz.walk.panels import panels_at

    cursor = run.walk.at(run.trace[address].index, "stage")
    return any(panel.value.address == address and panel.is_result for panel in panels_at(run.walk, cursor))


def _trail(run: Run, view: View, event: dict[str, Any]) -> View:
    index = int(event["index"])
    cell, rest = view.trail[index], view.trail[:index]
    back = replace(view, cell=cell, trail=rest)
    if cell[0] not in run.trace:
        return back
    grain = "stage" if _shown_by_stage(run, cell[0]) else "op"
    return _stand(run, back, run.walk.at(run.trace[cell[0]].index, grain))  # type: ignore[arg-type]


def _window(run: Run, view: View, event: dict[str, Any]) -> View:
    windows = dict(state.remember("windows", {}))
    windows[str(event["address"])] = (int(event["row"]), int(event["col"]))
    state.keep("windows", windows)
    return view


def _checked(run: Run, event: dict[str, Any]) -> tuple[str, tuple[int, ...]]:
    """The cell that an event names, if this run has it."""
    address, cell = str(event["address"]), tuple(int(i) for i in event["cell"])
    value = run.trace.value(address)
    if value is None or len(cell) != len(value.shape) or not all(0 <= i < n for i, n in zip(cell, value.shape, strict=True)):
        raise KeyError(address)
    return address, cell


_EVENTS = {
    "move": _move,
    "grain": _grain,
    "stage": _stage,
    "call": _call,
    "focus": _focus,
    "head": _head,
    "pin": _pin,
    "unpin": _unpin,
    "walk": _walk,
    "trail": _trail,
    "window": _window,
}
