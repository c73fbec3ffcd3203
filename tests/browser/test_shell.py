"""The frame around the pages."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

import lmviz.ui.debugging.view as debugging_view
import lmviz.ui.embeddings.view as embeddings_view
import lmviz.ui.generation.view as generation_view
import lmviz.ui.quantisation.view as quantisation_view
import lmviz.ui.tokenizer.view as tokenizer_view
from lmviz.ui.shell import LISTED
from tests.browser.conftest import idle, serving
from tests.conftest import ROOT

PARTS = {  # of the pages that have several
    "generation": ("way", generation_view.WAYS),
    "tokenizer": ("tab", tokenizer_view.TABS),
    "embeddings": ("section", embeddings_view.SECTIONS),
    "quantisation": ("section", quantisation_view.SECTIONS),
    "debugging": ("section", debugging_view.SECTIONS),
}


SEEN = """window.seen = [];
new MutationObserver(() => {
  if (document.querySelector('[data-testid="stSidebarNav"]')) seen.push(performance.now());
}).observe(document, { childList: true, subtree: true });"""


def test_a_link_to_a_page_opens_in_the_frame_though_nobody_was_here_before(browser: Browser) -> None:
    with serving(ROOT) as address:
        page = browser.new_page()
        page.add_init_script(SEEN)
        page.goto(f"{address}/tokenizer?lang=fr")
        expect(page.get_by_role("link", name="Pas à pas")).to_be_visible(timeout=60_000)
        assert (
            page.evaluate("() => seen") == []
        )  # not for a moment: Streamlit lists scripts by the names of their files
        expect(page).to_have_url(re.compile(r"/tokenizer"))
        expect(page).to_have_url(re.compile(r"lang=fr"))
        page.close()


@pytest.mark.nightly
def test_no_page_asks_anything_of_any_other_host(browser: Browser, server: str, pytestconfig: pytest.Config) -> None:
    """Not a font, an icon or a picture from elsewhere: every page as it opens; with `--all-cases`, all its parts."""
    n_parts = None if pytestconfig.getoption("--all-cases") else 1
    asked: set[str] = set()
    page = browser.new_page()
    page.on("request", lambda request: asked.add(request.url))
    for name, _ in LISTED:
        key, parts = PARTS.get(name, ("lang", ("en",)))
        for part in parts[:n_parts]:
            page.goto(f"{server}/{name}?{key}={part}")
            expect(page.get_by_test_id("stMainBlockContainer")).to_be_visible(timeout=60_000)
            idle(page)
    page.close()
    assert len(asked) > len(LISTED)
    assert not {url for url in asked if not url.startswith((server, server.replace("http", "ws"), "data:", "blob:"))}


@pytest.mark.nightly
def test_a_press_right_after_a_choice_counts_also_for_the_first_visitor(browser: Browser) -> None:
    """What stands there only while the server imports must not move what is below: a press names its place."""
    with serving(ROOT) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        page = context.new_page()
        page.goto(f"{address}/generation?stop=%23")
        expect(page.locator(".lm:visible").first).to_be_visible(timeout=60_000)
        seed = page.get_by_role("spinbutton", name="Seed")
        seed.fill("5")
        seed.press("Enter")
        page.get_by_role("button", name="Next token").click()
        expect(page.locator(".piece.new")).to_have_count(1)
        context.close()
