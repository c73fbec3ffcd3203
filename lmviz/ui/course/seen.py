"""What a visitor is looking at, and what can be measured there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lmviz.debug.exercises.question import Question
from lmviz.debug.memory.estimate import estimate
from lmviz.model.files import MEGABYTE
from lmviz.registry.edits import Edit
from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.stages.stage import READOUT
from lmviz.train.initial import config_of
from lmviz.ui.course.details import Detail, Found, Likeliest, Number, Share, ShareOfDraw
from lmviz.ui.debugging.memory import trial_of
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.questions import ANSWER_DIGITS, IN_PERCENT, decimals, question_about
from lmviz.ui.step_through.recordings import request
from lmviz.ui.step_through.view import StepThroughView

_PICTURE_DIGITS = 2  # decimals in a picture of a tensor, where nobody has asked for more
_MEMORY_DIGITS = 1  # of megabytes


@dataclass(frozen=True)
class Seen:
    """What a visitor is looking at."""

    view: Place
    services: Services
    begun: Place | None = None  # where the task began
    chosen: int | None = None  # the answer that was given to a question


def question_of(seen: Seen, about: str) -> Question | None:
    """The question that this run can answer about a stage; None where there is none."""
    run = run_of(seen)
    return None if run is None else question_about(run, "tokenizer" if about == "tokens" else about)


def details_of(seen: Seen, question: Question) -> Found:
    """The numbers of a question and its answer."""
    run = run_of(seen)
    right = question.options[question.answer]
    if question.kind == "position" and run is not None and isinstance(right, int):
        right = run.token(right)
    found = {**question.details, "answer": "×".join(map(str, right)) if isinstance(right, tuple) else right}
    return {name: _detail(name, value, decimals(question)) for name, value in found.items()}


def _detail(name: str, value: object, digits: int) -> Detail:
    if isinstance(value, float) and name in IN_PERCENT:
        return Share(value)
    if isinstance(value, float):
        return Number(value, ANSWER_DIGITS if name == "answer" else digits)
    return value if isinstance(value, int) else str(value)


def run_of(seen: Seen) -> Recording | None:
    """The run that the step-through shows."""
    if not isinstance(seen.view, StepThroughView):
        return None
    return seen.services.models.record(request(seen.services, seen.view))


def chances(run: Recording) -> NDArray[np.float64]:
    """[d_vocab]: how likely each token is to come next; nothing, where a run has ended before."""
    value = run.trace.value(f"{READOUT}.probs")
    probs = np.zeros((1, run.config.d_vocab)) if value is None else value.array
    found: NDArray[np.float64] = probs.reshape(-1, probs.shape[-1])[-1].astype(np.float64)
    return found


def next_token(seen: Seen) -> Found | None:
    run = run_of(seen)
    if run is None:
        return None
    likely = chances(run)
    best = int(likely.argmax())
    return {"text": run.request.prompt, "token": run.piece(best), "share": Share(float(likely[best]))}


def changed(seen: Seen, edit: Edit) -> Found | None:
    """How likely the likeliest token was before an edit, and what came of it; other edits stand before and after."""
    run = run_of(seen)
    if run is None or not isinstance(seen.view, StepThroughView):
        return None
    others = tuple(one for one in seen.view.edits if one != edit)
    plain = seen.services.models.record(request(seen.services, replace(seen.view, edits=others)))
    before, after = chances(plain), chances(run)
    best, now = int(before.argmax()), int(after.argmax())
    return {
        "token": run.piece(best),
        "before": Share(float(before[best])),
        "after": Share(float(after[best])),
        "now": run.piece(now),
        "now_share": Share(float(after[now])),
        "likeliest": Likeliest(run.piece(now), float(after[now]), was_before=now == best),
    }


def at_temperature_one(seen: Seen, view: StepThroughView) -> Found:
    now, plain = (
        chances(seen.services.models.record(request(seen.services, one)))
        for one in (view, replace(view, temperature=1.0))
    )
    run = seen.services.models.record(request(seen.services, view))
    best = int(plain.argmax())
    shares = {"before": Share(float(plain[best])), "after": Share(float(now[best]))}
    return {"token": run.piece(best), "text": run.request.prompt, **shares}


def cell_of_run(seen: Seen, address: str, cell: tuple[int, ...]) -> Found | None:
    """A cell of a run: its number, and what its row and its column stand for."""
    run = run_of(seen)
    if run is None or not run.has(address, cell):
        return None
    value = run.trace.value(address)
    assert value is not None
    if not np.isfinite(value.array[cell]):  # masked: it was made of nothing
        return None
    row, column = (_along(run, axis, i) for axis, i in list(zip(("", *value.axes), (0, *cell), strict=False))[-2:])
    digits = getattr(seen.view, "digits", _PICTURE_DIGITS)
    return {"value": Number(float(value.array[cell]), digits), "row": row, "column": column}


def _along(run: Recording, axis: str, i: int) -> Detail:
    """What a place on an axis stands for: a token of the text, one of the vocabulary, or only a number."""
    if axis in ("pos", "query", "key") and i < len(run.tokens):
        return run.token(i)
    return run.piece(i) if axis == "d_vocab" else i


def row_of_embedding(seen: Seen, address: str, cell: tuple[int, ...]) -> Found | None:
    """A cell of a look-up or a sum among the embeddings."""
    view = seen.view
    assert isinstance(view, EmbeddingsView)
    prompt = seen.services.models.first_prompt(view.model) if view.prompt is None else view.prompt
    service = seen.services.embeddings
    found = service.add_up(view.model, prompt) if view.section == "sum" else service.look_up(view.model, prompt)
    value = found.trace.value(address)
    place = cell if value is not None and value.array.ndim == len(cell) else (0, *cell)
    if value is None or len(place) != value.array.ndim or any(i >= n for i, n in zip(place, value.shape, strict=True)):
        return None
    row, column = place[-2:]
    piece = found.tokens.pieces[row] if address == "rows" or view.section == "sum" else found.recording.piece(row)
    return {"value": Number(float(value.array[place]), _PICTURE_DIGITS), "row": piece, "column": column}


def text_so_far(seen: Seen) -> Found | None:
    """The text of the generation page so far; None before its first token."""
    view = seen.view
    if not isinstance(view, GenerationView) or not view.n:
        return None
    checkpoint = seen.services.generation.writer(view.model, view.weights)
    settings = view.settings(checkpoint)
    generation = seen.services.generation.writing(checkpoint, view.first(checkpoint), settings, view.text).first(view.n)
    last = next((step for step in reversed(generation.steps) if step.chosen is not None), None)
    if last is None or last.chosen is None:
        return None
    return {
        "text": checkpoint.tokenizer.decode(generation.ids),
        "token": checkpoint.tokenizer.piece(last.chosen),
        "share": ShareOfDraw(last.share),
        "n": len(generation.new_ids),
        "left": int((last.probs() > 0).sum()),
        "of": len(last.logits),
    }


@dataclass(frozen=True)
class Memory:
    """What a training would need of its budget, both in megabytes."""

    batch: int
    needed: float
    budget: int

    @property
    def found(self) -> Found:
        return {"batch": self.batch, "needed": Number(self.needed, _MEMORY_DIGITS), "budget": self.budget}


def memory_needed(seen: Seen) -> Memory | None:
    """What a training would need."""
    view = seen.view
    if not isinstance(view, DebuggingView) or view.section != "pitfalls" or view.family != "memory":
        return None
    trial = trial_of(view)
    found = estimate(config_of(trial.model, trial.d_vocab), trial.optimizer, trial.batch_size, trial.n_pos)
    return Memory(view.batch, found.total / MEGABYTE, view.budget)
