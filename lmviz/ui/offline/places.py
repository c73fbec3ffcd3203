"""The places of a walk: where each move leads, which tensors are shown, which line of the source is lit."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any, get_args

from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Grain, Location, Move
from lmviz.stages.panels import panels_at
from lmviz.trace.step import Value
from lmviz.ui.offline.kept import GRAINS, Kept
from lmviz.ui.offline.walk_types import KeptPanel, KeptPlace, KeptSource, Listed
from lmviz.ui.panel_types import Origin
from lmviz.ui.pictures import Slice
from lmviz.ui.step_through import tables
from lmviz.ui.step_through.origins import sent
from lmviz.ui.step_through.scene import source_at
from lmviz.ui.step_through.scene_types import Source
from lmviz.ui.step_through.tensors import ADDED, part_of
from lmviz.ui.step_through.view import StepThroughView

MOVES: tuple[Move, ...] = get_args(Move)


class Places:
    def __init__(self, run: Recording, view: StepThroughView, kept: Kept) -> None:
        self.first_of: dict[Grain, int] = {}
        self.counts: dict[Grain, int] = {grain: run.navigator.count(grain) for grain in GRAINS}
        self.listings: list[Listed] = []
        self.origins: list[list[Origin]] = []
        self._run, self._view, self._kept = run, view, kept
        self._known: dict[Hashable, int] = {}
        self.locations = [Location(grain, index) for grain in GRAINS for index in range(self.counts[grain])]
        for place, location in enumerate(self.locations):
            self.first_of.setdefault(location.grain, place)
        self.places = [self._place(location) for location in self.locations]

    def number(self, location: Location) -> int:
        return self.first_of[location.grain] + location.index

    def _place(self, location: Location) -> KeptPlace:
        navigator = self._run.navigator
        first, last = navigator.span(location)
        step, stage = navigator.step(location), navigator.stage(location)
        panels = panels_at(navigator, location)
        shown = [panel.value for panel in panels]
        made_from = self._run.origins((first, last), shown)
        return {
            "step": step.address if step is not None else "",
            "index": step.index if step is not None else -1,
            "line": navigator.outwards(location) if location.grain == "line" else -1,
            "first": first,
            "last": last,
            "stage": stage.index,
            "moves": {move: self.number(navigator.move(location, move)) for move in MOVES},
            "grains": [self.number(self._by(last, grain)) for grain in GRAINS],
            "source": self._source(location),
            "panels": [
                KeptPanel(
                    tensor=self._kept.number(panel.value),
                    name=panel.name,
                    sign=panel.sign,
                    result=panel.is_result,
                    turned=panel.turned,
                    part=part_of(panel),
                    origins=self._origins(panel.value, made_from.get(panel.value.address, ())),
                )
                for panel in panels
            ],
            "together": location.grain == "stage" and stage.kind in ADDED,
            "table": self._table(location),
            "ends": self._ends(location),
        }

    def _by(self, step: int, grain: Grain) -> Location:
        """As the choice of a grain does it: before the model runs, its first step."""
        if step < 0 and grain == "stage":
            return Location()
        return self._run.navigator.at(max(step, 0), grain)

    def _table(self, location: Location) -> Any:
        stage = self._run.navigator.stage(location)
        if stage.kind == "tokenizer":
            return "tokens"
        if location.grain == "stage" and stage.kind == "probabilities":
            return "bars"
        has_losses = location.grain == "stage" and stage.kind == "loss" and tables.has_losses(self._run, stage)
        return "loss" if has_losses else None

    def _ends(self, location: Location) -> str:
        if location.grain != "op":
            return ""
        statement = self._run.trace.statements[self._run.trace[location.index].statement]
        is_last = location.index == statement.last
        return f"{Path(statement.span.file).name}:{statement.span.lines[0]}" if is_last else ""

    def _source(self, location: Location) -> KeptSource | None:
        found = source_at(self._run, self._view, location)
        if found is None:
            return None
        return {"listing": self._listing(found), "lit": found["lit"], "stack": found["stack"]}

    def _listing(self, source: Source) -> int:
        listed: Listed = {
            "file": source["file"],
            "function": source["function"],
            "first": source["first"],
            "lines": source["lines"],
            "why": source["why"],
        }
        return self._numbered(listed, "listing", self.listings)

    def _origins(self, value: Value, found: Any) -> list[int]:
        """For each slice that can be chosen; once if they are all the same."""
        leads = self._kept.tensors[self._kept.number(value)]["lead"]
        size = max(value.shape, default=0)
        made = [sent(found, Slice(tuple(lead), 0, 0), len(value.shape), size) for lead in leads]
        numbers = [self._numbered(one, "origin", self.origins) for one in made]
        return numbers[:1] if len(set(numbers)) == 1 else numbers

    def _numbered(self, one: Any, kind: str, among: list[Any]) -> int:
        key = (kind, json.dumps(one))
        if key not in self._known:
            self._known[key] = len(among)
            among.append(one)
        return self._known[key]
