"""The model's turn: what it answers, token by token, each of which opens the step that chose it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import streamlit as st

from lmviz.errors import UserError
from lmviz.generate.generation import Generation, Writing
from lmviz.generate.token_step import TokenStep
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.notes import PROMPT_LIMIT
from lmviz.services.chats import answer_text
from lmviz.services.services import Services
from lmviz.tokens.template import template_json
from lmviz.ui import pieces, shell, state, widgets
from lmviz.ui.chat import reading
from lmviz.ui.chat.view import LONGEST, MESSAGE_LIMIT, MOST_MESSAGES, STRATEGIES, UNWRITTEN, ChatView, Turn, as_messages
from lmviz.ui.generation import table
from lmviz.ui.generation.token import step_place
from lmviz.ui.pieces import Piece
from lmviz.ui.text import code, visible

EVERY = 0.15  # seconds from token to token
RUNNING = "chat.running"
_TARGET_LIMIT = 60  # characters of what came next, as the step-through takes it


@dataclass(frozen=True)
class Answer:
    """An answer as far as it is written."""

    checkpoint: Checkpoint
    writing: Writing
    generation: Generation

    @property
    def text(self) -> str:
        return answer_text(self.checkpoint, self.generation)[:MESSAGE_LIMIT]

    @property
    def is_done(self) -> bool:
        return bool(self.generation.ended) or len(self.text) == MESSAGE_LIMIT


def field(view: ChatView) -> None:
    """Where one speaks to the model."""
    if view.model is None:
        st.caption(view.t("chat.no_model"))
        return
    st.chat_input(
        view.t("chat.say"),
        key="chat.said",
        max_chars=MESSAGE_LIMIT,
        disabled=_is_busy(view) or len(view.turns) >= MOST_MESSAGES - 1,
        on_submit=lambda: _say(st.session_state["chat.said"]),
    )


def controls(services: Services, view: ChatView) -> None:
    """Let the model speak, and how."""
    if view.model is None:
        return
    with st.container(horizontal=True):
        st.button(
            view.t("chat.answer"),
            key="chat.answer",
            type="primary",
            icon=":material/forum:",
            disabled=_is_busy(view) or not _waits(view),
            on_click=lambda: _begin(state.view(ChatView).turns),
        )
        with st.popover(view.t("chat.how"), icon=":material/tune:"), shell.sentences(view.t):
            _knobs(services, view)


def _is_busy(view: ChatView) -> bool:
    """Whether an answer has been begun that is no message yet; one that could not be begun is none."""
    return _is_writing(view) and (view.n > 0 or bool(state.remember(RUNNING, False)))


def _waits(view: ChatView) -> bool:
    """Whether it is the model's turn."""
    return bool(view.turns) and len(view.turns) < MOST_MESSAGES and view.turns[-1][0] != "assistant"


def _knobs(services: Services, view: ChatView) -> None:
    """How the next token is chosen, at first as the model's folder says, and for how long."""
    t = view.t
    assert view.model is not None
    settings = view.settings(services.chats.settings(services.models.checkpoint(view.model)))
    widgets.segmented_control(
        t("generation.strategy"),
        STRATEGIES,
        format_func=lambda name: t(f"generation.strategy.{name}"),
        required=True,
        **state.bound("strategy", settings.strategy, **UNWRITTEN),
    )
    is_greedy = settings.strategy == "greedy"
    temperature = state.bound("temperature", float(settings.temperature), **UNWRITTEN)
    st.number_input(t("generation.temperature"), 0.0, 1000.0, step=0.1, disabled=is_greedy, **temperature)
    seed = state.bound("seed", **UNWRITTEN)
    st.number_input(t("generation.seed"), 0, 2**32 - 1, step=1, disabled=is_greedy, **seed)
    st.number_input(t("generation.length"), 1, LONGEST, step=1, **state.bound("length", **UNWRITTEN))


def _say(said: str) -> None:
    """A message of the user's, which the model then answers; the first one takes the place of the example's."""
    view = state.view(ChatView)
    before = view.turns if view.messages is not None else tuple(turn for turn in view.turns if turn[0] == "system")
    _begin((*before, ("user", said[:MESSAGE_LIMIT], "")))


def _begin(turns: tuple[Turn, ...]) -> None:
    state.keep(RUNNING, True)
    state.go(messages=turns, answer=len(turns), n=0, at=-1)


def below(services: Services, view: ChatView, at: int) -> None:
    """Under an answer whose tokens are looked at, or, while one is being written, under the last message."""
    is_looked_at = view.answer == at and view.turns[at][0] == "assistant"
    if view.model is not None and (is_looked_at or (_is_writing(view) and at == len(view.turns) - 1)):
        running = _runs(view)
        st.fragment(_written, run_every=EVERY if running else None)(services, running, len(view.turns))


def _is_writing(view: ChatView) -> bool:
    """Whether the answer that is looked at is no message yet."""
    return view.answer == len(view.turns)


def _runs(view: ChatView) -> bool:
    return bool(state.remember(RUNNING, False)) and _is_writing(view)


def _written(services: Services, running: bool, n_turns: int) -> None:
    view = state.view(ChatView)
    if running != _runs(view) or len(view.turns) != n_turns:
        st.rerun()  # the clock starts or stops, or there is another message
    with shell.sentences(view.t), st.container(border=True, key="chat_answer"):
        try:
            found = _answer(services, view)
            if running:
                view = _tick(view, found)
                found = _answer(services, view)
        except UserError:
            state.keep(RUNNING, False)
            raise
        if not _is_writing(view) and found.text != view.turns[view.answer][1]:
            st.caption(view.t("chat.not_its_words"))
        else:
            _draw(view, found, running)


def _answer(services: Services, view: ChatView) -> Answer:
    """The answer as far as the view says that it is written."""
    assert view.model is not None
    checkpoint = services.models.checkpoint(view.model)
    template = reading.template_of(services, view)
    settings = view.settings(services.chats.settings(checkpoint))
    messages = as_messages(view.turns[: view.answer])
    writing = services.chats.answer(checkpoint, messages, template, settings, template_json(view.given))
    n = view.n if _is_writing(view) else _n_of(checkpoint, writing, view)
    return Answer(checkpoint, writing, writing.first(n))


def _n_of(checkpoint: Checkpoint, writing: Writing, view: ChatView) -> int:
    """How many tokens a message is of: as many as it takes to write it, if the model writes it at all."""
    said, n, found = view.turns[view.answer][1], 0, 0
    for n in range(1, view.n + 1):
        answer = Answer(checkpoint, writing, writing.first(n))
        if answer.text == said:
            found = n
        elif found or not _may_become(answer.text, said):
            break
        if answer.is_done:
            break
    return found or n


def _may_become(begun: str, said: str) -> bool:
    """Whether more tokens can make it that text; half a character at its end is still open."""
    return said.startswith(begun.rstrip("\ufffd"))


def _tick(view: ChatView, found: Answer) -> ChatView:
    """One token further; at the end the answer becomes a message."""
    if found.is_done:
        _finish(found)
        st.rerun()
    state.go(n=len(found.writing.first(view.n + 1).steps), at=-1)
    return state.view(ChatView)


def _finish(found: Answer) -> None:
    """What is written is the assistant's message from now on; its tokens stay in view."""
    state.keep(RUNNING, False)
    turns = (*state.view(ChatView).turns, ("assistant", found.text, ""))
    state.go(messages=turns, answer=len(turns) - 1, n=len(found.generation.steps), at=-1)


def _draw(view: ChatView, found: Answer, running: bool) -> None:
    t, steps = view.t, found.generation.steps
    at = min(view.at, len(steps) - 1) if view.at >= 0 else len(steps) - 1
    shown = [*_boxes(view, found), *([Piece("…", marks=("coming",))] if _is_writing(view) else [])]
    pieces.show(shown, t, "chat.answer_pieces", lambda key: state.go(at=key), at, height=170)
    if _is_writing(view):
        _while_writing(view, found, running)
    if steps and not running:
        _chosen(view, found, steps[at])
        if found.generation.ended and at == len(steps) - 1:
            st.caption(t(f"generation.ended.{found.generation.ended}", n=len(steps)))


def _boxes(view: ChatView, found: Answer) -> Iterator[Piece]:
    """The tokens, the more coloured the likelier; the one that ends the turn is marked as special."""
    specials = found.checkpoint.tokenizer.special_ids
    for step in found.generation.steps:
        if step.chosen is not None:
            is_special = step.chosen in specials
            yield Piece(
                found.checkpoint.tokenizer.piece(step.chosen),
                table.percent(step.share, view.t),
                ("new", "special") if is_special else ("new",),
                "★" if is_special else "",
                share=step.share,
                key=step.index,
            )


def _while_writing(view: ChatView, found: Answer, running: bool) -> None:
    t = view.t
    with st.container(horizontal=True):
        if running:
            st.button(t("generation.stop"), key="chat.stop", icon=":material/stop:", on_click=lambda: _finish(found))
        else:
            st.button(
                t("chat.go_on"),
                key="chat.go_on",
                icon=":material/play_arrow:",
                on_click=lambda: state.keep(RUNNING, True),
            )
        st.button(
            t("generation.end"), key="chat.end", icon=":material/last_page:", on_click=lambda: _to_the_end(view, found)
        )


def _to_the_end(view: ChatView, found: Answer) -> None:
    n = view.n
    while not found.is_done:
        n += 1
        found = Answer(found.checkpoint, found.writing, found.writing.first(n))
    _finish(found)


def _chosen(view: ChatView, found: Answer, step: TokenStep) -> None:
    """How the token that is looked at was chosen, and the door to where it was made likely."""
    t, tokenizer = view.t, found.checkpoint.tokenizer
    if step.chosen is None:
        return
    token = code(visible(tokenizer.piece(step.chosen)))
    draw = step.draw()
    how = (
        t("generation.greedy", token=token, share=table.percent(step.share, t))
        if draw is None
        else table.share_of(draw, t, tokenizer)
    )
    st.markdown(f"**{t('generation.title.chosen', n=step.index + 1, token=token)}** · {how}")
    if step.n_cut:
        st.caption(t("generation.slid", n=step.n_cut, n_ctx=len(step.read)))
    assert view.model is not None
    place = step_place(view, view.model, found.checkpoint, step)
    if len(place.prompt or "") > PROMPT_LIMIT:
        st.caption(t("chat.too_long", limit=t.integer(PROMPT_LIMIT)))
        return
    shell.link(t("generation.why"), replace(place, target=_target(tokenizer, step.chosen)))
    if tokenizer.encode(place.prompt or "").ids != step.read:
        st.caption(t("generation.why_other"))


def _target(tokenizer: Tokenizer, id: int) -> str:
    """The text of a token that came next, where the tokenizer cuts it into that token again."""
    text = tokenizer.decode([id])
    return text if tokenizer.encode(text).ids[-1:] == (id,) and len(text) <= _TARGET_LIMIT else ""
