"""One token's way through the filters, written out in numbers."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from lmviz.explain import by_hand
from lmviz.generate.account import Account, Entry, account, share_in
from lmviz.generate.reading import text_read_as
from lmviz.generate.token_step import TokenStep
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.reference import Reference
from lmviz.ui import arithmetic_html, shell
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.place import Place
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, code, visible


def worked_out(view: GenerationView, checkpoint: Checkpoint, step: TokenStep, id: int) -> None:
    """Where one token's probability comes from, and a door to where its logit comes from."""
    if view.column:
        _in_column(view, checkpoint, step, id)
        return
    found, t = account(step, id), view.t
    token = visible(checkpoint.tokenizer.piece(id))
    st.markdown(f"**{t('generation.token.title', token=code(token), id=id)}**")
    lines = [t("generation.token.logit", score=t.number(found.logit))]
    lines += [_line(t, entry) for entry in found.entries]
    lines.append(_share(t, found, int(step.columns()[-1].n_kept)))
    st.markdown("  \n".join(lines))
    if view.weights == "trained":
        cell = ("logits", (0, len(step.read) - 1, id))
        shell.link(t("generation.token.why"), at_step(view, checkpoint, step, "logits", cell))


def _in_column(view: GenerationView, checkpoint: Checkpoint, step: TokenStep, id: int) -> None:
    """Where one cell of the table comes from: what the filter did to the score, and the share that is left to it."""
    t, found = view.t, share_in(step, id, view.column)
    token, column = visible(checkpoint.tokenizer.piece(id)), t(f"generation.column.{view.column}")
    st.markdown(f"**{t('generation.cell.title', token=code(token), column=column)}**")
    if found.entry is not None:
        st.markdown(_line(t, found.entry))
    elif found.before is None:
        st.markdown(t("generation.token.logit", score=t.number(float(step.logits[id]))))
    share = by_hand.softmax(found.scores, id)
    lines = [(t("generation.cell.share"), share)]
    if found.before and found.n_cut and share.value:
        lines.append((t("generation.cell.shared"), by_hand.mean([(found.before, found.kept)])))
    arithmetic_html.lines(lines, t)
    if found.before is not None:
        before, after = (t.number(value, 4) for value in (found.before, share.value.real))
        st.caption(t("generation.cell.change", before=before, after=after))
    elif view.weights == "trained":
        cell = ("logits", (0, len(step.read) - 1, id))
        shell.link(t("generation.token.why"), at_step(view, checkpoint, step, "logits", cell))


_ARITHMETIC = {"divide": "{before} ÷ {by}", "multiply": "{before} × {by}"}
_HELD = {"top_k": ("≥", "<"), "min_p": ("≥", "<"), "top_p": ("<", "≥")}  # against its limit, if it stays and if not


def _line(t: Translator, entry: Entry) -> str:
    key = f"generation.token.{entry.name}.{entry.action}"
    if entry.action in _ARITHMETIC:
        line = arithmetic_html.equation(
            t, _ARITHMETIC[entry.action], entry.after, 2, before=entry.before, by=entry.by
        ).bold
        return t(key, line=line)
    if entry.name in _HELD:
        sign = _HELD[entry.name][entry.action == "cut"]
        return t(key, line=arithmetic_html.compared(t, sign, entry.before, entry.by))
    return t(key, after=t.number(entry.after))


def _share(t: Translator, found: Account, n_kept: int) -> str:
    if found.cut_by:
        return t("generation.token.out")
    values = {"score": found.score, "highest": found.highest, "total": found.total}
    line = arithmetic_html.equation(t, "exp({score} − {highest}) ÷ {total}", found.share, 4, **values)
    return t("generation.token.share", n=n_kept, line=line.bold, **line.numbers)


def at_step(
    view: GenerationView,
    checkpoint: Checkpoint,
    step: TokenStep,
    stage: str,
    cell: tuple[str, tuple[int, ...]] | None = None,
) -> StepThroughView:
    """The step-through where this step's distribution was made."""
    return replace(step_place(view, view.model, checkpoint, step), step=stage, cell=cell)


def step_place(place: Place, model: Reference, checkpoint: Checkpoint, step: TokenStep) -> StepThroughView:
    """The step-through at the probabilities from which a step chose, with the text that the model read then."""
    temperature = step.settings.temperature if step.settings.draws else 1.0
    return StepThroughView(
        lang=place.lang,
        model=model,
        prompt=text_read_as(checkpoint.tokenizer, step.read),
        step="probabilities",
        temperature=temperature if 0.01 <= temperature <= 10 else 1.0,
    )
