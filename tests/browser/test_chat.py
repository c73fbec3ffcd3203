"""The chat page in a real browser: a message is sent, the answer comes, and one of its tokens is followed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import idle
from tests.chats import ANSWERED, ASKED
from tests.words import ENGLISH

Visit = Callable[..., Page]


def test_a_message_is_answered_and_a_token_leads_to_the_step_that_chose_it(visit: Visit, chat_folder: Path) -> None:
    page = visit("chat", model=str(chat_folder), messages="[]")
    page.get_by_role("textbox", name=ENGLISH("chat.say")).fill(ASKED)
    page.keyboard.press("Enter")
    expect(page.locator(".piece.new")).to_have_count(len(ANSWERED) + 1)
    idle(page)
    said = page.get_by_role("textbox", name=ENGLISH("chat.content"))
    expect(said.last).to_have_value(ANSWERED)
    page.locator(".piece.new").nth(4).click()
    expect(page.locator(".piece.new").nth(4)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Why this token?").click()
    expect(page.locator(".words h2")).to_have_text(ENGLISH("stage.probabilities.title"), timeout=60_000)
    expect(page.get_by_role("textbox", name="what came next")).to_have_value(ANSWERED[4])
    prompt = page.get_by_role("textbox", name="Prompt").input_value()
    assert prompt.endswith(f"assistant{ANSWERED[:4]}")
