"""Presenting, on every page: how large all is, what one points with, the link for the room, and the teacher's notes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from lmviz.ui.shell import FIRST, PAGE_NAMES
from tests.browser.conftest import idle, until
from tests.conftest import ROOT

Visit = Callable[..., Page]
SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
WORDS, AXES = 0.035, 0.022  # of the window's height
DONE = '.stApp[data-test-script-state="notRunning"] .st-key-top'
MEASURED = (ROOT / "tests/browser/room.js").read_text(encoding="utf-8")
LETTERS = """() => {
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (...told) {
    const size = parseFloat(/([\\d.]+)px/.exec(this.font)[1]) * this.getTransform().d / devicePixelRatio;
    const least = Number(this.canvas.dataset.least ?? Infinity);
    this.canvas.dataset.least = Math.min(least, size).toFixed(1);
    return fillText.apply(this, told);
  };
}"""  # the smallest letters on each canvas
VIEWS = {
    "first": {},
    "step_through": {"model": "names", "step": "blocks.0.attn.pattern"},
    "course": {},
    "training": {},
    "generation": {},
    "tokenizer": {},
    "chat": {},
    "embeddings": {},
    "quantisation": {},
    "debugging": {},
}


def enlarged(page: Page, width: int, height: int) -> None:
    """Another window; wait until all that is drawn has heard of it."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(
        """() => {
          const [room] = [...document.querySelectorAll('.st-key-reader *')].map((one) => one.shadowRoot)
            .map((tree) => tree?.querySelector('.present')).filter(Boolean);
          const letters = parseFloat(getComputedStyle(document.documentElement).fontSize);
          return room && Math.abs(Number(room.dataset.scale) - letters / 16) < 0.03;
        }"""
    )
    idle(page)


def test_all_is_large_and_whole_on_every_page(visit: Visit, server: str) -> None:
    assert set(VIEWS) == set(PAGE_NAMES)
    page = visit("", width=SIZES[0][0], height=SIZES[0][1])
    page.add_init_script(f"({LETTERS})()")
    found = []
    for i, (name, view) in enumerate(VIEWS.items()):
        lang = ("fr", "en")[i % 2]
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(f"{server}/{'' if name == FIRST else name}?{urlencode({'present': 'true', 'lang': lang, **view})}")
        drawn = {"step_through": ".lm[data-step]", FIRST: ".lm-first"}.get(name, DONE)
        expect(page.locator(drawn).first).to_be_attached(timeout=60_000)
        for width, height in SIZES:
            enlarged(page, width, height)
            found += [f"{name} {width}x{height} {one}" for one in page.evaluate(MEASURED, [WORDS, AXES])]
    assert not found, "\n".join(found)
