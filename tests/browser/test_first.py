"""The first contact: a visitor, one tap after the other, to the inside of the model and back."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from lmviz.services.greetings import greeting
from tests.browser.conftest import idle, serving, until
from tests.conftest import ROOT

Visit = Callable[..., Page]
STEPPING = ".lm[data-step]"


def here(page: Page) -> str:
    return str(page.evaluate("() => decodeURIComponent(location.pathname + location.search.replaceAll('+', ' '))"))


def fits(page: Page) -> bool:
    """Whether nothing is wider than the window."""
    return bool(page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"))


def test_a_sentence_is_tapped_to_its_end_and_its_inside_is_one_tap_away(visit: Visit) -> None:
    page = visit("")
    expect(page).to_have_title(re.compile("Start"))
    sentence, choices = page.locator(".lm-first"), page.locator(".st-key-first_choices button")
    expect(sentence).to_have_text("The cat sits on the")
    expect(choices).to_have_count(len(greeting("en").choices))
    widths = [float(box["width"]) for box in (one.bounding_box() for one in choices.all()) if box]
    assert len(set(widths)) == 1 and fits(page)
    size = float(choices.first.locator("p").evaluate("(p) => getComputedStyle(p).fontSize").removesuffix("px"))
    assert size >= 0.035 * 720  # to be read at the back of a room
    bottom = page.locator(".st-key-first_doors").bounding_box()
    assert bottom is not None and bottom["y"] + bottom["height"] <= 720  # all of it at one glance

    choices.nth(1).focus()  # by the keyboard alone
    page.keyboard.press("Enter")
    second = greeting("en").choices[1]
    expect(sentence).to_have_text(second.text, timeout=60_000)
    idle(page)
    assert f"text={second.text}" in here(page)
    page.get_by_role("button", name="the end").click()
    expect(sentence).to_have_text(f"{second.text}.")
    page.go_back()
    expect(sentence).to_have_text(second.text)
    page.go_forward()
    expect(sentence).to_have_text(f"{second.text}.")
    page.reload()
    expect(sentence).to_have_text(f"{second.text}.")
    idle(page)

    page.get_by_role("link", name="See how it knew").click()
    expect(page.locator(STEPPING)).to_be_visible(timeout=60_000)
    expect(page).to_have_title(re.compile("Step through"))
    until(page, lambda: here(page).startswith("/step_through?") and f"prompt={second.text}." in here(page))
    expect(page.locator(".words")).to_contain_text("Measured:")
    expect(page.locator(".lm")).to_contain_text("came next")  # the word that was tapped, among the others
    page.keyboard.press("End")
    page.locator('[data-move="end"]').click()
    over = page.get_by_role("dialog", name="What came out")
    over.get_by_role("textbox").fill("The dog barks at the")
    page.keyboard.press("Enter")
    expect(over).to_have_count(0)
    until(page, lambda: here(page).endswith("prompt=The dog barks at the"))
    idle(page)
    page.get_by_role("link", name="Start").click()
    expect(page.locator(".lm-first")).to_be_visible()


@pytest.mark.nightly
def test_a_french_browser_is_greeted_in_french_and_what_it_chooses_wins(visit: Visit) -> None:
    page = visit("", locale="fr-CA", width=390, height=844, dark=True)
    expect(page.locator(".lm-first")).to_have_text("Le chat dort sur le")
    assert here(page) == "/" and fits(page)
    page.get_by_role("radio", name="EN", exact=True).click()
    expect(page.locator(".lm-first")).to_have_text("The cat sits on the")
    until(page, lambda: "lang=en" in here(page))
    page.reload()
    expect(page.locator(".lm-first")).to_have_text("The cat sits on the")
    page.get_by_role("textbox").fill("Emma eats")
    page.keyboard.press("Enter")
    expect(page.locator(".lm-first")).to_have_text("Emma eats", timeout=60_000)
    expect(page.get_by_text("has never read Emma")).to_be_visible()
    assert fits(page)
    other = page.context.new_page()  # another tab is another visit
    other.goto(page.url.partition("?")[0])
    expect(other.locator(".lm-first")).to_have_text("Le chat dort sur le")
    expect(page.locator(".lm-first")).to_have_text("Emma eats")


@pytest.mark.nightly
def test_links_of_before_go_where_they_went_without_a_stop(visit: Visit, server: str) -> None:
    for link, goes in (("?model=names&prompt=.mar&step=softmax", "step_through"), ("?lang=fr", "")):
        with urllib.request.urlopen(f"{server}/{link}") as answer:
            assert answer.url == f"{server}/{goes}{link}"
    page = visit("", locale="en-US")
    page.goto(f"{server}/?model=names&prompt=emma&colour=red")
    expect(page.locator(STEPPING)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("This link also names colour")).to_be_visible()
    page.get_by_role("button", name=".emma").click()
    until(page, lambda: here(page) == "/step_through?model=names&prompt=.emma")
    idle(page)
    field = page.get_by_role("textbox").first
    field.fill("ZOE")
    field.press("Enter")
    until(page, lambda: here(page) == "/step_through?model=names&prompt=zoe")
    page.go_back()
    until(page, lambda: here(page) == "/step_through?model=names&prompt=.emma")
    page.goto(f"{server}/step_through")
    expect(page.locator(STEPPING)).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Page not found")).to_have_count(0)


@pytest.mark.nightly
def test_what_draws_the_question_is_sent_ahead_and_the_icon_comes_in_the_end(browser: Browser) -> None:
    """The icon is there at once if numpy, which reads it, was imported before the visitor came."""
    asked: list[str] = []
    with serving(ROOT) as address:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        expect(page.locator(".lm-first")).to_be_visible(timeout=60_000)
        began = next(i for i, url in enumerate(asked) if url.endswith("/_stcore/health"))  # the app itself is running
        sent_ahead = {re.sub(r".*/([\w.]+?)\.[\w-]+\.js$", r"\1", url) for url in asked[:began]}
        assert {"Html", "purify.es", "Button"} <= sent_ahead
        page.locator(".st-key-first_choices button").first.click()
        icon = page.locator("link[rel='shortcut icon']")
        expect(icon).to_have_attribute("href", re.compile("/media/"), timeout=60_000)
        page.close()
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)


@pytest.mark.nightly
@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_no_page_in_the_row_of_pages_is_hidden(visit: Visit, locale: str) -> None:
    page = visit("", locale=locale)
    reader = page.locator(".st-key-reader").bounding_box()
    assert reader is not None
    links = page.get_by_test_id("stTopNavLink")
    ends = "all => all.map((one) => one.getBoundingClientRect().right)"
    until(page, lambda: 0 < max(links.evaluate_all(ends)) <= reader["x"])
