"""What the tests of the page that is a file share: what the app draws, and how far that is from what the page draws."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lmviz.registry.recorded import Recorded
from lmviz.registry.recording import Recording
from lmviz.ui.step_through import events
from lmviz.ui.step_through.inspector import inspector
from lmviz.ui.step_through.scene import scene
from lmviz.ui.step_through.view import StepThroughView

MOVES = ["over", "over", "over", "into", "into", "back", "out", "next_stage", "next_block", "previous_block", "last"]
Event = dict[str, Any]


def drawn(run: Recording, view: StepThroughView) -> dict[str, Any]:
    """What the app draws of a recording that has no model any more, as JSON."""
    view = replace(view, model=Recorded("page"))
    found: dict[str, Any] = json.loads(json.dumps(scene(run, view, events.place(run, view), {}, inspector(run, view))))
    found["bar"]["can_grad"] = False
    for name, nothing in (("last", False), ("temperature", None), ("target", None)):
        if name in found["picture"]:
            found["picture"][name] = nothing
    del found["run"], found["edits"]  # which can't be taken back: the title says them
    return found


def walked(run: Recording, view: StepThroughView, n: int, seed: int) -> Iterator[tuple[Event, dict[str, Any]]]:
    """What somebody might do, one after the other, and what the app draws then."""
    rng, now = random.Random(seed), drawn(run, view)
    for _ in range(n):
        event = _anything(run, now, rng)
        changes = event.get("changes")
        view = replace(view, **changes) if changes else events.EVENTS[event["type"]](run, view, event)
        now = drawn(run, view)
        yield event, now


def _anything(run: Recording, now: dict[str, Any], rng: random.Random) -> Event:
    panels, found = now["picture"].get("panels"), now["inspector"]
    ways: list[Event] = [
        {"type": "move", "move": rng.choice(MOVES)},
        {"type": "move", "move": rng.choice(MOVES)},
        {"type": "stage", "index": rng.randrange(len(now["map"]))},
        {"type": "grain", "grain": rng.choice(["stage", "line", "op"])},
        {"type": "focus", "pos": rng.randrange(len(run.tokens))},
        {"type": "head", "head": rng.randrange(run.config.n_heads)},
        {
            "type": "view",
            "changes": {"lang": rng.choice(["en", "fr"]), "depth": rng.choice(["story", "numbers", "code"])},
        },
    ]
    if panels:
        panel = rng.choice(panels)
        ways += 3 * [{"type": "pin", "address": panel["address"], "cell": [rng.randrange(n) for n in panel["shape"]]}]
    if found and (doors := [one for line in found["lines"] for one in operands(line["pieces"])]):
        door = rng.choice(doors)
        ways += 3 * [{"type": "walk", "address": door["address"], "cell": door["cell"]}]
    if found and found["trail"]:
        ways.append({"type": "trail", "index": rng.randrange(len(found["trail"]))})
    if now["source"] and now["source"]["stack"]:
        ways.append({"type": "call", "last": rng.choice(now["source"]["stack"])["last"]})
    return rng.choice(ways)


def operands(pieces: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The numbers of a line that can be followed."""
    for piece in pieces:
        for term in piece.get("terms", ()):
            yield from operands(term["pieces"])
        if piece.get("address"):
            yield piece


def differences(app: Any, page: Any, at: str = "") -> Iterator[str]:
    """Where two scenes differ; numbers that were worked out on both sides may by a rounding."""
    if isinstance(app, dict) and isinstance(page, dict):
        for key in app.keys() | page.keys():
            if key in app and key in page:
                yield from differences(app[key], page[key], f"{at}.{key}")
            else:
                yield f"{at}.{key}: only {'the app' if key in app else 'the page'} has it"
    elif isinstance(app, list) and isinstance(page, list) and len(app) == len(page):
        for i, (one, other) in enumerate(zip(app, page, strict=True)):
            yield from differences(one, other, f"{at}[{i}]")
    elif isinstance(app, float) and isinstance(page, int | float):
        if not math.isclose(app, page, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{at}: {app!r}, {page!r}"
    elif app != page:
        yield f"{at}: {app!r}, {page!r}"
