"""One step as the browser draws it: the bar with the random number, and the table of all tokens through all filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmviz.errors import UserError
from lmviz.generate.columns import Column
from lmviz.generate.draw import Draw
from lmviz.generate.settings import Note
from lmviz.generate.token_step import TokenStep
from lmviz.model.tokenizer import Tokenizer
from lmviz.ui.generation import pictures_types
from lmviz.ui.generation.pictures_types import DrawBar, FilterColumn, Share
from lmviz.ui.text import Translator, code, visible

ROWS = 60  # of the table at once
MOST_SHARES = 60  # on the bar; the others are one


@dataclass(frozen=True)
class TableOptions:
    """What a visitor wants to see of a step."""

    t: Translator
    coming: bool = False  # its token is not drawn yet
    start: int = 0  # the first row
    find: str = ""  # only tokens with this text
    row: int | None = None  # the token that is looked at
    column: str = ""  # the column in which it is; empty: all of them
    shown: pictures_types.Shown = "scores"
    top: int = 0  # only so many rows; 0: all


def picture(step: TokenStep, tokenizer: Tokenizer, look: TableOptions) -> pictures_types.TokenStep:
    """The bar, the columns and a page of rows."""
    columns = step.columns()
    scores = np.stack([column.scores for column in columns])  # [column, d_vocab]
    order = _order(scores, tokenizer, look.find)
    order = order[: look.top] if look.top else order
    start = min(look.start, max(0, len(order) - 1)) // ROWS * ROWS
    page = order[start : start + ROWS]
    chosen = None if look.coming else step.chosen
    if chosen is not None and chosen not in page and not look.find:
        page = np.array([chosen, *page])
    shares = np.stack([column.probs for column in columns])[:, page]  # [column, row]
    return {
        "columns": [_column(column, look.t) for column in columns],
        "rows": [
            {
                "id": int(id),
                "text": visible(tokenizer.piece(int(id))),
                "scores": _finite(scores[:, id]),
                "shares": _finite(shares[:, row]),
            }
            for row, id in enumerate(page)
        ],
        "total": len(order),
        "start": start,
        "size": ROWS,
        "chosen": chosen,
        "row": look.row,
        "column": look.column,
        "shown": look.shown,
        "bar": bar(step, tokenizer, look),
    }


def _order(scores: Any, tokenizer: Tokenizer, find: str) -> Any:
    """All ids, the likeliest first; then those that are out, by their logits."""
    order = np.lexsort((-scores[0], -scores[-1]))
    wanted = find.lower()
    found = [id for id in order if wanted in tokenizer.piece(int(id)).lower()] if find else order
    return np.array(found, dtype=np.intp)


def _finite(values: Any) -> list[float | None]:
    """JSON has no infinity: a token that is out has no number."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values]


def _column(column: Column, t: Translator) -> FilterColumn:
    return {
        "name": column.name,
        "title": t(f"generation.column.{column.name}"),
        "on": column.is_on,
        "cut": len(column.cut),
        "why": "" if column.why is None else note_text(column.why, t),
    }


def bar(step: TokenStep, tokenizer: Tokenizer, look: TableOptions) -> DrawBar:
    """The shares from 0 to 1, the likeliest token first. Where nothing is drawn, the whole bar is one token's."""
    draw = step.draw()
    if draw is None:
        probs = step.probs()
        order = np.argsort(-probs, kind="stable")[:MOST_SHARES]
        ends = probs[order].astype(np.float64).cumsum() if np.isfinite(probs).all() else np.zeros(0)
        shares = _shares(order[: len(ends)], ends, step.chosen, tokenizer)
        chosen = None if look.coming else step.chosen
        return {"shares": shares, "others": 0, "reached": 1.0, "number": None, "chosen": chosen}
    shares = _shares(draw.order, draw.ends, draw.chosen, tokenizer)
    return {
        "shares": shares,
        "others": max(0, len(draw.order) - MOST_SHARES),  # after the last one that is shown
        "reached": float(draw.ends[:MOST_SHARES][-1]),
        "number": None if look.coming else draw.number,
        "chosen": None if look.coming else draw.chosen,
    }


def _shares(order: Any, ends: Any, chosen: int | None, tokenizer: Tokenizer) -> list[Share]:
    starts = np.concatenate([[0.0], ends[:-1]]) if len(ends) else ends
    return [
        {"id": int(id), "text": visible(tokenizer.piece(int(id))), "start": float(start), "end": float(end)}
        for place, (id, start, end) in enumerate(zip(order, starts, ends, strict=True))
        if place < MOST_SHARES or id == chosen
    ]


def note_text(note: Note, t: Translator) -> str:
    """A note in the reader's language, its numbers too."""
    sentence, details = note
    if "names" in details:
        names = str(details["names"]).split(", ")
        details = details | {"names": ", ".join(t(f"generation.{name}") for name in names)}
    written = {name: _written(value, t) for name, value in details.items()}
    return t.error(UserError(sentence, **written))


def _written(value: object, t: Translator) -> object:
    if isinstance(value, float):
        return t.number(value, 2 if abs(value) >= 0.1 else 4)
    return t.integer(value) if isinstance(value, int) else value


def share_of(draw: Draw, t: Translator, tokenizer: Tokenizer) -> str:
    """The draw in a sentence."""
    start, end = draw.share
    return t(
        "generation.draw",
        number=t.number(draw.number, 4),
        token=code(visible(tokenizer.piece(draw.chosen))),
        start=t.number(start, 4),
        end=t.number(end, 4),
    )


def percent(share: float, t: Translator) -> str:
    """A share with as many digits as tell it from 0 and from 1."""
    shown = t.number(100 * share, 0 if share >= 0.0995 or share == 0 else 1 if share >= 0.001 else 3)
    return t("generation.percent", share=shown)
