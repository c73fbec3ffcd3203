"""From the links of a chapter to places on pages, and back to whether a link makes sense."""

from __future__ import annotations

from lmviz.lessons.chapter import Link
from lmviz.ui.chat.view import ChatView
from lmviz.ui.course.view import CourseView
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.quantisation.view import QuantisationView
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Language
from lmviz.ui.tokenizer.view import TokenizerView
from lmviz.ui.training.view import TrainingView

KINDS: dict[str, type[Place]] = {
    "step_through": StepThroughView,
    "training": TrainingView,
    "generation": GenerationView,
    "tokenizer": TokenizerView,
    "chat": ChatView,
    "embeddings": EmbeddingsView,
    "quantisation": QuantisationView,
    "debugging": DebuggingView,
    "course": CourseView,
}


def place_of(link: Link, language: Language) -> Place:
    """Where a link leads, in the reader's language."""
    found, _ = KINDS[link.page].parse({**link.query, "lang": language})
    return found


def senseless(link: Link) -> tuple[str, ...] | None:
    """The parts of a link that make no sense; None where there is no such page."""
    kind = KINDS.get(link.page)
    if kind is None:
        return None
    _, wrong = kind.parse(link.query)
    return (*wrong, *kind.unknown(link.query))
