"""What the course can detect: pure functions of what the visitor is looking at, by the names that chapters call them.

A check gets what is `Seen` and its argument, and gives what it measured, or None as long as the thing is not done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lmviz.debug.exercises.stages import ASK
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.stages.stage import KINDS
from lmviz.ui.course.details import Chosen, Found, Measured, Number, Share
from lmviz.ui.course.seen import (
    Seen,
    at_temperature_one,
    cell_of_run,
    changed,
    details_of,
    memory_needed,
    next_token,
    question_of,
    row_of_embedding,
    run_of,
    text_so_far,
)
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.depth import Part
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.step_through.events import place
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.tokenizer.view import TokenizerView
from lmviz.ui.training.planned import recipe_of
from lmviz.ui.training.view import TrainingView

LINES = ("uniform", "unigram", "bigram")  # what counting alone would reach
_ALL_POINTS = 10**9
LOSS_DIGITS, LINE_DIGITS, STEP_DIGITS = 3, 2, 4  # decimals on the training page: below the curve, on it, in one step
SETTING_DIGITS, DISTANCE_DIGITS = 2, 3  # of a setting of the generation page, and of a distance between embeddings


@dataclass(frozen=True)
class Check:
    """A check and what it finds."""

    find: Callable[[Seen, str], Found | None]
    details: frozenset[str]
    knows: Callable[[str], bool]  # whether an argument makes sense
    part: Part | None = None  # of a page: without it nobody can do what is checked, or see what the answer speaks of
    is_possible: Callable[[Place], bool] = lambda view: True  # where one is; else the task before comes first
    look: str = ""  # where what was done is seen, by a selector


CHECKS: dict[str, Check] = {}


def _check(
    *details: str,
    knows: Callable[[str], bool] = lambda argument: not argument,
    part: Part | None = None,
    is_possible: Callable[[Place], bool] = lambda view: True,
    look: str = "",
) -> Callable[[Callable[[Seen, str], Found | None]], Callable[[Seen, str], Found | None]]:
    """Puts a function into `CHECKS`, by its name."""

    def kept(find: Callable[[Seen, str], Found | None]) -> Callable[[Seen, str], Found | None]:
        CHECKS[find.__name__] = Check(find, frozenset(details), knows, part, is_possible, look)
        return find

    return kept


def _is_number(argument: str) -> bool:
    return argument.replace(".", "", 1).isdecimal() and argument.isascii()


# -- the step-through ------------------------------------------------------------------------------------------------


@_check(
    "answer", "share", "token", "n", "text", "left", "right", "width", "n_heads", "d_model", "name",
    "angle", "pos", "n_kv", "head", "n_experts", "first", "rest", "column",
    knows=lambda argument: argument == "tokens" or argument in ASK,
)  # fmt: skip
def answered(seen: Seen, argument: str) -> Found | None:
    """A question about a stage of this run was answered, rightly or not; "tokens", or the kind of a stage."""
    question = question_of(seen, argument)
    if question is None or seen.chosen is None:
        return None
    return details_of(seen, question)


@_check("n", "stage", knows=lambda argument: argument in KINDS)
def reached(seen: Seen, argument: str) -> Found | None:
    """The walk stands at a stage of that kind."""
    run = run_of(seen)
    if run is None or not isinstance(seen.view, StepThroughView):
        return None
    stage = run.navigator.stage(place(run, seen.view))
    return {"n": len(run.tokens), "stage": stage.kind} if stage.kind == argument else None


@_check("value", "row", "column", knows=str.isidentifier, part="arithmetic")
def pinned(seen: Seen, argument: str) -> Found | None:
    """A cell of a tensor of that name is pinned: `pattern` for `blocks.0.attn.pattern`; none that is masked."""
    if not isinstance(seen.view, StepThroughView | EmbeddingsView) or seen.view.cell is None:
        return None
    address, cell = seen.view.cell
    if address.rpartition(".")[2] != argument:
        return None
    found_in = cell_of_run if isinstance(seen.view, StepThroughView) else row_of_embedding
    return found_in(seen, address, cell)


@_check("token", "most", "share")
def followed(seen: Seen, argument: str) -> Found | None:
    """Another token than before is followed."""
    run = run_of(seen)
    if run is None or not isinstance(seen.view, StepThroughView) or not isinstance(seen.begun, StepThroughView):
        return None
    pos, before = (view.focus % len(run.tokens) for view in (seen.view, seen.begun))
    pattern = next((step.outputs[0].array for step in run.trace if step.address.endswith("attn.pattern")), None)
    if pos == before or pattern is None:
        return None
    row = pattern[0, min(seen.view.head, pattern.shape[1] - 1), pos]
    return {"token": run.token(pos), "most": run.token(int(row.argmax())), "share": Share(float(row.max()))}


@_check("head", "token", "before", "after", "now", "now_share", "likeliest")
def head_off(seen: Seen, argument: str) -> Found | None:
    """A head of the attention is switched off."""
    off = [edit for edit in getattr(seen.view, "edits", ()) if isinstance(edit, HeadOff)]
    found = changed(seen, off[-1]) if off else None
    return None if found is None else {"head": off[-1].head, **found}


@_check("token", "before", "after", "now", "now_share", "likeliest", part="arithmetic")
def edited(seen: Seen, argument: str) -> Found | None:
    """A number of the run was overwritten."""
    edits = [edit for edit in getattr(seen.view, "edits", ()) if isinstance(edit, CellEdit)]
    return changed(seen, edits[-1]) if edits else None


@_check("text", "token", "share")
def text_grew(seen: Seen, argument: str) -> Found | None:
    """The text is longer than where the task began, and begins as it did."""
    before = getattr(seen.begun, "prompt", None)
    now = getattr(seen.view, "prompt", None)
    grew = before is not None and now is not None and now != before and now.startswith(before)
    return next_token(seen) if grew else None


@_check("text", "token", "share", "n", "left", "of")
def own_text(seen: Seen, argument: str) -> Found | None:
    """The visitor typed a text of their own; on the generation page it has also been written on."""
    now = getattr(seen.view, "prompt", None)
    if not now or now == getattr(seen.begun, "prompt", None):
        return None
    if now == seen.services.models.first_prompt(seen.view.model):  # type: ignore[attr-defined]
        return None
    return text_so_far(seen) if isinstance(seen.view, GenerationView) else next_token(seen)


@_check("loss", part="arithmetic")
def gradient_shown(seen: Seen, argument: str) -> Found | None:
    """The way back is shown: gradients of the loss over the text."""
    run = run_of(seen)
    if run is None or not isinstance(seen.view, StepThroughView) or not seen.view.grad or run.target_id is None:
        return None
    loss = run.trace.loss
    return None if loss is None else {"loss": Number(loss, seen.view.digits)}


# -- writing ---------------------------------------------------------------------------------------------------------


@_check("temperature", "token", "before", "after", "text", knows=_is_number)
def temperature_above(seen: Seen, argument: str) -> Found | None:
    """The temperature is higher than so much; on the generation page, a text was written with it."""
    if not isinstance(seen.view, GenerationView | StepThroughView) or seen.view.temperature <= float(argument):
        return None
    temperature = Number(seen.view.temperature, SETTING_DIGITS)
    if isinstance(seen.view, GenerationView):
        found = text_so_far(seen)
        return found and {"temperature": temperature, "text": found["text"]}
    return {"temperature": temperature, **at_temperature_one(seen, seen.view)}


@_check("temperature", "text", knows=_is_number)
def temperature_below(seen: Seen, argument: str) -> Found | None:
    """A text was written at a lower temperature than that."""
    if not isinstance(seen.view, GenerationView) or seen.view.temperature >= float(argument):
        return None
    found = text_so_far(seen)
    return found and {"temperature": Number(seen.view.temperature, SETTING_DIGITS), "text": found["text"]}


@_check("text", "token", "share", "n", "left", "of", knows=_is_number)
def written(seen: Seen, argument: str) -> Found | None:
    """So many tokens were written."""
    is_long = isinstance(seen.view, GenerationView) and seen.view.n >= float(argument)
    return text_so_far(seen) if is_long else None


@_check("top_k", "left", "of", "text", knows=_is_number)
def top_k_below(seen: Seen, argument: str) -> Found | None:
    """A text was written from the few likeliest tokens alone: fewer than so many at each step."""
    return _from_likeliest(seen, "top_k", float(argument))


@_check("top_p", "left", "of", "text", knows=_is_number)
def top_p_below(seen: Seen, argument: str) -> Found | None:
    """A text was written from the likeliest tokens that together have a share: less than that."""
    return _from_likeliest(seen, "top_p", float(argument))


def _from_likeliest(seen: Seen, setting: str, below: float) -> Found | None:
    if not isinstance(seen.view, GenerationView) or not 0 < getattr(seen.view, setting) < below:
        return None
    found, chosen = text_so_far(seen), getattr(seen.view, setting)
    shown = chosen if isinstance(chosen, int) else Number(chosen, SETTING_DIGITS)
    return found and {setting: shown, **{name: found[name] for name in ("left", "of", "text")}}


# -- tokens and embeddings -------------------------------------------------------------------------------------------


@_check("n", "characters", "d_vocab")
def text_cut(seen: Seen, argument: str) -> Found | None:
    """A text of one's own was cut into tokens."""
    view = seen.view
    if not isinstance(view, TokenizerView) or not view.text or view.text == getattr(seen.begun, "text", None):
        return None
    tokenizer = seen.services.tokenizers.tokenizer(view.tokenizer, view.source, view.merges)
    return {"n": len(tokenizer.encode(view.cut)), "characters": len(view.cut), "d_vocab": tokenizer.d_vocab}


@_check("piece", "id", "n")
def piece_looked_at(seen: Seen, argument: str) -> Found | None:
    """A token of the text is looked at."""
    view = seen.view
    if not isinstance(view, TokenizerView) or view.piece is None:
        return None
    tokens = seen.services.tokenizers.tokenizer(view.tokenizer, view.source, view.merges).encode(view.cut)
    if view.piece >= len(tokens):
        return None
    return {"piece": tokens.pieces[view.piece], "id": str(tokens.ids[view.piece]), "n": len(tokens)}


@_check("n", "piece", "before", "now", knows=_is_number)
def merges_learned(seen: Seen, argument: str) -> Found | None:
    """So many pairs were merged, one after the other."""
    view = seen.view
    if not isinstance(view, TokenizerView) or view.tab != "learn" or view.at < float(argument):
        return None
    learning = seen.services.tokenizers.learned(view.source, max(view.at, view.merges))
    at = min(view.at, len(learning.merges))
    piece = learning.tokens[learning.merges[at - 1].token].decode("utf-8", "replace")
    return {"n": at, "piece": piece, "before": learning.lengths[0], "now": learning.lengths[at]}


@_check("token", "near", "distance")
def neighbour_chosen(seen: Seen, argument: str) -> Found | None:
    """Another token's neighbours are shown."""
    view = seen.view
    if not isinstance(view, EmbeddingsView) or view.section != "near" or view.id == getattr(seen.begun, "id", None):
        return None
    pieces = seen.services.embeddings.pieces(view.model)
    id = min(view.id, len(pieces) - 1)
    first = seen.services.embeddings.neighbours(view.model, id, view.metric)[0]
    return {"token": pieces[id], "near": pieces[first.id], "distance": Number(float(first.distance), DISTANCE_DIGITS)}


# -- learning --------------------------------------------------------------------------------------------------------


@_check("n", "before", "width")
def size_changed(seen: Seen, argument: str) -> Found | None:
    """The plan has another width than the recipe that it began with."""
    view = seen.view
    if not isinstance(view, TrainingView) or "model.d_model" not in dict(view.changes):
        return None
    width = int(dict(view.changes)["model.d_model"])
    now, before = (
        seen.services.training.plan(recipe_of(seen.services, one)).n_parameters
        for one in (view, replace(view, changes=()))
    )
    return {"n": now, "before": before, "width": width}


@_check("loss", "line", "step", "first", knows=lambda argument: argument in LINES)
def loss_below(seen: Seen, argument: str) -> Found | None:
    """The loss of the run fell below what counting alone reaches: uniform, unigram or bigram."""
    view = seen.view
    if not isinstance(view, TrainingView) or not view.run:
        return None
    run = seen.services.models.runs.get(view.run)
    line = run.facts.get("baselines", {}).get(argument)
    found = seen.services.models.runs.series(view.run, "loss", _ALL_POINTS)
    below = [] if line is None else np.flatnonzero(found.numbers < line).tolist()
    if not below:
        return None
    first, last = (Number(float(found.numbers[i]), LOSS_DIGITS) for i in (0, -1))
    return {"loss": last, "line": Number(line, LINE_DIGITS), "step": int(found.steps[below[0]]), "first": first}


@_check("steps", "before", "more", "loss", "first", "earlier")
def trained_longer(seen: Seen, argument: str) -> Found | None:
    """A run has ended that made more steps than the plan with which the task began."""
    view, begun = seen.view, seen.begun
    if not isinstance(view, TrainingView) or not view.run or not isinstance(begun, TrainingView):
        return None
    run, before = seen.services.models.runs.get(view.run), recipe_of(seen.services, begun).training.steps
    if run.steps <= before or run.loss is None or run.step < run.steps:
        return None
    curve = seen.services.models.runs.series(view.run, "loss", _ALL_POINTS)
    then = curve.numbers[curve.steps <= before]
    first, earlier = (
        Number(float(one), LOSS_DIGITS) for one in (curve.numbers[0], (then if len(then) else curve.numbers)[-1])
    )
    loss = Number(run.loss, LOSS_DIGITS)
    return {"steps": run.steps, "before": before, "more": run.steps - before, "loss": loss, "first": first,
            "earlier": earlier}  # fmt: skip


@_check("step", "loss", "loss_after", "rate", knows=_is_number, is_possible=lambda view: bool(getattr(view, "run", "")))
def scene_reached(seen: Seen, argument: str) -> Found | None:
    """One training step is watched, up to that scene of five."""
    view = seen.view
    if not isinstance(view, TrainingView) or not view.run or view.tab != "step" or view.scene < float(argument):
        return None
    opened = seen.services.training.opened(view.run, view.opened or 1)
    after = opened.loss if opened.loss_after is None else opened.loss_after
    loss, loss_after = (Number(one, STEP_DIGITS) for one in (opened.loss, after))
    return {"step": opened.step, "loss": loss, "loss_after": loss_after, "rate": Chosen(opened.rate)}


# -- when it goes wrong ----------------------------------------------------------------------------------------------


@_check("loss", "guess", "steps", "diverged", "copied", "of", knows=PITFALLS.__contains__)
def pitfall_ran(seen: Seen, argument: str) -> Found | None:
    """A training that goes wrong was run."""
    view, pitfall = seen.view, PITFALLS[argument]
    chosen = isinstance(view, DebuggingView) and view.ran and view.pitfall == argument
    if not chosen or not seen.services.pitfalls.has_run(pitfall.faulty):
        return None
    result = seen.services.pitfalls.result(pitfall.faulty)
    return {
        "loss": Measured(result.true_loss if result.held_out_loss is None else result.held_out_loss),
        "guess": Measured(result.baselines.uniform),
        "steps": pitfall.faulty.training.steps,
        "diverged": result.diverged_at or result.history.last_step,
        "copied": result.n_copied,
        "of": len(result.samples),
    }


@_check(
    *("loss", "cured", "guess", "sample"),
    knows=PITFALLS.__contains__, is_possible=lambda view: getattr(view, "ran", False),
    look="[class*=st-key-chart_pitfall]",
)  # fmt: skip
def pitfall_cured(seen: Seen, argument: str) -> Found | None:
    """The training that goes wrong was run, and the one that is mended."""
    view, pitfall = seen.view, PITFALLS[argument]
    ran, cure = pitfall_ran(seen, argument), pitfall.cures[0][1]
    if ran is None or not getattr(view, "cured", False) or not seen.services.pitfalls.has_run(cure):
        return None
    result = seen.services.pitfalls.result(cure)
    loss = result.true_loss if result.held_out_loss is None else result.held_out_loss
    return {
        "loss": ran["loss"],
        "cured": Measured(loss),
        "guess": ran["guess"],
        "sample": next(iter(result.samples), ""),
    }


@_check("batch", "needed", "budget")
def memory_full(seen: Seen, argument: str) -> Found | None:
    """The training would need more memory than the budget has."""
    memory = memory_needed(seen)
    return memory.found if memory is not None and memory.needed > memory.budget else None


@_check("batch", "needed", "budget")
def memory_fits(seen: Seen, argument: str) -> Found | None:
    """The training fits into a budget no larger than where the task began."""
    memory, begun = memory_needed(seen), seen.begun
    if memory is None or not isinstance(begun, DebuggingView) or memory.budget > begun.budget:
        return None
    return memory.found if memory.needed <= memory.budget else None
