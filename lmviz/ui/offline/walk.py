"""A recording as the page holds it: all that its walk can come to, worked out ahead by the code that draws the app."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from lmviz.registry.attached import Attached
from lmviz.registry.edits import CellEdit
from lmviz.registry.folder import Folder
from lmviz.registry.hub import HubModel
from lmviz.registry.recorded import Recorded
from lmviz.registry.recording import Recording
from lmviz.trace.step import Value
from lmviz.ui.depth import DEPTHS, parts
from lmviz.ui.offline.forms import Forms, NoRoom
from lmviz.ui.offline.kept import Kept
from lmviz.ui.offline.moved import moved_by
from lmviz.ui.offline.places import Places
from lmviz.ui.offline.spoken import Hint, Words
from lmviz.ui.offline.store import Store
from lmviz.ui.offline.walk_types import EditedCells, FormCells, OwnLanguage, Start, Walk
from lmviz.ui.step_through import events, tables
from lmviz.ui.step_through.scene import focus_position, token_row
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import LANGUAGES, visible

_PIECES = 5000  # of a vocabulary that are kept, with those that the pictures show
LeftOut = list[tuple[str, dict[str, Any]]]  # sentences by their keys, with what they are filled in with


@dataclass(frozen=True, slots=True)
class Limits:
    """What a page may hold.

    Args:
        n_bytes: of numbers, before they are compressed.
        n_cells: whose arithmetic is kept: each takes about a ten-thousandth of a second to work out.
    """

    n_bytes: int
    n_cells: int = 150_000


def walk_of(
    run: Recording, view: StepThroughView, limits: Limits, hint: Hint | None = None
) -> tuple[Walk, bytes, LeftOut]:
    """The walk, its numbers, and the sentences that say what is not in it."""
    view = replace(view, focus=focus_position(run, view))
    store = Store()
    kept = Kept(run, store, limits.n_bytes, view.focus)
    places = Places(run, view, kept)
    forms = Forms(run, kept.in_full, store)
    arithmetic, without = _arithmetic(run, places, kept, forms, limits.n_cells)
    words = Words(run, view, places, hint)
    left_out = _left_out(run, kept, words, without)
    spoken = words.spoken()
    languages = {lang: words.language(lang, left_out, title_of(run)) for lang in LANGUAGES}
    moved = {step.address: found for step in run.trace if step.outputs and (found := moved_by(step, kept, store))}
    walk: Walk = {
        "run": title_of(run),
        "command": _command_of(run),
        "n_heads": max(1, run.config.n_heads),
        "first_of": places.first_of,
        "counts": places.counts,
        "places": places.places,
        "listings": places.listings,
        "tensors": kept.tensors,
        "by_address": kept.by_address,
        "users": _users(run),
        "steps": _steps(run),
        "origins": places.origins,
        "forms": forms.forms,
        "arithmetic": arithmetic,
        "moved": moved,
        "tokens": token_row(run, view.focus),
        "pieces": _pieces(run, kept),
        "parts": {depth: parts(depth) for depth in DEPTHS},
        "spoken": spoken,
        "languages": _for_a_page(languages, title_of(run)),
        "texts": words.texts,
        "sheet": tables.tokens(run),
        "bars": _bars(run, places),
        "loss": _loss(run, places),
        "edited": _edited(run),
        "start": _start(run, view, places),
        "arrays": store.entries,
    }
    return walk, store.data(), left_out


def title_of(run: Recording) -> str:
    """The model and the text."""
    text = run.tokens.text or run.request.prompt
    return " · ".join(filter(None, (name_of(run), visible(text)[:200] if text else "")))


def name_of(run: Recording) -> str:
    """What the model is called: of a folder its name alone, since a page may go to anybody."""
    model = run.request.model
    if isinstance(model, Attached | Recorded):
        return model.name
    return PurePath(model.name).name if isinstance(model, Folder) else str(model)


def _command_of(run: Recording) -> str:
    """What opens the model in the app; for one that only its program has, the app alone."""
    model = run.request.model
    return f"lmviz {name_of(run)}" if isinstance(model, Folder | HubModel) else "lmviz"


def _arithmetic(
    run: Recording, places: Places, kept: Kept, forms: Forms, most: int
) -> tuple[dict[str, list[FormCells]], Counter[str]]:
    """Of what stages show first, then of all that steps have made; and of how many tensors it is missing, and why."""
    found: dict[str, list[FormCells]] = {}
    left, without = most, Counter[str]()
    for value in _made(run, places, kept):
        size = math.prod(value.shape)
        try:
            if size > left or value.address not in kept.in_full:
                raise NoRoom(value.address)
            found[value.address] = forms.of(value)
            left -= size
        except NoRoom as error:
            without["complex" if kept.complex.intersection(error.args) else "room"] += 1
    return found, without


def _made(run: Recording, places: Places, kept: Kept) -> list[Value]:
    shown = (kept.tensors[panel["tensor"]]["address"] for place in places.places for panel in place["panels"])
    every = (value.address for step in run.trace for value in step.outputs)
    addresses = dict.fromkeys([*shown, *every])
    made = (run.trace.value(address) for address in addresses if address in run.trace)
    return [value for value in made if value is not None]


def _users(run: Recording) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for step in run.trace:
        for value in step.inputs:
            if value.address not in run.trace:
                found.setdefault(value.address, []).append(step.index)
    return found


def _steps(run: Recording) -> dict[str, int]:
    """Every address that names a step: those of steps, and those of what they have made."""
    names = {name for step in run.trace for name in (step.address, *(value.address for value in step.outputs))}
    return {name: run.trace[name].index for name in names if name in run.trace}


def _pieces(run: Recording, kept: Kept) -> dict[str, str]:
    """How the ids of the vocabulary are written, as far as a picture says them."""
    size = run.config.d_vocab
    shown = set(range(size)) if size <= _PIECES else set(range(64)) | set(run.tokens.ids)
    return {str(i): visible(run.piece(i)) for i in sorted(shown) if i < size}


def _bars(run: Recording, places: Places) -> list[Any]:
    stage = next((stage for stage in run.navigator.stages if stage.kind == "probabilities"), None)
    if stage is None or all(place["table"] != "bars" for place in places.places):
        return []
    return [unasked(tables.bars(run, stage, pos, None)) for pos in range(len(run.tokens))]


def _loss(run: Recording, places: Places) -> Any:
    stage = next((stage for stage in run.navigator.stages if stage.kind == "loss"), None)
    if stage is None or all(place["table"] != "loss" for place in places.places):
        return None
    return unasked(tables.loss(run, stage))


def unasked(table: Any) -> Any:
    """A table without what one could ask a model: to write on, with another temperature, or with what comes next."""
    changed: Any = {"last": False, "target": None, "temperature": None}
    return {name: changed.get(name, part) for name, part in table.items()}


def _edited(run: Recording) -> list[EditedCells]:
    """The cells in which somebody had put other numbers."""
    found = []
    for edit in run.request.edits:
        value = run.trace.value(edit.address)
        if isinstance(edit, CellEdit):
            found.append(EditedCells(address=edit.address, at=list(edit.cell)))
        elif value is not None:
            rest: list[int | None] = [None] * (len(value.shape) - 2)
            found.append(EditedCells(address=edit.address, at=[None, edit.head, *rest]))
    return found


def _start(run: Recording, view: StepThroughView, places: Places) -> Start:
    return {
        "lang": view.lang,
        "depth": view.depth,
        "place": places.number(events.place(run, view)),
        "focus": view.focus,
        "head": min(view.head, max(0, run.config.n_heads - 1)),
        "cell": None if view.cell is None or not run.has(*view.cell) else (view.cell[0], list(view.cell[1])),
        "trail": [(address, list(cell)) for address, cell in view.trail],
        "digits": view.digits,
        "map": view.map,
    }


def _for_a_page(languages: dict[Any, OwnLanguage], name: str) -> dict[str, OwnLanguage]:
    """The whole-model picture with the choice of a head where the weights of all are there, and without it else."""
    for one in languages.values():
        one["whole"]["run"] = name
        if len(one["whole"]["heads"]) <= one["whole"]["n_heads"]:
            one["whole"]["n_heads"] = 1
    return languages


def _left_out(run: Recording, kept: Kept, words: Words, without: Counter[str]) -> LeftOut:
    found: LeftOut = [("offline.no_model", {})]
    if kept.cut:
        found.append(("offline.cut", {"n": len(set(kept.cut)), "all": len(kept.tensors)}))
    if without["room"]:
        found.append(("offline.no_arithmetic", {"n": without["room"]}))
    if without["complex"]:
        found.append(("offline.no_complex", {"n": without["complex"]}))
    if not words.says_all:
        found.append(("offline.one_token", {}))
    return found
