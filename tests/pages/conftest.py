"""Pages run headless, and what the debugger was given to draw."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pytest
from altair.utils import schemapi
from numpy.typing import NDArray
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def main_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that runs headless puts itself in the place of `__main__`, which every new process would then run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session", autouse=True)
def packages_scanned_once() -> Iterator[None]:
    """Every page that runs headless looks through all installed packages for components: half of the time it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def open_root(root: Path) -> Open:
    """Opens the app at an address without a page, as a link does."""

    def open_at(**query: str) -> AppTest:
        return go(AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=120), **query)

    return open_at


@pytest.fixture
def open_on(root: Path) -> Open:
    """Opens one page of the app at an address, as a link does."""

    def open_at(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(root / "streamlit_app.py"), default_timeout=120)
        app.switch_page(f"pages/{page}.py")
        return go(app, **query)

    return open_at


@pytest.fixture
def open_page(open_on: Open) -> Open:
    """Opens the step-through at an address, as a link does."""

    def open_at(**query: str) -> AppTest:
        return open_on("step_through", **query)

    return open_at


def picture(app: AppTest, key: str) -> dict[str, Any]:
    """What a picture of that key was given to draw."""
    (found,) = [one for one in app.get("bidi_component") if one.proto.id.endswith(f"-{key}")]
    content: dict[str, Any]
    (content,) = json.loads(found.proto.json)
    return content


def is_drawn(app: AppTest, key: str) -> bool:
    """Whether there is a picture of that key."""
    return any(one.proto.id.endswith(f"-{key}") for one in app.get("bidi_component"))


def charted(app: AppTest, index: int) -> list[dict[str, Any]]:
    """The rows that a chart draws."""
    import pyarrow as pa

    rows: list[dict[str, Any]] = (
        pa.ipc.open_stream(app.get("vega_lite_chart")[index].proto.data.data).read_all().to_pylist()
    )
    return rows


def wrong_charts(app: AppTest) -> list[str]:
    """What Vega-Lite's schema has against the charts of a page: the page itself does not ask."""
    found = []
    for chart in app.get("vega_lite_chart"):
        try:
            alt.Chart.from_dict({"data": {"values": []}, **json.loads(chart.proto.spec)})
        except schemapi.SchemaValidationError as error:
            found.append(str(error))
    return found


def errors(app: AppTest) -> list[str]:
    """What went wrong."""
    return [element.value for element in (*app.exception, *app.error)]


def complaints(app: AppTest) -> list[str]:
    """What went wrong, and what the page warns of."""
    return [*errors(app), *(element.value for element in app.warning)]


def written(app: AppTest) -> str:
    """All the words on the page."""
    plain = [element.value for element in (*app.markdown, *app.caption)]
    return " ".join([*plain, *(element.proto.body for element in app.get("html"))])


def in_bar(app: AppTest, name: str) -> str:
    """A part of the address bar."""
    found = app.query_params[name]
    return found if isinstance(found, str) else found[0]


def settled(app: AppTest) -> AppTest:
    """Look again until nothing moves any more, as the page itself does."""
    for _ in range(600):
        if not list(app.get("progress")):
            return app
        time.sleep(0.05)
        app.run()
    raise AssertionError("still training")


def scene(app: AppTest) -> dict[str, Any]:
    """What the debugger was given to draw."""
    return picture(app, "debugger")


def cells_of(panel: dict[str, Any]) -> NDArray[np.float32]:
    """The numbers of a picture's window, [rows, cols]."""
    return np.frombuffer(base64.b64decode(panel["cells"]), dtype="<f4").reshape(panel["window"])


def go(app: AppTest, **query: str) -> AppTest:
    """Follow another link in the same session."""
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()
