"""Parts of a place that are more than plain values: which model, and what was changed in it."""

from __future__ import annotations

import json
from typing import Any

from lmviz.registry.edits import CellEdit, Edit, HeadOff
from lmviz.registry.kinds import read_reference
from lmviz.registry.reference import Reference
from lmviz.ui.place import cell, distinct, part, real

_MOST_EDITS = 50
LARGEST = 3e38  # what a float32 holds, about
CELL, HEAD = "cell", "head"  # how an edit begins in a link
WEIGHTS = (".weight", ".bias")  # how the addresses of weights end


def model_part(default: str = "") -> Any:
    """A part that says which model: a `Reference`; without a default, None where there is none."""
    return part(
        read_reference(default) if default else None,
        lambda text: _model(text, is_needed=bool(default)),
        lambda found: "" if found is None else str(found),
        as_text=True,
    )


def _model(text: str, is_needed: bool) -> Reference | None:
    if is_needed and not text:
        raise ValueError(text)
    return read_reference(text) if text else None


def tokenizer_part(default: str, *words: str) -> Any:
    """A part that says which tokenizer: one of some words, or that of a model, a `Reference`."""
    return part(
        default,
        lambda text: text if text in (default, *words) else read_reference(text),
        str,
        as_text=True,
    )


def edits_part() -> Any:
    """A part with the edits of a walk, `Edit`s, each in its own list."""
    return part(
        (),
        lambda text: distinct(json.loads(text), _MOST_EDITS, _edit),
        lambda found: json.dumps([_written(edit) for edit in found], separators=(",", ":")),
    )


def _written(edit: Edit) -> list[object]:
    if isinstance(edit, HeadOff):
        return [HEAD, edit.address, edit.head]
    return [CELL, edit.address, list(edit.cell), edit.value]


def _edit(found: Any) -> Edit:
    kind, *rest = found
    if kind == HEAD and len(rest) == 2:
        address, (head,) = cell((rest[0], [rest[1]]))
        return HeadOff(address, head)
    if kind == CELL and len(rest) == 3:
        return _cell_edit(*rest)
    return _of_an_old_link(*found)


def _of_an_old_link(address: Any, index: Any, value: Any) -> Edit:
    """Once a list had no word for its kind, and one number alone was a head, but in a bias or the scale of a norm."""
    address, index = cell((address, index))
    if len(index) == 1 and not address.endswith(WEIGHTS):
        return HeadOff(address, index[0])
    return _cell_edit(address, index, value)


def _cell_edit(address: Any, index: Any, value: Any) -> CellEdit:
    return CellEdit(*cell((address, index)), real(-LARGEST, LARGEST)(value))
