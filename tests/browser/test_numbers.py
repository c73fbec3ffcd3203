"""The browser writes every number as Python does, and gives each kind of number its own colours."""

from __future__ import annotations

import json
import random
from itertools import product

from playwright.sync_api import Browser, Page

from lmviz.digits import LARGE, rounded
from lmviz.ui.scripts import bundle
from lmviz.ui.text import Translator
from tests.conftest import ROOT

LANGUAGES = ("en", "fr", "de", "pt")  # ours, and some that somebody may add
ODD = (
    0.0,
    -0.0,
    0.125,
    -0.125,
    0.0004,
    9.999e-5,
    0.00009995,
    999999.995,
    1e6,
    1e21,
    5e-324,
    1.7e308,
    2.5,
    -0.004999,
    3.7e-4,
    -9.7e-10,
    1e15,
)


def test_a_number_is_written_by_the_browser_as_by_python(browser: Browser) -> None:
    drawn = random.Random(0)
    values = [*ODD, *(drawn.choice((-1, 1)) * 10 ** drawn.uniform(-12, 12) for _ in range(1000))]
    page = browser.new_page()
    for lang in LANGUAGES:
        for t, digits in product((Translator(lang), Translator(lang, plain=True)), (0, 1, 2, 4, 6)):
            found = _mapped(page, f"written(value, {digits}, '{t.numbers}')", values)
            assert found == [t.localised(rounded(value, digits, t.plain)) for value in values]
            in_sentences = [t.number(value, digits) for value in values]
            for value, one, other in zip(values, found, in_sentences, strict=True):
                if digits and abs(value) < 10**LARGE:  # Python's sentences set the thousands of a whole number apart
                    assert one == other
    page.close()


def test_a_share_is_written_by_the_browser_as_by_python(browser: Browser) -> None:
    drawn = random.Random(1)
    shares = [0.0, 0.0004, 0.0005, 0.99951, 1.0, *(10 ** drawn.uniform(-9, 0) for _ in range(500))]
    page = browser.new_page()
    for lang in LANGUAGES:
        assert _mapped(page, f"percent(value, '{lang}')", shares) == [
            Translator(lang).percent(share) for share in shares
        ]
    page.close()


def _mapped(page: Page, call: str, values: list[float]) -> list[str]:
    script = bundle(ROOT / "lmviz/ui/browser/numbers.js")
    found: list[str] = page.evaluate(f"() => {{ {script}; return {json.dumps(values)}.map((value) => {call}); }}")
    return found


def test_a_share_is_coloured_by_one_hue_and_a_signed_number_by_its_sign(browser: Browser) -> None:
    scripts = bundle(ROOT / "lmviz/ui/browser/colour.js")
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
