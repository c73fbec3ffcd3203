"""Terms are dotted where they stand and explained there; all of them can be searched on every page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

MIDDLE = """word => {
  const ranges = [...CSS.highlights.get('lm-term')];
  const box = ranges.find(range => String(range) === word).getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
}"""
ADJUSTED = """word => {
  const range = [...CSS.highlights.get('lm-term')].find(range => String(range) === word);
  return getComputedStyle(range.startContainer.parentElement).forcedColorAdjust;
}"""
DOTTED = "word => [...(CSS.highlights.get('lm-term') ?? [])].some(range => String(range) === word)"


@pytest.mark.nightly
def test_a_term_is_explained_where_it_stands_and_can_be_searched(visit: Callable[..., Page]) -> None:
    page = visit(model="names", step="blocks.0.attn.scores", lang="fr")
    page.wait_for_function(DOTTED, arg="requête")
    page.emulate_media(forced_colors="active")  # in which a highlight would look like what is selected
    assert page.evaluate(ADJUSTED, "requête") == "preserve-parent-color"
    page.emulate_media(forced_colors="none")
    page.mouse.move(*page.evaluate(MIDDLE, "requête"))
    tip = page.get_by_role("tooltip").filter(has_text="Ce qu’un token demande")
    expect(tip).to_be_visible()
    page.keyboard.press("ArrowRight")  # to the softmax, whose words are other ones
    expect(tip).to_be_hidden()
    page.wait_for_function(f"!({DOTTED})('requête')")
    page.get_by_role("button", name="Glossaire").click()
    step = page.locator(".lm[data-step]").get_attribute("data-step")
    page.get_by_role("searchbox", name="Chercher un mot").press_sequentially("cle ")
    expect(page.get_by_role("listitem").filter(has_text="clé").first).to_be_visible()
    assert page.locator(".lm[data-step]").get_attribute("data-step") == step
    page.keyboard.press("Escape")
    expect(page.get_by_role("searchbox")).to_be_hidden()


@pytest.mark.nightly
def test_the_choices_of_a_reader_stand_at_the_end_of_the_row(visit: Callable[..., Page]) -> None:
    page = visit("training")
    left, right = (page.locator(one).bounding_box() for one in (".st-key-top", ".st-key-reader"))
    assert left is not None and right is not None
    assert abs(left["x"] + left["width"] - right["x"] - right["width"]) < 4
