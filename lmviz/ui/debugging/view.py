"""What a visitor of the debugging page is looking at."""

from __future__ import annotations

import json
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

from lmviz.registry.reference import Reference
from lmviz.ui.parts import model_part
from lmviz.ui.place import Place, choice, flag, part, real, whole

SECTIONS = ("pitfalls", "doctor", "lab", "game", "exercises")
FAMILIES = ("no_learning", "memory", "poor_predictions", "tips")
WAYS = ("model", "run", "log")
LEVELS = (1, 2, 3)
LARGEST_SEED = 999_999
_MOST_PROBES = 6


def _read_probes(written: str) -> tuple[str | int, ...]:
    return _list(written, lambda one: isinstance(one, str) or (type(one) is int and one >= 0), range(_MOST_PROBES + 1))


def _read_answer(written: str) -> tuple[str, ...]:
    return _list(written, lambda one: isinstance(one, str), (0, 2))


def _read_score(written: str) -> tuple[int, ...]:
    return _list(written, lambda one: type(one) is int and 0 <= one < 10**6, (0, 5))


def _list(written: str, is_right: Callable[[Any], bool], lengths: Container[int]) -> tuple[Any, ...]:
    found = json.loads(written)
    if not isinstance(found, list) or len(found) not in lengths or not all(map(is_right, found)):
        raise ValueError(written)
    return tuple(found)


@dataclass(frozen=True)
class DebuggingView(Place):
    """One visitor's place on the debugging page."""

    section: str = part("pitfalls", choice(*SECTIONS))
    model: Reference = model_part("simple-llm")
    # pitfalls
    family: str = part("no_learning", choice(*FAMILIES))
    pitfall: str = part("", str)  # empty: the family's first
    ran: bool = part(False, flag)  # the training that goes wrong
    cured: bool = part(False, flag)  # and the one that is cured
    pos: int = part(-1, whole(-1, 100_000))  # whose next token is looked at; -1: the last
    # memory
    batch: int = part(32, whole(1, 256))
    d_model: int = part(256, whole(16, 512))
    layers: int = part(4, whole(1, 12))
    length: int = part(128, whole(8, 256))
    budget: int = part(192, whole(16, 1024))  # megabytes
    # doctor
    way: str = part("model", choice(*WAYS))
    run: str = part("", str)
    d_vocab: int = part(0, whole(0, 10_000_000))
    temperature: float = part(1.0, real(0, 100))
    top_k: int = part(0, whole(0, 1_000_000))
    # bug lab
    bug: str = part("no_mask", str)
    prompt: str | None = part(None, str)  # None: the model's own first prompt
    target: str | None = part(None, str)
    # find the bug
    level: int = part(1, whole(1, 3))
    seed: int = part(1, whole(0, LARGEST_SEED))
    probes: tuple[str | int, ...] = part((), _read_probes)  # that were spent on this puzzle: checks, and stages
    answer: tuple[str, ...] = part((), _read_answer)  # to this puzzle: stage and bug
    score: tuple[int, ...] = part((), _read_score)  # points, streak, best streak, found, played


def listed(view: DebuggingView) -> tuple[str, ...]:
    """The sections to choose from. The exercises stand in the stages and in the course; old links open them here."""
    return tuple(name for name in SECTIONS if name != "exercises" or view.section == name)
