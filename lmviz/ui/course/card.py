"""The card of the task that is on the way: what to do, and, once it is done, the answer with this run's numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import streamlit as st

from lmviz.debug.exercises.question import Question
from lmviz.errors import UserError
from lmviz.lessons.chapter import Chapter, Task
from lmviz.lessons.progress import Progress
from lmviz.registry.recording import Recording
from lmviz.ui import questions, shared, shell, state
from lmviz.ui.course import kept
from lmviz.ui.course.chapters import begin, chapters, depth_needed, led_to
from lmviz.ui.course.checks import CHECKS
from lmviz.ui.course.details import Found, filled
from lmviz.ui.course.seen import Seen, question_of, run_of
from lmviz.ui.course.view import CourseView
from lmviz.ui.course.views import KINDS
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.depth import DEPTHS
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.step_through import predict
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import foreign, visible
from lmviz.ui.training.view import TrainingView

FOUND, CHOSEN = "course.found", "course.chosen"  # what checks found and where, and what was answered; by chapter, task
OPENED = "course.opened"  # a task, and whether its card was opened or closed by hand in front of a room
_WAYS = ("course.back", "course.next", "course.skip")  # to another task, which is as one has left it
DOORS: dict[str, Place] = {"training": TrainingView(), "debugging": DebuggingView(section="lab"),
                           "generation": GenerationView()}  # fmt: skip


@dataclass(frozen=True)
class _Done:
    """What a check found, and where."""

    found: Found
    page: str
    view: Place


@dataclass(frozen=True)
class _At:
    """Where the visitor is in the course."""

    number: int  # of the chapter, from 1
    chapter: Chapter
    next: Chapter | None
    task: int

    @property
    def key(self) -> tuple[str, int]:
        return self.chapter.name, self.task

    @property
    def asked(self) -> Task | None:
        """The task; None at the end of a chapter."""
        return self.chapter.tasks[self.task] if self.task < len(self.chapter.tasks) else None


def show(page: str) -> bool:
    """The bar above a page. Whether there is one."""
    if page not in KINDS:
        return False
    view = _opened(page)
    at = _at(view)
    if at is None:
        if view.course.chapter:
            st.info(view.t("course.unknown"))
            state.keep_course(view.course.at(""))
        return False
    _tick(page, view, at)
    predict.ask_elsewhere(*_awaited(view, at))
    shell.look("course")
    with st.container(key="course_bar"):
        _head(page, view, at)
        if not view.present:
            _body(page, view, at)
        elif _is_open(at):
            with st.container(key="course_open"):
                _body(page, view, at)
    kept.on_the_device(view.t, look=CHECKS[at.asked.check].look if at.asked and _done(at.key) else "")
    return True


def _opened(page: str) -> Place:
    """The present place; of a link that was made by hand, and says no depth, as deep as the course would open it."""
    is_said, chosen = state.says_depth(), state.chosen_depth()
    view = state.view(KINDS[page])
    at = _at(view)
    if is_said or at is None:
        return view
    _, place = led_to(at.chapter, at.task, view.lang, chosen)
    state.choose_depth(place.depth)
    return state.view(KINDS[page])


def _body(page: str, view: Place, at: _At) -> None:
    if at.asked is None:
        _end(view, at)
    else:
        _task(page, view, at, at.asked)


def has_news() -> bool:
    """Whether the task has just been done, or done otherwise than the card says."""
    view = state.present()
    at = _at(view)
    found = None if at is None else _found(view, at)
    done = None if at is None else _done(at.key)
    return found is not None and (done is None or done.found != found)


def _at(view: Place) -> _At | None:
    read, _ = chapters(view.lang)
    progress = state.course()
    for i, chapter in enumerate(read):
        if chapter.name == progress.chapter:
            following = read[i + 1] if i + 1 < len(read) else None
            return _At(i + 1, chapter, following, min(progress.task, len(chapter.tasks)))
    return None


def _done(key: tuple[str, int]) -> _Done | None:
    found: _Done | None = state.remember(FOUND, {}).get(key)
    return found


def _tick(page: str, view: Place, at: _At) -> None:
    found = _found(view, at)
    if found is not None:
        state.remember(FOUND, {})[at.key] = _Done(found, page, view)
        if not state.course().has(*at.key):
            state.keep_course(state.course().with_done(*at.key))


def _found(view: Place, at: _At) -> Found | None:
    """What the task's check finds; None as long as it is not done."""
    if at.asked is None:
        return None
    try:
        return CHECKS[at.asked.check].find(_seen(view, at), at.asked.argument)
    except UserError:  # the page says it
        return None


def _awaited(view: Place, at: _At) -> tuple[Question | None, str]:
    """What is asked, and the right answer as sentences have it, as long as nobody has answered."""
    if at.asked is None or at.asked.check != "answered":
        return None, ""
    seen = _seen(view, at)
    question, run = _asked_of(seen, at.asked)
    if question is None or run is None or seen.chosen is not None:
        return None, ""
    right = question.options[question.answer]
    if question.kind in ("position", "token"):
        return question, f"‹{visible(run.token(right) if isinstance(right, int) else str(right))}›"
    return question, questions.option(view.t, right, question.kind, run.tokens.pieces)


def _seen(view: Place, at: _At) -> Seen:
    _, begun = begin(at.chapter, at.task, view.lang)
    seen = Seen(view, shared.services(), begun)
    run = run_of(seen) if at.asked is not None and at.asked.check == "answered" else None
    chosen = None if run is None else state.remember(CHOSEN, {}).get((*at.key, run.request))
    return replace(seen, chosen=chosen)


# -- the head --------------------------------------------------------------------------------------------------------


def _head(page: str, view: Place, at: _At) -> None:
    """Which chapter, how far, and the ways on."""
    t, n = view.t, len(at.chapter.tasks)
    with st.container(horizontal=True, vertical_alignment="center", key="course_head"):
        if view.present:
            _line(view, at)
        else:
            where = t("course.where", number=at.number, title=foreign(at.chapter.title))
            of = t("course.of", n=min(at.task + 1, n), all=n)
            st.markdown(f"**{where}** {_dots(at)} {of}", width="content")
            st.space("stretch")
        if not at.task:
            st.empty()
        else:
            with st.container(key="course_before", width="content"):
                _link("course.back", page, view, at.chapter, at.task - 1, ":material/arrow_back:")
        if at.asked is not None:
            is_done = state.course().has(*at.key)
            with st.container(key="course_next" if is_done else "course_skip", width="content"):
                _link("course.next" if is_done else "course.skip", page, view, at.chapter, at.task + 1,
                      ":material/arrow_forward:")  # fmt: skip
        else:
            st.empty()
        with st.container(key="course_all", width="content"):
            shell.link(t("course.all"), CourseView(lang=view.lang, course=_quiet()), "course", ":material/list:")
        st.button(t("course.leave"), icon=":material/close:", key="course_leave", type="tertiary",
                  on_click=lambda: state.keep_course(_quiet()))  # fmt: skip


def _line(view: Place, at: _At) -> None:
    """The card in one line, for a room: what to do, or what came of it; pressed, the rest opens below it, or closes."""
    is_open = _is_open(at)
    if at.asked is None:
        known = f":green[**✓**] **{view.t('course.understood')}** {foreign(at.chapter.understood)}"
        said = f"**{foreign(at.chapter.title)}**" if is_open else known
    else:
        answer = _answer(view, at, at.asked)
        said = answer if answer and not is_open else f"{'' if answer else _tick_of(at)}{_title(at.asked)}"
    st.button(
        f"**{at.number}** {_dots(at)} {said}",
        key="course_line",
        type="tertiary",
        width="stretch",
        icon=f":material/{'expand_less' if is_open else 'expand_more'}:",
        on_click=lambda: state.keep(OPENED, (at.key, not is_open)),
    )


def _is_open(at: _At) -> bool:
    """Whether the card is open in front of a room, as it was left by hand; the end of a chapter always comes open."""
    key, is_open = state.remember(OPENED, (None, True))
    return is_open or (at.asked is None and key != at.key)


def _tick_of(at: _At) -> str:
    """A tick for a task that is done, where no answer says so with a mark of its own."""
    return ":green[:material/check_circle:] " if state.course().has(*at.key) else ""


def _title(task: Task) -> str:
    """The heading of a task, which its file has above the rest."""
    return foreign(task.do.partition("\n\n")[0])


def _quiet() -> Progress:
    """The same progress, with no chapter on the way."""
    return state.course().at("")


def _dots(at: _At) -> str:
    """A dot for each task: done, here, still to come."""
    progress = state.course()
    marks = []
    for i in range(len(at.chapter.tasks)):
        mark = "●" if progress.has(at.chapter.name, i) else "◉" if i == at.task else "○"
        marks.append(f":green[{mark}]" if mark == "●" else f":primary[{mark}]" if mark == "◉" else f":gray[{mark}]")
    return "".join(marks)


def _link(label: str, page: str, view: Place, chapter: Chapter, task: int, icon: str, **details: str) -> None:
    """A link to a task of a chapter; to its end, where it has no more."""
    link = chapter.tasks[task].view if task < len(chapter.tasks) else None
    to, place = led_to(chapter, task, view.lang, state.chosen_depth())
    if link is None and to == page:  # it goes on where one is
        place = view
    if label in _WAYS and (done := _done((chapter.name, task))) is not None:
        to, place = done.page, replace(done.view, lang=place.lang, depth=place.depth, present=view.present)
    shell.link(view.t(label, **details), replace(place, course=state.course().at(chapter.name, task)), to, icon)


# -- the task --------------------------------------------------------------------------------------------------------


def _task(page: str, view: Place, at: _At, task: Task) -> None:
    """What to do, and in its place what came of it, so that nothing below moves. Always as many elements: what one task
    has more than the next would stay on the page, pale, until the whole page is drawn."""
    there, begun = begin(at.chapter, at.task, view.lang)
    said = _answer(view, at, task)
    story, do = at.chapter.story if at.task == 0 else "", task.do.replace("**\n\n", "** · ", 1)
    if view.present:  # no taller than it must be: its line has the title, and the teacher tells the story
        story, do = "", task.do.partition("\n\n")[2]
    with st.container(key="course_task"):
        _or_nothing(story, lambda: st.markdown(foreign(story)))
        st.markdown(f"{'' if said else _tick_of(at)}{foreign(do)}")
    where = None
    with st.container(key="course_question"):
        if task.check == "answered" and there == page:
            where = _question(view, at, task)
        else:
            st.empty()
    with st.container(key="course_told"):
        _or_nothing(said, lambda: st.markdown(said))
    with st.container(key="course_ways", horizontal=True):
        if there != page or _is_hidden(view, task):
            _link("course.go_there", page, view, at.chapter, at.task, ":material/arrow_outward:")
        elif at.task and not CHECKS[task.check].is_possible(view):
            before = _title(at.chapter.tasks[at.task - 1])
            _link("course.first", page, view, at.chapter, at.task - 1, ":material/arrow_back:", title=before)
        elif task.view is not None and not _is_as_begun(view, begun):
            again = "course.to_question" if task.check == "answered" else "course.again"  # one is guessed once
            with st.container(key="course_again", width="content"):
                _link(again, page, view, at.chapter, at.task, ":material/restart_alt:")
        else:
            st.empty()
        if where is not None:
            with st.container(key="course_see", width="content"):
                shell.link(view.t("course.see"), where)
        else:
            st.empty()


def _or_nothing(is_there: object, draw: Callable[[], object]) -> None:
    if is_there:
        draw()
    else:
        st.empty()


def _answer(view: Place, at: _At, task: Task) -> str:
    """The answer, and before it whether the one that was guessed is right; empty as long as there is none."""
    found = _kept(view, at)
    if task.check != "answered" or not isinstance(view, StepThroughView):
        return f":green[**✓**] {foreign(filled(view.t, task.answer, found))}" if found is not None else ""
    found, seen = _found(view, at), _seen(view, at)  # of the run that is shown, which may be another one now
    question, run = _asked_of(seen, task)
    if found is None or question is None or run is None or seen.chosen is None:
        return ""
    is_told = "{answer}" in task.answer
    verdict = questions.verdict(view.t, question, run.tokens.pieces, seen.chosen, is_told)
    return f"{verdict} {foreign(filled(view.t, task.answer, found))}"


def _kept(view: Place, at: _At) -> Found | None:
    """What was found, as long as the text and the model are those it was found with, and nothing was begun anew."""
    done = _done(at.key)
    if done is None or done.view == view:
        return None if done is None else done.found
    _, begun = begin(at.chapter, at.task, view.lang)
    is_same = all(getattr(done.view, one, None) == getattr(view, one, None) for one in ("model", "prompt"))
    return done.found if is_same and not _is_as_begun(view, begun) else None


def _is_hidden(view: Place, task: Task) -> bool:
    """Whether the reader has since chosen to look less deep than the task asks for."""
    return DEPTHS.index(view.depth) < DEPTHS.index(depth_needed(task))


def _is_as_begun(view: Place, begun: Place) -> bool:
    """Whether nothing has been done yet; how deep one looks, and whether to a room, is no part of the task."""
    return replace(begun, course=view.course, present=view.present, depth=view.depth) == view


def _question(view: Place, at: _At, task: Task) -> StepThroughView | None:
    """Predict first: the question about this run. The place that shows the answer, once there is one."""
    t, seen = view.t, _seen(view, at)
    question, run = _asked_of(seen, task)
    if question is None or run is None:
        st.caption(t("course.no_question"))
        return None
    key = (*at.key, run.request)

    def answer(chosen: int) -> None:
        state.remember(CHOSEN, {})[key] = chosen

    questions.ask(t, question, run.tokens.pieces, f"course.{key}", seen.chosen, answer, is_judged=False)
    if seen.chosen is None or not question.where or not isinstance(view, StepThroughView):
        return None
    return replace(view, step=question.where, by="stage", line=-1, cell=None, course=state.course())


def _asked_of(seen: Seen, task: Task) -> tuple[Question | None, Recording | None]:
    """The question and its run; neither, where the page says why there is no run."""
    try:
        return question_of(seen, task.argument), run_of(seen)
    except UserError:
        return None, None


# -- the end of a chapter --------------------------------------------------------------------------------------------


def _end(view: Place, at: _At) -> None:
    """What one has understood, and where to go on."""
    t, chapter = view.t, at.chapter
    missing = len(chapter.tasks) - state.course().count(chapter.name)
    st.markdown(f":green[:material/check_circle:] **{t('course.understood')}** {foreign(chapter.understood)}")
    _or_nothing(missing, lambda: st.caption(t("course.missing", n=missing)))
    with st.container(horizontal=True, vertical_alignment="center", key="course_on"):
        if at.next is not None:
            to, place = led_to(at.next, 0, view.lang, state.chosen_depth())
            label = t("course.next_chapter", title=foreign(at.next.title))
            shell.link(label, replace(place, course=state.course().at(at.next.name)), to, ":material/arrow_forward:")
        else:
            quiz = CourseView(lang=view.lang, section="quiz", course=_quiet())
            shell.link(t("course.to_quiz"), quiz, "course", ":material/quiz:")
            doors(view)
    st.empty()  # as many elements as a task has


def doors(view: Place) -> None:
    """Train it, break it, write with it."""
    for page, place in DOORS.items():
        shell.link(view.t(f"course.door.{page}"), replace(place, lang=view.lang, course=_quiet()), page)
