"""The training page in a real browser: a run from its first press of Train to its export, over a reload and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lmviz.train.data import read_corpus
from lmviz.train.initial import build
from lmviz.train.texts import preset
from tests.browser.conftest import idle, until

Visit = Callable[..., Page]
RUN = re.compile(r"run=([0-9a-f]{12})")


def shown_loss(page: Page) -> float:
    """The loss as the page writes it."""
    return float(page.locator(".lt-facts b").first.inner_text())


ENDS_OF_CURVE = """() => {
  const chart = document.querySelector('[data-testid=stVegaLiteChart]');
  const points = [...chart.querySelectorAll('.mark-line path')]
    .map((path) => (path.getAttribute('d') || '').split(/[ML]/))
    .reduce((long, points) => (points.length > Math.max(4, long.length) ? points : long), []).slice(1)
    .map((point) => Number(point.split(',')[1]));
  const ticks = [...chart.querySelectorAll('.role-axis-label text[text-anchor=end]')]
    .map((text) => [Number(text.textContent), Number(/,([-\\d.]+)\\)/.exec(text.getAttribute('transform'))[1])])
    .filter(([nats]) => Number.isFinite(nats));
  const [[low, at_low], [high, at_high]] = [ticks[0], ticks[ticks.length - 1]];
  const nats = (y) => low + (y - at_low) / (at_high - at_low) * (high - low);
  return points.length ? [nats(points[0]), nats(points[points.length - 1])] : [NaN, NaN];
}"""


def ends_of_curve(page: Page) -> tuple[float, float]:
    """Where the curve on the chart begins and ends, in nats: its path, read against the axis."""
    first, last = page.evaluate(ENDS_OF_CURVE)
    return first, last


def unigram(page: Page) -> float:
    """What the chart says that counting each token would reach."""
    said = page.get_by_text(re.compile("counting tokens: ")).first.text_content()
    return float(re.findall(r"\d\.\d+", said or "")[0])


@pytest.fixture
def train_page(visit: Visit) -> Callable[..., Page]:
    def open_at() -> Page:
        page = visit()
        page.get_by_role("link", name="Training").click()
        expect(page.locator(".st-key-go button")).to_be_visible(timeout=60_000)
        idle(page)
        return page

    return open_at


@pytest.mark.nightly
def test_pokemon_is_trained_from_scratch_and_all_is_there_after_leaving_and_a_reload(
    train_page: Callable[..., Page],
) -> None:
    page = train_page()
    page.locator(".st-key-go button").click()
    expect(page.get_by_text("Done in")).to_be_visible(timeout=120_000)
    idle(page)
    first, last = ends_of_curve(page)
    assert first > unigram(page) > last
    assert last == pytest.approx(shown_loss(page), abs=0.15)
    found = RUN.search(page.url)
    assert found is not None
    page.get_by_role("link", name="Step through").click()
    expect(page.locator(".lm[data-step]")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Training", exact=True).click()
    expect(page.get_by_text("Done in")).to_be_visible(timeout=60_000)
    loss = shown_loss(page)
    page.reload()
    expect(page.get_by_text("Done in")).to_be_visible(timeout=60_000)
    idle(page)
    assert shown_loss(page) == loss
    assert RUN.search(page.url)[1] == found[1]
    page.locator(".slim").click()
    page.locator(".full .times .plain").click()  # from the first checkpoint on, each with its own recording
    said = page.locator(".full .times output")
    expect(said).to_have_text("after step 0", timeout=20_000)
    ribbons = page.locator(".full .ribbon").first.get_attribute("d")
    expect(said).not_to_have_text("after step 0", timeout=20_000)
    until(page, lambda: page.locator(".full .ribbon").first.get_attribute("d") != ribbons)
    expect(page.locator(".full .notes")).not_to_contain_text("not been computed")  # nobody walks: all of it has
    expect(page.locator(".full [aria-current]")).to_have_count(0)
    page.emulate_media(media="print")
    expect(page.get_by_text("Save the picture")).to_be_hidden()
    expect(said).to_be_visible()
    page.emulate_media(media="screen")
    page.keyboard.press("Escape")
    expect(page.locator(".full")).to_be_hidden()
    idle(page)
    page.get_by_text("Time travel", exact=True).click()
    expect(page.get_by_text("Who reads whom", exact=True)).to_be_visible(timeout=60_000)
    idle(page)
    handle = page.get_by_role("slider").first
    handle.focus()
    page.keyboard.press("End")
    expect(page).to_have_url(re.compile("step=1500"), timeout=60_000)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile("step=100"), timeout=60_000)
    page.get_by_text("One step", exact=True).last.click()
    expect(page.get_by_text("5 · update")).to_be_visible(timeout=60_000)
    page.get_by_text("3 · loss").click()
    expect(page.get_by_text("The run reported")).to_be_visible(timeout=60_000)
    page.get_by_text("5 · update").click()
    expect(page.get_by_text("On the same")).to_be_visible(timeout=60_000)
    page.locator("figure canvas").first.click()
    expect(page.locator(".update tr").first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Watch the sum").click()
    expect(page.locator(".update .now")).to_have_count(1)
    assert page.locator(".update .later").count() and page.locator(".update .used").count()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".update .later")).to_have_count(0)
    page.get_by_role("link", name=re.compile("Open this step")).click()
    expect(page.locator(".lm[data-step]")).to_be_visible(timeout=60_000)
    expect(page.locator(".bar .at")).to_be_visible()


def test_a_run_stays_in_sight_when_it_ends_while_one_looks(visit: Visit) -> None:
    """However often: the address names the run, not what its choice says of it, which changes at that moment."""
    for _ in range(3):
        page = visit("training", changes='{"training.steps":8}')
        page.locator(".st-key-go button").click()
        expect(page).to_have_url(RUN, timeout=60_000)
        started = RUN.search(page.url)[1]
        expect(page.get_by_text("Done in")).to_be_visible(timeout=60_000)
        idle(page)
        assert RUN.search(page.url)[1] == started
        expect(page.locator("[data-testid=stAlert]")).to_have_count(0)


@pytest.mark.nightly
def test_the_curve_falls_below_the_unigram_line_while_one_looks_and_the_run_is_paused_and_exported(
    visit: Visit, browser: Browser, tmp_path: Path
) -> None:
    page = visit("training", changes='{"training.learning_rate":0.0001,"training.steps":100000}')
    page.locator(".st-key-go button").click()
    goes_on = page.get_by_text(re.compile(r"left · "))
    expect(goes_on).to_be_visible(timeout=60_000)
    expect(page.locator("[data-testid=stVegaLiteChart] .mark-line path").nth(4)).to_be_attached(timeout=60_000)
    until(page, lambda: ends_of_curve(page)[1] < unigram(page), 60)
    first, last = ends_of_curve(page)
    assert first > unigram(page)
    until(page, lambda: ends_of_curve(page)[1] < last, 60)
    assert goes_on.is_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Paused after")).to_be_visible(timeout=60_000)
    idle(page)
    page.get_by_text("Recipe and export", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Save this training as a page").click()
    started.value.save_as(tmp_path / "training.html")
    opens_from_the_disk(browser, tmp_path / "training.html")
    page.get_by_role("button", name="Save as a folder here").click()
    page.get_by_role("link", name="Open that folder in the step-through").click()
    expect(page.locator(".lm[data-step]")).to_be_visible(timeout=60_000)
    expect(page).to_have_url(re.compile(r"exports"))


def opens_from_the_disk(browser: Browser, path: Path) -> None:
    """The page of a training shows its curve and walks its text, with no network and no lmviz."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(path.as_uri())
    expect(page.locator("section:visible svg.curve")).to_be_visible()
    walk = page.frame_locator("#walk")
    expect(walk.locator("body[data-ready]")).to_be_attached()
    walk.get_by_role("button", name="Save pictures").click()
    with page.expect_download() as started:
        walk.get_by_role("button", name=".svg").first.click()  # also out of a frame
    assert started.value.suggested_filename.endswith(".svg")
    context.close()


@pytest.mark.nightly
def test_the_count_of_parameters_follows_a_slider_while_it_is_dragged(train_page: Callable[..., Page]) -> None:
    """Every count on the way is that of a model of that size; the server hears of the last one only."""
    page = train_page()
    slider = page.get_by_role("slider", name="MLP width")
    box = slider.locator("xpath=ancestor::*[@data-testid='stSlider']").bounding_box()
    thumb = page.locator(".st-key-recipe-model-d_mlp [data-testid=stSliderThumbValue]")
    assert box is not None
    counts = {}
    at = thumb.bounding_box()
    assert at is not None
    page.mouse.move(at["x"] + at["width"] / 2, box["y"] + box["height"] - 20)
    page.mouse.down()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] - 20, steps=4)
        counts[int(thumb.inner_text())] = int(page.locator(".lm .total b").inner_text().replace(",", ""))
    expect(page).not_to_have_url(re.compile(r"changes"))
    page.mouse.up()
    idle(page)
    assert len(counts) == 5
    assert counts == {d_mlp: n_weights(d_mlp) for d_mlp in counts}


def n_weights(d_mlp: int) -> int:
    recipe = preset("pokemon")
    model = build(replace(recipe.model, d_mlp=d_mlp), read_corpus(recipe, Path()).tokenizer.d_vocab)
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.nightly
def test_a_run_stays_its_browsers_over_a_reload_and_is_somebody_elses_to_another(
    train_page: Callable[..., Page], server: str
) -> None:
    page, stranger = train_page(), train_page()
    page.locator(".st-key-go button").click()
    until(page, lambda: RUN.search(page.url) is not None)
    theirs = page.get_by_text("Someone else’s", exact=True)
    page.reload()
    expect(page.locator(".st-key-run_more button")).to_be_visible(timeout=60_000)
    expect(theirs).to_have_count(0)  # once the browser has said who it is
    stranger.goto(page.url)
    expect(stranger.get_by_text("Someone else’s", exact=True)).to_be_visible(timeout=60_000)
