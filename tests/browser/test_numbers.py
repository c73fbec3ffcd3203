"""The browser writes every number as Python does, and gives each kind of number its own colours."""

from __future__ import annotations

import json
import random

from playwright.sync_api import Browser

from lmviz.ui.text import number
from tests.conftest import ROOT

ODD = (0.0, -0.0, 0.125, -0.125, 0.0004, 9.999e-5, 0.00009995, 999999.995, 1e6, 1e21, 5e-324, 1.7e308, 2.5, -0.004999)


def test_a_number_is_written_by_the_browser_as_by_python(browser: Browser) -> None:
    drawn = random.Random(0)
    values = [*ODD, *(drawn.choice((-1, 1)) * 10 ** drawn.uniform(-12, 12) for _ in range(1000))]
    script = (ROOT / "lmviz/ui/browser/dom.js").read_text(encoding="utf-8")
    page = browser.new_page()
    for lang in ("en", "fr"):
        for digits in (1, 2, 4, 6):
            call = f"{script}; return {json.dumps(values)}.map((value) => written(value, {digits}, '{lang}'))"
            found = page.evaluate(f"() => {{ {call} }}")
            assert found == [number(lang, value, digits) for value in values]
    page.close()


def test_a_share_is_coloured_by_one_hue_and_a_signed_number_by_its_sign(browser: Browser) -> None:
    scripts = "".join((ROOT / f"lmviz/ui/browser/{name}.js").read_text(encoding="utf-8") for name in ("dom", "colour"))
    asked = [[0, "share"], [1, "share"], [-2, "signed"], [0, "signed"], [2, "signed"]]
    page = browser.new_page()
    for theme in ("light", "dark"):
        coloured = "(([value, scale]) => colourOf(value, { scale, peak: 2 }, look).join())"
        begin = f"{scripts}; const look = SCALES.{theme};"
        found = page.evaluate(f"() => {{ {begin} return {json.dumps(asked)}.map{coloured} }}")
        ends = page.evaluate(
            f"() => {{ {begin} return [look.middle, look.share, look.low, look.middle, look.high].map(String) }}"
        )
        assert found == ends
        assert len(set(ends)) == 4
    page.close()
