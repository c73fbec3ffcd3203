"""Generation: settings, the record of a step, runs, beams, measures and presets."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.generate.beam import KEPT, BeamSearch, beam_search, beam_searches
from lmviz.generate.draw import draw
from lmviz.generate.filters import keep_top_p
from lmviz.generate.generation import generate, generate_all, repeats, token_steps
from lmviz.generate.measures import MEASURES, diversity, repetition
from lmviz.generate.presets import (
    NAME_EDGE,
    PRESETS,
    Preset,
    ask_question,
    complete_sentence,
    inspect_prediction,
    settings_for,
)
from lmviz.generate.reading import next_logits, prompt_ids
from lmviz.generate.settings import Settings, notes
from lmviz.generate.token_step import next_token
from lmviz.model.checkpoint import Checkpoint, load
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.tokenizer import Tokenizer
from tests.conftest import ROOT
from tests.outcomes import outcome

SAMPLES = Path(__file__).parents[2] / "sample_models"


class Fixed(nn.Module):
    """Says the same about the next token whatever it reads, and remembers what it read."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)
        self.read: list[list[int]] = []

    def forward(self, ids: Tensor) -> Tensor:
        self.read.append(ids[0].tolist())
        return self.logits.expand(*ids.shape, -1)


def fixed(*probs: float, n_ctx: int = 4) -> Checkpoint:
    """A model of letters a, b, c, ... with these probabilities of coming next."""
    logits = [math.log(prob) if prob > 0 else -math.inf for prob in probs]
    config = GPT2Config(d_vocab=len(probs), n_ctx=n_ctx, n_layers=1, d_model=1, n_heads=1, d_mlp=1)
    return Checkpoint(Fixed(logits), Tokenizer.characters("abcdefgh"[: len(probs)]), config)


@pytest.fixture(scope="module")
def names() -> Checkpoint:
    return load(SAMPLES / "names")


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"strategy": "magic"},
        {"temperature": -1},
        {"temperature": math.nan},
        {"temperature": 1e-9},
        {"top_k": -1},
        {"top_k": 2.5},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"repetition_penalty": 0},
        {"max_new_tokens": 0},
        {"max_new_tokens": 10**6},
        {"n_sequences": 0},
        {"n_beams": 10**6},
        {"seed": -1},
        {"length_penalty": math.inf},
        {"early_stopping": "sometimes"},
    ],
    ids=str,
)
def test_impossible_settings_are_refused_in_a_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(temperature=0), "At temperature 0"),
        (Settings(temperature=0, top_k=3, top_p=0.5), "change nothing: top_k, top_p."),
        (Settings("greedy", temperature=0.5), "change nothing: temperature."),
        (Settings("greedy", n_sequences=3), "the 3 texts are one"),
        (Settings(top_k=100), "only 10 tokens"),
        (Settings(top_p=0), "top-p 0 leaves only"),
        (Settings(top_k=1), "top-k 1 leaves only"),
        (Settings(min_p=1), "min-p 1 leaves only"),
        (Settings(repetition_penalty=0.5), "is a reward"),
        (Settings(no_repeat_ngram=1), "no token may come twice"),
        (Settings("beam", n_beams=1), "one beam is greedy"),
        (Settings("beam", n_beams=2, n_sequences=3), "2 texts at most"),
        (Settings("beam", min_p=0.5), "change nothing: min_p."),
        (Settings(stop=(99,)), "Token 99"),
    ],
    ids=str,
)
def test_pointless_settings_are_told(settings: Settings, said: str) -> None:
    sentences = [sentence.format(**details) for sentence, details in notes(settings, d_vocab=10)]
    assert any(said in sentence for sentence in sentences), sentences


def test_ordinary_settings_need_no_word() -> None:
    assert notes(Settings(temperature=0.8, top_k=5, top_p=0.9, stop=(3,), n_sequences=4), d_vocab=10) == ()
    assert notes(Settings("beam", stop=(0,)), d_vocab=10) == ()


# -- one step ----------------------------------------------------------------------------------------------------------


def test_each_column_says_what_it_cut_and_why() -> None:
    model = fixed(0.4, 0.3, 0.15, 0.1, 0.05)
    settings = Settings(no_repeat_ngram=1, top_k=3, top_p=0.5, min_p=0.6)
    columns = {column.name: column for column in next_token(model, [1], settings).columns()}
    assert columns["no_repeat_ngram"].cut.tolist() == [1]
    assert columns["top_k"].cut.tolist() == [4]  # of the four that are left, the one that is not among the best three
    assert columns["top_p"].cut.tolist() == [2, 3]  # 0.4 of the 0.65 that is left is more than half
    assert columns["min_p"].cut.tolist() == []
    assert columns["temperature"].why is None
    said = {name: column.why[0].partition(":")[0] for name, column in columns.items() if column.why}
    assert said["no_repeat_ngram"] == "1 token is out" and said["top_p"] == "{n} tokens are out"
    assert said["min_p"] == "Nothing is cut"
    sentence, details = columns["top_p"].why or ("", {})
    assert details == {"n": 2, "reached": pytest.approx(0.4 / 0.65), "p": 0.5}
    assert sentence.format(**details)


def test_every_sentence_has_its_numbers(names: Checkpoint) -> None:
    settings = Settings(
        repetition_penalty=1.2, no_repeat_ngram=2, temperature=0.7, top_k=5, top_p=0.9, min_p=0.1, max_new_tokens=3
    )
    for step in token_steps(names, [0], settings):
        assert all(column.why and column.why[0].format(**column.why[1]) for column in step.columns()[1:])


def test_the_draw_falls_into_the_share_of_the_chosen_token() -> None:
    probs = np.array([0.1, 0.6, 0.0, 0.3], dtype=np.float32)
    shares = {number: (draw(probs, number).chosen, draw(probs, number).share) for number in (0, 0.59, 0.61, 0.95)}
    assert [chosen for chosen, _ in shares.values()] == [1, 1, 3, 0]
    assert all(start <= number < end for number, (_, (start, end)) in shares.items())
    assert draw(probs, 0).ends[-1] == 1


def test_a_number_on_the_border_belongs_to_the_share_that_starts_there() -> None:
    halves = draw(np.array([0.5, 0.5], dtype=np.float32), 0.5)
    assert (halves.chosen, halves.share) == (1, (0.5, 1))


def test_top_p_is_content_with_exactly_p() -> None:
    assert keep_top_p(torch.zeros(4), 0.5).tolist() == [-math.inf, -math.inf, 0, 0]


def test_the_draw_shown_is_the_draw_made(names: Checkpoint) -> None:
    for step in token_steps(names, [0], Settings(seed=4, top_k=8)):
        drawn = step.draw()
        assert drawn is not None
        assert drawn.chosen == step.chosen
        assert set(drawn.order) == set(np.flatnonzero(step.probs()))


def test_a_step_says_what_the_model_thinks_of_the_chosen_token(names: Checkpoint) -> None:
    step = next_token(names, [0, 13], Settings(temperature=0.1, top_k=2))
    logits = next_logits(names, [[0, 13]])[0]
    assert step.chosen is not None
    assert step.log_prob == pytest.approx(float(logits.log_softmax(-1)[step.chosen]), rel=1e-5)


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_broken_numbers_are_told_and_not_drawn_from(broken: float) -> None:
    model = fixed(0.5, 0.5)
    model.model.logits[0] = broken  # type: ignore[index,operator]
    with pytest.raises(UserError, match="1 are NaN or infinite"):
        next_token(model, [0], Settings())


def test_a_model_in_training_is_read_without_dropout_and_left_in_training() -> None:
    torch.manual_seed(0)
    model = GPT2(GPT2Config(d_vocab=5, n_ctx=4, n_layers=1, d_model=4, n_heads=1, d_mlp=4, dropout=0.5))
    checkpoint = Checkpoint(model.train(), Tokenizer.characters("abcde"), model.cfg)
    assert next_logits(checkpoint, [[1, 2]]).equal(next_logits(checkpoint, [[1, 2]]))
    assert model.training


def test_a_prompt_without_tokens_is_refused(names: Checkpoint) -> None:
    with pytest.raises(UserError, match="at least one token"):
        prompt_ids(names.tokenizer, "!!!")


# -- runs --------------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_text_and_another_seed_another(names: Checkpoint) -> None:
    texts = [generate(names, [0], Settings(seed=seed)).ids for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_a_text_does_not_depend_on_how_many_are_asked_for(names: Checkpoint) -> None:
    settings = Settings(seed=9, max_new_tokens=5)
    three = generate_all(names, [0], replace(settings, n_sequences=3))
    assert three[2].ids == generate(names, [0], settings, sequence=2).ids
    assert len({generation.ids for generation in three}) == 3


def test_a_step_can_be_replayed_alone(names: Checkpoint) -> None:
    settings = Settings(seed=3, max_new_tokens=6)
    steps = list(token_steps(names, [0], settings))
    again = next_token(names, steps[4].ids, settings, index=4)
    assert again.chosen == steps[4].chosen
    assert np.array_equal(again.logits, steps[4].logits)


def test_temperature_0_takes_the_likeliest(names: Checkpoint) -> None:
    assert generate(names, [0], Settings(temperature=0)).ids == generate(names, [0], Settings("greedy")).ids
    assert len(generate_all(names, [0], Settings(temperature=0, n_sequences=5))) == 1


def test_a_run_ends_at_a_stop_token_at_its_length_or_when_nothing_is_left() -> None:
    model = fixed(0.5, 0.3, 0.2)
    assert generate(model, [1], Settings("greedy", stop=(0,))).ended == "stop"
    assert generate(model, [1], Settings("greedy", stop=(0,))).ids == (1, 0)
    assert generate(model, [1], Settings("greedy", max_new_tokens=3)).ended == "length"
    banned = generate(model, [1], Settings(no_repeat_ngram=1, top_k=2, top_p=0.5, min_p=0.1, temperature=0.5))
    assert banned.ended == "nothing"
    assert sorted(banned.ids) == [0, 1, 2]
    assert banned.steps[-1].chosen is None
    assert banned.steps[-1].draw() is None
    assert [column.n_kept for column in banned.steps[-1].columns()][-1] == 0


def test_a_context_that_slides_is_shown_as_it_is_cut() -> None:
    model = fixed(0.6, 0.4, n_ctx=4)
    steps = list(token_steps(model, [1, 1, 0], Settings("greedy", max_new_tokens=4)))
    assert [step.n_cut for step in steps] == [0, 0, 1, 2]
    assert [list(step.read) for step in steps] == model.model.read
    assert [step.read for step in steps] == [step.ids[-4:] for step in steps]


def test_log_prob_is_that_of_the_whole_text() -> None:
    generation = generate(fixed(0.7, 0.3), [0], Settings("greedy", max_new_tokens=3))
    assert generation.log_prob == pytest.approx(3 * math.log(0.7), rel=1e-6)


# -- beams -------------------------------------------------------------------------------------------------------------


def test_beams_find_what_greedy_misses(names: Checkpoint) -> None:
    edge = names.tokenizer.id(".")
    assert edge is not None
    settings = Settings("beam", stop=(edge,), n_beams=4, max_new_tokens=10)
    choices = (replace(settings, strategy="greedy"), replace(settings, length_penalty=0))
    greedy, beam = (outcome(names, [edge], choice) for choice in choices)
    assert beam.log_probs[0] > greedy.log_probs[0]


@pytest.fixture(scope="module")
def search(names: Checkpoint) -> BeamSearch:
    return beam_search(names, [0], Settings("beam", stop=(0,), n_beams=3, max_new_tokens=8))


def test_the_score_of_a_node_is_the_sum_along_its_path(search: BeamSearch) -> None:
    for node in search.nodes[1:]:
        parent = search.nodes[node.parent or 0]
        assert node.score == pytest.approx(parent.score + node.log_prob, abs=1e-5)
        assert node.step == parent.step + 1
        assert parent.fate == KEPT


def test_every_node_has_a_fate(search: BeamSearch, names: Checkpoint) -> None:
    for step in range(1, search.step + 1):
        nodes = [node for node in search.nodes if node.step == step]
        kept = [node for node in nodes if node.fate == KEPT]
        outscored = [node for node in nodes if node.fate == "outscored"]
        assert len(kept) <= 3
        assert [node.rank for node in nodes] == list(range(len(nodes)))
        assert all(node.score >= other.score for node in kept for other in outscored)
        assert all(node.rank < 3 for node in nodes if node.fate == "finished")
    lasting = {search.nodes[i].parent for i in search.running + search.finished}
    assert not lasting & set(search.dead_ends)
    assert search.ended in ("no_better", "length")


def test_a_search_can_be_followed_step_by_step(names: Checkpoint, search: BeamSearch) -> None:
    stages = list(beam_searches(names, [0], search.settings))
    assert [stage.step for stage in stages] == list(range(search.step + 1))
    assert stages[-1] == search
    assert stages[2].nodes[: len(stages[1].nodes)] == stages[1].nodes
    assert stages[0].ids(0) == (0,)


def test_the_length_penalty_decides_between_short_and_long() -> None:
    model = fixed(0.45, 0.55)
    short, long = (
        beam_search(model, [1], Settings("beam", stop=(0,), n_beams=2, max_new_tokens=5, length_penalty=penalty))
        for penalty in (0.0, 3.0)
    )
    assert len(short.ids(short.best[0])) < len(long.ids(long.best[0]))
    best = long.nodes[long.best[0]]
    assert best.final == pytest.approx(best.score / best.step**3)


def test_a_search_with_nothing_left_returns_what_it_has() -> None:
    search = beam_search(fixed(0.5, 0.5), [0], Settings("beam", no_repeat_ngram=1, n_beams=2))
    assert search.ended == "nothing"
    assert [search.ids(node) for node in search.best] == [(0, 1)]


def test_what_was_finished_and_gave_way_is_told(names: Checkpoint) -> None:
    settings = Settings("beam", stop=(0,), n_beams=2, max_new_tokens=12, early_stopping="never")
    search = beam_search(names, [0], settings)
    assert search.displaced
    for node, step in search.displaced:
        assert search.nodes[node].fate == "finished"
        assert search.nodes[node].step < step
        assert (search.nodes[node].final or 0) <= min(search.nodes[best].final or 0 for best in search.finished)


# -- measures ----------------------------------------------------------------------------------------------------------


def test_measures_by_hand() -> None:
    assert diversity([[1, 2, 1], [1, 3]]).distinct_1 == 3 / 5
    assert diversity([[1, 2, 1], [1, 3]]).distinct_2 == 1
    assert diversity([[1, 2, 1, 2, 1, 3]]).repetition == repetition([1, 2, 1, 2, 1, 3], 2) == 2 / 5
    assert diversity([[1, 2, 3], [1, 2, 4], [5, 6]]).overlap == pytest.approx((1 / 3 + 0 + 0) / 3)
    assert diversity([[1, 2, 3], [1, 2, 4], [5, 6]]).overlap_of == ((1, 3), (0, 3), (0, 3))


def test_measures_of_nothing_are_none() -> None:
    nothing = diversity([])
    assert [getattr(nothing, name) for name in MEASURES] == [None] * len(MEASURES)
    assert diversity([(1,)]).overlap is None


def test_a_hot_model_is_more_varied_than_a_cold_one(names: Checkpoint) -> None:
    choices = [Settings(temperature=temperature, n_sequences=8, stop=(0,)) for temperature in (0.2, 2.0)]
    cold, hot = (outcome(names, [0], choice) for choice in choices)
    assert len(cold.texts) == 8
    assert (cold.diversity.distinct_2 or 1) < (hot.diversity.distinct_2 or 0)
    assert (cold.diversity.overlap or 0) > (hot.diversity.overlap or 1)


# -- presets -----------------------------------------------------------------------------------------------------------


def test_the_guide_gets_its_answers() -> None:
    model = load(SAMPLES / "simple-llm")
    assert complete_sentence(model, "The cat sits on the") == "The cat sits on the mat"
    assert ask_question(model, "What color is the sky?") == "blue"
    best = inspect_prediction(model, "The cat sits on the")
    assert best[0].piece == "mat"
    assert len(best) == 5
    assert [p.prob for p in best] == sorted((p.prob for p in best), reverse=True)


def test_the_lesson_gets_its_names() -> None:
    """On every machine: no draw is so close to an edge that another order of sums would give another letter."""
    model = load(SAMPLES / "pokemon")
    for preset in PRESETS[:2]:
        written = generate_all(model, prompt_ids(model.tokenizer, preset.prompt), settings_for(preset, model))
        names = [model.tokenizer.decode(one.ids).strip(NAME_EDGE) for one in written]
        assert len(names) == 10
        assert all(NAME_EDGE not in name for name in names)
        draws = [found for one in written for step in one.steps if (found := step.draw())]
        assert min(min(one.number - one.share[0], one.share[1] - one.number) for one in draws) > 1e-4
    assert "pikachu" in names


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_presets_run_on_their_model(preset: Preset) -> None:
    model = load(SAMPLES / preset.model)
    settings = settings_for(preset, model)
    assert bool(settings.stop) == bool(preset.stop)
    assert generate_all(model, prompt_ids(model.tokenizer, preset.prompt), settings)


@pytest.mark.parametrize(
    ("ids", "is_repeating"),
    [([1, 1, 1, 1], True), ([5, 1, 2, 1, 2, 1, 2, 1, 2], True), ([1, 1, 1], False), ([1, 2, 3, 4, 5] * 4, False)],
)
def test_a_text_that_says_the_same_again_and_again_is_known(ids: list[int], is_repeating: bool) -> None:
    assert repeats(ids, 4) is is_repeating


def test_a_text_that_repeats_itself_ends_where_it_is_asked_to() -> None:
    checkpoint = load(ROOT / "sample_models/small-ever")
    prompt = checkpoint.tokenizer.encode("Clem").ids
    ended = generate(checkpoint, prompt, Settings(strategy="greedy", max_new_tokens=12, stop_repeats=4))
    assert (ended.ended, ended.new_ids) == ("repeats", (1, 2, 2, 2, 2))
    on = generate(checkpoint, prompt, Settings(strategy="greedy", max_new_tokens=12))
    assert (on.ended, len(on.new_ids)) == ("length", 12)
