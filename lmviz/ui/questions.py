"""A question with a few answers, asked before it is looked up: predict, then reveal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from lmviz.debug.exercises.question import Option, Question
from lmviz.debug.exercises.stages import questions
from lmviz.digits import rounded
from lmviz.registry.recording import Recording
from lmviz.ui import widgets
from lmviz.ui.debugging.words import code
from lmviz.ui.text import Translator

ANSWER_DIGITS = 2  # decimals of answers, as in pictures
HALF = 0.5 * 10**-ANSWER_DIGITS
IN_PERCENT = ("share", "rest")  # numbers of a question that are shares


def questions_of(run: Recording) -> tuple[Question, ...]:
    """What a run can answer."""
    return questions(run.trace, run.tokens, tuple(run.piece(i) for i in range(run.config.d_vocab)))


def question_about(run: Recording, about: str) -> Question | None:
    """The one about a kind of stage, or about the text; None where there is none."""
    return next((one for one in questions_of(run) if one.about == about), None)


def ask(
    t: Translator,
    question: Question,
    pieces: Sequence[str],
    key: str,
    chosen: int | None,
    answer: Callable[[int], None],
    tick: str = "",
    is_judged: bool = True,
) -> None:
    """The question and its answers, which rest once one is `chosen`. `answer` is called with the choice.

    Args:
        pieces: the tokens of the text, for answers that are positions.
        key: of the widget, another one for every run.
        is_judged: whether it is said below, once one is chosen, if it is right.
    """
    st.session_state.setdefault(key, chosen)  # a widget that is turned off forgets its choice

    def changed() -> None:
        now = st.session_state[key]
        if now is not None:
            answer(now)

    widgets.radio(
        tick + asked(t, question),
        list(range(len(question.options))),
        index=None,
        format_func=lambda i: option(t, question.options[i], question.kind, pieces),
        horizontal=True,
        key=key,
        disabled=chosen is not None,
        on_change=changed,
    )
    if is_judged and chosen is not None:
        st.markdown(verdict(t, question, pieces, chosen), width="content")


def verdict(t: Translator, question: Question, pieces: Sequence[str], chosen: int, is_told: bool = False) -> str:
    """Whether the answer is right, in Markdown; if not, also which one is, unless what follows tells that."""
    if question.is_right(chosen):
        return f":green[**✓ {t('exercise.right')}**]"
    right = option(t, question.options[question.answer], question.kind, pieces)
    said = f"**{t('exercise.not_right')}**" if is_told else t("exercise.wrong", answer=right)
    return f":orange[**✗**] {said}"


def asked(t: Translator, question: Question) -> str:
    """The question itself, in Markdown."""
    return t(f"exercise.ask.{question.name}", **_details(t, question))


def _details(t: Translator, question: Question) -> dict[str, str]:
    """The numbers and names of a question, as the sentence has them."""
    shown = {}
    for name, value in question.details.items():
        if name in IN_PERCENT and isinstance(value, float):
            shown[name] = t.percent(value)
        elif isinstance(value, float):
            shown[name] = t.number(value, decimals(question))
        elif isinstance(value, int):
            shown[name] = t.integer(value)
        else:
            shown[name] = code(value)
    return shown


def decimals(question: Question) -> int:
    """Of the numbers in a question: those of pictures, or one more where the answer would not follow from what is read.

    >>> sums = [(0.35, {"left": 0.10, "right": 0.25}), (0.21, {"left": 0.104, "right": 0.104})]
    >>> told = [*sums, (0.37, {"angle": 0.124, "pos": 3})]
    >>> [decimals(Question("", "", "number", (answer,), 0, details=terms)) for answer, terms in told]
    [2, 3, 3]
    """
    answer, follows = question.options[question.answer], None
    match question.details:
        case {"share": float(share), "rest": float(rest), "left": float(left), "right": float(right)}:  # in percent
            follows = round(share, 3) * _read(left) + round(rest, 3) * _read(right)
        case {"left": float(left), "right": float(right)}:
            follows = _read(left) + _read(right)
        case {"angle": float(angle), "pos": int(pos)}:
            follows = _read(angle) * pos
    wants_more = follows is not None and isinstance(answer, float) and abs(follows - answer) > HALF
    return ANSWER_DIGITS + wants_more


def _read(number: float) -> float:
    """A number as it stands on a picture."""
    return float(rounded(number, ANSWER_DIGITS))


def option(t: Translator, found: Option, kind: str, pieces: Sequence[str]) -> str:
    """An answer as it is written; a position by its number and its token."""
    if kind == "position" and isinstance(found, int):
        return f"{found + 1} {code(pieces[found])}"
    if isinstance(found, tuple):
        return "×".join(map(str, found))
    if isinstance(found, int | float):
        return t.integer(found) if isinstance(found, int) else t.number(found, ANSWER_DIGITS)
    return code(found) if kind == "token" else str(found)
