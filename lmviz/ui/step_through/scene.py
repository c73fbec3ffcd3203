"""Everything that the step-through shows at one place, as plain data for the browser to draw."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from lmviz.debug.game import LEVELS, Level
from lmviz.model.architecture import Architecture
from lmviz.model.architectures import record_of
from lmviz.registry.edits import HeadOff
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recording import Recording
from lmviz.stages.navigation import Location
from lmviz.stages.origins import moved_from
from lmviz.stages.stage import Stage
from lmviz.trace.source.sites import SourceSpan
from lmviz.trace.step import Step
from lmviz.ui.arithmetic_types import Piece, Seen, SumTerm
from lmviz.ui.depth import STORY, parts, shows
from lmviz.ui.formula import svg
from lmviz.ui.pictures import plain
from lmviz.ui.step_through import tables, tensors
from lmviz.ui.step_through.code import code_pane, empty_pane, hidden_pane
from lmviz.ui.step_through.facts import Facts
from lmviz.ui.step_through.formulas import formula_of
from lmviz.ui.step_through.scene_types import (
    Bar,
    ButtonMove,
    Check,
    EditChip,
    Inspection,
    Picture,
    Place,
    Source,
    StageStop,
    Token,
    Watched,
    Words,
)
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, visible

MOVES: tuple[ButtonMove, ...] = ("first", "back", "over", "into", "out", "last")


def scene(
    run: Recording,
    view: StepThroughView,
    location: Location,
    windows: tensors.Windows,
    pinned: Inspection | None = None,
    other: Recording | None = None,
    stopped: str = "",
    changed: str = "",
    times: Sequence[Recording] = (),
) -> Place:
    """The stage map, the source, the picture, the words, the inspector, the invariants and the bar, at one place.

    Args:
        pinned: what the inspector says, the same wherever one is.
        windows: for large tensors, by address, a row and a column that the shown part must have in it.
        other: the run that this one is compared with.
        stopped: the breakpoint at which a run has just stopped.
        changed: that one steps by something else than before.
        times: the same text at other times of the model's training, with which the picture shares its scale.
    """
    stage = run.navigator.stage(location)
    step = run.navigator.step(location)
    lit = _lit(run, view, location, step)
    pos = focus_position(run, view)
    picture = _picture(run, view, location, stage, pos, windows, other, times)
    return {
        "lang": view.t.numbers,
        "run": f"{view.lang} {run.request.model} {run.request.prompt}",
        "digits": view.digits,
        "present": view.present,
        "parts": parts(view.depth),
        "map": stage_map(run, view, stage),
        "tokens": token_row(run, pos),
        "edits": edit_chips(view),
        "source": _source(run, view, lit, step if lit is step else None, location),
        "picture": picture,
        "say": say(run, view, location, stage, step, pos),
        "inspector": _renamed(pinned, picture, run),
        "watch": watched(run, view),
        "strip": strip(run, view, stage) if shows(view.depth, "checks") else [],
        "bar": bar(run, view, location, stopped, changed),
    }


def _renamed(found: Inspection | None, picture: Picture, run: Recording) -> Inspection | None:
    """What is said about a cell, with the name that its tensor has in the picture, and where its numbers are in it."""
    if found is None or picture["kind"] != "tensors":
        return found
    names = {panel["address"]: panel["name"] for panel in picture["panels"]}
    renamed = found.copy()
    renamed["name"] = names.get(found["address"], found["name"])
    if not found["gradient"]:
        renamed["lines"] = [{**line, "pieces": _placed(line["pieces"], names, run)} for line in found["lines"]]
    return renamed


def _placed(pieces: list[Piece], shown: Collection[str], run: Recording) -> list[Piece]:
    """Pieces that say where in the picture their numbers are, where that is not at their own address."""
    placed = []
    for piece in pieces:
        if "terms" in piece:
            terms = [SumTerm(pieces=_placed(term["pieces"], shown, run)) for term in piece["terms"]]
            placed.append(Piece(**{**piece, "terms": terms}))
        elif piece.get("address", "") and piece["address"] not in shown and not piece.get("gradient"):
            at = moved_from(run.trace, piece["address"], tuple(piece["cell"]), shown)
            placed.append(piece if at is None else Piece(**{**piece, "seen": Seen(address=at[0], cell=list(at[1]))}))
        else:
            placed.append(piece)
    return placed


def focus_position(run: Recording, view: StepThroughView) -> int:
    """The focus token's position; the last token if none was chosen, or it is not there any more."""
    last = len(run.tokens) - 1
    return view.focus if 0 <= view.focus <= last else last


def _lit(run: Recording, view: StepThroughView, location: Location, step: Step | None) -> Step | None:
    """The step whose line is lit: that of the pinned cell, where it is of this place; else the place's own."""
    if step is None or view.cell is None or view.cell[0] not in run.trace:
        return step
    first, last = run.navigator.span(location)
    pinned = run.trace[view.cell[0]]
    return pinned if first <= pinned.index <= last else step


def _source(
    run: Recording, view: StepThroughView, lit: Step | None, own: Step | None, location: Location
) -> Source | None:
    if not shows(view.depth, "source"):
        return None
    if lit is None and run.own is not None:
        return empty_pane(view.t("attach.source"))
    if lit is None:
        return None
    if _level(run) is not None:
        return hidden_pane(run.trace, lit.index, view.t("game.hidden"))
    span = lit.span if own is None else _span(run, location, lit)
    return code_pane(run.trace, lit.index, span, view.stops)


def source_at(run: Recording, view: StepThroughView, location: Location) -> Source | None:
    """The source pane of a place where no cell is pinned; None before the model runs."""
    step = run.navigator.step(location)
    return _source(run, view, step, step, location)


def _level(run: Recording) -> Level | None:
    """How hard a puzzle the model is; None for other models. Puzzles hide their source; hard ones more."""
    model = run.request.model
    return LEVELS[model.level] if isinstance(model, PuzzleModel) else None


def _span(run: Recording, location: Location, step: Step) -> SourceSpan:
    if location.grain == "line":
        return run.navigator.lines[location.index].span
    return step.span


# -- the map and the tokens ------------------------------------------------------------------------------------------


def stage_map(run: Recording, view: StepThroughView, here: Stage) -> list[StageStop]:
    """All stages in order, with the shape of what each makes."""
    shown: list[StageStop] = []
    for stage in run.navigator.stages:
        value = run.trace[stage.stop].outputs[0] if stage.stop >= 0 and run.trace[stage.stop].outputs else None
        shape = list(value.shape) if value is not None else [len(run.tokens)]
        shown.append(
            {
                "index": stage.index,
                "block": stage.block_name or None,
                "kind": stage.kind,
                "label": view.t(of_own(view.t, f"stage.{stage.kind}", run)),
                "shape": "×".join(map(str, shape)) or "1",
                "here": stage.index == here.index,
            }
        )
    return shown


def token_row(run: Recording, pos: int) -> list[Token]:
    tokens = run.tokens
    return [
        {"text": visible(tokens.pieces[i]), "id": tokens.ids[i], "here": i == pos, "unknown": tokens.unknown[i]}
        for i in range(min(len(tokens), tables.TOKENS_SHOWN))
    ]


def edit_chips(view: StepThroughView) -> list[EditChip]:
    """What was changed by hand, to be seen at all times and taken back one by one."""
    chips: list[EditChip] = []
    for edit in view.edits:
        if isinstance(edit, HeadOff):
            words = view.t("edit.head", name=edit.address, head=edit.head)
        else:
            index = ", ".join(map(str, edit.cell))
            words = f"{edit.address.rpartition('.')[2]}[{index}] = {view.t.number(edit.value, view.digits)}"
        chips.append({"text": words, "title": edit.address})
    return chips


def watched(run: Recording, view: StepThroughView) -> list[Watched]:
    """The watched cells with their values in this run; none where the run lacks the cell."""
    shown: list[Watched] = []
    for address, cell in view.watch:
        value = run.trace.value(address) if run.has(address, cell) else None
        found = None if value is None else plain(value.array[cell])
        shown.append({"address": address, "cell": list(cell), "value": found})
    return shown


# -- the picture -----------------------------------------------------------------------------------------------------


def _picture(
    run: Recording,
    view: StepThroughView,
    location: Location,
    stage: Stage,
    pos: int,
    windows: tensors.Windows,
    other: Recording | None,
    times: Sequence[Recording],
) -> Picture:
    if stage.kind == "tokenizer":
        return tables.tokens(run, other if view.compares else None)
    whole = location.grain == "stage" and not view.grad
    if whole and stage.kind == "probabilities":
        return tables.bars(run, stage, pos, other)
    if whole and stage.kind == "loss" and tables.has_losses(run, stage):
        return tables.loss(run, stage, other)
    return {"kind": "tensors", "panels": tensors.tensors(run, view, location, stage, pos, windows, other, times)}


# -- the words -------------------------------------------------------------------------------------------------------


_UNSAID = ("_stacklevel", "norm_type")  # settings that say nothing about what was computed


def say(run: Recording, view: StepThroughView, location: Location, stage: Stage, step: Step | None, pos: int) -> Words:
    """Title, sentences and formula of a place."""
    t = view.t
    title = t(of_own(t, f"stage.{stage.kind}.title", run))
    if stage.block_name:
        title = t("say.in_block", title=title, block=stage.block_name)
    if location.grain == "stage" or step is None:
        return _say_stage(run, view, stage, title, pos)
    return _say_step(run, step, title, t)


def _say_stage(run: Recording, view: StepThroughView, stage: Stage, title: str, pos: int) -> Words:
    t, facts = view.t, Facts(run, view, stage, pos)
    details = facts.all()
    record, is_their_own = record_of(run.config), _is_their_own(run, stage)
    first = at_depth(view, of_own(t, of_architecture(t, facts.key, record), run))
    hides = is_their_own or not shows(view.depth, "formula")
    return {
        "title": title,
        "text": " ".join([*(t(key, **details) for key in (first, *facts.also)), *_compared_with_before(facts)]),
        "more": "" if is_their_own else _more(t, stage, record, facts.variant),
        "formula": "" if hides else svg(formula_of(stage.kind, record, facts.variant)),
        "hint": t("say.hint") if stage.index == 0 else "",
        "settings": "",
        "under": "",
        "opened": "",
        "error": "",
    }


def _compared_with_before(facts: Facts) -> list[str]:
    found = facts.before
    return [] if found is None else [facts.view.t(found[0], **found[1])]


def _is_set(setting: object) -> bool:
    """Whether it is neither None nor 0 or False. Packed weights, say, can't be compared with anything."""
    return setting is not None and not (isinstance(setting, int | float) and setting == 0)


def _say_step(run: Recording, step: Step, title: str, t: Translator) -> Words:
    """`title` is that of the stage to which the step belongs."""
    key = f"op.{step.op}"
    sentences = t(key) if t.has(key) else t("op.other", op=step.op)
    settings = ", ".join(f"{k}={v}" for k, v in step.settings.items() if _is_set(v) and k not in _UNSAID)
    return {
        "title": step.address,
        "text": sentences,
        "more": "",
        "formula": "",
        "hint": "",
        "settings": settings[:200],
        "under": title,
        "opened": t("say.opened", fused=run.trace[step.opened].address) if step.opened is not None else "",
        "error": step.error,
    }


def at_depth(view: StepThroughView, key: str) -> str:
    """The sentence in words that need no mathematics, for who reads the story, where the other needs some."""
    story = f"{key}.story"
    return story if view.depth == STORY and view.t.has(story) else key


def of_architecture(t: Translator, key: str, record: Architecture[Any] | None) -> str:
    """The sentence for models of one architecture, where there is one of its own."""
    own = key if record is None else f"{key}.{record.name}"
    return own if t.has(own) else key


def _more(t: Translator, stage: Stage, record: Architecture[Any] | None, variant: str) -> str:
    """The long explanation of a stage, in the form that the model has of it if there is one for that."""
    own = (record and t.long_text(f"{stage.kind}.{record.name}")) or (
        variant and t.long_text(f"{stage.kind}.{variant}")
    )
    return own or t.long_text(stage.kind)


def _is_their_own(run: Recording, stage: Stage) -> bool:
    """Whether a stage is as somebody's program makes it, so that what is usual says nothing: its inputs, its loss."""
    is_loss = stage.kind == "loss" and not tables.has_losses(run, stage)
    return run.own is not None and (is_loss or stage.kind == "tokenizer")


def of_own(t: Translator, key: str, run: Recording) -> str:
    """The sentence for models of one's own, of which less is known, or for a recording, where there is one."""
    if run.own is None:
        return key
    kinds = ("own",) if run.request.model.live else ("recorded", "own")
    return next((f"{key}.{kind}" for kind in kinds if t.has(f"{key}.{kind}")), key)


def strip(run: Recording, view: StepThroughView, stage: Stage) -> list[Check]:
    """The invariants of the stage, with what was measured; none where a puzzle hides them."""
    level = _level(run)
    if level is not None and not level.invariants:
        return []
    return [
        {
            "label": view.t(f"check.{check.name}"),
            "measured": view.t(f"check.{check.name}.measured", value=_measured(view, check.measured)),
            "holds": check.holds,
        }
        for check in run.checks(stage)
    ]


def _measured(view: StepThroughView, value: float) -> str:
    digits = 0 if math.isfinite(value) and value == int(value) and abs(value) != 1 else 1 if abs(value) < 1e-6 else 6
    return view.t.number(value, digits)


def _can_grad(run: Recording) -> bool:
    """Whether there are gradients to show, or a loss from which they can be computed."""
    if not run.request.model.live:
        return run.trace.loss is not None
    return any(stage.kind == "loss" for stage in run.navigator.stages)


def _leads(run: Recording, location: Location, move: ButtonMove) -> str:
    there = run.navigator.move(location, move)
    return "" if there == location else there.name


def bar(run: Recording, view: StepThroughView, location: Location, stopped: str, changed: str = "") -> Bar:
    count = run.navigator.count(location.grain)
    return {
        "grain": location.grain,
        "index": location.index,
        "count": count,
        "at": view.t(f"bar.at.{location.grain}", index=location.index + 1, count=count),
        "moves": {move: _leads(run, location, move) for move in MOVES},
        "breakpoints": len(view.stops),
        "grad": view.grad,
        "can_grad": _can_grad(run),
        "stopped": stopped,
        "changed": changed,
    }
