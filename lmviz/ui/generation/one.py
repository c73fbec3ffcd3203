"""One text, token by token: what is written, the step that is looked at, and why it ended as it did."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from lmviz.errors import UserError
from lmviz.generate.generation import Generation, Writing
from lmviz.generate.settings import notes
from lmviz.generate.token_step import TokenStep
from lmviz.model.checkpoint import Checkpoint
from lmviz.services.services import Services
from lmviz.ui import drawing, pieces, shell, state, widgets
from lmviz.ui.course import bar
from lmviz.ui.generation import cache, table
from lmviz.ui.generation.pictures_types import Shown
from lmviz.ui.generation.token import at_step, worked_out
from lmviz.ui.generation.view import COLUMNS, SHOWN, GenerationView
from lmviz.ui.move_buttons import presenter_keys
from lmviz.ui.pieces import Piece
from lmviz.ui.text import code, visible

EVERY = 0.7  # seconds from token to token while it runs
TOP = 5  # rows, if not all are wanted


def stepping(services: Services, view: GenerationView) -> None:
    """The part of the page that a step redraws; while it runs, it redraws itself."""
    running = state.remember("generation.running", False)
    st.fragment(_step, run_every=EVERY if running else None)(services, running)


def _step(services: Services, running: bool) -> None:
    if state.remember("generation.running", False) != running:
        st.rerun()  # the fragment's clock starts or stops
    view = state.view(GenerationView)
    try:
        checkpoint = services.generation.writer(view.model, view.weights)
        with_cache = view.cache and services.generation.offers_cache(checkpoint)
        settings = view.settings(checkpoint)
        writing = services.generation.writing(checkpoint, view.first(checkpoint), settings, view.text, with_cache)
        if running:
            view = _tick(view, writing)
        with st.spinner(view.t("replay.making")):
            writing.step(view.n)
        _draw(view, checkpoint, writing)
    except UserError as error:
        st.error(view.t.error(error))
    bar.follow()


def _tick(view: GenerationView, writing: Writing) -> GenerationView:
    """One token further, until there is no other."""
    if writing.first(view.n).ended:
        _run(False)
        st.rerun()
    _to(len(writing.first(view.n).steps) + 1)
    return state.view(GenerationView)


def _run(on: bool) -> None:
    state.keep("generation.running", on)


def _draw(view: GenerationView, checkpoint: Checkpoint, writing: Writing) -> None:
    generation = writing.first(view.n)
    n = len(generation.steps)
    at = min(view.at, n) if view.at >= 0 else max(0, n - 1)
    step = writing.step(at) or generation.steps[-1]
    coming = step.index >= n
    _text(view, checkpoint, generation, step)
    row = st.container(horizontal=True, vertical_alignment="center", key="generation_buttons")
    with row:
        _buttons(view, generation)
        find = _rows(view, step)
    if view.cache:
        cache.compared(view, checkpoint, writing, step)
    left, right = st.container(key="generation_step").columns([2.3, 1], gap="medium")
    with left:
        start = state.remember("generation.start", 0)
        shown: Shown = "shares" if view.shown == "shares" else "scores"
        look = table.TableOptions(view.t, coming, start, find, view.token, view.column, shown, view.top)
        content = table.picture(step, checkpoint.tokenizer, look)
        drawing.show("generation/step", content, view.t, "generation.step", _clicked)
    with right:
        _words(view, checkpoint, generation, step, coming)


def _rows(view: GenerationView, step: TokenStep) -> str:
    """What the table shows: scores or shares, all tokens or the first few, or those with a text in them."""
    t = view.t
    widgets.segmented_control(
        t("generation.shown"),
        SHOWN,
        format_func=lambda name: t(f"generation.shown.{name}"),
        required=True,
        label_visibility="collapsed",
        **state.bound("shown"),
    )
    widgets.segmented_control(
        t("generation.top"),
        list(dict.fromkeys((0, view.top or TOP))),
        format_func=lambda n: t(f"generation.top.{'first' if n else 'all'}", n=n),
        required=True,
        label_visibility="collapsed",
        **state.bound("top"),
    )
    if len(step.logits) <= table.ROWS or view.top:
        return ""
    found: str = st.text_input(
        t("generation.find"),
        key="generation.find",
        placeholder=t("generation.find"),
        label_visibility="collapsed",
        icon=":material/search:",
        max_chars=40,
        width=widgets.px(170),
    )
    return found


def _clicked(event: drawing.Event) -> None:
    column = event.get("column", "")
    if event.get("type") == "row" and isinstance(event.get("id"), int) and column in ("", *COLUMNS):
        view, token = state.view(GenerationView), event["id"]
        again = (view.token, view.column) == (token, column)
        state.go(token=None if again else token, column="" if again else column)
    elif event.get("type") == "page" and isinstance(event.get("start"), int):
        state.keep("generation.start", max(0, event["start"]))


def _text(view: GenerationView, checkpoint: Checkpoint, generation: Generation, step: TokenStep) -> None:
    """The text so far. Every new token opens its step; the box at the end opens the one to come."""
    shown = [*_prompt_pieces(checkpoint, generation, step), *_new(view, checkpoint, generation, step)]
    if not generation.ended:
        shown.append(Piece("?", view.t("generation.coming"), ("coming",), key=len(generation.steps)))
    pieces.show(shown, view.t, "generation.text", _open, step.index, height=130, roomy=True)


def _prompt_pieces(checkpoint: Checkpoint, generation: Generation, step: TokenStep) -> Iterator[Piece]:
    """The prompt's tokens; those that this step no longer reads are cut."""
    for pos, id in enumerate(generation.prompt):
        piece = checkpoint.tokenizer.piece(id)
        yield Piece(piece, "✂", ("given", "gone")) if pos < step.n_cut else Piece(piece, "", ("given",))


def _new(view: GenerationView, checkpoint: Checkpoint, generation: Generation, step: TokenStep) -> Iterator[Piece]:
    """The tokens that were written, the more coloured the likelier they were."""
    for each in generation.steps:
        if each.chosen is not None:
            is_gone = len(generation.prompt) + each.index < step.n_cut
            marks = ("new", "gone") if is_gone else ("new", "later") if each.index > step.index else ("new",)
            percent = table.percent(each.share, view.t)
            yield Piece(checkpoint.tokenizer.piece(each.chosen), percent, marks, share=each.share, key=each.index)


def _open(index: int) -> None:
    _run(False)
    state.go(at=index, token=None)


def _buttons(view: GenerationView, generation: Generation) -> None:
    n, running = len(generation.steps), state.remember("generation.running", False)

    def _go(by: int) -> None:
        """So many tokens on from where one is: a second press may come before the first is answered."""
        now = state.view(GenerationView).n
        _to(max(0, (n if now == view.n else now) + by))

    _button(view, "first", ":material/first_page:", n == 0, lambda: _to(0), "Home")
    _button(view, "back", ":material/chevron_left:", n == 0, lambda: _go(-1), "Left")
    ended = bool(generation.ended)
    st.button(
        view.t("generation.next"),
        key="generation.next",
        type="primary",
        icon=":material/casino:" if generation.settings.draws else ":material/chevron_right:",
        disabled=ended or running,
        shortcut="Right",
        on_click=lambda: _go(1),
    )
    if running:
        _button(view, "stop", ":material/stop:", False, lambda: _run(False), None)
    else:
        _button(view, "run", ":material/play_arrow:", ended, lambda: _run(True), None)
    _button(view, "end", ":material/last_page:", ended, lambda: _to(state.view(GenerationView).length), "End")
    _button(view, "again", ":material/replay:", n == 0, _again, None)
    forward = None if ended or running else lambda: _go(1)
    presenter_keys("generation", forward, (lambda: _go(-1)) if n else None)


def _to(n: int) -> None:
    """So many tokens, the last of them in sight."""
    state.go(n=n, at=-1, token=None)


def _again() -> None:
    """The same text once more from its beginning: the same seed, so the same tokens."""
    _to(0)
    _run(True)


def _button(view: GenerationView, name: str, icon: str, disabled: bool, act: object, shortcut: str | None) -> None:
    st.button(
        view.t(f"generation.{name}"),
        key=f"generation.{name}",
        icon=icon,
        disabled=disabled,
        shortcut=shortcut,
        on_click=act,  # type: ignore[arg-type]
    )


def _words(view: GenerationView, checkpoint: Checkpoint, generation: Generation, step: TokenStep, coming: bool) -> None:
    """What was asked for; what happened, in sentences with this step's numbers; how to go on."""
    t = view.t
    asked = view.token if view.token is not None and view.token < len(step.logits) else None
    if asked is not None:
        worked_out(view, checkpoint, step, asked)
    if coming:
        st.markdown(f"**{t('generation.title.coming', n=step.index + 1)}**")
        st.markdown(t(f"generation.hint.{'draw' if step.settings.draws else 'greedy'}"))
    elif step.chosen is None:
        st.warning(t("generation.ended.nothing"))
    else:
        _chosen(view, checkpoint, step, step.chosen)
    if view.weights == "trained" and (coming or step.chosen is not None):
        _why(view, checkpoint, step)
    if asked is None:
        _reasons(view, step)
    _notes(view, generation, step)


def _chosen(view: GenerationView, checkpoint: Checkpoint, step: TokenStep, id: int) -> None:
    """Which token it was, and how it was chosen."""
    t = view.t
    token = code(visible(checkpoint.tokenizer.piece(id)))
    st.markdown(f"**{t('generation.title.chosen', n=step.index + 1, token=token)}**")
    draw = step.draw()
    if draw is not None:
        st.markdown(table.share_of(draw, t, checkpoint.tokenizer))
        place = {"seed": step.settings.seed, "text": step.sequence + 1, "n": step.index + 1}
        st.caption(t("generation.drawn_from", **place))
    else:
        st.markdown(t("generation.greedy", token=token, share=table.percent(step.share, t)))


def _why(view: GenerationView, checkpoint: Checkpoint, step: TokenStep) -> None:
    """The door to the step-through, where this step's distribution is made."""
    place = at_step(view, checkpoint, step, "probabilities")
    shell.link(view.t("generation.why"), place)
    if checkpoint.tokenizer.encode(place.prompt or "").ids != step.read:
        st.caption(view.t("generation.why_other"))


def _notes(view: GenerationView, generation: Generation, step: TokenStep) -> None:
    """What slid out of the context, what the settings don't do, why the text ends, and which of several it is."""
    t = view.t
    if step.n_cut:
        st.caption(t("generation.slid", n=step.n_cut, n_ctx=len(step.read)))
    for note in notes(generation.settings, len(step.logits)):
        st.caption(f":orange-badge[!] {table.note_text(note, t)}")
    if generation.ended in ("stop", "repeats", "length") and step.index == len(generation.steps) - 1:
        st.caption(t(f"generation.ended.{generation.ended}", n=len(generation.steps)))
    if view.text:
        st.caption(t("generation.which_text", n=view.text + 1))
        st.button(t("generation.first_text"), key="generation.first_text", on_click=_first_text)


def _first_text() -> None:
    state.go(text=0, at=-1, token=None)


def _reasons(view: GenerationView, step: TokenStep) -> None:
    """What each filter cut, and why."""
    t = view.t
    columns = step.columns()
    n = columns[-1].n_kept
    if step.settings.draws:
        st.markdown(t("generation.left", n=t.integer(n), total=t.integer(len(step.logits))))
    for column in columns:
        if column.why is not None:
            title = t(f"generation.column.{column.name}")
            st.markdown(f"**{title}** · {table.note_text(column.why, t)}")
    st.caption(t("generation.token.hint"))
