"""What a run is asked for, as JSON, between two processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmviz.registry.edits import CellEdit, Edit, HeadOff
from lmviz.registry.program import Asked


def asked_as_json(asked: Asked) -> dict[str, Any]:
    edits = [
        {"address": one.address, "head": one.head}
        if isinstance(one, HeadOff)
        else {"address": one.address, "cell": list(one.cell), "value": one.value}
        for one in asked.edits
    ]
    return {"edits": edits, "gradients": asked.gradients, "temperature": asked.temperature}


def asked_in(found: Mapping[str, Any]) -> Asked:
    return Asked(tuple(map(_edit, found["edits"])), found["gradients"], found["temperature"])


def _edit(found: Mapping[str, Any]) -> Edit:
    if "head" in found:
        return HeadOff(found["address"], found["head"])
    return CellEdit(found["address"], tuple(found["cell"]), found["value"])
