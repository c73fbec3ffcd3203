"""What is drawn on a page can be taken away as a file: SVG and PNG, with its title, its scale and its link."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import idle

NAME = "{http://www.w3.org/2000/svg}"
TREE_OF_BEAMS = "generation?way=beam&n=2"
# pages, and how many pictures each has
PAGES = {
    "generation?way=one&n=3": 2,
    TREE_OF_BEAMS: 1,
    "embeddings?section=near": 2,
    "quantisation": 2,
    "debugging?family=memory": 1,
    "tokenizer": 1,
    "training": 1,
}
NAMED_PAGES = {"embeddings": 1, "chat": 1, "generation?way=speculative": 2}


ANEW = """() => {
  for (const one of document.querySelectorAll("*")) {
    const picture = one.shadowRoot?.querySelector(".lm[data-step] .picture");
    if (picture) { const copy = picture.cloneNode(true); picture.replaceWith(copy);
      const drawn = picture.querySelectorAll("canvas");
      copy.querySelectorAll("canvas").forEach((canvas, i) => canvas.getContext("2d").drawImage(drawn[i], 0, 0)); }
  }
}"""  # as a page does that draws its picture again while the list is open


def saved(page: Page, button: Locator, folder: Path) -> bytes:
    with page.expect_download() as started:
        button.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path.read_bytes()


def texts(svg: bytes) -> str:
    return " ".join("".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{NAME}text"))


def size_of_png(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def check(svg: bytes, png: bytes) -> None:
    """A file that stands by itself: no style of the page's, no colour that only browsers know, nothing to fetch."""
    root, text = ElementTree.fromstring(svg), svg.decode()
    assert not re.search(r' (?:class|style)="|var\(|color\(|light-dark|href="(?!data:)', text)
    for named in re.findall(r"url\(.?#([\w.-]+)", text):
        assert f'id="{named}"' in text, named  # shadings and what cuts are in it
    for one in root.findall(f".//{NAME}svg//{NAME}text"):  # what is cut at the edge of a chart is as wide as on screen
        assert len(one) or not (one.text or "").strip() or one.get("textLength"), one.text
    width, height = (float(root.get(side, "0")) for side in ("width", "height"))
    assert width > 300 and height > 100
    for dots, pixels in zip(size_of_png(png), (width, height), strict=True):
        assert abs(dots - pixels * 200 / 96) <= 2  # 200 dots an inch


def check_names(page: Page, link: str, n: int) -> None:
    names = page.locator(".to-save li > span").all_inner_texts()
    title = page.locator("h1").inner_text()
    assert len(set(names)) == n, (link, names)
    for name in names:
        assert not name.startswith((title, "1 ·", "2 ·", "3 ·")) and not name.endswith(")"), (link, name)


@pytest.mark.nightly
def test_the_whole_model_is_saved_with_its_title_how_it_is_read_and_its_link(
    visit: Callable[..., Page], tmp_path: Path
) -> None:
    page = visit("step_through", model="names", prompt=".mar", map="1", lang="fr")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".ribbon").first).to_be_visible()
    svg, png = (
        saved(page, dialog.get_by_role("button", name=f"Enregistrer l’image en .{kind}"), tmp_path)
        for kind in ("svg", "png")
    )
    check(svg, png)
    said = texts(svg)
    for text in ("names · .mar", "Attention\u202f: tête 1", "Un ruban est aussi large", "model=names", "Bloc 0"):
        assert text.replace("\u202f", " ") in said.replace("\u202f", " "), text
    root = ElementTree.fromstring(svg)
    drawn = dialog.locator(".body svg")
    assert len([*root.iter(f"{NAME}path")]) == drawn.locator("path").count()  # every ribbon, and nothing else
    assert len([*root.iter(f"{NAME}image")]) == drawn.locator("image").count() > 3
    dialog.get_by_role("button", name="En tableau").click()
    expect(dialog.locator(".saves")).to_have_count(0)  # no picture, no button


@pytest.mark.nightly
def test_every_picture_of_a_page_is_in_the_list_and_is_saved(
    visit: Callable[..., Page], server: str, tmp_path: Path
) -> None:
    page = visit("step_through", model="names", prompt=".mar", step="blocks.0.attn.pattern")
    opens = page.get_by_role("button", name="Save pictures")
    rows = page.locator(".to-save li")
    opens.click()
    expect(rows).to_have_text(re.compile(r"^From scores to shares · block\s0"))
    page.evaluate(ANEW)
    svg, png = (saved(page, rows.get_by_role("button", name=f".{kind}"), tmp_path) for kind in ("svg", "png"))
    check(svg, png)
    said = texts(svg)
    for text in ("From scores to shares", "step=blocks.0.attn", "query 4↓ × key 4→"):
        assert text in said.replace("\u00a0", " "), text  # title, link, axes
    assert b"<linearGradient" in svg and "−2.99" in said  # the scale
    page.get_by_role("button", name="Close", exact=True).click()
    for link, n in PAGES.items():
        page.goto(f"{server}/{link}")
        expect(opens).to_be_visible()
        idle(page)
        expect(page.locator(".lm:visible, .stVegaLiteChart svg").first).to_be_visible()
        opens.click()
        expect(rows).to_have_count(n)
        check_names(page, link, n)
        check(*(saved(page, rows.first.get_by_role("button", name=f".{kind}"), tmp_path) for kind in ("svg", "png")))


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_picture_has_a_name_that_says_what_it_is(visit: Callable[..., Page], server: str, lang: str) -> None:
    page = visit("tokenizer", lang=lang)
    opens = page.locator(".st-key-saving button.open")
    for link, n in (PAGES | NAMED_PAGES).items():
        page.goto(f"{server}/{link}{'&' if '?' in link else '?'}lang={lang}")
        expect(opens).to_be_visible()
        idle(page)
        expect(page.locator(".lm:visible, .stVegaLiteChart svg").first).to_be_visible()
        opens.click()
        expect(page.locator(".to-save li")).to_have_count(n)
        check_names(page, link, n)
