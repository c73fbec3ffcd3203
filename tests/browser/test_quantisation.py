"""The page of quantisation in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

import lmviz
from lmviz.quantise.models import quantise_model
from lmviz.quantise.scheme import Scheme
from lmviz.train.data import read_corpus
from lmviz.train.effect import effect
from lmviz.train.recipe import read_recipe
from tests.browser.conftest import idle, until
from tests.conftest import ROOT

Visit = Callable[..., Page]
NAMES = ROOT / "sample_models/names"


def cost_of(format: str) -> str:
    """What a format costs `names` on the names that it never saw, as the page writes it."""
    checkpoint = lmviz.load(NAMES)
    held_out = read_corpus(read_recipe(NAMES / "recipe.toml"), NAMES).held_out
    assert held_out is not None
    found = effect(checkpoint, quantise_model(checkpoint, Scheme(format)).checkpoint, held_out)
    return f"{round(found.loss_after, 4) - round(found.loss_before, 4):+.4f}"


@pytest.mark.nightly
def test_names_in_8_bits_and_in_4_and_the_loss_that_it_costs(visit: Visit) -> None:
    page = visit("quantisation", model="names", format="int8")
    page.get_by_role("radio", name="Whole model").click()
    expect(page.get_by_text(cost_of("int8")).first).to_be_visible(timeout=60_000)
    page.get_by_role("radio", name="INT4").click()
    expect(page.get_by_text(cost_of("int4")).first).to_be_visible(timeout=60_000)
    expect(page).to_have_url(re.compile(r"section=model"))


@pytest.mark.nightly
def test_a_clicked_weight_is_worked_out(visit: Visit) -> None:
    page = visit("quantisation", model="pokemon")
    before = page.locator(".steps td").first.inner_text()
    canvas = page.locator("figure[data-address='error'] canvas").first
    canvas.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    idle(page)
    weight = float(lmviz.load(ROOT / "sample_models/pokemon").model.blocks[0].attn.w_q.weight[1, 2].detach())
    expect(page.locator(".steps td").first).to_have_text(f"x = {weight:.4f}".replace("-", "−"))
    assert page.locator(".steps td").first.inner_text() != before
    expect(page).to_have_url(re.compile(r"cell=%5B1%2C2%5D"))


@pytest.mark.nightly
def test_training_for_it_is_watched_to_its_end(visit: Visit) -> None:
    page = visit("quantisation", model="pokemon", steps="20", rate="0.005")
    page.get_by_role("radio", name="Training for it").click()
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.locator(".plain tbody tr")).to_have_count(5, timeout=120_000)
    losses = [float(row.locator("td").nth(2).inner_text()) for row in page.locator(".plain tbody tr").all()]
    assert losses[0] < losses[4] < losses[1]  # FP32, trained for it, rounded afterwards


def rows_and_columns(page: Page) -> list[tuple[int, int]]:
    """The first and the last row and column that are shown of the weights."""
    shown = page.locator("figure[data-address='weight'] .paging span").inner_text()
    return [(int(first), int(last)) for first, last in re.findall(r"(\d+)–(\d+)", shown)]


def turn(page: Page, sign: str) -> bool:
    """Press a button of the weights' picture, if there is one."""
    button = page.locator("figure[data-address='weight'] .paging button").filter(has_text=sign)
    if not button.count():
        return False
    before = rows_and_columns(page)
    button.click()
    until(page, lambda: rows_and_columns(page) != before)
    return True


@pytest.mark.nightly
def test_every_number_of_a_large_matrix_can_be_read_on_a_phone(visit: Visit) -> None:
    page = visit("quantisation", width=390, height=844, model="names")
    seen: set[int] = set()
    for _ in range(20):
        first, last = rows_and_columns(page)[1]
        assert last - first < 8, "the numbers of so many columns are wider than a phone"
        seen.update(range(first, last + 1))
        if not turn(page, "▶"):
            break
    assert seen == set(range(64))


@pytest.mark.nightly
def test_a_picture_that_was_moved_can_be_moved_back(visit: Visit) -> None:
    page = visit("quantisation", model="names")
    began = rows_and_columns(page)
    assert turn(page, "▼")
    (first, last), columns = rows_and_columns(page)
    assert first == began[0][1] + 1 and last - first == began[0][1] and columns == began[1]
    assert turn(page, "▲")
    assert rows_and_columns(page) == began
