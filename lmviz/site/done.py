"""The tasks of the course, done as a reader would do them: so an answer on the site has the numbers of a real run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.errors import UserError
from lmviz.lessons.chapter import Task
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.ui.course.checks import CHECKS
from lmviz.ui.course.details import Found
from lmviz.ui.course.seen import Seen, chances, question_of, run_of
from lmviz.ui.debugging.view import DebuggingView
from lmviz.ui.embeddings.view import EmbeddingsView
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.training.view import TrainingView

SAID = re.compile(r"`([^`]+)`")  # what a task gives as an example of what to type
_OTHER = 5.0  # a number to put in another's place
WIDTH = 32  # another width for a model
SCENES = 5


@dataclass(frozen=True)
class Done:
    """What a task shows when it is done: where, and what its check finds there."""

    view: Place
    found: Found


@dataclass(frozen=True)
class Doer:
    """Does tasks.

    Args:
        run: the id of a finished training, for tasks that look at one; empty: those are left undone.
    """

    services: Services
    run: str = ""

    def do(self, task: Task, begun: Place) -> Done | None:
        """The task done, from where it begins; None where that cannot be done here."""
        try:
            view = _WAYS[task.check](self, task, begun)
            seen = Seen(view, self.services, begun)
            if task.check == "answered":
                question = question_of(seen, task.argument)
                seen = replace(seen, chosen=None if question is None else question.answer)
            found = CHECKS[task.check].find(seen, task.argument)
        except (UserError, _Undone):
            return None
        return None if found is None else Done(view, found)

    def recording(self, view: StepThroughView) -> Recording:
        run = run_of(Seen(view, self.services))
        assert run is not None
        return run


class _Undone(Exception):
    """There is no way to do it."""


_Way = Callable[[Doer, Task, Place], Place]


def _stay(doer: Doer, task: Task, begun: Place) -> Place:
    return begun


def _reached(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(begun, step=task.argument)


def _grown(doer: Doer, task: Task, begun: Place) -> Place:
    """The likeliest token behind the text, as the button adds it."""
    view = _walk(begun)
    run = doer.recording(view)
    ids = [*run.tokens.ids, int(chances(run).argmax())]
    return replace(view, prompt=run.checkpoint.tokenizer.decode(ids))


def _typed(doer: Doer, task: Task, begun: Place) -> Place:
    """The text that the task gives as an example."""
    example = SAID.search(task.do)
    if example is None:
        raise _Undone
    return _written(doer, task, _changed(begun, prompt=example[1]))


def _written(doer: Doer, task: Task, begun: Place) -> Place:
    """To the end of the text, where one is written; as many tokens as the task says."""
    if not isinstance(begun, GenerationView):
        return begun
    return replace(begun, n=int(task.argument) if task.check == "written" else begun.length)


def _setting(name: str, of: Callable[[float], float]) -> _Way:
    """Another setting, and a text written with it."""

    def way(doer: Doer, task: Task, begun: Place) -> Place:
        bound = float(task.argument)
        return _written(doer, task, _changed(begun, **{name: type(getattr(begun, name))(of(bound))}))

    return way


def _pinned(doer: Doer, task: Task, begun: Place) -> Place:
    """The first number of the last token's row that the picture shows."""
    if isinstance(begun, EmbeddingsView):
        return replace(begun, cell=(task.argument, (1, 0)))
    view = _walk(begun)
    trace = doer.recording(view).trace
    step = next((one for one in trace if one.address.rpartition(".")[2] == task.argument), None)
    if view.step in trace and trace[view.step].address.endswith(f".{task.argument}"):
        step = trace[view.step]
    if step is None:
        raise _Undone
    array = step.outputs[0].array
    row = (0,) * (array.ndim - 2) + (array.shape[-2] - 1,)
    return replace(
        view, step=step.address, cell=(step.address, (*row, int(np.flatnonzero(np.isfinite(array[row]))[0])))
    )


def _followed(doer: Doer, task: Task, begun: Place) -> Place:
    view = _walk(begun)
    n_tokens = len(doer.recording(view).tokens)
    return replace(view, focus=(view.focus % n_tokens - 1) % n_tokens)


def _head_off(doer: Doer, task: Task, begun: Place) -> Place:
    view = _walk(begun)
    return replace(view, edits=(HeadOff(view.step, 0),))


def _edited(doer: Doer, task: Task, begun: Place) -> Place:
    view = _walk(begun)
    array = doer.recording(view).trace[view.step].outputs[0].array
    cell = (*(0,) * (array.ndim - 2), array.shape[-2] - 1, 0)
    return replace(view, edits=(CellEdit(view.step, cell, _OTHER),))


def _gradients(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(begun, grad=True)


def _cut(doer: Doer, task: Task, begun: Place) -> Place:
    example = SAID.search(task.do)
    return _changed(begun, text=example[1] if example else begun.t("tokenizer.example"))


def _piece(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(begun, piece=1)


def _learned(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(begun, at=int(task.argument))


def _neighbour(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(begun, id=getattr(begun, "id", 0) + 1)


def _resized(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(begun, changes=(("model.d_model", WIDTH),))


def _trained(doer: Doer, task: Task, begun: Place) -> Place:
    if not doer.run or not isinstance(begun, TrainingView):
        raise _Undone
    return replace(begun, run=doer.run)


def _one_step(doer: Doer, task: Task, begun: Place) -> Place:
    return _changed(_trained(doer, task, begun), tab="step", scene=SCENES)


def _went_wrong(doer: Doer, task: Task, begun: Place) -> Place:
    """The training that goes wrong, and, where the task asks for it, the one that is mended."""
    if not doer.run or task.argument not in PITFALLS:
        raise _Undone
    pitfall, is_cured = PITFALLS[task.argument], task.check == "pitfall_cured"
    for setup in (pitfall.faulty, *((pitfall.cures[0][1],) if is_cured else ())):
        doer.services.pitfalls.result(setup)
    return _changed(begun, pitfall=task.argument, ran=True, cured=is_cured)


def _batch(sizes: Callable[[int], range]) -> _Way:
    """The first size of a batch with which the check is content."""

    def way(doer: Doer, task: Task, begun: Place) -> Place:
        if not isinstance(begun, DebuggingView):
            raise _Undone
        for batch in sizes(begun.batch):
            view = replace(begun, batch=batch)
            if CHECKS[task.check].find(Seen(view, doer.services, begun), task.argument) is not None:
                return view
        raise _Undone

    return way


def _walk(view: Place) -> StepThroughView:
    if not isinstance(view, StepThroughView):
        raise _Undone
    return view


def _changed(view: Place, **changes: object) -> Place:
    """A view with some parts changed; none is done where it has no such part."""
    if any(not hasattr(view, name) for name in changes):
        raise _Undone
    return replace(view, **changes)  # type: ignore[arg-type]


_WAYS: dict[str, _Way] = {
    "answered": _stay,
    "reached": _reached,
    "pinned": _pinned,
    "followed": _followed,
    "head_off": _head_off,
    "edited": _edited,
    "text_grew": _grown,
    "own_text": _typed,
    "gradient_shown": _gradients,
    "temperature_above": _setting("temperature", lambda bound: bound + 0.5),
    "temperature_below": _setting("temperature", lambda bound: bound / 3),
    "written": _written,
    "top_k_below": _setting("top_k", lambda bound: max(1, bound // 2)),
    "top_p_below": _setting("top_p", lambda bound: bound - 0.15),
    "text_cut": _cut,
    "piece_looked_at": _piece,
    "merges_learned": _learned,
    "neighbour_chosen": _neighbour,
    "size_changed": _resized,
    "loss_below": _trained,
    "trained_longer": _trained,
    "scene_reached": _one_step,
    "pitfall_ran": _went_wrong,
    "pitfall_cured": _went_wrong,
    "memory_full": _batch(lambda batch: range(batch, 257)),
    "memory_fits": _batch(lambda batch: range(batch, 0, -1)),
}
