"""Where somebody wants to go who types a few letters: steps by their address, or by the name of their stage."""

from __future__ import annotations

from lmviz.registry.recording import Recording
from lmviz.ui.step_through.scene import of_own
from lmviz.ui.step_through.scene_types import FoundPlace, Search
from lmviz.ui.text import Translator

_MOST_FOUND = 12
LONGEST = 200  # characters of what is typed


def search(run: Recording, t: Translator, text: str | None) -> Search | None:
    """The steps whose address or stage has every word of a text, the shortest addresses first."""
    if text is None:
        return None
    words = text[:LONGEST].lower().split()
    found: list[tuple[tuple[bool, int, int], FoundPlace]] = []
    for stage in run.navigator.stages:
        label = " ".join(filter(None, (t(of_own(t, f"stage.{stage.kind}", run)), stage.block_name)))
        for step in run.trace[stage.first : stage.last + 1] if stage.first >= 0 else ():
            if all(word in f"{step.address} {label}".lower() for word in words):
                is_result = step.index == stage.stop
                rank = (not (is_result or step.address.lower().endswith(tuple(words))), len(step.address), step.index)
                found.append((rank, {"address": step.address, "stage": label}))
    places = [place for _, place in sorted(found, key=lambda one: one[0])]
    return {"text": text, "places": places[:_MOST_FOUND], "n_more": max(0, len(places) - _MOST_FOUND)}
