"""The generation page, in both languages: it shows what the engine does, and a link gives the same text again."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import lmviz
from lmviz.generate.beam import beam_search, beam_searches
from lmviz.generate.cached import CachedReader
from lmviz.generate.generation import Writing, generate, generate_all
from lmviz.generate.presets import PRESETS, ask_question, complete_sentence, inspect_prediction
from lmviz.generate.settings import Settings
from lmviz.registry.kinds import read_reference
from lmviz.train.recipe import recipe_from
from lmviz.train.runs import Runs
from lmviz.ui.generation.view import KEPT, WAYS, GenerationView
from lmviz.ui.place import Place
from lmviz.ui.text import LANGUAGES, Language, Translator
from tests.by_transformers import save_kind
from tests.conftest import ROOT, SAMPLES
from tests.pages.conftest import Open, errors, go, picture, settled
from tests.words import ENGLISH
from tests.written import holds, plain
from tests.written import number as number_of


def checkpoint(name: str) -> lmviz.Checkpoint:
    return lmviz.load(ROOT / "sample_models" / name)


def new_pieces(app: AppTest) -> list[str]:
    return [one["text"] for one in picture(app, "generation.text")["pieces"] if "new" in one.get("marks", ())]


def test_it_opens_on_names_with_its_first_prompt_ready_for_the_next_token(open_on: Open) -> None:
    app = open_on("generation")
    assert not errors(app)
    assert app.text_input(key="generation.prompt").value == checkpoint("names").card.prompts[0]
    step = picture(app, "generation.step")
    assert step["total"] == len(step["rows"]) == 27
    assert step["chosen"] is None and step["bar"]["number"] is None
    assert not app.button(key="generation.next").disabled
    assert not new_pieces(app)


def test_next_writes_one_token_and_shows_the_draw(open_on: Open) -> None:
    app = open_on("generation")
    app.button(key="generation.next").click().run()
    step = picture(app, "generation.step")
    model = checkpoint("names")
    made = generate(model, model.tokenizer.encode(".mar").ids, Settings(max_new_tokens=20, stop=(0,))).steps[0]
    draw = made.draw()
    assert draw is not None and step["chosen"] == draw.chosen
    assert step["bar"]["number"] == draw.number
    share = next(one for one in step["bar"]["shares"] if one["id"] == draw.chosen)
    assert share["start"] <= draw.number < share["end"]
    assert sum(row["shares"][-1] for row in step["rows"]) == pytest.approx(1, abs=1e-5)
    assert new_pieces(app) == [model.tokenizer.piece(draw.chosen)]


@pytest.mark.sampled(12)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", SAMPLES)
def test_every_way_works_on_every_sample(open_on: Open, model: str, language: str) -> None:
    app = open_on("generation", model=model, lang=language)
    for way in WAYS:
        for weights in ("trained", "untrained"):
            settled(go(app, way=way, weights=weights, n="3", lang=language, model=model))
            assert not errors(app), (way, weights)
            shown = " ".join(element.value for element in (*app.markdown, *app.caption))
            assert "generation." not in shown and "{" not in shown


def test_the_same_link_gives_the_same_text_and_another_seed_another(open_on: Open) -> None:
    link = {"n": "8", "temperature": "1.3", "top_k": "12", "seed": "7", "stop": "#"}
    first, second = (new_pieces(open_on("generation", **link)) for _ in range(2))
    assert first == second and len(first) == 8
    assert new_pieces(open_on("generation", **link | {"seed": "8"})) != first


def test_the_table_is_the_pipeline_and_says_how_many_went_where(open_on: Open) -> None:
    link = {
        "n": "2",
        "temperature": "0.7",
        "top_k": "9",
        "top_p": "0.8",
        "min_p": "0.1",
        "penalty": "1.4",
        "ngram": "2",
    }
    app = open_on("generation", **link)
    step = picture(app, "generation.step")
    model = checkpoint("names")
    settings = Settings("sample", 1.4, 2, 0.7, 9, 0.8, 0.1, stop=(0,))
    made = generate(model, model.tokenizer.encode(".mar").ids, settings).steps[1]
    columns = made.columns()
    assert [column["name"] for column in step["columns"]] == [column.name for column in columns]
    assert [column["cut"] for column in step["columns"]] == [len(column.cut) for column in columns]
    assert all(column["why"] for column in step["columns"][1:])
    assert {row["id"] for row in step["rows"]} == set(range(27))
    for row in step["rows"]:
        for score, column in zip(row["scores"], columns, strict=True):
            wanted = float(column.scores[row["id"]])
            assert score == (pytest.approx(wanted, rel=1e-6) if wanted > -1e30 else None)
    probabilities = [row["shares"][-1] for row in step["rows"] if row["scores"][-1] is not None]
    assert probabilities == sorted(probabilities, reverse=True)


def test_temperature_zero_says_that_it_is_greedy(open_on: Open) -> None:
    app = open_on("generation", temperature="0", n="1")
    assert any("greedy" in caption.value for caption in app.caption)
    assert picture(app, "generation.step")["bar"]["number"] is None


@pytest.mark.parametrize(
    "conflict", [{"top_k": "400"}, {"top_p": "0"}, {"min_p": "1"}, {"strategy": "greedy", "top_k": "3"}]
)
def test_conflicting_settings_are_said_and_not_crashed(open_on: Open, conflict: dict[str, str]) -> None:
    app = open_on("generation", n="1", **conflict)
    assert not errors(app)
    assert any(caption.value.startswith(":orange-badge") for caption in app.caption)


def test_when_no_token_is_left_it_says_so(open_on: Open) -> None:
    app = open_on("generation", model="small-ever", ngram="1", n="8", stop="#")
    assert not errors(app)
    assert [warning.value for warning in app.warning] == [ENGLISH("generation.ended.nothing")]
    assert app.button(key="generation.next").disabled


def test_what_slid_out_of_the_context_is_shown_as_cut(open_on: Open) -> None:
    app = open_on("generation", model="pokemon", prompt=".pikachu", stop="#", n="4")
    gone = [one for one in picture(app, "generation.text")["pieces"] if "gone" in one.get("marks", ())]
    assert len(gone) == len(".pikachu") + 3 - 8
    assert any("8" in caption.value and str(len(gone)) in caption.value for caption in app.caption)


@pytest.mark.parametrize(("prompt", "said"), [("", "at least one token"), ("!!!", "at least one token")])
def test_a_prompt_without_tokens_is_one_sentence(open_on: Open, prompt: str, said: str) -> None:
    app = open_on("generation", prompt=prompt or " ")
    assert not app.exception and [said in error.value for error in app.error] == [True]


def test_what_the_vocabulary_lacks_is_said(open_on: Open) -> None:
    app = open_on("generation", prompt=".mAr")
    assert not errors(app) and any("no token for A" in caption.value for caption in app.caption)


def test_a_token_in_the_text_opens_its_step_and_back_takes_one_away(open_on: Open) -> None:
    app = open_on("generation", n="5", stop="#")
    latest = picture(app, "generation.step")["rows"]
    go(app, n="5", stop="#", at="1")
    assert picture(app, "generation.text")["chosen"] == 1
    assert picture(app, "generation.step")["rows"] != latest
    written = new_pieces(app)
    app.button(key="generation.back").click().run()
    assert new_pieces(app) == written[:-1]
    app.button(key="generation.first").click().run()
    assert new_pieces(app) == []


def test_running_goes_on_by_itself_and_stops(open_on: Open) -> None:
    app = open_on("generation", stop="#", length="3")
    app.button(key="generation.run").click().run()
    seen = [len(new_pieces(app))]
    for _ in range(4):
        app.run()
        seen.append(len(new_pieces(app)))
    assert seen == sorted(seen) and seen[-1] == 3
    assert app.button(key="generation.run").disabled


def test_a_row_is_worked_out_down_to_its_probability(open_on: Open) -> None:
    app = open_on("generation", n="1", temperature="0.5", token="5")
    shown = " ".join(markdown.value for markdown in app.markdown)
    row = next(row for row in picture(app, "generation.step")["rows"] if row["id"] == 5)
    assert f"{row['scores'][0]:.2f}".replace("-", "−") in shown
    lines = [plain(line) for line in re.findall(r"[^:=]+ [=≈] \*\*[^*]+\*\*", shown)]
    assert len(lines) == 2
    assert all(holds(line, "en") for line in lines), lines
    assert number_of(lines[-1].split()[-1]) == pytest.approx(row["shares"][-1], abs=5e-5)
    doors = [link.proto.query_string for link in app.get("page_link")]
    assert any("cell" in door and "logits" in door for door in doors)


def test_every_cell_of_the_table_is_worked_out(open_on: Open) -> None:
    filters = {"temperature": "0.7", "penalty": "1.3", "ngram": "2", "top_k": "9", "top_p": "0.8", "min_p": "0.1"}
    app = open_on("generation", n="1", **filters)
    content = picture(app, "generation.step")
    row = next(row for row in content["rows"] if row["id"] == content["chosen"])
    shares = dict(zip((column["name"] for column in content["columns"]), row["shares"], strict=True))
    before = shares["logits"]
    for name, share in shares.items():
        go(app, n="1", token=str(row["id"]), column=name, **filters)
        assert not errors(app)
        assert f"<b>{ENGLISH.number(share, 4)}</b>" in html(app)
        assert name == "logits" or f"{ENGLISH.number(before, 4)} before" in said(app)
        before = share


def html(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def said(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption)


@pytest.mark.nightly
def test_the_presets_of_the_lesson_and_the_guide_do_what_they_say(open_on: Open) -> None:
    app = open_on("generation")

    def choose(name: str) -> None:
        settled(app.selectbox(key="generation.preset").select(name).run())
        assert not errors(app), name

    simple, pokemon = checkpoint("simple-llm"), checkpoint("pokemon")
    choose("complete_sentence")
    assert "The cat sits on the " + new_pieces(app)[0] == complete_sentence(simple, "The cat sits on the")
    choose("ask_question")
    assert new_pieces(app) == [ask_question(simple, "What color is the sky?")]
    choose("inspect_prediction")
    rows = picture(app, "generation.step")["rows"]
    wanted = inspect_prediction(simple, "The cat sits on the")
    assert [(row["id"], row["shares"][0]) for row in rows] == [(p.id, pytest.approx(p.prob, rel=1e-4)) for p in wanted]
    (dot,) = pokemon.tokenizer.encode(".").ids
    for preset in PRESETS[:3]:
        choose(preset.name)
        names = [row["new"].rstrip(".") for row in picture(app, "generation.texts.trained")["rows"]]
        settings = Settings(temperature=preset.settings.temperature, n_sequences=10, max_new_tokens=15, stop=(dot,))
        written = generate_all(pokemon, (dot,), settings)
        assert names == [pokemon.tokenizer.decode(one.new_ids).rstrip(".") for one in written]
    choose("names_untrained")
    before, after = (picture(app, f"generation.texts.{w}")["rows"] for w in ("untrained", "trained"))
    assert len(before) == len(after) == 10 and before != after


def test_the_tree_is_the_engines_search_at_every_step(open_on: Open) -> None:
    model = checkpoint("names")
    settings = Settings("beam", max_new_tokens=20, stop=(0,), n_beams=3)
    search = beam_search(model, model.tokenizer.encode(".mar").ids, settings)
    app = settled(open_on("generation", way="beam"))
    assert [node["step"] for node in picture(app, "generation.tree")["nodes"]] == [0]
    app.button(key="generation.beam.next").click().run()
    assert {node["step"] for node in picture(app, "generation.tree")["nodes"]} == {0, 1}
    app.button(key="generation.beam.last").click().run()
    nodes = picture(app, "generation.tree")["nodes"]
    assert len(nodes) == len(search.nodes)
    assert [node["text"] for node in nodes[1:]] == [model.tokenizer.piece(n.token or 0) for n in search.nodes[1:]]
    best = model.tokenizer.decode(search.ids(search.best[0]))
    assert any(best in markdown.value for markdown in app.markdown)


def test_texts_that_go_on_stay_listed_when_others_are_finished(open_on: Open) -> None:
    model = checkpoint("names")
    settings = Settings("beam", max_new_tokens=20, stop=(0,), n_beams=3)
    searches = tuple(beam_searches(model, model.tokenizer.encode(".mar").ids, settings))
    at = next(i for i, search in enumerate(searches) if search.finished and not search.ended)
    app = settled(open_on("generation", way="beam", n=str(at)))
    listed = " ".join(markdown.value for markdown in app.markdown)
    for index in (*searches[at].finished, *searches[at].running):
        assert model.tokenizer.decode(searches[at].ids(index)) in listed
    assert "Finished" in listed and "Going on" in listed


def test_settings_set_aside_stay_while_the_others_change(open_on: Open) -> None:
    app = settled(open_on("generation", way="compare", temperature="2", seed="3"))
    drawn = [row["new"] for row in picture(app, "generation.compare.sample")["rows"]]
    app.button(key="generation.keep").click().run()
    settled(go(app, way="compare", temperature="0.2", seed="3", kept=app.query_params["kept"]))
    assert [row["new"] for row in picture(app, "generation.compare.kept.0")["rows"]] == drawn
    assert [row["new"] for row in picture(app, "generation.compare.sample")["rows"]] != drawn
    app.button(key="generation.drop.0").click().run()
    assert "kept" not in app.query_params


@pytest.mark.parametrize("kept", ["[[1,2]]", '[["a",0,1,0,1,0,0]]', "[[-4,0,1,0,1,0,0]]", "7", "[[1,0.5,1,0,1,0,0]]"])
def test_a_link_with_nonsense_leaves_it_out(kept: str) -> None:
    _, wrong = GenerationView.parse({"kept": kept})
    assert wrong == ("kept",)


def test_a_view_survives_its_own_address() -> None:
    kept: Any = ((2.0, 3, 0.5, 0.1, 1.2, 2, 9),)
    view: Place = GenerationView(
        model=read_reference("pokemon"), way="compare", temperature=0.3, kept=kept, stop=".", token=4, lang="fr"
    )
    assert GenerationView.parse(view.query()) == (view, ())
    assert len(kept[0]) == len(KEPT) and json.loads(view.query()["kept"]) == [list(kept[0])]


@pytest.fixture
def runs() -> Iterator[Runs]:
    """The same folder as the app's."""
    with closing(Runs()) as found:
        yield found


def test_a_training_writes_as_it_is_now_and_as_it_was_before(open_on: Open, runs: Runs) -> None:
    recipe = recipe_from(
        {
            "data": {"texts": ["ab", "abab"], "around": "."},
            "tokenizer": {"kind": "characters"},
            "model": {"architecture": "mini_llm", "n_ctx": 4, "n_layers": 1, "d_model": 4, "n_heads": 1, "d_mlp": 8},
            "training": {"steps": 8, "learning_rate": 0.05},
            "card": {"title": "Two letters", "prompts": [".a"]},
        }
    )
    run = runs.start(recipe, "two letters")
    while runs.get(run).state in ("queued", "running"):
        time.sleep(0.1)
    app = open_on("generation")
    step = runs.stops(run)[-1].step
    name = next(option for option in app.selectbox[0].options if option.startswith("two letters"))
    app.selectbox[0].select(name).run()
    assert app.query_params["model"] == f"runs/{run}@{step}" and not errors(app)
    logits = {}
    for weights, at in (("trained", step), ("untrained", 0)):
        go(app, model=f"runs/{run}@{step}", weights=weights)
        assert not errors(app)
        logits[weights] = {row["id"]: row["scores"][0] for row in picture(app, "generation.step")["rows"]}
        model = runs.model_at(run, at)
        wanted = generate(model, model.tokenizer.encode(".a").ids, Settings(max_new_tokens=1)).steps[0].logits
        assert logits[weights] == {id: pytest.approx(float(score), rel=1e-5) for id, score in enumerate(wanted)}
    assert logits["trained"] != logits["untrained"]


def test_a_text_of_several_says_which_it_is_and_leads_back_to_the_first(open_on: Open) -> None:
    app = open_on("generation", n="4", text="2", stop="#")
    third = new_pieces(app)
    assert any(ENGLISH("generation.which_text", n=3) == caption.value for caption in app.caption)
    app.button(key="generation.first_text").click().run()
    assert new_pieces(app) != third and "text" not in app.query_params


def test_one_beam_is_said_to_be_greedy(open_on: Open) -> None:
    app = settled(open_on("generation", way="beam", beams="1"))
    assert any("greedy" in caption.value for caption in app.caption)


# -- with a KV cache ---------------------------------------------------------------------------------------------------


def differences(app: AppTest) -> list[str]:
    return [one["below"] for one in picture(app, "generation.cache")["pieces"]]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", SAMPLES)
def test_with_a_cache_each_step_says_what_it_kept_and_what_difference_it_made(
    open_on: Open, model: str, language: str
) -> None:
    app = open_on("generation", model=model, lang=language, strategy="greedy", n="3", stop="#")
    plain_text = new_pieces(app)
    app.toggle(key="lmviz.ui.generation.view.cache").set_value(True).run()
    assert not errors(app) and app.query_params["cache"] == "true"
    assert new_pieces(app) == plain_text and len(differences(app)) == 3
    t = Translator(Language(language))
    one = checkpoint(model)
    ids = one.tokenizer.encode(GenerationView().first(one)).ids
    for at in range(3):
        go(app, at=str(at), model=model, lang=language, strategy="greedy", n="3", stop="#", cache="true")
        made = Writing(one, ids, Settings("greedy", max_new_tokens=20), cached=CachedReader(one)).first(at + 1).steps
        use = made[at].cache
        assert use is not None
        said = " ".join(element.value for element in app.markdown)
        assert "generation.cache" not in said and "{" not in said
        kind = "step" if use.n_kept else "first" if at == 0 else "slid"
        assert t(f"generation.cache.{kind}", n=use.n_kept or use.n_new) in said
        assert f"**{t.integer(use.n_bytes)}**" in said
        assert float(differences(app)[at].replace(",", ".").replace("−", "-")) == pytest.approx(use.difference, rel=0.1)


def test_the_bytes_of_a_cache_are_the_product_on_screen(open_on: Open) -> None:
    app = open_on("generation", model="simple-llm", n="2", cache="true")
    (line,) = [one.value for one in app.markdown if "Kept now" in one.value]
    factors, total = line.split("=")
    numbers = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", factors)]
    assert len(numbers) == 5 and math.prod(numbers) == int(re.sub(r"\D", "", total))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_without_a_lesson_writes_without_a_cache_and_it_is_said(
    open_on: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    save_kind("gpt_neox", tmp_path)
    app = open_on("generation", model=str(tmp_path), prompt="a", lang=language, n="2", cache="true")
    assert not errors(app) and len(new_pieces(app)) == 2
    assert any(Translator(Language(language))("generation.cache.none") in one.value for one in app.caption)
