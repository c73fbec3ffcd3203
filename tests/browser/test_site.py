"""The site, built with its smallest models and opened from the disk: every link leads somewhere, and nothing fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from lmviz.errors import UserError
from lmviz.lessons.folders import FOLDER, found
from lmviz.site.__main__ import main
from lmviz.site.build import QUICK, build
from lmviz.ui.course.chapters import chapters
from lmviz.ui.text import LANGUAGES, Language, Translator


class Read(HTMLParser):
    """What a page links to and loads, which places it has, and the words of it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.words = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and not value.startswith("data:"):
                self.links.append(value)
            elif name == "id" and value:
                self.places.add(value)

    def handle_data(self, data: str) -> None:
        self.words += data


MINE = """---
title: Mine <script>alert(1)</script>
goal: One thing.
minutes: 3
tasks:
  - view: step_through?model=pokemon&prompt=.pik&step=blocks.0.attn.pattern
    check: answered softmax
  - view: step_through?model=pokemon&prompt=.pik&step=blocks.0.attn.pattern
    check: pinned pattern
  - view: step_through?model=pokemon&prompt=.pik&step=blocks.0.attn.pattern
    check: head_off
  - view: embeddings?model=pokemon&prompt=.pik
    check: pinned rows
understood: It works.
---
A story. ![p](http://a/b.png) <iframe src=x></iframe>

## Guess
> {answer}

## Tap
> It is {value}.

## Cut
> Now {after}.

## Look
> Here is {row}.
"""  # a teacher's chapter, on a model whose walks are quickly written


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "chapters").mkdir()
    (folder / "chapters/mine.md").write_text(MINE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(FOLDER, str(folder / "chapters"))
        build(folder / "out", QUICK)
        yield folder / "out"


def pages_of(site: Path) -> dict[Path, Read]:
    return {path: Read(path) for path in site.rglob("*.html") if path.parent.name != "walks"}


@pytest.mark.nightly
def test_every_link_is_relative_and_leads_to_a_file_and_a_place_and_every_file_is_reached(site: Path) -> None:
    pages, reached = pages_of(site), set()
    for path, read in pages.items():
        for link in read.links:
            url = urlsplit(link)
            if url.scheme in ("http", "https"):
                assert path.parent.name == "docs" or path.stem == "mine", f"{path}: {link}"  # a source to read
                continue
            assert not url.scheme and not url.netloc and not url.path.startswith("/"), f"{path}: {link}"
            there = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert there.is_file(), f"{path}: {link}"
            reached.add(there)
            if url.fragment and there in pages:
                assert url.fragment in pages[there].places, f"{path}: {link}"
    assert {path for path in site.rglob("*") if path.suffix} == reached


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_site_has_all_chapters_docs_and_samples_in_both_languages(site: Path, lang: str) -> None:
    top, t = site if lang == "en" else site / lang, Translator(Language(lang))
    for chapter in chapters(Language(lang))[0]:
        read = Read(top / "course" / f"{chapter.name}.html")
        assert chapter.title in read.words and read.words.count(t("site.answer")) == sum(
            task.check == "answered" for task in chapter.tasks
        )
    assert len(found()[0]) == len([*(top / "course").glob("*.html")]) - 2  # the list, and the questions
    gallery = Read(top / "gallery/index.html").words
    assert all(name in gallery for name in QUICK.samples) and t("bug.no_mask") in gallery
    assert "small-ever" in Read(top / "docs/own.html").words or "lmviz model.py" in Read(top / "docs/own.html").words
    assert "The dot product" not in gallery and "record(" in Read(top / "docs/api.html").words


def test_answers_have_the_numbers_of_real_runs(site: Path) -> None:
    assert "24.4%" in Read(site / "course/learning.html").words or "24.4%" in Read(site / "course/attention.html").words
    assert "24,4\u202f%" in Read(site / "fr/course/attention.html").words
    assert "…" in Read(site / "course/wrong.html").words  # no training was made


def test_every_page_and_every_walk_opens_without_a_network_or_an_error(site: Path, browser: Browser) -> None:
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    context.set_offline(True)
    page = context.new_page()
    page.on("request", lambda request: wrong.append(request.url) if request.url[:5] not in ("file:", "data:") else None)
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("console", lambda said: wrong.append(f"{page.url}: {said.text}") if said.type != "log" else None)
    walks = set()
    for path, read in pages_of(site).items():
        if "fr" not in path.parts or path.stem in ("index", "attention"):
            page.goto(path.as_uri())
            expect(page.locator("h1").first).to_be_visible()
        walks |= {(path.parent / link.partition("#")[0]).resolve().as_uri() + "#" + link.partition("#")[2]
                  for link in read.links if "walks/" in link}  # fmt: skip
    for walk in sorted(walks):
        _opens_at_its_step(page, walk)
    context.close()
    assert not wrong and len(walks) > 4


def _opens_at_its_step(page: Page, walk: str) -> None:
    page.goto("about:blank")
    page.goto(walk)
    expect(page.locator("body[data-ready]")).to_be_attached()
    asked = parse_qs(urlsplit(walk).fragment)
    place = page.locator(".lm").get_attribute("data-step")
    assert (place != "stage:0") == ("step" in asked), walk
    expect(page.locator("html")).to_have_attribute("lang", asked.get("lang", ["en"])[0])


def test_a_chapter_has_its_walk_beside_it_and_a_phone_has_it_in_its_place(site: Path, browser: Browser) -> None:
    chapter = site / "course/mine.html"
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(chapter.as_uri())
    page.locator(".in a:visible").first.click()
    expect(page.frame_locator("iframe").locator("body[data-ready]")).to_be_attached()
    assert page.url == chapter.as_uri()
    assert "<script" not in chapter.read_text() and chapter.read_text().count("<iframe") == 1
    assert page.locator("img, .beside b").count() == 0
    page.locator("summary").nth(2).click()  # a head is cut off: what came of it is a walk of its own
    page.locator(".in a:visible").filter(has_text="See it done").click()
    walk = page.frame_locator("iframe")
    expect(walk.locator("h1")).to_contain_text("head 0 off")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".in a:visible").first.click()
    expect(page.locator("body[data-ready]")).to_be_attached()
    page.close()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(UserError, match="folder of its own"):
            build(out, QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_says_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "lmviz.site.build", None)
    with pytest.raises(ModuleNotFoundError):  # it is ours that is missing: that is a fault
        main([str(tmp_path / "out")])
    monkeypatch.delitem(sys.modules, "lmviz.site.build")
    (tmp_path / "mine.txt").write_text("mine")
    assert main([str(tmp_path)]) == 2 and "a folder of its own" in capsys.readouterr().err
    for name in [name for name in sys.modules if name.startswith(("lmviz.site.", "markdown_it"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    assert main([str(tmp_path / "out")]) == 2 and "lmviz[site]" in capsys.readouterr().err
