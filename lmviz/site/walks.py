"""The recordings that the site links to, each written once as a page of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

from lmviz.registry.bug import Healthy, WithBug
from lmviz.registry.reference import Reference
from lmviz.services.services import Services
from lmviz.ui.offline.page import page_of, write_page
from lmviz.ui.step_through.recordings import request
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import DEFAULT

FOLDER = "walks"
_PLACE = ("lang", "depth", "step", "by", "line", "focus", "head", "cell", "map")  # what the address of a page says
LONGEST = 40  # letters of a model and its text in the name of a file


class Walks:
    """The recordings of some models, written into `out` as they are asked for."""

    def __init__(self, services: Services, out: Path, models: Collection[str]) -> None:
        self._services, self._out, self._models = services, out, models
        self._known: dict[str, StepThroughView] = {}

    @property
    def paths(self) -> tuple[str, ...]:
        """The files so far, from the top of the site."""
        return tuple(self._known)

    def link(self, view: StepThroughView) -> str:
        """Where a view can be seen, from the top of the site; empty, if the site has no walks of that model."""
        if str(_base(view.model)) not in self._models:
            return ""
        recorded = self._recorded(view)
        path = _path_of(recorded)
        if path not in self._known:
            self._known[path] = recorded
            self._write(path, recorded)
        place = {name: text for name, text in view.query().items() if name in _PLACE}
        return f"{path}#{urlencode(place)}" if place else path

    def _recorded(self, view: StepThroughView) -> StepThroughView:
        """The view from its first step: one for all places of the same recording."""
        asked = request(self._services, view)
        return StepThroughView(
            lang=DEFAULT, model=view.model, prompt=asked.prompt, target=asked.target, temperature=view.temperature,
            edits=view.edits,
        )  # fmt: skip

    def _write(self, path: str, view: StepThroughView) -> None:
        run = self._services.models.record(request(self._services, view))
        (self._out / path).parent.mkdir(parents=True, exist_ok=True)
        write_page(page_of(run, view), self._out / path)


def _base(model: Reference) -> Reference:
    return model.base if isinstance(model, WithBug | Healthy) else model


def _path_of(view: StepThroughView) -> str:
    """A name that can be read, and that tells two recordings apart."""
    query = replace(view, lang=DEFAULT).query()
    digest = hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:6]
    words = re.sub(r"[^a-z0-9]+", "-", f"{view.model} {view.prompt}".lower()).strip("-")
    return f"{FOLDER}/{words[:LONGEST].rstrip('-')}-{digest}.html"
