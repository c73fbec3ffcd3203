"""Several texts at once, from one prompt, and how varied they are; beside them, if wanted, the untrained model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from lmviz.generate.measures import MEASURES, Counts, Diversity
from lmviz.generate.settings import notes
from lmviz.generate.side_by_side import Outcome
from lmviz.model.checkpoint import Checkpoint
from lmviz.services.services import Services
from lmviz.ui import drawing, replay, state
from lmviz.ui.generation import table
from lmviz.ui.generation.pictures_types import Measure, Measures, WrittenText, WrittenTexts
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.text import visible

MOST_SHARES = 4  # of a mean that are written out


def several(services: Services, view: GenerationView) -> None:
    """A list of texts for each set of weights."""
    t = view.t
    st.toggle(t("generation.both"), help=t("generation.weights_help"), **state.bound("both"))
    shown = ("trained", "untrained") if view.both else (view.weights,)
    checkpoints = [services.generation.writer(view.model, weights) for weights in shown]
    live = services.generation.outcomes([(one, view.first(one), view.settings(one)) for one in checkpoints])
    replay.with_progress(live, t, "texts", lambda found: _written(view, shown, checkpoints, found[-1]()))
    notes_below(view, services)


def _written(
    view: GenerationView, shown: tuple[str, ...], checkpoints: Sequence[Checkpoint], outcomes: tuple[Outcome, ...]
) -> None:
    """What is written so far, a column for each set of weights."""
    columns = st.columns(len(shown), gap="large")
    for column, weights, checkpoint, outcome in zip(columns, shown, checkpoints, outcomes, strict=False):
        with column:
            if view.both:
                st.markdown(f"## {view.t(f'generation.weights.{weights}')}")
            texts(view, checkpoint, outcome, f"generation.texts.{weights}", lambda at, w=weights: _open(at, w))
            measures(view, outcome.diversity, f"generation.measures.{weights}")


def notes_below(view: GenerationView, services: Services, strategy: str = "") -> None:
    """What the settings don't do."""
    checkpoint = services.models.checkpoint(view.model)
    for note in notes(view.settings(checkpoint, strategy), checkpoint.config.d_vocab):
        st.caption(f":orange-badge[!] {table.note_text(note, view.t)}")


def _open(at: int, weights: str) -> None:
    state.go(way="one", text=at, weights=weights, n=state.view(GenerationView).length, at=-1, token=None)


def texts(view: GenerationView, checkpoint: Checkpoint, outcome: Outcome, key: str, open_text: Any = None) -> None:
    """A list of texts, the new tokens apart from the prompt's; a click opens one token by token."""
    tokenizer = checkpoint.tokenizer
    given = tokenizer.decode(tokenizer.encode(view.first(checkpoint)).ids)
    finals = outcome.finals or (None,) * len(outcome.texts)
    rows: list[WrittenText] = [
        {
            "given": visible(given),
            "new": visible(whole[len(given) :] if whole.startswith(given) else tokenizer.decode(new)),
            "log_prob": log_prob,
            "final": final,
            "same_as": outcome.new_ids.index(new),
            "stopped": bool(new) and new[-1] in outcome.settings.stop,
        }
        for whole, new, log_prob, final in zip(outcome.texts, outcome.new_ids, outcome.log_probs, finals, strict=True)
    ]

    def clicked(event: drawing.Event) -> None:
        if open_text is not None and isinstance(event.get("at"), int) and 0 <= event["at"] < len(rows):
            open_text(event["at"])

    content: WrittenTexts = {"rows": rows, "clicks": open_text is not None}
    drawing.show("generation/texts", content, view.t, key, clicked)


def measures(view: GenerationView, diversity: Diversity, key: str, brief: bool = False) -> None:
    """How varied, in shares from 0 to 1, each with a word on what it counts, and the counts; if brief, only under the
    pointer."""
    t = view.t
    rows: list[Measure] = []
    for name in MEASURES:
        share: float | None = getattr(diversity, name)
        rows.append(
            {
                "title": t(f"generation.measure.{name}"),
                "help": t(f"generation.measure.{name}_help"),
                "share": share,
                "figure": "–" if share is None else t.number(share),
                "counts": _counted(getattr(diversity, f"{name}_of")),
            }
        )
    content: Measures = {"rows": rows, "brief": brief}
    drawing.show("generation/measures", content, t, key)


def _counted(counts: Counts) -> str:
    """The arithmetic of a measure: 3 / 12, or the mean of several such shares."""
    if len(counts) < 2:
        return "".join(f"{n} / {of}" for n, of in counts)
    shares = [f"{n}/{of}" for n, of in counts]
    if len(shares) > MOST_SHARES:
        shares[MOST_SHARES - 1 : -1] = ["…"]
    return f"({' + '.join(shares)}) / {len(counts)}"
