"""Presenting, on every page: how large all is, what one points with, the link for the room, and the teacher's notes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from lmviz.ui.shell import FIRST, PAGE_NAMES
from tests.browser.conftest import idle, until
from tests.conftest import ROOT

Visit = Callable[..., Page]
SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
WORDS, AXES = 0.035, 0.022  # of the window's height
DONE = '.stApp[data-test-script-state="notRunning"] .st-key-top'
MEASURED = (ROOT / "tests/browser/room.js").read_text(encoding="utf-8").rstrip().removesuffix(";")
LETTERS = """() => {
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (...told) {
    const size = parseFloat(/([\\d.]+)px/.exec(this.font)[1]) * this.getTransform().d / devicePixelRatio;
    const least = Number(this.canvas.dataset.least ?? Infinity);
    this.canvas.dataset.least = Math.min(least, size).toFixed(1);
    return fillText.apply(this, told);
  };
}"""  # the smallest letters on each canvas
VIEWS = {
    "first": {},
    "step_through": {"model": "names", "step": "blocks.0.attn.pattern"},
    "course": {},
    "training": {},
    "generation": {},
    "tokenizer": {},
    "chat": {},
    "embeddings": {},
    "quantisation": {},
    "debugging": {},
}


def enlarged(page: Page, width: int, height: int) -> None:
    """Another window; wait until all that is drawn has heard of it."""
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_function(
        """() => {
          const [room] = [...document.querySelectorAll('.st-key-reader *')].map((one) => one.shadowRoot)
            .map((tree) => tree?.querySelector('.present')).filter(Boolean);
          const letters = parseFloat(getComputedStyle(document.documentElement).fontSize);
          return room && Math.abs(Number(room.dataset.scale) - letters / 16) < 0.03;
        }"""
    )
    idle(page)


def test_all_is_large_and_whole_on_every_page(visit: Visit, server: str, pytestconfig: pytest.Config) -> None:
    """Every third page in one of the sizes; each in each of them with `--all-cases`."""
    is_all = pytestconfig.getoption("--all-cases")
    assert set(VIEWS) == set(PAGE_NAMES)
    page = visit("", width=SIZES[0][0], height=SIZES[0][1])
    page.add_init_script(f"({LETTERS})()")
    found = []
    for i, (name, view) in enumerate(VIEWS.items()):
        if not is_all and i % 3 != 1:
            continue
        lang = ("fr", "en")[i % 2]
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(f"{server}/{'' if name == FIRST else name}?{urlencode({'present': 'true', 'lang': lang, **view})}")
        drawn = {"step_through": ".lm[data-step]", FIRST: ".lm-first"}.get(name, DONE)
        expect(page.locator(drawn).first).to_be_attached(timeout=60_000)
        every_second = SIZES[(0, -1)[i % 2]]
        for width, height in SIZES if is_all else (every_second,):
            enlarged(page, width, height)
            found += [f"{name} {width}x{height} {one}" for one in page.evaluate(MEASURED, [WORDS, AXES])]
    assert not found, "\n".join(found)


def presents(page: Page, is_on: bool) -> None:
    """The page has become large, or small again, and its address says so."""
    expect(page).to_have_url(re.compile("present=true") if is_on else re.compile(r"^(?!.*present=true)"))
    page.wait_for_function(
        "on => (parseFloat(getComputedStyle(document.documentElement).fontSize) > 20) === on", arg=is_on
    )
    idle(page)


@pytest.mark.nightly
def test_a_key_and_a_button_turn_it_on_and_it_stays_from_page_to_page(visit: Visit) -> None:
    page = visit("tokenizer")
    field = page.get_by_role("textbox", name="Text to cut")
    field.press("p")
    expect(field).to_have_value(re.compile("p"))
    presents(page, False)
    field.press("Control+Enter")
    page.get_by_role("radio", name="Vocabulary").click()  # which has the focus then, and takes no letters
    idle(page)
    page.keyboard.press("p")
    presents(page, True)
    page.get_by_test_id("stTopNavLink").filter(has_text="Start").click()
    expect(page.locator(".lm-first")).to_be_visible(timeout=60_000)
    presents(page, True)
    page.get_by_role("link", name="Explore").click()
    expect(page.locator(".lm.present[data-step]")).to_be_visible(timeout=60_000)
    prompt = page.get_by_role("textbox", name="Prompt")  # the text stays changeable
    prompt.fill("The dog")
    prompt.press("p")
    presents(page, True)
    prompt.press("Backspace")
    prompt.press("Enter")
    expect(page.locator(".token").filter(has_text="dog")).to_be_visible()
    before = page.locator(".lm").get_attribute("data-step")
    page.locator(".token").first.focus()
    page.keyboard.press("PageDown")  # a clicker
    expect(page.locator(".lm")).not_to_have_attribute("data-step", before or "")
    page.get_by_role("button", name="Present", exact=True).click()
    presents(page, False)
    page.get_by_role("button", name="Present", exact=True).blur()
    for times, is_on in ((2, False), (1, True), (2, True)):  # faster than it is answered
        for _ in range(times):
            page.keyboard.press("p")
        page.wait_for_timeout(1500)
        presents(page, is_on)
    page.keyboard.press("m")  # in front of a room the picture has the place of what nobody there presses
    expect(page.locator(".full .notes")).to_be_visible()
    expect(page.locator(".full .saves")).to_be_hidden()


def size(part: Locator) -> tuple[float, float]:
    box = part.bounding_box()
    return (box["width"], box["height"]) if box else (0.0, 0.0)


@pytest.mark.nightly
def test_what_one_points_with(visit: Visit) -> None:
    page = visit(model="pokemon", prompt=".pik", step="blocks.0.attn.pattern", present="true")
    box = page.locator("figure[data-address='blocks.0.attn.pattern'] canvas").bounding_box()
    assert box is not None
    left, top, wide, tall, rows, _ = map(
        float, (page.locator("figure canvas").last.get_attribute("data-grid") or "").split()
    )
    page.mouse.move(box["x"] + left + 1.5 * wide, box["y"] + top + 2.5 * tall)
    spot, bands = page.locator(".spot"), page.locator(".band")
    page.keyboard.press("s")
    expect(spot).to_be_visible()
    until(page, lambda: size(spot)[1] > rows * tall)  # it glides: first the panel
    page.keyboard.press("s")
    until(page, lambda: rows * tall > size(spot)[1] > tall and size(spot)[0] > wide + 20)
    page.keyboard.press("s")
    until(page, lambda: abs(size(spot)[0] - wide) < 10 and abs(size(spot)[1] - tall) < 10)
    page.keyboard.press("x")
    expect(bands).to_have_count(2)
    expect(bands.first).to_be_visible()
    page.keyboard.press("l")
    page.mouse.move(box["x"] + left + 2.5 * wide, box["y"] + top + 2.5 * tall, steps=4)
    ring = page.locator(".ring").bounding_box()
    assert ring is not None and ring["width"] >= 0.04 * 720
    assert abs(ring["x"] + ring["width"] / 2 - box["x"] - left - 2.5 * wide) < 2
    page.mouse.click(box["x"] + left + 2.5 * wide, box["y"] + top + 2.5 * tall)  # holds the light, and pins the cell
    page.wait_for_timeout(300)
    held = spot.bounding_box()
    page.mouse.move(300, 60)
    page.wait_for_timeout(300)
    assert spot.bounding_box() == held
    page.keyboard.press("Escape")
    for mark in (spot, bands.first, page.locator(".ring")):
        expect(mark).to_be_hidden()
    presents(page, True)
    page.keyboard.press("s")
    expect(spot).to_be_visible()
    page.keyboard.press("Shift+?")
    keys = page.get_by_role("dialog", name="Keys")
    for name in ("Spotlight", "Large pointer", "Cross-hair", "Notes", "QR code", "Copy the link", "clicker"):
        expect(keys.get_by_text(re.compile(name))).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(spot).to_be_visible()  # what is below a dialog is not closed before it
    page.keyboard.press("Escape")
    expect(spot).to_be_hidden()
    presents(page, True)
    page.keyboard.press("Escape")
    presents(page, False)


@pytest.mark.nightly
def test_the_link_is_copied_and_read_by_a_phone(visit: Visit, server: str) -> None:
    for dark in (False, True):
        page = visit(model="names", prompt=".zoé", step="logits", present="true", lang="fr", dark=dark)
        page.keyboard.press("q")
        code = page.get_by_role("img", name="Code QR de cette vue")
        expect(code).to_be_visible()
        box = code.bounding_box()
        assert box is not None and box["width"] >= 0.6 * 720
        (found,) = zxingcpp.read_barcodes(Image.open(io.BytesIO(page.screenshot())))
        assert found.text.startswith(f"{server}/step_through?") and "present" not in found.text
        assert parse_qs(urlsplit(found.text).query) == {
            name: value for name, value in parse_qs(urlsplit(page.url).query).items() if name != "present"
        }
        page.keyboard.press("Escape")
        expect(code).to_be_hidden()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("u")
    expect(page.get_by_text("Lien copié")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == found.text
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as over plain http
    page.keyboard.press("s")  # which does not dim what is said, also when a dialog has opened below it
    page.keyboard.press("u")
    link = page.get_by_role("textbox", name="Le lien vers cette vue")
    expect(link).to_be_visible()
    page.mouse.move(640, 300)
    page.mouse.move(642, 300)
    words = Image.open(io.BytesIO(page.locator(".said").screenshot())).convert("L")
    assert max(abs(one - two) for one in words.getextrema() for two in words.getextrema()) > 180
    expect(link).to_have_value(found.text)
    assert link.evaluate("one => one.value.slice(one.selectionStart, one.selectionEnd)") == found.text


@pytest.mark.nightly
def test_the_notes_follow_in_a_second_window(visit: Visit) -> None:
    page = visit(
        model="names", prompt=".mar", step="blocks.0.attn.masked", course="attention.1", present="true", lang="fr"
    )
    with page.context.expect_page() as opened:
        page.keyboard.press("n")
    notes = opened.value
    expect(notes.get_by_text("Pour l’enseignant")).to_be_visible(timeout=60_000)
    expect(notes.get_by_text("2 sur 6")).to_be_visible()
    expect(notes.get_by_text(re.compile(r"^Dans ce chapitre.*\d:\d\d / 4:00"))).to_be_visible()
    page.bring_to_front()
    page.locator(".st-key-course_skip a").click()
    expect(notes.get_by_text("3 sur 6")).to_be_visible()
    assert "present" not in notes.url
    notes.reload()  # what it is told it knows from its address
    expect(notes.get_by_text("3 sur 6")).to_be_visible(timeout=60_000)


def in_sight(page: Page) -> float:
    """How much of what comes out last can be seen, below what stands above it and above the bar or the window's end."""
    shown, above, bar = (
        page.locator(":is(figure[data-result], .picture table)").last,
        *map(page.locator, (".above", ".lm > .bar")),
    )
    expect(shown).to_be_visible()
    picture = shown.bounding_box()
    begin, below = (one.bounding_box() if one.count() else None for one in (above, bar))
    assert picture is not None
    top = max(picture["y"], begin["y"] + begin["height"] if begin else 0)
    end = min(720, below["y"] if below else 720, picture["y"] + picture["height"])
    return (end - top) / picture["height"]


@pytest.mark.nightly
def test_the_course_is_a_line_and_what_it_opens_lies_over_nothing(visit: Visit, server: str) -> None:
    page = visit(
        model="names", prompt=".mar", step="blocks.0.attn.v", course="attention.0", present="true", depth="story",
        lang="fr",
    )  # fmt: skip
    line, opened = page.locator(".st-key-course_line").get_by_role("button"), page.locator(".st-key-course_open")
    expect(line).to_contain_text("Devinez qui peut être regardé")
    expect(opened).to_be_visible()
    page.keyboard.press("t")  # nothing leads on before the task is done
    expect(page.get_by_text("Cette tâche n’est pas encore faite.")).to_be_visible()
    before = page.locator("figure[data-address]").first.bounding_box()
    opened.locator("[role=radiogroup] label").first.click()
    expect(opened.get_by_text(re.compile("^[✓✗]"))).to_be_visible()
    idle(page)
    assert page.locator("figure[data-address]").first.bounding_box() == before  # nothing moves
    page.locator(".token").first.focus()
    page.keyboard.press("c")
    expect(opened).to_have_count(0)
    expect(line).to_contain_text(re.compile("[✓✗]"))
    expect(line).to_contain_text("La suite n’existe pas encore")
    cut = "p => p.scrollWidth > p.clientWidth && getComputedStyle(p).display === 'block'"  # so that it ends in "…"
    assert line.locator("p").evaluate(cut)
    expect(page.get_by_role("button", name="Autres pages", exact=True)).to_be_visible()
    box = line.bounding_box()
    assert box is not None and box["height"] < 0.09 * 720
    page.keyboard.press("t")  # the next one stays folded, as this one was left
    seen = {}
    for at in [f"attention.{i}" for i in range(1, 6)] + [f"residual.{i}" for i in range(5)]:
        expect(page).to_have_url(re.compile(f"course={at}(~|%7E)"))
        idle(page)
        seen[at] = in_sight(page)
        if at == "residual.2":  # drawn anew it stays where it is, and so does a reader's own place in it
            canvas = page.locator("figure[data-address='blocks.0.x_mid'] canvas").bounding_box()
            assert canvas is not None
            page.mouse.click(canvas["x"] + canvas["width"] / 2, canvas["y"] + 0.9 * canvas["height"])
            expect(page).to_have_url(re.compile("cell="))
            idle(page)
            assert page.locator("figure[data-address='blocks.0.x_mid'] canvas").bounding_box() == canvas
            expect(page.locator(".total .value")).to_be_in_viewport(ratio=1)  # how it was made, beside the picture
            value, bar = page.locator(".total .value").bounding_box(), page.locator(".lm > .bar").bounding_box()
            assert value is not None and bar is not None and value["y"] + value["height"] <= bar["y"]
        page.locator(".st-key-course_next a, .st-key-course_skip a").first.click()
        if at != "attention.5":
            expect(opened).to_have_count(0)
        else:  # the end of a chapter is open
            expect(opened).to_contain_text("Ce que vous savez maintenant")
            opened.get_by_role("link").first.click()
    for section, at in (("look_up", 0), ("sum", 2)):
        place = {"present": "true", "lang": "fr", "model": "names", "prompt": ".mar", "depth": "numbers"}
        page.goto(f"{server}/embeddings?{urlencode(place | {'section': section, 'course': f'embeddings.{at}'})}")
        expect(page.locator("figure[data-address]").first).to_be_visible(timeout=60_000)
        idle(page)
        seen[section] = in_sight(page)
    assert min(seen.values()) > 0.95, seen


NAMED = (  # a task, where it begins, and the part of the page that it names
    ("writing.1", "generation", {"model": "pokemon"}, ".st-key-top input[type=text]"),
    ("tokens.0", "tokenizer", {"tokenizer": "gpt2"}, "textarea"),
    (
        "logits.2",
        "step_through",
        {"model": "names", "prompt": ".mar", "step": "probabilities"},
        ".lm input[type=range]",
    ),
    ("logits.3", "step_through", {"model": "names", "prompt": ".mar", "step": "probabilities"}, "button.add"),
    ("wrong.0", "debugging", {"pitfall": "rate_too_high"}, "button[kind=primary]"),
    ("embeddings.0", "embeddings", {"model": "names", "prompt": ".mar"}, "figure[data-result] canvas"),
)


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_what_a_task_names_is_in_sight_beside_its_card(visit: Visit, server: str, lang: str) -> None:
    """A new task comes open in front of a room."""
    page = visit("tokenizer")
    for course, at, place, named in NAMED:
        query = {"present": "true", "depth": "story", "lang": lang, "course": course, **place}
        page.goto(f"{server}/{at}?{urlencode(query)}")
        target = page.locator(named).first
        expect(target).to_be_visible(timeout=60_000)
        expect(page.locator(".st-key-course_open p").first).to_be_visible()
        idle(page)
        expect(target).to_be_in_viewport(ratio=0.9)
        box = target.bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0}
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        is_card = "([x, y]) => document.elementFromPoint(x, y)?.closest('.st-key-course_bar') !== null"
        assert not page.evaluate(is_card, middle), course


@pytest.mark.nightly
def test_the_line_of_the_course_stays_in_sight_where_one_scrolls_to_do_the_thing(visit: Visit) -> None:
    page = visit("training", present="true", course="learning.2", depth="numbers", lang="en")
    page.get_by_role("slider", name=re.compile("^Width")).press("ArrowRight")
    line = page.locator(".st-key-course_line")
    expect(page.locator(".st-key-course_told")).to_contain_text("✓")
    assert page.evaluate("document.querySelector('.stMain').scrollTop") > 100
    expect(line).to_be_in_viewport(ratio=1)
    box = line.bounding_box() or {"x": 0, "y": 0}
    at_its_top = "([x, y]) => document.elementFromPoint(x, y)?.closest('.st-key-course_line') !== null"
    assert page.evaluate(at_its_top, [box["x"] + 40, box["y"] + 5]), "nothing lies over it"


@pytest.mark.nightly
def test_the_settings_of_a_text_are_one_row_above_it_and_its_picture(visit: Visit) -> None:
    page = visit("generation", present="true", lang="fr", prompt=".bul", n="4", depth="story", course="writing.1")
    page.keyboard.press("c")  # when the task has been read, its card is folded
    expect(page.locator(".st-key-course_open")).to_have_count(0)
    more = page.locator(".st-key-generation_knobs .stPopover button")
    expect(more).to_be_visible()
    first = page.locator(".st-key-generation_knobs .stNumberInput input").first
    until(page, lambda: abs((first.bounding_box() or {"y": 0})["y"] - (more.bounding_box() or {"y": 99})["y"]) < 30)
    expect(page.locator(".st-key-generation_step").get_by_text("0,4492").first).to_be_in_viewport(ratio=1)


@pytest.mark.nightly
def test_the_memory_that_is_needed_is_drawn_beside_its_sliders(visit: Visit, server: str) -> None:
    page = visit("tokenizer", present="true", lang="fr")
    page.goto(f"{server}/debugging?present=true&lang=fr&family=memory&depth=story&course=wrong.2")
    batch, chart = page.locator(".st-key-memory_sliders .stSlider").first, page.locator(".st-key-chart_memory-parts")
    expect(batch).to_be_in_viewport(ratio=1)
    expect(chart).to_be_in_viewport(ratio=0.8)


@pytest.mark.nightly
def test_what_makes_a_training_go_wrong_is_in_sight_below_what_is_asked_first(visit: Visit, server: str) -> None:
    page = visit("tokenizer", present="true", lang="fr")
    page.goto(f"{server}/debugging?present=true&lang=fr&pitfall=rate_too_high&depth=story&course=wrong.0")
    expect(page.get_by_role("radio", name="Elle monte ou explose")).to_be_visible()
    idle(page)
    expect(page.get_by_role("button", name=re.compile("Provoquer la panne$"))).to_be_in_viewport(ratio=1)


@pytest.mark.nightly
def test_the_chances_and_what_adds_the_likeliest_are_in_sight(visit: Visit) -> None:
    for model, prompt, lang in (("sentences", "The cat sits on the", "en"), ("names", ".mar", "fr")):
        page = visit(model=model, prompt=prompt, step="probabilities", present="true", depth="story", lang=lang)
        picture, add = page.locator(".picture"), page.locator("button.add")
        until(page, lambda picture=picture: picture.evaluate("box => box.scrollHeight <= box.clientHeight"))  # type: ignore[misc]
        expect(add).to_be_in_viewport(ratio=1)
        assert page.locator(".bars tbody tr").count() >= 4


@pytest.mark.nightly
def test_what_comes_out_is_whole_also_where_several_tensors_do(visit: Visit) -> None:
    for depth in ("story", "numbers"):
        at = {"model": "names", "prompt": ".mar", "present": "true", "lang": "fr", "depth": depth}
        for step, seen in (("blocks.0.attn.v", ["q", "k", "v"]), ("norm_final.scaled", ["normed", "scaled"])):
            page = visit(**at, step=step, course="attention.0")
            for name in seen if depth == "story" or "q" in seen else seen[-1:]:
                until(page, lambda page=page, name=name: is_whole(page, name))  # type: ignore[misc]
    assert page.locator(".picture").evaluate("box => box.scrollTop") > 0
    for height in (1400, 720):  # where the browser moves it back, it is not the reader who does
        enlarged(page, 1280, height)
    until(page, lambda: is_whole(page, "scaled"))
    page.locator(".picture").hover()
    page.mouse.wheel(0, -2000)
    until(page, lambda: page.locator(".picture").evaluate("box => box.scrollTop") == 0)
    page.locator(".picture canvas").first.click()
    expect(page).to_have_url(re.compile("cell="))
    idle(page)
    assert page.locator(".picture").evaluate("box => box.scrollTop") == 0


def is_whole(page: Page, name: str) -> bool:
    """Whether all of a tensor is in sight."""
    box = page.locator(".lm .picture").bounding_box()
    drawn = page.locator(f"figure[data-address$='.{name}'] canvas").bounding_box()
    if box is None or drawn is None:
        return False
    is_in_height = box["y"] <= drawn["y"] and drawn["y"] + drawn["height"] <= box["y"] + box["height"] + 1
    return is_in_height and drawn["x"] + drawn["width"] <= box["x"] + box["width"] + 1


@pytest.mark.nightly
@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_sections_and_the_model_of_the_embeddings_are_one_row(visit: Visit, lang: str) -> None:
    page = visit("embeddings", model="names", present="true", lang=lang)
    sections = page.get_by_role("radiogroup").first.bounding_box()
    model = page.locator(".stSelectbox").first.bounding_box()
    assert sections is not None and model is not None and abs(sections["y"] - model["y"]) < 20


@pytest.mark.nightly
def test_where_no_number_is_pinned_any_more_one_reads_the_words_from_their_beginning(visit: Visit) -> None:
    page = visit(model="names", prompt=".mar", present="true", step="logits", depth="numbers", course="logits.1")
    box = page.locator("figure[data-address='logits'] canvas")
    box.click(position={"x": 200, "y": 80})
    side = page.locator(".lm .side")
    until(page, lambda: side.evaluate("one => one.scrollTop") > 0)
    page.locator(".st-key-course_next a").click()
    until(page, lambda: "probabilities" in page.url and side.evaluate("one => one.scrollTop") == 0)
