"""The generation page in a real browser: tokens that are clicked, doors that are gone through."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

import lmviz
from lmviz.generate.beam import beam_search
from lmviz.generate.settings import Settings
from tests.browser.conftest import idle
from tests.conftest import ROOT
from tests.words import ENGLISH

Visit = Callable[..., Page]


def written(page: Page) -> list[str]:
    return page.locator(".piece.new .said").all_inner_texts()


def press_next(page: Page) -> None:
    n = page.locator(".piece.new").count()
    page.get_by_role("button", name="Next token").click()
    expect(page.locator(".piece.new")).to_have_count(n + 1)
    idle(page)


@pytest.mark.nightly
def test_a_seed_gives_a_text_and_its_link_the_same_text_again(visit: Visit, server: str) -> None:
    page = visit("generation", stop="#")
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.fill("5")
    seed.press("Enter")
    idle(page)
    for _ in range(4):
        press_next(page)
    texts = written(page)
    assert len(texts) == 4
    link = urlsplit(page.url)
    assert "seed=5" in link.query and "n=4" in link.query
    again = visit(f"generation?{link.query}&_=")
    expect(again.locator(".piece.new")).to_have_count(4)
    assert written(again) == texts


@pytest.mark.nightly
def test_a_token_of_the_text_opens_its_step_and_leads_to_the_step_through(visit: Visit) -> None:
    page = visit("generation", n="4", seed="5", temperature="0.5")
    text = "".join(page.locator(".piece:not(.coming) .said").all_inner_texts())
    page.locator(".piece.new").nth(1).click()
    expect(page.locator(".piece.new").nth(1)).to_have_attribute("aria-pressed", "true")
    chosen = page.locator(".piece.new .said").nth(1).inner_text()
    expect(page.locator("tr.is th.token span")).to_have_text(chosen)
    page.get_by_role("link", name="Why this token?").click()
    expect(page.locator(".words h2")).to_have_text(ENGLISH("stage.probabilities.title"), timeout=60_000)
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value(text[: len(text) - 3])
    expect(page).to_have_url(re.compile(r"temperature=0\.5"))


@pytest.mark.nightly
def test_a_tokens_logit_is_pinned_in_the_step_through(visit: Visit) -> None:
    page = visit("generation", n="1")
    page.locator("tbody tr").nth(2).click()
    expect(page.locator("tr.looked")).to_have_count(1)
    logit = page.locator("tr.looked td.score").first.inner_text()
    page.get_by_role("link", name="Where does this logit come from?").click()
    expect(page.locator(".words h2")).to_have_text(ENGLISH("stage.logits.title"), timeout=60_000)
    expect(page.locator(".inspect")).to_contain_text(logit)


def test_a_clicker_steps_forth_and_back(visit: Visit) -> None:
    page = visit("generation", stop="#")
    for key, n in (("PageDown", 1), ("PageDown", 2), ("PageUp", 1), ("ArrowRight", 2), ("Home", 0)):
        page.keyboard.press(key)
        expect(page.locator(".piece.new")).to_have_count(n)
        idle(page)
    expect(page.get_by_role("button", name="PageDown")).to_have_count(0)


@pytest.mark.nightly
def test_it_runs_by_itself_until_stopped(visit: Visit) -> None:
    page = visit("generation", stop="#")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".piece.new").nth(2)).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Run")).to_be_visible()
    idle(page)
    n = page.locator(".piece.new").count()
    page.get_by_role("button", name="Back").click()
    expect(page.locator(".piece.new")).to_have_count(n - 1)


@pytest.mark.nightly
def test_a_node_of_the_tree_tells_its_fate(visit: Visit) -> None:
    page = visit("generation", way="beam", n="30")
    checkpoint = lmviz.load(ROOT / "sample_models/names")
    settings = Settings("beam", max_new_tokens=20, stop=(0,), n_beams=3)
    search = beam_search(checkpoint, checkpoint.tokenizer.encode(".mar").ids, settings)
    expect(page.locator(".node")).to_have_count(len(search.nodes))
    pruned = next(node for node in search.nodes if node.fate == "outscored")
    page.locator(f".node[data-node='{pruned.index}']").click()
    expect(page.locator(f".node[data-node='{pruned.index}']")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("Pruned: enough other texts are likelier.")).to_be_visible()
    text = checkpoint.tokenizer.decode(search.ids(pruned.index))
    expect(page.get_by_text(text, exact=True)).to_be_visible()


@pytest.mark.nightly
def test_a_french_comma_is_typed_as_it_is_read(visit: Visit) -> None:
    page = visit("generation", lang="fr")
    field = page.get_by_test_id("stNumberInput").locator("input").first
    field.fill("")
    field.press_sequentially("1,8")
    field.press("Enter")
    page.wait_for_url("**temperature=1.8**")


@pytest.mark.nightly
def test_one_of_several_texts_opens_token_by_token(visit: Visit) -> None:
    page = visit("generation", way="several", temperature="1.5")
    expect(page.locator(".texts li")).to_have_count(5, timeout=60_000)
    expect(page.get_by_test_id("stProgress")).to_have_count(0, timeout=60_000)  # all are written to their ends
    text = page.locator(".texts li .full b").nth(3).inner_text()
    page.locator(".texts li button").nth(3).click()
    expect(page.locator(".piece.new").first).to_be_visible()
    assert "".join(written(page)) == text


@pytest.mark.nightly
def test_on_a_phone_the_text_comes_before_the_knobs_they_before_the_table_and_nothing_sticks_out(visit: Visit) -> None:
    page = visit("generation", width=390, height=844, n="3")
    parts = (".pieces", ".st-key-generation_knobs", ".st-key-generation_step", ".st-key-follows")
    boxes = [page.locator(part).first.bounding_box() for part in parts]
    tops = [box["y"] for box in boxes if box is not None]
    assert len(tops) == 4 and tops == sorted(tops)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
