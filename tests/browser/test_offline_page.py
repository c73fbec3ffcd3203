"""A walk as one page: opened from the disk with the network off, it shows what the app shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from playwright.sync_api import Browser, Page, expect

import lmviz
from lmviz.attach.page_command import main
from lmviz.model.files import MEGABYTE
from lmviz.registry.edits import CellEdit, Edit, HeadOff
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Recording, Request
from lmviz.registry.run import RunModel
from lmviz.services.services import Services
from lmviz.train.runs import Runs
from lmviz.train.texts import preset
from lmviz.ui.offline.page import page_of, write_page
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Language, Translator, visible
from tests.conftest import PROMPTS, ROOT, SAMPLES
from tests.pages.offline import differences, drawn, walked
from tests.waiting import until_rests

BEYOND = """(text) => {
  document.body.insertAdjacentHTML("beforeend", text);
  const svg = document.body.lastElementChild;
  const ends = [...svg.querySelectorAll(":scope > text")].map((one) => one.getBBox()).map((box) => box.x + box.width);
  const beyond = Math.max(...ends) - svg.viewBox.baseVal.width;
  svg.remove();
  return beyond;
}"""
TEXTS = {**PROMPTS, "names": ".maximiliano"}  # 12 tokens
EDITS: dict[str, tuple[Edit, ...]] = {  # one walk is of a model that was changed
    "simple-llm": (CellEdit("blocks.0.attn.q", (0, 0, 1, 2), 0.5), HeadOff("blocks.1.attn.pattern", 1)),
}
MOST = {"small-ever": 1 * MEGABYTE, "names": 6 * MEGABYTE}
SCENES = 50  # that are compared of each sample
FR = Language("fr")


@dataclass(frozen=True)
class Walk:
    """A sample's recording, where its page lies, and what the page says is not in it."""

    run: Recording
    view: StepThroughView
    path: Path
    left_out: tuple[str, ...]

    @property
    def address(self) -> str:
        return self.path.as_uri()


@pytest.fixture(scope="module")
def walk_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Walk]:
    folder = tmp_path_factory.mktemp("pages")

    @cache
    def made(model: str) -> Walk:
        reference, edits = read_reference(model), EDITS.get(model, ())
        run = Services().models.record(Request(reference, TEXTS[model], edits=edits))
        view = StepThroughView(model=reference, prompt=TEXTS[model], edits=edits)
        path = folder / f"{model}.html"
        page = page_of(run, view)
        write_page(page, path)
        return Walk(run, view, path, page.left_out)

    return made


@pytest.fixture
def open_file(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page from the disk, with no network. What it asks for, and its errors, fail the test."""
    contexts, wrong = [], []

    def opened(address: str, width: int = 1280, height: int = 720, **more: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: wrong.append(request.url) if request.url[:5] != "file:" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.goto(address)
        expect(page.locator("body[data-ready]")).to_be_attached()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("there is no node")
        pytest.skip("there is no node: install nodejs to compare the page's code with Python's")
    return found


@pytest.mark.sampled(6)
@pytest.mark.parametrize("model", SAMPLES)
def test_whatever_one_does_the_page_shows_what_the_app_shows(
    model: str, walk_of: Callable[[str], Walk], node: str, tmp_path: Path
) -> None:
    """Its code answers by itself: every scene, every number and every line of arithmetic is the app's."""
    walk = walk_of(model)
    assert len(walk.path.read_bytes()) <= MOST.get(model, 6 * MEGABYTE)
    assert len(walk.left_out) == 1  # the model: every cell of every stage has its arithmetic
    done = [*walked(walk.run, walk.view, SCENES, seed=SAMPLES.index(model))]
    (tmp_path / "events.json").write_text(json.dumps([event for event, _ in done]), encoding="utf-8")
    command = [node, "tests/browser_code/answering.js", str(walk.path), str(tmp_path / "events.json")]
    answered = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for (event, app), page in zip(done, json.loads(answered), strict=True):
        assert page.pop("address") == page.pop("again"), event  # a link opens what it was taken from
        for name in ("run", "edits", "ahead", "frame", "seq", "compared", "search", "words"):
            del page[name]
        assert [*differences(app, page)] == [], event


@pytest.mark.sampled(6)
@pytest.mark.parametrize("model", SAMPLES)
def test_a_page_is_walked_by_keyboard_in_both_languages_without_a_network(
    model: str, walk_of: Callable[[str], Walk], open_file: Callable[..., Page]
) -> None:
    walk = walk_of(model)
    page, stages = open_file(walk.address), walk.run.navigator.stages
    root, title = page.locator(".lm"), page.locator(".words h2")
    for lang in ("en", "fr"):
        page.get_by_role("button", name=lang.upper(), exact=True).click()
        page.keyboard.press("Home")
        for stage in stages[:6]:
            expect(root).to_have_attribute("data-step", f"stage:{stage.index}")
            view = replace(walk.view, lang=Language(lang), step=_address(walk, stage.stop))
            expect(title).to_have_text(drawn(walk.run, view)["say"]["title"])
            page.keyboard.press("ArrowRight")
        page.keyboard.press("End")
        expect(root).to_have_attribute("data-step", f"stage:{stages[-1].index}")
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    if walk.view.edits:
        expect(page.locator("h1")).to_contain_text(
            "modifié q[0, 0, 1, 2] = 0,50, blocks.1.attn.pattern\u202f: tête 1 coupée"
        )


def _address(walk: Walk, step: int) -> str:
    return walk.run.trace[step].address if step >= 0 else "tokenizer"


def test_a_cell_is_pinned_followed_and_hovered(walk_of: Callable[[str], Walk], open_file: Callable[..., Page]) -> None:
    walk = walk_of("pokemon")
    page = open_file(f"{walk.address}#step=softmax")
    cell = (0, 0, 3, 1)
    canvas = page.locator('[data-address="blocks.0.attn.pattern"] canvas')
    box = canvas.bounding_box()
    assert box is not None
    x, y = box["x"] + 0.47 * box["width"], box["y"] + box["height"] - 20
    page.mouse.move(x, y)
    expect(page.locator(".tip")).to_contain_text("pattern[0, 0, ‹k›, ‹p›]")
    expect(page.locator(".origin").first).to_be_visible()  # what it was made from
    page.mouse.click(x, y)
    why = lmviz.explain(walk.run.trace["blocks.0.attn.pattern"], cell)
    assert isinstance(why.value, float)
    expect(page.locator(".total .value")).to_have_text(Translator(Language("en")).number(why.value))
    expect(page.locator(".total .holds")).to_be_visible()
    page.locator(".inspect .num").first.click()  # to where the number was made
    expect(page.locator(".inspect .what b")).to_have_text("masked")
    expect(page.locator(".trail button")).to_have_count(1)
    page.reload()
    expect(page.locator(".inspect .what b")).to_have_text("masked")
    page.get_by_role("button", name="FR", exact=True).click()
    expect(page.locator(".total .value")).to_contain_text(",")


def test_the_page_keeps_the_history_the_depth_and_the_whole_model(
    walk_of: Callable[[str], Walk], open_file: Callable[..., Page]
) -> None:
    page = open_file(walk_of("small-ever").address)
    root, now = page.locator(".lm"), page.get_by_label("How deep")
    for stage in (1, 2):
        page.keyboard.press("ArrowRight")
        expect(root).to_have_attribute("data-step", f"stage:{stage}")
        page.wait_for_timeout(900)  # what comes at once is one entry of the history
    page.go_back()
    expect(root).to_have_attribute("data-step", "stage:1")
    page.go_forward()
    expect(root).to_have_attribute("data-step", "stage:2")
    page.keyboard.press("ArrowDown")
    expect(root).to_have_attribute("data-step", re.compile("line:"))
    now.select_option("story")
    expect(root).to_have_attribute("data-step", "stage:2")
    expect(page.locator(".source")).to_be_hidden()
    expect(page.locator(".formula")).to_have_count(0)
    now.select_option("code")
    page.keyboard.press("m")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("pattern")
    expect(page.locator(".search [role=option]").first).to_contain_text("pattern")
    page.keyboard.press("Enter")
    expect(page.locator(".words h2")).to_have_text("From scores to shares · block 0")


def test_what_only_a_model_could_do_is_not_there_and_the_page_says_so(
    walk_of: Callable[[str], Walk], open_file: Callable[..., Page]
) -> None:
    page = open_file(
        f"{walk_of('pokemon').address}#step=readout.probs&cell=" + json.dumps(["readout.probs", [0, 3, 1]])
    )
    expect(page.locator(".bars")).to_be_visible()
    expect(page.locator(".total .value")).to_be_visible()
    expect(
        page.locator(".add, .controls :is(input, label), .change :is(input, label), .switch, .kind").locator(
            "visible=true"
        )
    ).to_have_count(0)
    page.keyboard.press("End")
    page.get_by_role("button", name="What now?").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("lmviz pokemon")
    expect(dialog).to_contain_text("without the model")


CONTROLS = """async (start) => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const trees = () => [document, ...[...document.querySelectorAll("*")].flatMap((one) => one.shadowRoot ?? [])];
  const all = (names) => trees().flatMap((tree) => [...tree.querySelectorAll(names)]);
  const now = () => location.hash + trees().map((tree) => (tree.body ?? tree).innerHTML).join()
    + all("select, input").map((one) => one.value).join() + all(":focus").map((one) => one.className).join();
  const controls = () => all("button, select, [role=button]").filter((one) => one.checkVisibility() && !one.disabled);
  const dead = [];
  let tried = 0;
  for (let i = controls().length - 1; i >= 0; i -= 1 + (i > 40 ? 4 : 0)) {
    location.hash = start;
    await frame();
    const [one, before] = [controls()[i], now()];
    if (!one || one.closest("dialog")) continue;
    tried += 1;
    if (one.matches("select")) {
      one.selectedIndex = (one.selectedIndex + 1) % one.options.length;
      one.dispatchEvent(new Event("change"));
    } else one.dispatchEvent(new MouseEvent("click", { bubbles: true, composed: true }));
    await frame();
    await frame();
    if (now() === before) dead.push(one.getAttribute("aria-label") ?? one.textContent);
    for (const dialog of all("dialog[open]")) dialog.close();
  }
  return { dead, tried };
}"""


@pytest.mark.nightly
def test_every_control_of_a_page_does_something_and_what_only_lmviz_has_is_said(
    walk_of: Callable[[str], Walk], open_file: Callable[..., Page]
) -> None:
    cell = '["blocks.0.attn.pattern",[0,0,1,0]]'
    at = f"step=blocks.0.attn.pattern&cell={cell}&watch=[{cell}]"
    page = open_file(f"{walk_of('simple-llm').address}#{at}")
    marks = page.evaluate("performance.getEntriesByType('mark').map((mark) => mark.name)")
    assert marks == ["first-picture", "ready"]  # where a link leads is seen before all else is drawn
    page.get_by_role("button", name="What is not here").click()
    for said in ("the glossary", "Predict first", "digits", "breakpoints other than on a line", "gradients"):
        expect(page.get_by_role("dialog")).to_contain_text(said)
    page.get_by_role("button", name="Close").click()
    found = page.evaluate(CONTROLS, at)
    assert found["dead"] == [] and found["tried"] > 40


HOSTILE = (
    "</script><script>window.broken=1</script>",
    "<!--<script>",
    "\"'`${window.broken=1}\\",
    "\u2028\u2029",
    "\ud800",
    "\0",
    "]]>",
    "<img src=x onerror=window.broken=1>",
)


def test_nothing_that_a_stranger_writes_breaks_out_of_the_page(tmp_path: Path, open_file: Callable[..., Page]) -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    ids = torch.arange(len(HOSTILE))[None]
    words = [*HOSTILE, *(f"<b>{i}</b>" for i in range(len(HOSTILE), 27))]
    trace = lmviz.record(checkpoint.model, ids)
    path = tmp_path / "hostile.html"
    trace.to_html(path, words, title=HOSTILE[0] + HOSTILE[4], lang="fr")
    assert path.read_bytes().isascii()
    page = open_file(path.as_uri())
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator(".token")).to_have_text([visible(word) for word in HOSTILE])
    page.keyboard.press("End")
    expect(page.locator(".bars tbody th").first).to_be_visible()
    assert page.evaluate("window.broken") is None
    assert page.locator("b:text-is('9'), img").count() == 0


@pytest.mark.nightly
def test_a_page_that_has_no_room_says_what_it_lacks(tmp_path: Path, open_file: Callable[..., Page]) -> None:
    """Of a tensor that is too large it has a window, with the numbers of the app, and no arithmetic."""
    model = torch.nn.Sequential(torch.nn.Embedding(50, 700), torch.nn.Linear(700, 900), torch.nn.Linear(900, 50))
    trace = lmviz.record(model, torch.arange(70)[None] % 50)
    path = tmp_path / "large.html"
    sentences = trace.to_html(path, limit=MEGABYTE)
    assert len(sentences) == 3 and len(path.read_bytes()) < MEGABYTE
    page = open_file(path.as_uri())
    page.keyboard.press("End")
    page.get_by_role("button", name="operation").click()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("This page has only this part of the tensor.").first).to_be_visible()
    page.get_by_role("button", name="What is not here").click()
    for sentence in sentences:
        expect(page.get_by_role("dialog")).to_contain_text(sentence)


@pytest.mark.nightly
def test_the_step_through_gives_its_walk_as_a_page(
    visit: Callable[..., Page], open_file: Callable[..., Page], tmp_path: Path
) -> None:
    """It opens where the app stands, and says at its end what the app has measured."""
    app = visit("step_through", model="small-ever", prompt="Clem", step="blocks.0.attn.pattern", lang="fr")
    app.get_by_role("button", name="Télécharger").click()
    with app.expect_download() as started:
        app.get_by_role("button", name="Enregistrer ce parcours comme page").click()
    path = tmp_path / "walk.html"
    started.value.save_as(path)
    page = open_file(path.as_uri())
    expect(page.locator(".words h2")).to_have_text("Des scores aux parts · bloc 0")
    page.keyboard.press("End")
    expect(page.locator(".hint")).to_contain_text("Mesuré")


def test_a_walk_in_a_notebook_is_walked_and_reaches_nothing_around_it(
    tmp_path: Path, open_file: Callable[..., Page]
) -> None:
    notebook = json.loads((ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))
    outputs = [output["data"]["text/html"] for cell in notebook["cells"] for output in cell.get("outputs", ())]
    path = tmp_path / "notebook.html"
    path.write_text(f"<!doctype html><body data-ready>{''.join(map(''.join, outputs))}", encoding="utf-8")
    page = open_file(path.as_uri(), height=2600)
    assert page.locator("iframe").count() == 2
    walk = page.frame_locator("iframe >> nth=0")
    expect(walk.locator("body[data-ready]")).to_be_attached()
    walk.locator(".page-top h1").click()
    page.keyboard.press("ArrowRight")
    expect(walk.locator(".lm")).to_have_attribute("data-step", "stage:1")
    frame = page.frames[1]
    assert frame.evaluate("window.name") and "#" not in page.url
    assert frame.evaluate("(() => { try { return parent.document.title } catch { return null } })()") is None
    expect(page.frame_locator("iframe >> nth=1").locator(".page-top h1")).to_contain_text("Sequential")


# -- a training ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Models, str]]:
    """A short training whose name and texts would break out of a page."""
    runs = Runs(tmp_path_factory.mktemp("runs"))
    recipe = preset("pokemon")
    run = runs.start(
        replace(recipe, training=replace(recipe.training, steps=30)), f"{HOSTILE[0]} <opening> <packed> $&"
    )
    until_rests(runs, run)
    yield Models(open_runs=lambda: runs), run
    runs.close()


@pytest.mark.nightly
def test_a_training_is_one_page_with_its_curve_its_texts_and_its_times(
    trained: tuple[Models, str], tmp_path: Path, open_file: Callable[..., Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    models, run = trained
    path = tmp_path / "training.html"
    monkeypatch.setenv("LMVIZ_RUNS", str(models.runs.folder))
    assert main([f"runs/{run}", str(path), "--text", ".pik", "--lang", "fr"]) == 0
    assert path.read_bytes().isascii() and path.stat().st_size <= 6 * MEGABYTE
    page = open_file(path.as_uri())
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    expect(page.locator("h1")).to_contain_text("<opening> <packed> $&")
    assert page.evaluate("window.broken") is None
    stops, slider = [stop.step for stop in models.runs.stops(run)], page.get_by_role("slider")
    for line in models.runs.get(run).facts["baselines"].values():
        expect(page.locator("section:visible")).to_contain_text(Translator(FR).number(line, 2))
    for sample in models.runs.samples(run)[:1]:
        expect(page.locator("section:visible")).to_contain_text(visible(sample.text))
    for kind, begins in (("svg", b"<svg"), ("png", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"en .{kind}").click()
        saved = Path(download.value.path()).read_bytes()
        assert saved.startswith(begins)
        if kind == "svg":
            drawing = ElementTree.fromstring(saved)
            curves = [*drawing.iter("{http://www.w3.org/2000/svg}polyline")]
            assert [one.get("points") for one in curves] == page.locator("section:visible polyline").evaluate_all(
                "all => all.map((one) => one.getAttribute('points'))"
            )
            written = page.locator("section:visible figure").inner_text().split("\n")
            assert len(written) > 10 and {*filter(None, written)} <= {*drawing.itertext()}
            assert page.evaluate(BEYOND, saved.decode()) < 0  # a long title goes on below
    walk = page.frame_locator("#walk")
    expect(page.get_by_role("slider", name="itération", exact=True)).to_be_visible()
    expect(walk.locator("h1")).to_contain_text(f"@{stops[-1]}")
    walk.locator("h1").click()
    page.keyboard.press("ArrowRight")
    expect(walk.locator(".lm")).to_have_attribute("data-step", "stage:1")
    slider.fill("0")
    expect(walk.locator("h1")).to_contain_text("@0")
    expect(walk.locator(".lm")).to_have_attribute("data-step", "stage:1")  # the place stays, the time is another
    page.get_by_role("button", name="EN", exact=True).first.click()
    expect(page.locator("output")).to_have_text("step 0")
    expect(walk.locator("html")).to_have_attribute("lang", "en")
    expect(walk.locator(".lm")).to_have_attribute("data-step", "stage:1")
    row = page.locator("section:visible tr").filter(has=page.get_by_role("rowheader", name=str(stops[-1]), exact=True))
    recording = models.record(Request(RunModel(run, stops[-1]), ".pik"))
    probs = recording.trace["readout.probs"].outputs[0].array[0, -1]
    expect(row.last).to_contain_text(f"{recording.piece(int(probs.argmax()))} {probs.max():.1%}")
    page = open_file(page.url, width=390, height=844)  # the address has the language
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.frame_locator("#walk").locator("html")).to_have_attribute("lang", "en")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("target", "said"), [("runs/000000000000", "There is no run"), ("runs/ID", "2000000 bytes"), ("runs/ID", "folder")]
)
def test_a_training_that_makes_no_page_is_told_in_a_sentence(
    trained: tuple[Models, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], target: str, said: str,
) -> None:  # fmt: skip
    models, run = trained
    monkeypatch.setenv("LMVIZ_RUNS", str(models.runs.folder))
    path = tmp_path / "nowhere/x.html" if said == "folder" else tmp_path / "x.html"
    limit = "1.5" if "bytes" in said else "6"
    assert main([target.replace("ID", run), str(path), "--megabytes", limit]) == 2
    assert said in capsys.readouterr().err and not path.exists()
