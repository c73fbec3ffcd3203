"""axe-core finds nothing to complain of, on any page and tab, light and dark, on a projector and on a phone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from lmviz.ui.shell import FIRST, PAGE_NAMES
from tests.browser.conftest import idle
from tests.conftest import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.flatMap(
  (found) => found.nodes.map((node) => {
    const why = [...node.any, ...node.all, ...node.none][0];
    return `${found.id}: ${node.html.slice(0, 160)} ${why?.message ?? ""}`;
  }))"""
DONE = '.stApp[data-test-script-state="notRunning"] .st-key-top'
STATES = {"light, projector": ("light", 1280, 720), "dark, phone": ("dark", 390, 844)}
MOST_OF_A_PAGE = 3  # links that are opened


def links() -> Iterator[str]:
    """Every page as it opens, the first in both languages, and links to what else is in it."""
    yield from ("", "?lang=fr", *PAGE_NAMES[1:])
    kept: list[dict[str, Any]] = json.loads((ROOT / "tests/pages/kept_links.json").read_text(encoding="utf-8"))
    for page in PAGE_NAMES[1:]:
        queries = [link["query"] for link in kept if link["page"] == page and "{" not in str(link["query"].values())]
        yield from (f"{page}?{urlencode(query)}" for query in queries[:: max(1, len(queries) // MOST_OF_A_PAGE)])


def complaints(page: Page, states: tuple[str, ...]) -> Iterator[str]:
    page.add_script_tag(path=str(AXE))
    for state in states:
        scheme, width, height = STATES[state]
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for _ in range(5):  # what is still fading in has no contrast yet
            page.wait_for_timeout(400)
            idle(page)
            if not (found := page.evaluate(RUN)):
                break
        yield from (f"{state}: {one}" for one in found)


def test_axe_finds_nothing_on_any_page(visit: Callable[..., Page], server: str, pytestconfig: pytest.Config) -> None:
    """Every sixth link in one of the states; each in each of them with `--all-cases`."""
    assert AXE.is_file(), "the checks of the browser's code are not installed: npm ci"
    page = visit("")
    found = []
    is_all = pytestconfig.getoption("--all-cases")
    for i, link in enumerate([*links()][:: 1 if is_all else 6]):
        page.goto(f"{server}/{link}")
        name = link.partition("?")[0] or FIRST
        drawn = {"step_through": ".lm[data-step]", FIRST: ".lm-first"}.get(name, DONE)
        expect(page.locator(drawn).first).to_be_attached(timeout=60_000)
        expect(page.locator(".present[lang]")).to_be_attached()
        idle(page)
        states = tuple(STATES) if is_all else (tuple(STATES)[i % len(STATES)],)
        found += [f"{link}: {one}" for one in complaints(page, states)]
        if link == "step_through":
            page.keyboard.press("m")
            expect(page.get_by_role("dialog").locator(".body svg")).to_be_visible()
            found += [f"the whole model: {one}" for one in complaints(page, states)]
    assert not found, "\n".join(found)


@pytest.mark.nightly
def test_a_page_has_a_heading_its_language_and_a_source_that_keys_can_stop(visit: Callable[..., Page]) -> None:
    page = visit("step_through", lang="fr", model="names", prompt=".mar", step="blocks.0.attn.pattern")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pas à pas")
    expect(page.get_by_role("button", name="Ouvrir", exact=True).first).to_be_visible()  # Streamlit says "Open"
    formula = page.locator(".formula")
    assert formula.locator("svg").get_attribute("aria-hidden") == "true"
    assert "pattern" in (formula.locator("math").text_content() or "")
    number = page.locator(".code .lit .no").first
    number.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".code .no.stop-here")).to_have_count(1)
    expect(page.locator(".code .no.stop-here")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".code .no.stop-here")).to_have_count(0)


@pytest.mark.nightly
def test_a_tensor_is_a_table_too_and_so_is_a_chart(visit: Callable[..., Page], server: str) -> None:
    page = visit("step_through", model="names", prompt=".mar", step="blocks.0.attn.pattern")
    for picture in page.locator(".picture canvas").all():
        picture.focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        table = page.locator(".twin-table table")
        expect(table.get_by_role("columnheader")).to_have_text(["query ↓ key →", *".mar"])
        expect(table.get_by_role("rowheader")).to_have_text([*".mar"])
        page.keyboard.press("ArrowDown")  # scrolls, and does not walk
        page.keyboard.press("Escape")
        expect(table).to_have_count(0)
    expect(page.locator(".to-table").last).to_be_focused()
    assert page.locator(".picture canvas").count() == page.locator(".picture .to-table").count() == 2
    page.goto(f"{server}/embeddings?section=near")
    chart = page.locator("[data-testid=stVegaLiteChart] svg")
    expect(chart.nth(1)).to_be_visible()
    idle(page)
    for table in page.get_by_role("table").all():
        assert len(table.get_by_role("row").all()) > 5
    expect(page.get_by_role("table")).to_have_count(chart.count())
