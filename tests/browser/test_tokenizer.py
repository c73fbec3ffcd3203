"""The tokenizer page and the chat in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from lmviz.tokens.learning import learn
from lmviz.ui.text import visible
from tests.browser.conftest import idle, until
from tests.words import ENGLISH

Visit = Callable[..., Page]


@pytest.mark.nightly
def test_five_merges_are_learned_and_unlearned(visit: Visit) -> None:
    page = visit("tokenizer", tab="learn")
    learning = learn(ENGLISH("tokenizer.corpus_example"), 2000)
    for at in range(5):
        (left, right), count = learning.pairs(at)[0]
        winner = page.locator(".pairs .winner")
        expect(winner.locator("em")).to_have_text(str(count))
        assert winner.locator(".couple b").all_inner_texts() == [
            visible(learning.tokens[i].decode()) for i in (left, right)
        ]
        page.get_by_role("button", name="Next merge").click()
        expect(page.get_by_text(f"merge {at + 1} of {len(learning.merges)}")).to_be_visible()
        idle(page)
        made = visible(learning.tokens[learning.merges[at].token].decode())
        assert set(page.locator(".corpus").first.locator("b.new").all_inner_texts()) == {made}
        assert page.locator(".corpus").first.locator(".word b").count() == learning.lengths[at + 1]
    expect(page).to_have_url(re.compile(r"at=5"))
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_text(f"merge 4 of {len(learning.merges)}")).to_be_visible()
    idle(page)
    assert page.locator(".corpus").first.locator(".word b").count() == learning.lengths[4]


@pytest.mark.nightly
def test_a_piece_tells_its_bytes(visit: Visit) -> None:
    page = visit("tokenizer", text="é😀")
    page.locator(".piece").first.click()
    expect(page.get_by_text("c3", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile(r"piece=0"))


@pytest.mark.nightly
def test_text_that_looks_like_markup_stays_text(visit: Visit) -> None:
    page = visit(
        "tokenizer", text="<img src=x onerror=document.title='hacked'> **b** `c` $x$", tokenizer="bpe", piece="0"
    )
    assert "".join(page.locator(".piece .said").all_inner_texts()).startswith("<img·src=x")
    assert page.title() != "hacked" and page.locator(".pieces img").count() == 0


@pytest.mark.nightly
def test_a_chat_is_built_and_read_as_one_text(visit: Visit) -> None:
    page = visit("chat")
    page.get_by_role("button", name="Add a message").click()
    expect(page.get_by_label("What is said")).to_have_count(3)
    idle(page)
    page.get_by_label("What is said").nth(2).fill("I am well!")
    page.get_by_label("What is said").nth(2).press("Control+Enter")
    idle(page)
    expect(page.locator(".piece.special")).to_have_count(7)
    end = "<|im_start|>assistant¶I·am·well!<|im_end|>¶<|im_start|>assistant¶"
    until(page, lambda: "".join(page.locator(".piece .said").all_inner_texts()).endswith(end))
    read = "".join(page.locator(".piece .said").all_inner_texts())
    again = visit("chat?" + page.url.partition("?")[2] + "&_=")
    expect(again.locator(".piece.special")).to_have_count(7)
    until(again, lambda: "".join(again.locator(".piece .said").all_inner_texts()) == read)
