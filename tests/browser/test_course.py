"""The course in a real browser: the chapters are walked, each thing really done, in both languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from lmviz.ui.course.chapters import chapters
from lmviz.ui.text import Language, Translator
from tests.browser.conftest import idle, until
from tests.browser.test_step_through import click_cell

Visit = Callable[..., Page]
TOLD = re.compile("^[✓✗]")  # an answer, to a guess that was right or not


class Walk:
    """One visitor who takes the course."""

    def __init__(self, page: Page, language: str) -> None:
        self.page, self.t = page, Translator(Language(language))
        self.bar = page.locator(".st-key-course_bar")
        self.height: float | None = None  # of the card, when its task began

    def button(self, key: str, **details: object) -> Locator:
        return self.page.get_by_role("button", name=self.t(key, **details)).first  # beside its name stands its key

    def follow(self, key: str, **details: object) -> None:
        """Go on by a link of the bar."""
        self.bar.get_by_role("link", name=self.t(key, **details), exact=True).click()
        idle(self.page)
        self.height = None

    def is_done(self) -> None:
        """The thing is ticked, and answered with numbers in all places; then on to the next."""
        told = self.bar.get_by_text(TOLD)
        expect(told).to_be_visible(timeout=60_000)
        expect(told).to_be_in_viewport()  # also where one had to scroll for it
        idle(self.page)
        assert self.height in (None, self.tall()), (self.height, self.tall())  # so that nothing below it moves
        answer = told.locator("xpath=ancestor::p").inner_text()
        assert len(answer) > 20 and not re.search(r"\{[a-z_]+\}", answer), answer
        before = self.bar.locator(".st-key-course_head").inner_text()
        self.follow("course.next")
        until(self.page, lambda: self.bar.locator(".st-key-course_head").inner_text() != before)
        expect(told).to_have_count(0)
        idle(self.page)
        self.height = self.tall()

    def tall(self) -> float:
        box = self.bar.bounding_box()
        return round(box["height"]) if box else 0

    def answer(self) -> None:
        self.bar.locator("[role=radiogroup] label").first.click()
        self.is_done()

    def type_in(self, field: Locator, text: str, key: str = "Enter") -> None:
        expect(field).to_be_visible(timeout=60_000)
        field.fill(text)
        field.press(key)
        idle(self.page)

    def number(self, key: str, value: str) -> None:
        self.type_in(self.page.get_by_role("spinbutton", name=self.t(key)), value)

    def to_the_end(self) -> None:
        self.button("generation.end").click()
        self.is_done()

    def field(self) -> Locator:
        return self.page.get_by_role("textbox", name=self.t("top.prompt"))

    def pin(self, address: str, row: int, col: int, shape: tuple[int, int]) -> None:
        canvas = self.page.locator(f"figure[data-address='{address}'] canvas").first
        expect(canvas).to_be_visible(timeout=60_000)
        canvas.scroll_into_view_if_needed()
        click_cell(self.page, address, row, col, shape)


def guess(walk: Walk) -> None:
    walk.answer()
    expect(walk.page.locator(".bars tbody th").first).to_be_visible()
    expect(walk.page.locator(".bars").get_by_text("logit")).to_be_hidden()  # chances, and nothing behind them
    walk.page.locator("button.add").click()
    walk.is_done()
    walk.type_in(walk.field(), {"en": "The dog", "fr": "Le chien"}[walk.t.language])
    walk.is_done()


def tokens(walk: Walk) -> None:
    walk.type_in(
        walk.page.get_by_role("textbox", name=walk.t("tokenizer.text")), "Bonjour tout le monde", "Control+Enter"
    )
    walk.is_done()
    walk.page.locator(".piece").nth(1).click()
    walk.is_done()
    walk.answer()
    for _ in range(3):
        before = walk.page.url
        walk.button("tokenizer.move.next").click()
        until(walk.page, lambda before=before: walk.page.url != before)  # type: ignore[misc]
        idle(walk.page)
    walk.is_done()


def embeddings(walk: Walk) -> None:
    walk.number("embeddings.column", "5")
    walk.is_done()
    walk.answer()
    walk.number("embeddings.column", "5")
    walk.is_done()
    walk.page.get_by_role("combobox").last.click()
    walk.page.get_by_role("option").nth(4).click()
    walk.is_done()


def attention(walk: Walk) -> None:
    walk.answer()
    walk.pin("blocks.0.attn.masked", 3, 1, (4, 4))
    walk.is_done()
    walk.answer()
    walk.page.locator(".lm .tokens button, .lm nav button").get_by_text("m", exact=True).first.click()
    walk.is_done()
    walk.answer()
    walk.page.locator("button.switch").first.click()
    walk.is_done()


def residual(walk: Walk) -> None:
    walk.answer()
    walk.answer()
    walk.pin("blocks.0.x_mid", 2, 3, (4, 64))
    walk.is_done()
    walk.answer()
    walk.pin("blocks.0.x_mid", 3, 3, (4, 64))
    walk.type_in(walk.page.locator("form.change input"), "5")
    walk.is_done()


def logits(walk: Walk) -> None:
    walk.answer()
    walk.pin("logits", 3, 3, (4, 27))
    walk.is_done()
    slider = walk.page.locator(".lm input[type=range]").first
    expect(slider).to_be_visible(timeout=60_000)
    slider.evaluate("(input) => { input.value = input.max; for (const kind of ['input', 'change']) "
                    "input.dispatchEvent(new Event(kind, { bubbles: true })); }")  # fmt: skip
    walk.is_done()
    walk.page.locator("button.add").click()
    walk.is_done()


def learning(walk: Walk) -> None:
    walk.answer()
    walk.page.locator(".bar").get_by_role("button", name=walk.t("bar.gradient"), exact=True).click()
    walk.is_done()
    walk.page.get_by_role("slider", name=walk.t("train.model.d_model")).press("ArrowRight")
    walk.is_done()
    walk.page.locator(".st-key-go button").click()
    walk.is_done()
    walk.page.get_by_role("radio", name=walk.t("train.tab.step"), exact=True).click()
    scenes = walk.page.get_by_role("radio", name=re.compile("^5 · "))
    expect(scenes).to_be_visible(timeout=60_000)
    scenes.click()
    walk.is_done()
    walk.page.get_by_role("slider", name=walk.t("train.steps")).press("ArrowRight")
    idle(walk.page)
    walk.page.locator(".st-key-go button").click()
    walk.is_done()


def writing(walk: Walk) -> None:
    for n in range(1, 5):
        walk.button("generation.next").click()
        expect(walk.page.locator(".piece.new")).to_have_count(n)
    walk.is_done()
    walk.type_in(walk.field(), ".bul")
    walk.to_the_end()
    walk.to_the_end()
    walk.number("generation.temperature", "2")
    walk.to_the_end()
    walk.number("generation.top_k", "3")
    walk.to_the_end()
    walk.number("generation.top_p", "0.8")
    walk.to_the_end()


def wrong(walk: Walk) -> None:
    walk.button("pitfall.run_sick").click()
    walk.is_done()
    cure = walk.page.locator("[class*=st-key-pitfall-cure] button").first
    cure.click()
    walk.is_done()
    batch = walk.page.get_by_role("slider", name=walk.t("memory.batch"))
    batch.press("End")
    walk.is_done()
    batch.press("Home")
    walk.is_done()
    walk.button("pitfall.run_sick").click()
    walk.is_done()
    cure.click()
    walk.is_done()


CHAPTERS = (guess, tokens, embeddings, attention, residual, logits, learning, writing, wrong)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_course_is_walked_from_its_first_page_to_its_last_question(
    visit: Visit, server: str, language: str, pytestconfig: pytest.Config
) -> None:
    """The fourth chapter; all of them with `--all-cases`, each from the end of the one before."""
    read, _ = chapters(Language(language))
    assert [one.name for one in read] == [one.__name__ for one in CHAPTERS]
    is_all = pytestconfig.getoption("--all-cases")
    walked = [i for i in range(len(read)) if is_all or read[i].name == "attention"]
    page = visit("tokenizer", lang=language)
    page.get_by_role("link", name=Translator(Language(language))("page.course"), exact=True).click()
    walk = Walk(page, language)
    for i in walked:
        if i == 0:
            page.locator(".st-key-course_begin a").click()
        elif not is_all:
            page.get_by_role("link", name=walk.t("course.open"), exact=True).nth(i).click()
        expect(walk.bar).to_contain_text(read[i].title, timeout=60_000)
        CHAPTERS[i](walk)
        expect(walk.bar).to_contain_text(walk.t("course.understood"))
        assert walk.bar.get_by_text(re.compile(walk.t("course.missing", n=2)[:12])).count() == 0
        if not is_all:
            walk.follow("course.all")
        elif i + 1 < len(read):
            walk.follow("course.next_chapter", title=read[i + 1].title)
    if is_all:
        walk.follow("course.to_quiz")
    else:
        page.get_by_role("link", name=walk.t("course.to_quiz"), exact=True).click()
    page.get_by_text(re.compile(r"^8\.")).first.wait_for()
    for i in range(8):
        asked = page.locator(".stRadio").nth(i)
        asked.locator("label").nth(1).click()
        expect(asked.locator("input").first).to_be_disabled()
    expect(page.get_by_text(walk.t("course.quiz.result", right=3, n=8))).to_be_visible()
    kept = page.evaluate("localStorage.getItem('lmviz.course')")
    done = [read[i] for i in walked]
    assert kept.split("~")[1:] == sorted(f"{one.name}.{2 ** len(one.tasks) - 1:x}" for one in done)
    page.goto(page.url.split("?")[0])  # from this device
    t = Translator(Language("en"))
    all_done = page.get_by_text(t("course.all_done") if is_all else t("course.go_on"), exact=not is_all)
    expect(all_done).to_be_visible()


@pytest.mark.nightly
def test_on_a_phone_the_card_folds_when_one_scrolls_and_its_answer_stays(visit: Visit) -> None:
    page = visit(
        width=390, height=844, model="names", prompt=".mar", step="blocks.0.attn.v", course="attention.0", depth="story"
    )
    bar = page.locator(".st-key-course_bar")
    bar.locator("[role=radiogroup] label").first.click()
    told = bar.get_by_text(TOLD)
    expect(told).to_be_visible()
    idle(page)
    page.mouse.move(200, 700)
    page.mouse.wheel(0, 400)
    is_card = "y => document.elementFromPoint(195, y)?.closest('.st-key-course_bar') !== null"
    until(page, lambda: page.evaluate(is_card, 80) and not page.evaluate(is_card, 50 + 0.2 * 844))
    page.evaluate("document.querySelector('.stMain').scrollTop = 40")  # what is below follows the card closely
    below = page.locator(".st-key-top")
    until(page, lambda: page.evaluate(is_card, (below.bounding_box() or {"y": 0})["y"] - 20))
    page.mouse.wheel(0, 400)
    until(page, lambda: not page.evaluate(is_card, 50 + 0.2 * 844))
    box = told.bounding_box()
    assert box is not None and 50 < box["y"] < 50 + 0.15 * 844
    bar.locator(".st-key-course_next a").click()  # the next task begins at the top, where one sees what to do
    expect(bar).to_contain_text("Tap a score")
    until(page, lambda: page.evaluate("document.querySelector('.stMain').scrollTop") == 0)


@pytest.mark.nightly
def test_on_a_phone_a_question_and_its_answer_are_whole(visit: Visit) -> None:
    at = {"model": "names", "prompt": ".mar", "lang": "fr", "depth": "numbers"}
    for begun in ({"course": "embeddings.1"}, {"course": "attention.2", "step": "blocks.0.attn.masked"}):
        bar = visit(width=390, height=844, **at, **begun).locator(".st-key-course_bar")
        bar.locator("[role=radiogroup] label").first.click()
        expect(bar.get_by_text(TOLD)).to_be_visible()
        until(bar.page, lambda bar=bar: bar.evaluate("one => one.scrollHeight <= one.clientHeight + 1"))  # type: ignore[misc]


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_on_a_phone_a_long_answer_is_whole_where_one_has_scrolled_to_do_the_thing(visit: Visit, lang: str) -> None:
    """The head of the card, with both ways and a long title, leaves it the room."""
    prompt = {"en": "The cat sits on the", "fr": "Le chat dort sur le"}[lang]
    at = {"model": "sentences", "prompt": prompt, "step": "probabilities", "depth": "story", "lang": lang}
    bar = visit(width=390, height=844, **at, course="guess.1~guess.1").locator(".st-key-course_bar")
    ways = [bar.locator(f".st-key-course_{name}").bounding_box() for name in ("before", "skip", "all", "leave")]
    middles = [one["y"] + one["height"] / 2 for one in ways if one is not None]
    assert len(middles) == 4 and max(middles) - min(middles) < 4
    bar.page.locator("button.add").click()
    told = bar.get_by_text(TOLD)
    expect(told).to_be_visible()
    idle(bar.page)
    bar.page.mouse.move(200, 700)
    bar.page.mouse.wheel(0, 1000)
    last = "one => { const box = one.closest('p').getBoundingClientRect();"
    last += (
        " return document.elementFromPoint(box.left + 9, box.bottom - 2)?.closest('.st-key-course_told') !== null; }"
    )
    until(bar.page, lambda: told.evaluate(last))


@pytest.mark.nightly
def test_at_a_low_window_the_keys_stay_in_sight_with_the_answer(visit: Visit) -> None:
    page = visit(model="names", prompt=".mar", step="blocks.0.attn.pattern", course="attention.4", depth="story")
    card, bar = page.locator(".st-key-course_bar"), page.locator(".lm > .bar")
    card.locator("[role=radiogroup] label").first.click()
    expect(card.get_by_text(TOLD)).to_be_visible()
    idle(page)
    picture = page.locator("figure[data-result] canvas").bounding_box()
    edge = bar.bounding_box()
    assert picture is not None and edge is not None
    assert edge["y"] + edge["height"] <= 720 and picture["y"] + picture["height"] <= edge["y"]
    page.set_viewport_size({"width": 1280, "height": 560})  # too low for all: one scrolls, and the keys stay
    expect(bar).to_be_in_viewport(ratio=1)
    page = visit(
        model="names", prompt=".mar", step="blocks.0.attn.pattern", head="1", course="attention.5", depth="numbers"
    )
    page.locator("button.switch").click()
    again = page.locator(".st-key-course_ways a")
    expect(again).to_be_visible()
    idle(page)
    rows = [page.locator(f"figure[data-address$='.{name}'] canvas").bounding_box() for name in ("masked", "pattern")]
    assert all(one is not None and one["height"] > 4 * 15 for one in rows), "nothing in the card takes their height"


@pytest.mark.nightly
def test_a_number_that_is_chosen_keeps_its_number_and_what_changes_it_is_in_sight(visit: Visit) -> None:
    """At 1280×720 the field for another number is in sight, and the words are read from their beginning elsewhere."""
    page = visit(model="names", prompt=".mar", step="blocks.0.x_mid", course="residual.4", depth="numbers")
    click_cell(page, "blocks.0.x_mid", 3, 3, (4, 64))
    expect(page.locator("form.change")).to_be_in_viewport(ratio=1)
    side = page.locator(".lm .side")
    until(page, lambda: side.evaluate("one => one.scrollTop") > 0)
    page.locator(".lm > .bar").get_by_role("button", name="next").first.click()
    expect(page).to_have_url(re.compile("norm_2"))
    until(page, lambda: side.evaluate("one => one.scrollTop") == 0)


@pytest.mark.nightly
def test_a_cured_curve_and_what_is_asked_at_the_end_come_into_sight(visit: Visit, server: str) -> None:
    page, at = visit("tokenizer", lang="en"), f"{server}/debugging?pitfall=too_little_data&depth=story&lang=en"
    page.goto(f"{at}&course=wrong.5&ran=true")
    page.locator("[class*=st-key-pitfall-cure] button").first.click()
    expect(page.locator(".st-key-course_told")).to_contain_text("✓", timeout=60_000)
    expect(page.locator(".st-key-chart_pitfall-true")).to_be_in_viewport(ratio=0.99)
    page.goto(f"{at}&course=wrong.6~wrong.3f")
    expect(page.get_by_role("link", name="Eight questions")).to_be_visible(timeout=60_000)
    page.evaluate("document.querySelector('.stMain').scrollTo(0, 500)")
    page.get_by_role("link", name="Eight questions").click()
    expect(page.locator(".stRadio").first).to_be_visible()
    until(page, lambda: page.evaluate("document.querySelector('.stMain').scrollTop") == 0)


@pytest.mark.nightly
def test_the_answer_follows_what_one_does_next(visit: Visit) -> None:
    page = visit(model="names", prompt=".mar", step="blocks.0.attn.pattern", course="attention.3", depth="numbers")
    told = page.locator(".st-key-course_told")
    for token in ("a", "m"):
        page.locator(".lm .token").get_by_text(token, exact=True).click()
        expect(told).to_contain_text(f"{token} looks most at")


@pytest.mark.nightly
def test_in_the_story_bars_begin_beside_their_names_and_a_cell_promises_a_number(visit: Visit) -> None:
    at = {"model": "sentences", "prompt": "The cat sits on the", "depth": "story", "lang": "en"}
    page = visit(**at, step="probabilities", width=1920, height=1080)
    table, bar = page.locator(".bars").bounding_box(), page.locator(".bars .bar").first.bounding_box()
    assert table is not None and bar is not None and bar["x"] - table["x"] < 0.3 * table["width"]
    for depth, said in (("story", "to see its number"), ("numbers", "to see its arithmetic")):
        expect(visit(**at | {"depth": depth}, step="logits").locator(".inspect")).to_contain_text(said)
