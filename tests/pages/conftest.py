"""Pages run headless, and what the debugger was given to draw."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]


@pytest.fixture
def open_page(root: Path) -> Open:
    """Opens the app at an address, as a link does."""

    def open_at(**query: str) -> AppTest:
        app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=120)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return open_at


def scene(app: AppTest) -> dict[str, Any]:
    """What the debugger was given to draw."""
    (component,) = app.get("bidi_component")
    found: dict[str, Any] = json.loads(component.proto.json)
    return found


def go(app: AppTest, **query: str) -> AppTest:
    """Follow another link in the same session."""
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()
