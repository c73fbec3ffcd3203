"""The frame around the pages."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, expect

from tests.browser.conftest import serving
from tests.conftest import ROOT


def test_a_link_to_a_page_opens_in_the_frame_though_nobody_was_here_before(browser: Browser) -> None:
    with serving(ROOT) as address:
        page = browser.new_page()
        page.goto(f"{address}/tokenizer?lang=fr")
        expect(page.get_by_role("link", name="Pas à pas")).to_be_visible(timeout=60_000)
        expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
        expect(page).to_have_url(re.compile(r"/tokenizer"))
        expect(page).to_have_url(re.compile(r"lang=fr"))
        page.close()
