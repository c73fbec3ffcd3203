"""The debugging page in a real browser: a model that doesn't learn, a bug that is found, memory that runs out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from lmviz.debug.bugs.catalogue import BUGS
from lmviz.services.services import Services
from tests.browser.conftest import Profiles, idle
from tests.words import ENGLISH

LONG = 180_000  # milliseconds: real trainings, on a busy machine


@contextmanager
def opened(profiles: Profiles, server: str, **query: str) -> Iterator[Page]:
    """The page at an address; at the end it may have raised no error."""
    page, errors = profiles.kept("en-GB").new_page(), list[str]()
    page.set_default_timeout(LONG)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{server}/debugging?{urlencode(query)}")
    expect(page.get_by_text("Pitfalls", exact=True)).to_be_visible(timeout=60_000)
    idle(page)
    yield page
    profiles.forget()
    assert not errors


@pytest.mark.nightly
def test_a_model_that_does_not_learn_is_reproduced_told_and_cured(profiles: Profiles, server: str) -> None:
    with opened(profiles, server, pitfall="rate_too_low") as page:
        page.get_by_text(ENGLISH("answer.still")).click()
        page.get_by_role("button", name=ENGLISH("pitfall.run_sick")).click()
        expect(page.get_by_text("You said so.")).to_be_visible(timeout=LONG)
        expect(page.get_by_text(ENGLISH("doctor.falls.failed"))).to_be_visible()
        page.get_by_role("button", name="Cure it").click()
        expect(page.get_by_role("strong").filter(has_text=ENGLISH("cure.rate", rate="0.001"))).to_be_visible(
            timeout=LONG
        )
        expect(page).to_have_url(re.compile(r"cured=true"))
        expect(page).to_have_url(re.compile(r"ran=true"))
        expect(page.locator("[data-testid=stVegaLiteChart]").first).to_be_visible()


@pytest.mark.nightly
def test_a_bug_is_looked_at_and_found(profiles: Profiles, server: str) -> None:
    one = Services().game.puzzle(3, 1)
    with opened(profiles, server, section="game", seed="3") as page:
        page.get_by_role("link", name=ENGLISH("game.open")).click()
        expect(page.locator(".lm[data-step]")).to_be_visible(timeout=LONG)
        page.keyboard.press("ArrowRight")
        expect(page.get_by_text(ENGLISH("game.hidden"))).to_be_visible()
        page.get_by_role("link", name="Debugging").click()
        expect(page.get_by_role("button", name=ENGLISH("game.answer"))).to_be_visible(timeout=LONG)
        page.get_by_role("button", name=ENGLISH("game.ask"), exact=True).click()
        expect(page.get_by_text("Probes left: 5")).to_be_visible(timeout=LONG)
        page.get_by_role("combobox").last.click()
        page.get_by_role("option", name=ENGLISH(f"stage.{BUGS[one.bug].place}.title"), exact=True).click()
        page.get_by_text(ENGLISH(f"bug.{one.bug}"), exact=True).click()
        page.get_by_role("button", name=ENGLISH("game.answer")).click()
        expect(page.get_by_text("Right: stage and bug. 14 points.")).to_be_visible(timeout=LONG)
        expect(page.locator(".lm-diff .gone, .lm-diff .new").first).to_be_visible()


@pytest.mark.nightly
def test_memory_really_runs_out_and_the_app_lives_on(profiles: Profiles, server: str) -> None:
    with opened(profiles, server, family="memory") as page:
        page.get_by_role("button", name="Train it with 192 MB").click()
        expect(page.get_by_text("Out of memory during the")).to_be_visible(timeout=LONG)
        expect(page.get_by_text("DefaultCPUAllocator", exact=False)).to_be_visible()
        page.get_by_role("button", name=ENGLISH("cure.batch")).click()
        expect(page.get_by_text(ENGLISH("memory.cured", cure="a smaller batch"))).to_be_visible(timeout=LONG)
        page.get_by_text("Doctor", exact=True).click()
        expect(page.get_by_text(ENGLISH("doctor.healthy"))).to_be_visible(timeout=LONG)


@pytest.mark.nightly
def test_the_first_difference_is_jumped_to(profiles: Profiles, server: str) -> None:
    with opened(profiles, server, section="lab", bug="no_scale") as page:
        page.get_by_role("link", name=ENGLISH("lab.open")).click(timeout=LONG)
        expect(page.locator(".words h2")).to_have_text("blocks.0.attn.scores", timeout=LONG)
        expect(page.get_by_text("A − B").first).to_be_visible()
