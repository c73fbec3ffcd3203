"""A phone: what a finger does, what is in sight, and what is written where there is no mouse and no key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import idle, swipe

Visit = Callable[..., Page]
SIZES = pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640)])
SCROLLED = "document.querySelector('.stMain').scrollTop"


def test_a_swipe_from_a_slider_scrolls_and_only_a_tap_or_its_thumb_moves_it(visit: Visit) -> None:
    page = visit("training", phone=True, width=390, height=844)
    slider = page.locator(".stSlider").filter(has_text="MLP")
    thumb = slider.locator("[style*=left]")

    def value() -> int:
        return int(slider.locator("input").input_value())

    begun = value()
    for share in (None, 0.8):  # from the thumb, and from the track
        slider.evaluate("one => one.scrollIntoView({block: 'center'})")
        track, at, scrolled = slider.bounding_box(), thumb.bounding_box(), page.evaluate(SCROLLED)
        assert track and at
        x = at["x"] + at["width"] / 2 if share is None else track["x"] + share * track["width"]
        swipe(page, x, at["y"] + at["height"] / 2, across=5, down=-200)
        assert page.evaluate(SCROLLED) > scrolled + 100
        assert value() == begun
    slider.evaluate("one => one.scrollIntoView({block: 'center'})")
    track, at = slider.bounding_box(), thumb.bounding_box()
    assert track and at
    swipe(page, at["x"] + at["width"] / 2, at["y"] + at["height"] / 2, across=80, down=4)
    dragged = value()
    assert dragged > begun
    page.touchscreen.tap(track["x"] + 0.9 * track["width"], at["y"] + at["height"] / 2)
    idle(page)
    assert value() > dragged
