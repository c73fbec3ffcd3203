"""The step-through in a real browser: what only a browser has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from playwright.sync_api import Page, expect

import lmviz
from tests.browser.conftest import idle, press, until
from tests.conftest import ROOT

Visit = Callable[..., Page]
CELL = ["blocks.0.attn.pattern", [0, 0, 3, 1]]


LATE = """() => {
  const note = document.createElement("div");
  note.style.height = "40px";
  document.querySelector(".stMainBlockContainer .stVerticalBlock").prepend(note);
}"""


STANDING = """() => [...document.querySelectorAll(".stMainBlockContainer .stVerticalBlock > *")]
  .filter((part) => part.offsetHeight)
  .map((part) => `${Math.round(part.getBoundingClientRect().top)}+${part.offsetHeight} ${part.className}`)"""


def title(page: Page) -> str:
    return page.locator(".words h2").inner_text()


def click_cell(page: Page, address: str, row: int, col: int, shape: tuple[int, int]) -> None:
    """Click a cell of a tensor where it is drawn."""
    canvas = page.locator(f"figure[data-address='{address}'] canvas").first
    box = canvas.bounding_box()
    assert box is not None
    left, top = 36, 20  # of the labels; the grid fills the rest but for 6 pixels
    width, height = box["width"] - left - 6, box["height"] - top - 6
    canvas.click(position={"x": left + (col + 0.5) * width / shape[1], "y": top + (row + 0.5) * height / shape[0]})
    idle(page)


@pytest.mark.nightly
def test_all_stages_of_names_are_walked_with_the_keyboard(visit: Visit) -> None:
    page = visit(model="names")
    n_stages = page.locator(".bar .at").inner_text()
    found = re.fullmatch(r"stage 1 of (\d+)", n_stages)
    assert found
    seen = [title(page)]
    for index in range(2, int(found[1]) + 1):
        press(page, "ArrowRight")
        expect(page.locator(".bar .at")).to_have_text(f"stage {index} of {found[1]}")
        seen.append(title(page))
    assert seen[0] == "Text becomes numbers" and "What comes next?" in seen[-2:]
    assert sum(words.startswith("From scores to shares") for words in seen) == 3
    press(page, "Home")
    assert title(page) == seen[0]
    press(page, "PageDown")
    assert title(page) == seen[1]


SEND = """([times]) => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (message) {
    const once = new TextDecoder().decode(message).includes('"move"') && WebSocket.prototype.send !== send;
    if (once) WebSocket.prototype.send = send;
    for (let time = 0; time < (once ? times : 1); time += 1) send.call(this, message);
  };
}"""


@pytest.mark.nightly
def test_a_move_is_made_once_whether_its_message_is_lost_or_comes_twice(visit: Visit) -> None:
    page = visit(model="names")
    for times, stage in ((0, 2), (2, 3)):
        page.evaluate(SEND, [times])
        press(page, "ArrowRight")
        expect(page.locator(".bar .at")).to_have_text(re.compile(f"stage {stage} of"))
    press(page, "ArrowRight")
    expect(page.locator(".bar .at")).to_have_text(re.compile("stage 4 of"))


@pytest.mark.nightly
def test_a_few_letters_lead_anywhere_and_a_key_to_the_next_block(visit: Visit) -> None:
    page = visit(model="names", step="blocks.0.attn.pattern")
    press(page, "Control+k")
    field = page.locator(".search input")
    expect(field).to_be_focused()
    field.press_sequentially("attn.pattern")
    expect(page.locator(".search [role=option]")).to_have_count(3)
    field.press("ArrowDown")
    field.press("Enter")
    expect(page.locator(".search")).to_be_hidden()
    assert title(page).endswith("block\xa01")
    press(page, "b")
    assert title(page).endswith("block\xa02")
    press(page, "Shift+B")
    press(page, "Shift+B")
    assert title(page).endswith("block\xa00")
    press(page, "Control+k")
    field.press_sequentially("no such step")
    expect(page.locator(".search p")).to_have_text("Nothing is called so.")
    field.press("Escape")
    expect(page.locator(".search")).to_be_hidden()


@pytest.mark.nightly
def test_enter_goes_to_what_was_typed_and_not_to_what_was_found_before(visit: Visit) -> None:
    page = visit(model="names")
    press(page, "Control+k")
    field = page.locator(".search input")
    expect(page.locator(".search [role=option]").first).to_be_visible()
    field.fill("logits")
    field.press("Enter")  # nothing has been searched yet
    expect(page.locator(".search")).to_be_hidden()
    idle(page)
    assert title(page) == "A score for every token"


@pytest.mark.nightly
def test_into_and_out_lead_to_finer_and_coarser_places(visit: Visit) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.masked")
    press(page, "ArrowDown")
    expect(page.locator(".grain button[aria-pressed=true]").last).to_have_text("line")
    expect(page.locator(".code .lit mark").first).to_be_visible()
    press(page, "ArrowDown")
    expect(page.locator(".grain button[aria-pressed=true]").last).to_have_text("operation")
    press(page, "ArrowUp")
    expect(page.locator(".grain button[aria-pressed=true]").last).to_have_text("line")


def test_a_clicked_cell_shows_its_arithmetic_and_leads_back_to_the_embedding(visit: Visit) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.masked", digits="4")
    click_cell(page, "blocks.0.attn.masked", 3, 1, (4, 4))
    checkpoint = lmviz.load(ROOT / "sample_models/pokemon")
    trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(".pik").ids_tensor)
    value = float(trace["blocks.0.attn.masked"].outputs[0].array[0, 0, 3, 1])
    expect(page.locator(".total .value")).to_have_text(f"{value:.4f}".replace("-", "−"))
    expect(page.locator(".total .holds")).to_be_visible()
    walked = [("stage", "")]
    for _ in range(12):  # a score, a query, the stream, an embedding, a weight
        operand = page.locator(".sum button.num").last
        if operand.count() == 0 or page.locator(".end").count():
            break
        before = page.url
        operand.click()
        page.wait_for_function("(before) => location.href !== before", arg=before)
        idle(page)
        walked.append(
            (page.locator(".grain button[aria-pressed=true]").last.inner_text(), page.locator(".at").inner_text())
        )
    for (before, _), (now, said) in pairwise(walked):  # a walk that changes what one steps by says so
        assert ("From here on" in said) == (before != now), said
    assert {now for now, _ in walked} > {"stage"}
    expect(page.locator(".end")).to_be_visible()
    assert re.search(r"(tok|pos)_embed|weight|bias|ids", page.url)
    expect(page.locator(".trail button").first).to_be_visible()


def areas_of(page: Page, mark: str, address: str) -> list[tuple[int, int, int, int]]:
    """The marked areas of a tensor in whole cells: top, left, rows, columns."""
    return page.evaluate(
        """([mark, address]) => [...document.querySelectorAll('*')].map((one) => one.shadowRoot).filter(Boolean)
        .flatMap((root) => [...root.querySelectorAll(`figure[data-address='${address}'] .origin${mark}`)])
        .map((one) => [one.offsetTop, one.offsetLeft, one.offsetHeight, one.offsetWidth])""",
        [mark, address],
    )


@pytest.mark.nightly
def test_what_a_cell_was_made_from_lights_up_and_its_sum_is_played(visit: Visit) -> None:
    page = visit(model="names", step="blocks.0.attn.masked", lang="fr")
    q, k, scores = (f"blocks.0.attn.{name}" for name in ("q", "k", "masked"))
    canvas = page.locator(f"figure[data-address='{scores}'] canvas")
    box = canvas.bounding_box()
    assert box is not None
    canvas.hover(position={"x": box["width"] * 0.55, "y": box["height"] - 12})
    expect(page.locator(".origin")).to_have_count(3)  # a row of q, a column of k, the cell itself
    (row,), (col,) = areas_of(page, ":not(.made)", q), areas_of(page, ":not(.made)", k)
    assert row[3] > 5 * row[2] and col[2] > 3 * col[3]
    page.mouse.move(5, 5)
    expect(page.locator(".origin")).to_have_count(0)
    page.locator(".token").nth(1).hover()  # the rows of a token, and what they were made from
    expect(page.locator(f"figure[data-address='{scores}'] .origin.made")).to_have_count(1)
    page.mouse.move(5, 5)
    canvas.click(position={"x": box["width"] * 0.55, "y": box["height"] - 12})
    idle(page)
    expect(page.locator(".player")).to_be_visible()
    page.keyboard.press("w")
    page.keyboard.press(" ")  # pauses
    expect(page.get_by_role("button", name="Regarder le calcul")).to_be_visible()
    expect(page.locator(".over-cells .said")).to_have_text(page.locator(".played li").last.inner_text())
    expect(page.locator(f"figure[data-address='{k}'] .origin")).to_have_count(1)  # one cell of each factor
    assert areas_of(page, "", k)[0][2] < col[2] / 5
    page.keyboard.press("Shift+W")
    shown = page.locator(".played li").all_inner_texts()
    value = page.locator(".total .value").inner_text()
    assert shown[-1].startswith(page.locator(".sum").first.inner_text().removeprefix("= "))
    assert f"= {value}" in shown[-1] and "racine carrée" in shown[-1]
    products = page.locator(".inner .num").all_inner_texts()
    assert all(number in " ".join(shown) for number in products) and len(shown) > 5
    expect(page.locator(".over-cells")).to_have_count(0)
    page.emulate_media(reduced_motion="reduce")
    press(page, "ArrowRight")
    press(page, "ArrowLeft")
    expect(page.locator(".player")).to_be_visible()
    page.keyboard.press("w")  # without movement: all at once
    expect(page.locator(".played li")).to_have_count(len(shown))
    page.locator(".inspect .close").click()
    expect(page.locator(".player")).to_have_count(0)
    written = [one.input_value() for one in page.locator(".what input").all()]
    page.keyboard.press("w")  # that of the cell which is written there
    expect(page.locator(".played li").last).to_be_visible()
    assert [one.input_value() for one in page.locator(".what input").all()] == written
    page.locator(".stMain").evaluate("main => main.scrollTo(0, 80)")
    heads = page.locator(".st-key-heads_open summary").bounding_box()
    assert heads is not None and heads["y"] > 600
    page.mouse.click(heads["x"] + 60, heads["y"] + 10)
    expect(page.locator(".heads-grid .head small").last).to_be_in_viewport(ratio=1)


@pytest.mark.nightly
def test_a_reloaded_address_shows_the_same_view(visit: Visit) -> None:
    page = visit(model="pokemon", step=CELL[0], cell=json.dumps(CELL), focus="2", digits="4", lang="fr")
    press(page, "ArrowRight")
    before = {part: page.locator(f".lm .{part}").inner_html() for part in ("map", "tokens", "words", "inspect", "bar")}
    page.reload()
    expect(page.locator(".lm[data-step]")).to_be_visible()
    idle(page)
    after = {part: page.locator(f".lm .{part}").inner_html() for part in before}
    assert after == before


def test_the_back_button_goes_back_a_step(visit: Visit) -> None:
    page = visit(model="pokemon")
    first = title(page)
    press(page, "ArrowRight")
    second = title(page)
    press(page, "ArrowRight")
    page.go_back()
    expect(page.locator(".words h2")).to_have_text(second)
    page.go_back()
    expect(page.locator(".words h2")).to_have_text(first)


@pytest.mark.nightly
@pytest.mark.parametrize("script", ["<script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>"])
def test_markup_in_prompts_and_tokens_is_text(visit: Visit, script: str) -> None:
    page = visit(model="simple-llm", prompt=f"{script} cat")
    expect(page.locator(".given")).to_contain_text(script)
    for _ in range(3):
        press(page, "ArrowRight")
    assert page.evaluate("() => window.hacked") is None
    assert page.locator(".lm script, .lm img").count() == 0


@pytest.mark.nightly
def test_a_new_prompt_keeps_the_stage(visit: Visit) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.pattern")
    box = page.get_by_label("Prompt")
    box.fill(".evo")
    box.press("Enter")
    expect(page.locator(".tokens .token").nth(1)).to_have_text("e")
    assert title(page).startswith("From scores to shares")


@pytest.mark.nightly
def test_arrow_keys_in_the_prompt_stay_in_the_prompt(visit: Visit) -> None:
    page = visit(model="pokemon")
    page.get_by_label("Prompt").click()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert title(page) == "Text becomes numbers"


@pytest.mark.nightly
def test_the_language_is_switched_without_losing_the_place(visit: Visit) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.pattern")
    page.get_by_role("radio", name="FR").or_(page.get_by_role("button", name="FR")).first.click()
    expect(page.locator(".words h2")).to_contain_text("Des scores aux parts")
    expect(page).to_have_url(re.compile(r"lang=fr"))


@pytest.mark.nightly
def test_a_cell_is_reached_without_a_pointer(visit: Visit) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.pattern")
    query = page.locator(".what input").nth(2)
    query.fill("2")
    query.press("Tab")
    expect(page.locator(".total .value")).to_be_visible()
    expect(page).to_have_url(re.compile(r"cell="))


@pytest.mark.nightly
def test_a_number_is_changed_and_changed_back(visit: Visit) -> None:
    page = visit(model="pokemon", step=CELL[0], cell=json.dumps(CELL))
    page.locator(".change input").fill("0")
    page.locator(".change button[type=submit]").click()
    expect(page.locator(".edits")).to_contain_text("pattern[0, 0, 3, 1]")
    page.locator(".edits .all").click()
    expect(page.locator(".edits")).to_have_count(0)


@pytest.mark.nightly
def test_a_breakpoint_on_a_line_stops_the_run(visit: Visit) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.q", by="line")
    page.locator(".code .row", has_text="z = pattern @ v").locator(".no").click()
    expect(page.locator(".stop-here")).to_be_visible()
    page.locator("[data-move=run]").click()
    expect(page.locator(".code .lit")).to_contain_text("z = pattern @ v")
    expect(page.locator(".halt")).to_be_visible()


@pytest.mark.nightly
def test_a_breakpoint_on_a_number_pins_it_and_says_by_what_one_steps_now(visit: Visit) -> None:
    page = visit(model="pokemon", stops=json.dumps(["above 3"]))
    over, play = (page.locator(f"[data-move={move}] path").get_attribute("d") for move in ("over", "play"))
    assert over and play and not over.endswith("z") and play.endswith("z"), "only what plays wears the sign for it"
    page.mouse.click(640, 260)  # beside everything: the whole page has the focus, and a key must not frame it
    press(page, "ArrowRight")
    assert page.evaluate("document.activeElement === document.body")
    page.locator("[data-move=run]").click()
    expect(page.locator(".halt")).to_contain_text("a number beyond ±3 · From here on, operation by operation.")
    for part in (".halt", ".at"):  # however long it is
        expect(page.locator(part)).to_be_in_viewport(ratio=1)
    shown = float(page.locator(".total .value").inner_text().replace("−", "-"))
    assert abs(shown) > 3
    page.reload()
    expect(page.locator(".lm[data-step]")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past what stands before the picture
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.tagName") == "CANVAS"


@pytest.mark.nightly
def test_play_walks_by_itself_and_pauses(visit: Visit) -> None:
    page = visit(model="small-ever")
    pace = page.locator(".bar .pace")
    assert pace.inner_text() == "reading pace"
    pace.click()
    expect(pace).to_have_text("fast")
    pace.blur()
    page.keyboard.press(" ")
    expect(page.locator(".bar .at")).to_contain_text("stage 3", timeout=15_000)
    page.keyboard.press(" ")
    page.wait_for_timeout(400)
    where = page.locator(".bar .at").inner_text()
    page.wait_for_timeout(2000)
    assert page.locator(".bar .at").inner_text() == where


@pytest.mark.nightly
def test_play_stops_at_a_breakpoint(visit: Visit) -> None:
    page = visit(model="pokemon", stops=json.dumps(["stage scores"]))
    page.locator(".bar .pace").click()
    page.locator(".bar .pace").blur()
    page.keyboard.press(" ")
    expect(page.locator(".halt")).to_contain_text("scores", timeout=30_000)
    where = page.locator(".bar .at").inner_text()
    page.wait_for_timeout(2000)
    assert page.locator(".bar .at").inner_text() == where


@pytest.mark.nightly
def test_the_likeliest_token_is_added_to_the_text(visit: Visit) -> None:
    page = visit(model="pokemon", prompt=".pik", step="probabilities")
    likeliest = page.locator("tr.best th").inner_text()
    page.locator(".add").click()
    expect(page.locator(".token")).to_have_count(5)
    assert page.locator(".token").last.inner_text() == likeliest


@pytest.mark.nightly
def test_a_comparison_is_shown_and_ended(visit: Visit) -> None:
    page = visit(model="pokemon", prompt=".pik", b_prompt=".bul", step="logits")
    expect(page.locator("figure .mark")).to_have_text(["A", "B", "A − B"])
    page.locator(".compared-with").click()
    expect(page.locator("figure .mark")).to_have_count(0)
    expect(page).not_to_have_url(re.compile(r"b_prompt"))


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize(
    "stage", ["blocks.0.attn.masked", "blocks.0.attn.pattern", "blocks.0.mlp.mlp_out", "blocks.0.x_mid"]
)
def test_a_pinned_view_fits_the_screen_and_nothing_moves(visit: Visit, stage: str, width: int, height: int) -> None:
    page = visit(model="pokemon", step=stage, width=width, height=height)
    canvas = page.locator(f"figure[data-address='{stage}'] canvas")
    canvas.click(position={"x": 60, "y": 40})
    idle(page)
    expect(page.locator(".total .value")).to_be_visible()
    for part in (".total .value", ".bar .at", ".words h2", f"figure[data-address='{stage}'] canvas"):
        box = page.locator(part).first.bounding_box()
        assert box is not None and box["y"] + box["height"] <= height, (part, page.evaluate(STANDING))
    bar = page.locator(".bar").bounding_box()
    press(page, "ArrowRight")
    assert page.locator(".bar").bounding_box() == bar, page.evaluate(STANDING)
    page.evaluate(LATE)  # the picture gives its room to what comes above later
    until(page, lambda: page.locator(".bar").bounding_box() == bar)


@pytest.mark.nightly
@pytest.mark.parametrize("width", [1280, 390])
def test_marks_of_the_other_run_lie_beside_the_numbers_and_the_bar_is_in_line(visit: Visit, width: int) -> None:
    page = visit(model="pokemon", step="logits", b_prompt=".evo", width=width, height=844)
    press(page, "ArrowRight")
    marks, numbers = page.locator(".bars .track u"), page.locator(".bars .track .num")
    expect(marks.first).to_be_attached()
    for mark, number in zip(marks.all(), numbers.all(), strict=True):
        left, right = mark.bounding_box(), number.bounding_box()
        assert left and right and left["x"] + left["width"] <= right["x"], "no mark over a number"
    play, pace = (page.locator(one).bounding_box() for one in ("[data-move=play]", ".pace"))
    assert play and pace and abs(play["y"] - pace["y"]) < 2


@pytest.mark.sampled(2)
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_shows_the_picture_first_and_nothing_sticks_out(visit: Visit, dark: bool) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.pattern", width=390, height=844, dark=dark)
    picture, words, bar = (page.locator(one).bounding_box() for one in (".picture", ".words", ".lm > .bar"))
    assert picture and words and picture["y"] < words["y"]
    assert bar and bar["height"] < 110, "two rows"
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page = visit(
        model="names-llama", prompt=".maximilian", step="blocks.0.mlp.mlp_out", width=390, height=844, dark=dark
    )
    expect(page.locator(".paging").last).to_be_visible()
    cut = "(lines) => lines.map((line) => [line.lastChild.getBoundingClientRect(), line.getBoundingClientRect()])"
    for text, line in page.locator(".paging").evaluate_all(cut):
        assert text["right"] <= line["right"] + 1 and text["bottom"] <= line["bottom"] + 1, (text, line)


@pytest.mark.nightly
def test_two_tabs_do_not_mix(visit: Visit) -> None:
    one, two = visit(model="pokemon"), visit(model="names", lang="fr")
    press(one, "ArrowRight")
    press(two, "ArrowRight")
    press(two, "ArrowRight")
    assert title(one) == "Every token becomes a vector"
    assert title(two).startswith("Mettre au même volume")


@pytest.mark.nightly
def test_a_large_tensor_is_paged(visit: Visit) -> None:
    page = visit(model="names", step="blocks.0.mlp.mlp_out")
    paging = page.locator("figure[data-address='blocks.0.mlp.pre'] .paging")
    expect(paging).to_contain_text("0–63 / 256")
    paging.get_by_role("button", name="Further right").click()
    expect(paging).to_contain_text("64–127 / 256")


def test_a_negative_number_after_a_sign_stands_in_brackets(visit: Visit) -> None:
    cell = json.dumps(["blocks.0.attn.masked", [0, 0, 3, 1]])
    page = visit(model="pokemon", step="blocks.0.attn.masked", cell=cell)
    written = " ".join(page.locator(".inspect .sum").all_inner_texts())
    assert re.search(r"[×+] \(−\d", written) and not re.search(r"[×+/] ?−\d", written) and "object" not in written


PRESS = """(lm, [key, times]) => {
  const before = lm.dataset.seq, answered = lm.dataset.answered;
  for (let i = 0; i < times; i++)
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true }));
  const heading = lm.querySelector(".words h2").textContent;
  return [Number(lm.dataset.seq) - Number(before), lm.dataset.answered === answered, heading];
}"""


@pytest.mark.nightly
@pytest.mark.parametrize("key", ["ArrowRight", "ArrowLeft"])
def test_steps_are_drawn_before_the_server_answers_and_the_answer_is_the_same(visit: Visit, key: str) -> None:
    page = visit(model="pokemon", step="blocks.0.attn.masked")
    lm = page.locator(".lm")
    for times, answered in ((1, 1), (2, 3)):  # with the first answer comes what lies further on
        drawn, unanswered, heading = lm.evaluate(PRESS, [key, times])
        assert drawn == times and unanswered
        expect(lm).to_have_attribute("data-answered", str(answered))
        idle(page)
        assert title(page) == heading and lm.get_attribute("data-seq") == str(answered)


@pytest.mark.nightly
def test_the_whole_model_in_one_picture(visit: Visit) -> None:
    page = visit(model="names", prompt=".mar", step="blocks.0.attn.masked", focus="3")
    view = page.get_by_role("dialog", name="The whole model in one picture")
    strip = page.get_by_role("button", name="Whole model")
    expect(strip.locator(".ribbon")).to_have_count(3 * 10)  # three blocks of four tokens that see no later one
    expect(view).to_be_hidden()
    page.keyboard.press("m")
    expect(view).to_be_visible()
    page.wait_for_url("**map=mean**")
    checkpoint = lmviz.load(ROOT / "sample_models/names")
    trace = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode(".mar").ids_tensor)
    pattern = trace["blocks.1.attn.pattern"].outputs[0].array[0]

    view.get_by_role("button", name="head 2").click()
    page.wait_for_url("**map=2**")
    softmax = view.get_by_role("button", name="Go to block 1, softmax")
    ribbons = view.locator(f".ribbon[data-stage='{softmax.get_attribute('data-stage')}']")
    widths = ribbons.evaluate_all(
        "all => all.map(({dataset, attributes: {'stroke-width': {value}}}) => ([+dataset.query, +dataset.key, +value]))"
    )
    assert len(widths) == 10
    whole = max(width for query, key, width in widths if query == key == 0)  # the first token can but read itself
    for query, key, width in widths:
        assert width / whole == pytest.approx(pattern[2, query, key], abs=1e-3)
    ribbons.last.dispatch_event("pointermove")
    expect(view.locator(".tip")).to_have_text(
        re.compile(r"^‹.›.reads ‹.›: [\d.]+% \(block 1, softmax\)$".replace(".reads", " reads"))
    )

    softmax.press("Enter")  # a part is a door to its stage
    expect(page.locator(".lm .words h2")).to_have_text("From scores to shares · block 1")
    here = view.locator("[aria-current=step]")
    expect(here).to_have_attribute("aria-label", "Go to block 1, softmax")
    strongest = pattern[2, 3].max()
    expect(view.locator(".caption")).to_contain_text(f"{100 * strongest:.2f}%")
    before = view.locator(".here").get_attribute("x")
    page.keyboard.press("ArrowRight")  # and the walk goes on behind it
    expect(here).to_have_attribute("aria-label", "Go to block 1, mix")
    expect(here).to_be_focused()
    assert view.locator(".here").get_attribute("x") != before
    view.get_by_role("button", name="as a table").click()
    row = view.get_by_role("row", name="block 1, softmax")
    expect(row).to_contain_text(f"{100 * strongest:.2f}%")
    view.get_by_role("button", name="all heads", exact=True).click()
    view.get_by_role("button", name="as a table").click()
    expect(view.locator(".ribbon")).to_have_count(4 * 3 * 10)
    page.keyboard.press("Escape")
    expect(view).to_be_hidden()
    page.wait_for_function("() => !location.search.includes('map=')")
    expect(page.locator(".bar .at")).to_contain_text("stage 16")


@pytest.mark.nightly
def test_in_the_whole_model_no_name_touches_that_of_the_present_stage(visit: Visit) -> None:
    page = visit(model="names-llama", prompt=".mar", step="angle", map="mean", width=900, height=700)
    expect(page.locator(".full [aria-current=step] .part")).to_have_text("rotate")
    boxes = page.locator(".full .door .part").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).filter(({width}) => width)"
        ".map(({left, right, y}) => [Math.round(y), left, right]).sort((a, b) => a[0] - b[0] || a[1] - b[1])"
    )
    assert len(boxes) > 5
    for (row, _, end), (below, start, _) in pairwise(boxes):
        assert row != below or end < start


@pytest.mark.nightly
def test_the_button_below_the_chances_is_not_cut(visit: Callable[..., Page]) -> None:
    page = visit(width=1920, height=1080, model="sentences", step="probabilities", depth="story", course="guess.1")
    for width, height in ((1920, 1080), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        idle(page)
        page.wait_for_timeout(200)
        fits = "box => box.scrollHeight <= box.clientHeight"
        assert page.locator(".picture").evaluate(fits), (width, height)
        assert page.locator(".bars tbody tr").count() > (6 if height > 720 else 3)


@pytest.mark.nightly
def test_in_front_of_a_room_the_longest_head_of_a_column_is_whole(visit: Visit) -> None:
    page = visit(model="names", prompt=".mar", step="probabilities", present="true", lang="fr", width=1280, height=720)
    expect(page.locator(".bars thead th").last).to_have_text("probabilité")
    until(page, lambda: page.locator(".picture").evaluate("box => box.scrollWidth <= box.clientWidth"))
