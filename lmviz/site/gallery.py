"""The gallery: a walk through each sample model, bugs beside their healthy twins, and a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.bugs.models import architecture
from lmviz.debug.bugs.source import diff_of
from lmviz.registry.bug import WithBug, healthy_twin
from lmviz.registry.kinds import read_reference
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.site.frame import SitePage, link, path_of, way
from lmviz.site.markdown import inline
from lmviz.site.walks import Walks
from lmviz.ui.debugging.words import code
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Language, Translator, foreign

INDEX = "gallery/index"
_MARKS = {"-": "gone", "+": "new"}


@dataclass(frozen=True)
class Gallery:
    """Makes the gallery's pages in one language.

    Args:
        samples: the names of the models to walk through.
        bugs: the names of bugs, which are put into the model `broken`.
        training: where a training can be seen, from the top of the site; empty: there is none.
    """

    lang: Language
    services: Services
    walks: Walks
    samples: Sequence[str]
    bugs: Sequence[str]
    broken: str
    training: str = ""

    @property
    def t(self) -> Translator:
        return Translator(self.lang)

    def pages(self) -> Iterator[SitePage]:
        yield self._index()
        for name in self.bugs:
            yield self._bug(BUGS[name])

    def first_walk(self, name: str) -> str:
        """The walk of a sample through its own first text in the reader's language."""
        model = read_reference(name)
        prompts = self.services.models.card(self.services.models.checkpoint(model), self.lang).prompts
        prompt = prompts[0] if prompts else self.services.models.first_prompt(model)
        return self.walks.link(StepThroughView(lang=self.lang, model=model, prompt=prompt))

    def _index(self) -> SitePage:
        t, here = self.t, path_of(INDEX, self.lang)
        walks = "".join(f"<li>{self._sample(here, name)}</li>" for name in self.samples)
        bugs = "".join(f"<li>{self._bug_card(here, bug)}</li>" for bug in self.bugs)
        body = [
            f'<h1>{escape(t("site.door.gallery"))}</h1><p class="lead">{escape(t("site.gallery.say"))}</p>',
            f'<h2>{escape(t("site.gallery.models"))}</h2><ul class="cards">{walks}</ul>',
            f"<h2>{escape(t('site.gallery.bugs'))}</h2><p>{escape(t('site.gallery.bugs.say'))}</p>",
            f'<ul class="cards">{bugs}</ul>',
        ]
        if self.training:
            words = link(here, self.training, t("site.gallery.training.open"))
            said = f"<p>{escape(t('site.gallery.training.say'))}</p>"
            body.append(f'<h2>{escape(t("page.training"))}</h2><ul class="cards"><li>{words}{said}</li></ul>')
        return SitePage(INDEX, self.lang, t("site.door.gallery"), "".join(body))

    def _sample(self, here: str, name: str) -> str:
        t, models = self.t, self.services.models
        checkpoint = models.checkpoint(read_reference(name))
        card = models.card(checkpoint, self.lang)
        size = t("site.parameters", n=t.integer(checkpoint.n_parameters))
        about = inline(foreign(card.begins)) if card.begins else ""
        title = escape(card.title or name)
        return (
            f"{link(here, self.first_walk(name), name)} <small>{escape(size)}</small><p><b>{title}</b><br>{about}</p>"
        )

    def _bug_card(self, here: str, bug: str) -> str:
        name, tell = self.t(f"bug.{bug}"), self.t(f"bug.{bug}.tell")
        return f"{link(here, path_of(_name(bug), self.lang), name)}<p>{inline(tell)}</p>"

    def _bug(self, bug: Bug) -> SitePage:
        t, name = self.t, _name(bug.name)
        here, model = path_of(name, self.lang), read_reference(self.broken)
        prompt = self.services.models.first_prompt(model)
        found = self.services.bugs.difference(bug, model, prompt)
        is_in_both = found is not None and found.how in ("value", "shape")
        step = found.address if found is not None and is_in_both else bug.place
        frames = "".join(
            self._frame(here, of, prompt, step, t(f"lab.{which}"))
            for which, of in (("healthy", healthy_twin(bug, model)), ("broken", WithBug(bug.name, model)))
        )
        first = inline(t("site.bug.first", address=code(step))) if is_in_both else ""
        body = [
            f"<h1>{escape(t(f'bug.{bug.name}'))}</h1>",
            f'<p class="lead">{inline(t(f"bug.{bug.name}.tell"))}</p>',
            self._diff(bug, model),
            f"<p>{first}</p>",
            f'<div class="twins">{frames}</div>',
            f'<p class="ways">{link(here, path_of(INDEX, self.lang), "← " + t("site.door.gallery"))}</p>',
        ]
        return SitePage(name, self.lang, t(f"bug.{bug.name}"), "".join(body))

    def _frame(self, here: str, model: Reference, prompt: str, step: str, words: str) -> str:
        view = StepThroughView(lang=self.lang, model=model, prompt=prompt, step=step)
        there = self.walks.link(view)
        frame = f'<iframe title="{escape(words)}" src="{escape(way(here, there))}" loading="lazy"></iframe>'
        return f"<section><h2>{link(here, there, words)}</h2>{frame}</section>"

    def _diff(self, bug: Bug, model: Reference) -> str:
        source = architecture(self.services.models.checkpoint(model))
        lines = [line for line in diff_of(bug, source) if line.mark in _MARKS]
        indent = min((len(line.text) - len(line.text.lstrip()) for line in lines if line.text.strip()), default=0)
        rows = "\n".join(
            f'<span class="{_MARKS[line.mark]}">{line.mark} {escape(line.text[indent:].rstrip())}</span>'
            for line in lines
        )
        return f'<pre class="diff" tabindex="0"><code>{rows}</code></pre>'


def _name(bug: str) -> str:
    return f"gallery/{bug}"
