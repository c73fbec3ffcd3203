"""What a page says, in every language, with powers of ten and without: each text once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.ui.depth import CODE, DEPTHS, STORY, Depth
from lmviz.ui.offline.places import Places
from lmviz.ui.offline.walk_types import OwnLanguage, Said, Spoken
from lmviz.ui.step_through import component
from lmviz.ui.step_through.inspector import purpose
from lmviz.ui.step_through.scene import edit_chips, of_own, say, source_at, stage_map, strip
from lmviz.ui.step_through.view import MEAN_OF_HEADS, StepThroughView
from lmviz.ui.step_through.whole_scene import whole
from lmviz.ui.text import LANGUAGES, Language

# tokens times heads for which each sentence is written; of more, for the ones that the page opens with
_MOST_SAID = 1024
_WITHOUT_POWERS: Depth = "formula"  # the deepest that is read without powers of ten

Hint = Callable[[StepThroughView, Location], str]


class Words:
    """Collects the texts.

    Args:
        hint: what is said at a place beside the words of its stage.
    """

    def __init__(self, run: Recording, view: StepThroughView, places: Places, hint: Hint | None) -> None:
        self.texts: list[str] = [""]
        self._run, self._view, self._places, self._hint = run, view, places, hint
        self._known: dict[str, int] = {"": 0}

    @property
    def says_all(self) -> bool:
        """Whether every sentence is there for every token and head."""
        return len(self._run.tokens) * max(1, self._run.config.n_heads) <= _MOST_SAID

    def spoken(self) -> dict[str, Spoken]:
        found = {}
        for lang in LANGUAGES:
            for depth in (CODE, _WITHOUT_POWERS):
                view = replace(self._view, lang=lang, depth=depth)
                found[view.t.numbers] = self._in(view)
        return found

    def _in(self, view: StepThroughView) -> Spoken:
        said: list[Said] = []
        known: dict[str, int] = {}

        def number(one: Said) -> int:
            key = json.dumps(one)
            if key not in known:
                known[key] = len(said)
                said.append(one)
            return known[key]

        by_place = [[number(one) for one in self._said(view, location)] for location in self._places.locations]
        checks = [strip(self._run, view, stage) for stage in self._run.navigator.stages]
        return {"numbers": view.t.numbers, "said": said, "by_place": by_place, "checks": checks}

    def _said(self, view: StepThroughView, location: Location) -> list[Said]:
        """Of a stage, for each token and each head; the others say the same of all."""
        if location.grain != "stage":
            return [self._of(view, location, 0)]
        if not self.says_all:
            return [self._of(view, location, view.focus)]
        heads = range(max(1, self._run.config.n_heads))
        tokens = range(len(self._run.tokens))
        return [self._of(replace(view, head=head), location, pos) for pos in tokens for head in heads]

    def _of(self, view: StepThroughView, location: Location, pos: int) -> Said:
        navigator = self._run.navigator
        words = say(self._run, view, location, navigator.stage(location), navigator.step(location), pos)
        hint = self._hint_at(view, location, pos)
        return {
            "title": words["title"],
            "under": words["under"],
            "text": words["text"],
            "story": self._story(view, location, pos, words["text"], hint),
            "more": self._text(words["more"]),
            "formula": self._text(words["formula"]),
            "settings": words["settings"],
            "opened": words["opened"],
            "error": words["error"],
            "hint": hint or words["hint"],
        }

    def _hint_at(self, view: StepThroughView, location: Location, pos: int) -> str:
        return self._hint(replace(view, focus=pos), location) if self._hint is not None else ""

    def _story(self, view: StepThroughView, location: Location, pos: int, text: str, hint: str) -> list[str]:
        """Text and hint for who reads the story, where they are others."""
        if view.depth == CODE or location.grain != "stage":
            return []
        story, navigator = replace(view, depth=STORY), self._run.navigator
        told = say(self._run, story, location, navigator.stage(location), navigator.step(location), pos)
        found = [told["text"], self._hint_at(story, location, pos) or told["hint"]]
        return found if found[0] != text or (hint and found[1] != hint) else []

    def _text(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.texts)
            self.texts.append(text)
        return self._known[text]

    def _why(self, view: StepThroughView) -> dict[str, str]:
        """Why a listing has no lines, by its number."""
        found = {}
        for place, location in zip(self._places.places, self._places.locations, strict=True):
            source = place["source"]
            if source is None or str(source["listing"]) in found:
                continue
            if self._places.listings[source["listing"]]["why"]:
                shown = source_at(self._run, view, location)
                found[str(source["listing"])] = "" if shown is None else shown["why"]
        return found

    def language(self, lang: Language, left_out: list[tuple[str, dict[str, Any]]], title: str) -> OwnLanguage:
        run, view = self._run, replace(self._view, lang=lang, depth=CODE)
        t, navigator = view.t, run.navigator
        edits = ", ".join(chip["text"] for chip in edit_chips(view))
        return {
            "map": stage_map(run, view, navigator.stages[-1]),
            "at": {grain: t(f"bar.at.{grain}", index="{index}", count=n) for grain, n in self._places.counts.items()},
            "stages": [
                " ".join(filter(None, (t(of_own(t, f"stage.{stage.kind}", run)), stage.block_name)))
                for stage in navigator.stages
            ],
            "depths": {depth: t(f"app.depth.{depth}") for depth in DEPTHS},
            "sums": {step.address: said for step in run.trace if (said := purpose(run, step.address, view))},
            "words": {**component.words(t), **t.texts("offline.", "saving.", "app.language", "app.depth")},
            "whole": whole(run, replace(view, map=MEAN_OF_HEADS)),
            "title": " · ".join([title, *([f"{t('edit.edited')} {edits}"] if edits else [])]),
            "why": self._why(view),
            "left_out": [t(key, **details) for key, details in left_out],
            "command": t("offline.open"),
        }
