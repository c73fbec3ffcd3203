"""The five scenes of one training step: sample, predict, loss, gradients, update. Every number is the run's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st

from lmviz.registry.recording import Recording
from lmviz.services.services import Services
from lmviz.stages.navigation import Location
from lmviz.stages.panels import panels_at
from lmviz.trace.step import Array, fits
from lmviz.train.opened import OpenedStep
from lmviz.train.preview import aligned
from lmviz.ui import arithmetic_html, matrices, state, update_sum, widgets
from lmviz.ui.matrices import Matrix
from lmviz.ui.text import Translator, visible
from lmviz.ui.training import words
from lmviz.ui.training.view import TrainingView

HEIGHT = 330
_NEIGHBOURS = 3  # texts of the batch shown in the first scene
Cell = tuple[int, ...]


def sample(services: Services, view: TrainingView, opened: OpenedStep, walked: Recording) -> None:
    """Some texts of the batch: what is read, and below it what is to be predicted."""
    t = view.t
    for one in aligned(opened.batch, walked.checkpoint.tokenizer, walked.row, _NEIGHBOURS):
        st.html(
            words.rows(
                [
                    (t("train.data.inputs"), "inputs", one.inputs),
                    (t("train.data.targets"), "targets", one.targets),
                ]
            )
        )


def predict(services: Services, view: TrainingView, opened: OpenedStep, walked: Recording) -> None:
    """The probability of every token at every position; the targets' cells are marked."""
    value = walked.trace.value("readout.probs")
    if value is None:
        return
    n_pos = _length(opened, walked.row)
    probs = value.array[walked.row, :n_pos]
    targets = opened.batch.targets[walked.row, :n_pos].numpy()
    marked = np.zeros(probs.shape, np.float32)
    for pos, target in enumerate(targets):
        if target >= 0:
            marked[pos, target] = 1
    pieces = [walked.piece(i) for i in range(probs.shape[1])]
    shown = Matrix(
        probs,
        "probs",
        ("pos", "d_vocab"),
        walked.tokens.pieces[:n_pos],
        pieces,
        share=True,
        result=True,
        changed=marked,
    )
    matrices.show([shown], view.t, key="step_probs", height=HEIGHT)


def _length(opened: OpenedStep, row: int) -> int:
    """How many positions of a text there are, up to its last target."""
    counted = np.flatnonzero(opened.batch.targets[row].numpy() >= 0)
    return int(counted[-1]) + 1 if len(counted) else opened.batch.inputs.shape[1]


def loss(services: Services, view: TrainingView, opened: OpenedStep, walked: Recording) -> None:
    """−ln p of each target of the text; and how the mean over the whole batch comes to the loss of the step."""
    t, row = view.t, walked.row
    n_pos = _length(opened, row)
    targets = opened.batch.targets[row, :n_pos].tolist()
    losses = opened.losses[row, :n_pos]
    cells = []
    for pos, target in enumerate(targets):
        if target < 0:
            cells.append((visible(walked.token(pos)), "–", "–", "–"))
            continue
        nats = float(losses[pos])
        line = arithmetic_html.equation(t, "−ln({p})", nats, 4, p=float(np.exp(-nats)))
        cells.append((visible(walked.token(pos)), visible(walked.piece(target)), line.numbers["p"], line.text))
    heads = [t(f"train.one.{name}") for name in ("input", "target", "p", "nats")]
    st.html(words.table(heads, cells))
    counted = opened.losses[np.isfinite(opened.losses)].astype(np.float64)
    if not len(counted):
        return
    st.markdown(
        t(
            "train.one.mean",
            line=arithmetic_html.equation(
                t, "{total} ÷ {n}", float(counted.mean()), 6, total=float(counted.sum()), n=len(counted)
            ).bold,
            loss=t.number(opened.loss, 6),
        )
    )


def gradients(services: Services, view: TrainingView, opened: OpenedStep, walked: Recording) -> None:
    """Backward, stage by stage from the loss: a tensor's value, beside it its gradient; any cell's arithmetic below."""
    t = view.t
    if opened.loss_after is None:
        st.caption(t("train.one.no_gradient"))
        return
    said = backwards(walked)
    names = list(said)
    chosen = view.look if view.look in {*names, *opened.before} else names[0]
    left, right = st.columns(2)
    with left:
        _choose(t, "train.one.stage", "step_stage", names, chosen, said)
    with right:
        _choose(t, "train.one.or_weight", "step_weight", list(opened.before), chosen, {})
    shown = _value_and_gradient(opened, walked, chosen, _pinned(view, chosen))
    matrices.show(
        shown, t, key="step_gradients", on_cell=lambda address, cell: _pin(chosen, cell), height=HEIGHT, digits=4
    )
    _chain_rule(services, view, walked, chosen)
    _finite_differences(services, view, opened)


def _chain_rule(services: Services, view: TrainingView, walked: Recording, chosen: str) -> None:
    """Where the gradient of the pinned cell comes from, and what torch made of it."""
    t = view.t
    if view.cell is None or view.cell[0] != chosen:
        st.caption(t("train.one.click_gradient"))
        return
    cell = _whole_cell(walked, chosen, view.cell[1])
    why, recorded = walked.explain(chosen, cell, gradient=True), walked.trace.value(chosen)
    if why is not None and recorded is not None and recorded.grad is not None:
        arithmetic_html.show(why, t, digits=6)
        st.caption(t("train.one.recorded", value=t.number(float(recorded.grad[cell]), 6)))


def _finite_differences(services: Services, view: TrainingView, opened: OpenedStep) -> None:
    """The lesson's way to a gradient, as a check of autograd's: move a weight a little, and see what the loss does."""
    t = view.t
    with st.expander(t("train.one.check"), on_change="rerun", key="gradient_check") as shown:
        if not shown.open:
            return
        st.caption(t("train.one.check_say"))
        found = services.training.checked_gradient(view.run, opened.step)
        heads = [t(f"train.one.check.{name}") for name in ("weight", "autograd", "numeric", "difference")]
        lines = [
            (
                f"{one.weight}[{', '.join(map(str, one.cell))}]",
                t.number(one.autograd, 8),
                t.number(one.numeric, 8),
                t.number(one.relative, 1) if one.relative else "0",
            )
            for one in found
        ]
        st.html(words.table(heads, lines))


def _choose(t: Translator, label: str, key: str, options: list[str], chosen: str, said: dict[str, str]) -> None:
    st.session_state[key] = chosen if chosen in options else None
    widgets.selectbox(
        t(label),
        options,
        index=None,
        key=key,
        placeholder=t("train.one.choose"),
        width=420,
        format_func=lambda one: f"{options.index(one) + 1} · {t(said[one])} · {one}" if said else one,
        on_change=lambda: state.go(look=st.session_state[key] or "", cell=None),
    )


def backwards(walked: Recording) -> dict[str, str]:
    """What each stage of the walk makes, from the loss back, where it has a gradient; with the stage's title."""
    found = {}
    for stage in reversed(walked.navigator.stages):
        for panel in reversed(panels_at(walked.navigator, Location("stage", stage.index))):
            if panel.is_result and panel.value.grad is not None:
                found[panel.value.address] = f"stage.{stage.kind}.title"
    return found


def _value_and_gradient(opened: OpenedStep, walked: Recording, address: str, pinned: Cell | None) -> list[Matrix]:
    """Both drawn alike: a weight, or an activation of the chosen text and the first head."""
    found = walked.trace.value(address)
    assert found is not None
    is_weight = address in opened.before
    row = None if is_weight else walked.row
    value, gradient = _grid(found.array, row), _grid(found.grad, row)
    axes = ("", *found.axes)[-2:]
    rows = _labels(walked, axes[0])
    name = address if is_weight else address.rpartition(".")[2]
    part = "weight" if is_weight else "activation"
    assert value is not None
    shown = [Matrix(value, name, axes, rows, part=part, result=True, address="value", pinned=pinned)]
    if gradient is not None:
        label = f"∂loss / ∂{name}"
        shown.append(
            Matrix(gradient, label, axes, rows, sign=",", part=part, result=True, address="slope", pinned=pinned)
        )
    return shown


def _labels(walked: Recording, axis: str) -> Sequence[str]:
    """What stands at the rows of an axis: the text's tokens, the vocabulary, or numbers."""
    if axis in ("pos", "query"):
        return walked.tokens.pieces
    return [walked.piece(i) for i in range(walked.checkpoint.config.d_vocab)] if axis in ("d_vocab", "id") else ()


def _grid(array: Array | None, row: int | None) -> Array | None:
    """[rows, cols]: of an activation the chosen text's, and the first of every other axis in front."""
    if array is None or array.ndim < 2:
        return None if array is None else array.reshape(1, -1)
    if row is not None:
        array = array[row] if array.ndim > 2 else array[row : row + 1]
    while array.ndim > 2:
        array = array[0]
    return array


def _whole_cell(walked: Recording, address: str, cell: Cell) -> Cell:
    """The index of a cell that was clicked in a picture, on all axes of its tensor."""
    value = walked.trace.value(address)
    assert value is not None
    n_axes, row = len(value.shape), walked.row
    if value.role == "weight" or n_axes <= 1:
        return cell[-n_axes:] if n_axes else ()
    if n_axes == 2:
        return (row, cell[-1])
    return (row, *(0,) * (n_axes - 3), *cell[-2:])


def _pinned(view: TrainingView, address: str) -> Cell | None:
    return view.cell[1] if view.cell is not None and view.cell[0] == address else None


def _pin(address: str, cell: Cell) -> None:
    state.go(look=address, cell=(address, cell))


def update(services: Services, view: TrainingView, opened: OpenedStep, walked: Recording) -> None:
    """A weight before, its gradient, how far it moved; and the way of any cell written out."""
    t = view.t
    if opened.loss_after is None:
        st.caption(t("train.one.no_update"))
        return
    names = list(opened.before)
    chosen = view.look if view.look in names else names[0]
    _choose(t, "train.one.weight", "step_updated", names, chosen, {})
    before, after, gradient = opened.before[chosen], opened.after[chosen], opened.gradients.get(chosen)
    gradient = np.zeros_like(before) if gradient is None else gradient
    drawn = ((before, "before", ""), (gradient, "gradient", ","), (after - before, "moved", "→"))
    pinned, found = _pinned(view, chosen), walked.trace.value(chosen)
    axes = ("", *found.axes)[-2:] if found is not None else ("row", "col")
    shown = [
        Matrix(
            grid,
            t(f"train.one.{name}"),
            axes,
            _labels(walked, axes[0]),
            sign=sign,
            part="weight",
            result=name == "moved",
            address=name,
            pinned=pinned,
        )
        for grid, name, sign in drawn
    ]
    matrices.show(
        shown, t, key="step_update", on_cell=lambda address, cell: _pin(chosen, cell), height=HEIGHT, digits=4
    )
    st.markdown(
        t(
            "train.one.loss_after",
            before=t.number(opened.loss, 4),
            after=t.number(opened.loss_after, 4),
        )
    )
    if view.cell is None or view.cell[0] != chosen:
        st.caption(t("train.one.click_update"))
        return
    cell = view.cell[1][-before.ndim :]
    if not fits(cell, before.shape):
        return
    _written_out(opened, chosen, cell, t)


def _written_out(opened: OpenedStep, weight: str, cell: Cell, t: Translator) -> None:
    """Every line of the rule for one weight, and what torch's optimiser made of it."""
    found = opened.update(weight, cell)
    place = f"{weight}[{', '.join(map(str, cell))}]"
    left, right = st.columns([0.6, 0.4], vertical_alignment="center")
    with left:
        update_sum.show(found, t, "update", f"{opened.step} {place}")
    with right:
        torch_value = float(opened.after[weight][cell])
        st.html(
            words.facts(
                [
                    (t("train.one.by_hand", cell=place), t.number(found.value, 7)),
                    (t("train.one.by_torch", rule=opened.recipe.optimizer), t.number(torch_value, 7)),
                ]
            )
        )


SCENES: Mapping[int, Callable[[Services, TrainingView, OpenedStep, Recording], None]] = {
    1: sample,
    2: predict,
    3: loss,
    4: gradients,
    5: update,
}
