"""The chapters of the course to read: what to do becomes a link into a walk, and the answer lies behind a click."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

from lmviz.debug.exercises.question import Question
from lmviz.lessons.chapter import DETAIL, Chapter, Task
from lmviz.lessons.quiz import QuizQuestion
from lmviz.site.done import Doer
from lmviz.site.frame import SitePage, link, path_of, way
from lmviz.site.markdown import html, inline
from lmviz.site.walks import Walks
from lmviz.ui.course.chapters import begin, chapters, quiz
from lmviz.ui.course.details import filled
from lmviz.ui.course.seen import Seen, question_of
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.place import Place
from lmviz.ui.questions import asked, option
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Language, Translator, foreign
from lmviz.ui.training.view import TrainingView

INDEX, QUIZ = "course/index", "course/quiz"
_FRAME = "walk"  # the name of the frame beside a chapter in which its walks open
GAP = "…"  # where a number would stand that was not worked out


@dataclass(frozen=True)
class Course:
    """Makes the course's pages in one language.

    Args:
        training: where a training can be seen, from the top of the site; empty: the site has none.
    """

    lang: Language
    doer: Doer
    walks: Walks
    training: str = ""

    @property
    def t(self) -> Translator:
        return Translator(self.lang)

    def pages(self) -> Iterator[SitePage]:
        read, _ = chapters(self.lang)
        yield self._index(read)
        for number in range(1, len(read) + 1):
            yield self._chapter(number, read)
        yield self._quiz()

    def _index(self, read: tuple[Chapter, ...]) -> SitePage:
        t, here = self.t, path_of(INDEX, self.lang)
        rows = "".join(
            f"<li>{link(here, self._path(one), one.title)} <small>{escape(t('course.minutes', n=one.minutes))}</small>"
            f"<p>{inline(foreign(one.goal))}</p></li>"
            for one in read
        )
        last = link(here, path_of(QUIZ, self.lang), t("course.to_quiz"))
        body = f'<h1>{escape(t("page.course"))}</h1><p class="lead">{escape(t("site.course.say"))}</p>'
        return SitePage(INDEX, self.lang, t("page.course"), f'{body}<ol class="chapters">{rows}</ol><p>{last}</p>')

    def _path(self, chapter: Chapter) -> str:
        return path_of(f"course/{chapter.name}", self.lang)

    def _chapter(self, number: int, read: tuple[Chapter, ...]) -> SitePage:
        t, chapter = self.t, read[number - 1]
        page = SitePage(f"course/{chapter.name}", self.lang, chapter.title, "")
        tasks = "".join(f"<li>{self._task(page.path, chapter, i)}</li>" for i in range(len(chapter.tasks)))
        first = next(
            (found for i in range(len(chapter.tasks)) if (found := self._walk(begin(chapter, i, self.lang)[1]))), ""
        )
        told = [
            f'<p class="where">{escape(t("site.course.where", number=number, all=len(read)))} · '
            f"{escape(t('course.minutes', n=chapter.minutes))}</p>",
            f"<h1>{escape(chapter.title)}</h1>",
            f'<p class="lead">{inline(foreign(chapter.goal))}</p>',
            html(foreign(chapter.story)),
            f'<ol class="tasks">{tasks}</ol>',
            f'<div class="understood"><strong>{escape(t("course.understood"))}</strong> ',
            f"{inline(foreign(chapter.understood))}</div>",
            self._notes(chapter),
            self._ways_on(page.path, number, read),
        ]
        body = f"<article>{''.join(told)}</article>"
        if first:
            source, title = escape(way(page.path, first)), escape(t("site.walk"))
            body += f'<iframe name="{_FRAME}" title="{title}" src="{source}" loading="lazy"></iframe>'
        return replace(page, body=f'<div class="{"beside" if first else "alone"}">{body}</div>')

    def _notes(self, chapter: Chapter) -> str:
        if not chapter.notes:
            return ""
        words = escape(self.t("course.print.for_teacher"))
        return f"<details><summary>{words}</summary>{html(foreign(chapter.notes))}</details>"

    def _ways_on(self, here: str, number: int, read: tuple[Chapter, ...]) -> str:
        before = [link(here, self._path(read[number - 2]), f"← {read[number - 2].title}")] if number > 1 else []
        if number < len(read):
            after = link(here, self._path(read[number]), f"{read[number].title} →", class_="on")
        else:
            after = link(here, path_of(QUIZ, self.lang), f"{self.t('course.to_quiz')} →", class_="on")
        return f'<p class="ways">{"".join([*before, after])}</p>'

    # -- a task ------------------------------------------------------------------------------------------------------

    def _task(self, here: str, chapter: Chapter, i: int) -> str:
        task, (page, begun) = chapter.tasks[i], begin(chapter, i, self.lang)
        question = self._question(task, begun)
        ways = self._ways_in(here, page, begun)
        return html(foreign(task.do)) + question + ways + self._answer(here, task, begun)

    def _question(self, task: Task, begun: Place) -> str:
        found = self._asked(task, begun)
        if found is None or not isinstance(begun, StepThroughView):
            return ""
        pieces = self.doer.recording(begun).tokens.pieces
        options = "".join(f"<li>{inline(option(self.t, one, found.kind, pieces))}</li>" for one in found.options)
        return f'<p class="asked">{inline(asked(self.t, found))}</p><ul class="options">{options}</ul>'

    def _asked(self, task: Task, begun: Place) -> Question | None:
        return question_of(Seen(begun, self.doer.services), task.argument) if task.check == "answered" else None

    def _walk(self, view: Place) -> str:
        """The walk in which a place can be seen; empty where there is none."""
        if isinstance(view, EmbeddingsView) and view.prompt is not None:
            return self.walks.link(
                StepThroughView(lang=self.lang, model=view.model, prompt=view.prompt, step="embeddings")
            )
        return self.walks.link(view) if isinstance(view, StepThroughView) else ""

    def _ways_in(self, here: str, page: str, begun: Place) -> str:
        """The link into the walk: beside the text where there is room for both, else in its place."""
        t = self.t
        if found := self._walk(begun):
            return self._both(here, found, t("site.open_walk"))
        if isinstance(begun, TrainingView) and self.training:
            return f'<p class="in">{link(here, self.training, t("site.open_training"))}</p>'
        said = escape(t("site.needs_lmviz", page=t(f"page.{page}")))
        return f'<p class="needs">{said} {link(here, path_of("install", self.lang), t("site.door.install"))}</p>'

    def _both(self, here: str, there: str, words: str) -> str:
        beside = link(here, there, words, target=_FRAME, class_="beside-it")
        return f'<p class="in">{beside}{link(here, there, words, class_="in-its-place")}</p>'

    def _answer(self, here: str, task: Task, begun: Place) -> str:
        done = self.doer.do(task, begun)
        said = DETAIL.sub(GAP, task.answer) if done is None else filled(self.t, task.answer, done.found)
        parts = [html(foreign(said))]
        found = self._walk(done.view) if done is not None else ""
        if found and found != self._walk(begun):  # gradients, say, are in no walk
            parts.append(self._both(here, found, self.t("site.see_done")))
        key = "site.answer" if task.check == "answered" else "site.outcome"
        return f"<details><summary>{escape(self.t(key))}</summary>{''.join(parts)}</details>"

    # -- the questions at the end ------------------------------------------------------------------------------------

    def _quiz(self) -> SitePage:
        t = self.t
        asked = "".join(f"<li>{_quiz_question(t, one)}</li>" for one in quiz(self.lang))
        back = link(path_of(QUIZ, self.lang), path_of(INDEX, self.lang), f"← {t('course.all')}")
        body = f'<h1>{escape(t("course.to_quiz"))}</h1><ol class="tasks">{asked}</ol><p class="ways">{back}</p>'
        return SitePage(QUIZ, self.lang, t("course.to_quiz"), body)


def _quiz_question(t: Translator, one: QuizQuestion) -> str:
    options = "".join(f"<li>{inline(said)}</li>" for said in one.options)
    right = f"<p><strong>{inline(one.options[one.right])}</strong> {inline(one.why)}</p>"
    answer = f"<details><summary>{escape(t('site.answer'))}</summary>{right}</details>"
    return f'<p class="asked">{inline(one.asked)}</p><ul class="options">{options}</ul>{answer}'
