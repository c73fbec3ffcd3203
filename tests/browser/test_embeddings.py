"""The page of embeddings in a real browser: cells that are clicked, and a training that moves."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

import lmviz
from tests.browser.conftest import idle, until
from tests.conftest import ROOT

Visit = Callable[..., Page]
LABELS, TITLE, EDGE = 24, 20, 6  # pixels around the grid of a picture whose rows have one letter


def click_cell(page: Page, address: str, row: int, col: int, shape: tuple[int, int]) -> None:
    """Click a cell of a picture where it is drawn."""
    canvas = page.locator(f"figure[data-address='{address}'] canvas").first
    expect(canvas).to_be_visible()  # one of several pictures of the page: they come one after another
    box = canvas.bounding_box()
    assert box is not None
    width, height = box["width"] - LABELS - EDGE, box["height"] - TITLE - EDGE
    x, y = LABELS + (col + 0.5) * width / shape[1], TITLE + (row + 0.5) * height / shape[0]
    canvas.click(position={"x": x, "y": y})
    idle(page)


@pytest.mark.nightly
def test_from_the_one_hot_vector_to_the_row_and_to_the_weight(visit: Visit) -> None:
    page = visit("embeddings", model="pokemon", prompt=".pik")
    weight = lmviz.load(ROOT / "sample_models/pokemon").model.tok_embed.weight
    click_cell(page, "one_hot", 1, 16, (4, 27))
    expect(page.get_by_text("1, because p is token number 16.")).to_be_visible()
    click_cell(page, "one_hot", 1, 3, (4, 27))
    expect(page.get_by_text("0, because p is token number 16, and not 3.")).to_be_visible()
    click_cell(page, "rows", 1, 3, (4, 16))
    value = f"{float(weight[16, 3].detach()):.4g}".replace("-", "−")
    expect(page.locator(".arithmetic b").last).to_have_text(value)
    expect(page.locator(".arithmetic b").first).to_have_text(f"1 × {value}")
    expect(page).to_have_url(re.compile(r"cell="))
    table = page.locator("figure[data-address='weight'] canvas").first
    table.focus()
    for key in ["ArrowDown"] * 16 + ["ArrowRight"] * 3 + ["Enter"]:
        page.keyboard.press(key)
    expect(page.get_by_text(f"{value} is a weight of the model")).to_be_visible()
    page.get_by_role("link", name="See this weight in the step-through").click()
    expect(page.locator(".lm[data-step]")).to_be_visible(timeout=60_000)
    expect(page).to_have_url(re.compile(r"tok_embed\.weight"))


@pytest.mark.nightly
def test_the_token_in_whose_row_one_clicks_is_followed(visit: Visit) -> None:
    for section, address in (("look_up", "rows"), ("sum", "x")):
        page = visit("embeddings", model="pokemon", prompt=".pik", section=section)
        click_cell(page, address, 1, 3, (4, 16))
        until(page, lambda page=page: "token=1" in page.url)  # type: ignore[misc]


@pytest.mark.nightly
def test_a_link_brings_back_the_cell(visit: Visit) -> None:
    page = visit("embeddings", model="pokemon", prompt=".pik")
    before = page.locator(".arithmetic").inner_text()
    click_cell(page, "rows", 2, 5, (4, 16))
    expect(page.locator(".arithmetic")).not_to_have_text(before)
    said = page.locator(".arithmetic").inner_text()
    again = visit(page.url.partition("//")[2].partition("/")[2].partition("?")[0], **query(page))
    expect(again.locator(".arithmetic")).to_have_text(said)


def query(page: Page) -> dict[str, str]:
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(page.url).query))


@pytest.mark.nightly
def test_ten_words_move_when_played(visit: Visit) -> None:
    page = visit("embeddings", section="ten_words")
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    shown = page.locator("figure[data-address='now'] b")
    until(page, lambda: shown.inner_text() == f"step {query(page)['step']}")
    assert 0 <= int(query(page)["step"]) < 200


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("section", ["look_up", "ten_words", "sum", "word2vec", "fasttext"])
def test_a_phone_never_scrolls_sideways(visit: Visit, section: str) -> None:
    page = visit("embeddings", 390, 844, section=section)
    main = page.get_by_test_id("stMain")  # a chart is drawn once more when it knows its width
    until(page, lambda: main.evaluate("element => element.scrollWidth - element.clientWidth") == 0)


NAMES = """() => {
  const texts = [...document.querySelectorAll(".vega-embed .mark-text.role-mark text")];
  const found = texts.filter((one) => one.textContent);
  const boxes = found.map((one) => {
    const { left, right, top, bottom } = one.getBoundingClientRect();
    const size = parseFloat(getComputedStyle(one).fontSize);
    return { name: one.textContent, left, right, middle: (top + bottom) / 2, half: size / 2 };
  });
  const over = (a, b) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && a.half + b.half - Math.abs(a.middle - b.middle) > 1;
  const pairs = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) => over(a, b)).map((b) => [a.name, b.name]));
  return [boxes.length, pairs];
}"""


@pytest.mark.nightly
def test_names_on_a_map_lie_over_none_where_they_are_drawn(visit: Visit) -> None:
    """In the browser, whose legend takes room from the map."""
    for width, lang in ((1280, "fr"), (390, "en")):
        page = visit("embeddings", width, 844, section="word2vec", lang=lang)
        until(page, lambda page=page: page.evaluate(NAMES)[0] > 20)  # type: ignore[misc]
        n, over = page.evaluate(NAMES)
        assert not over, (width, n, over)
