"""What the browser can say of a click, and what becomes of it."""

from __future__ import annotations

from typing import get_args, get_type_hints

from lmviz.ui.step_through.events import EVENTS
from lmviz.ui.step_through.scene_types import Event


def test_what_the_browser_may_say_is_what_python_listens_to() -> None:
    said = {name for event in get_args(Event) for name in get_args(get_type_hints(event)["type"])}
    assert said == set(EVENTS)
