"""The game: one seed, one puzzle for all; probes, answers and scores. And the exercises, answered by live tensors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lmviz
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.exercises.pitfalls import ASKED, memory_question
from lmviz.debug.exercises.question import Question, mixed
from lmviz.debug.exercises.rotation import angle_of_a_position, key_of_a_head
from lmviz.debug.exercises.stages import ASK, questions
from lmviz.debug.game import (
    LEVELS,
    PROBES,
    Puzzle,
    Score,
    Verdict,
    compare_stage,
    counted,
    fair_places,
    judge,
    probe,
    puzzle,
)
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.debug.pitfalls.run import result_of
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.kinds import read_reference
from lmviz.registry.recording import Recording, Request
from lmviz.services.services import Services
from lmviz.stages.stage import Stage
from tests.by_transformers import LETTERS, ROUTERS, of_transformers
from tests.conftest import ROOT, SAMPLES


@pytest.fixture(scope="module")
def models() -> dict[str, Checkpoint]:
    return {name: lmviz.load(ROOT / "sample_models" / name) for name in SAMPLES}


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize("level", LEVELS)
def test_a_seed_gives_everyone_the_same_puzzle(models: dict[str, Checkpoint], level: int) -> None:
    found = [puzzle(seed, level, models) for seed in range(12)]
    assert found == [puzzle(seed, level, models) for seed in range(12)]
    assert len({one.bug for one in found}) > 3
    for one in found:
        bug = BUGS[one.bug]
        assert bug.level <= level
        assert one.bug in one.choices
        assert len(models[one.model].tokenizer.encode(one.prompt)) >= 3
        assert len(set(one.choices)) == len(one.choices) >= 3
        for name in one.choices:  # each could have been the one
            could = BUGS[name]
            assert not could.in_loop and not could.retrain and level - 1 <= could.level <= level


@pytest.mark.nightly
def test_a_puzzle_shows_in_the_numbers_of_its_run(models: dict[str, Checkpoint]) -> None:
    for seed in range(5):
        one = puzzle(seed, 3, models)
        ids = models[one.model].tokenizer.encode(one.prompt).ids_tensor
        trace = lmviz.record(models[one.model].model, ids)
        glances = [compare_stage(models[one.model], one, stage) for stage in range(1, len(trace.calls))]
        assert any(found.largest > 0 for found in glances)


@pytest.mark.parametrize(("seed", "level"), [(-1, 1), (10**6, 1), (0, 0), (0, 4)])
def test_a_puzzle_that_does_not_exist_is_refused(models: dict[str, Checkpoint], seed: int, level: int) -> None:
    with pytest.raises(UserError, match="A puzzle has a number"):
        puzzle(seed, level, models)


def test_a_probe_is_a_check_of_the_broken_model(models: dict[str, Checkpoint]) -> None:
    one = Puzzle(0, 1, "simple-llm", "The cat sits on the", "no_mask", ("no_mask",))
    assert probe(models["simple-llm"], one, "causality").holds is False
    assert probe(models["simple-llm"], one, "positions").holds is True
    assert "one_batch" not in PROBES


def test_a_glance_before_the_bug_sees_nothing_and_one_after_it_does(models: dict[str, Checkpoint]) -> None:
    one = Puzzle(0, 1, "simple-llm", "The cat sits on the", "no_scale", ("no_scale",))
    kinds = {
        compare_stage(models["simple-llm"], one, i).stage.kind: compare_stage(models["simple-llm"], one, i)
        for i in range(1, 6)
    }
    assert kinds["qkv"].largest == 0
    assert kinds["scores"].largest > 0


@pytest.mark.parametrize(
    ("place", "bug", "probes", "points"),
    [("scores", "no_mask", 0, 25), ("scores", "no_mask", 3, 22), ("mlp", "no_mask", 0, 20), ("scores", "x", 1, 4)],
)
def test_points_are_for_the_stage_the_bug_and_few_probes(place: str, bug: str, probes: int, points: int) -> None:
    one = Puzzle(0, 2, "simple-llm", "", "no_mask", ())
    assert judge(one, ("scores",), place, bug, probes).points == points
    assert judge(one, ("scores",), "mlp", "wrong", probes) == Verdict(False, False, 0)


@pytest.mark.parametrize(
    ("bug", "stages"),
    [
        ("no_mask", ("scores", "softmax")),  # the first number that both have and that differs is a share
        ("wrong_triangle", ("scores",)),  # its line runs once, before the walk: the first other number tells
        ("mask_after_softmax", ("scores", "softmax", "mix")),
        ("heads_not_transposed", ("qkv", "mix")),
        ("norm_axis", ("norm", "final_norm")),
        ("no_residual", ("residual", "norm")),
    ],
)
def test_every_stage_that_a_bug_edits_is_a_fair_answer(
    models: dict[str, Checkpoint], bug: str, stages: tuple[str, ...]
) -> None:
    one = Puzzle(0, 2, "simple-llm", "The cat sits on the", bug, (bug,))
    found = fair_places(models["simple-llm"], one)
    assert found == stages
    assert all(judge(one, found, stage, bug, 0).place_right for stage in stages)


def test_a_streak_ends_with_a_wrong_answer() -> None:
    score = Score()
    for right in (True, True, False, True):
        score = counted(score, Verdict(right, right, 10 * right))
    assert score == Score(points=30, streak=1, best_streak=2, found=3, played=4)


# -- exercises ---------------------------------------------------------------------------------------------------------


def run_of(model: str, prompt: str, target: str) -> Recording:
    return Services().models.record(Request(read_reference(model), prompt, target))


def asked(model: str, prompt: str, target: str) -> dict[str, Question]:
    run = run_of(model, prompt, target)
    pieces = tuple(run.piece(i) for i in range(run.checkpoint.config.d_vocab))
    return {question.about: question for question in questions(run.trace, run.tokens, pieces)}


TODAYS = {"rotation", "sharing", "router"}  # stages of models after GPT-2


def test_every_stage_of_the_walk_has_a_question() -> None:
    assert set(asked("simple-llm", "The cat sits on the", "mat")) == {"tokenizer", *ASK} - TODAYS
    assert set(asked("names-llama", ".mar", "y")) == {"tokenizer", *ASK} - {"router"}


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        ("small-ever", "Clem"),
        ("pokemon", ".pik"),
        ("simple-llm", "The cat"),
        ("names", ".mar"),
        ("names-llama", ".mar"),
    ],
)
def test_questions_have_one_right_answer_and_different_options(model: str, prompt: str) -> None:
    for question in asked(model, prompt, "").values():
        assert len(set(question.options)) == len(question.options) >= 2
        assert question.is_right(question.answer)
        assert not question.is_right(question.answer + 1)


def test_the_answers_are_those_of_the_tensors() -> None:
    run = run_of("simple-llm", "The cat sits on the", "mat")
    found = asked("simple-llm", "The cat sits on the", "mat")
    pattern = run.trace["blocks.0.attn.pattern"].outputs[0].array[0, 0, 3]
    looks = found["softmax"]
    assert looks.options[looks.answer] == int(pattern.argmax())
    shares = run.trace["readout.probs"].outputs[0].array[0, -1]
    assert found["probabilities"].options[found["probabilities"].answer] == run.piece(int(np.argmax(shares)))
    assert found["tokenizer"].options[found["tokenizer"].answer] == 5
    assert found["scores"].options[found["scores"].answer] == 4
    loss, (_, pos) = found["loss"].options[found["loss"].answer], found["loss"].cell or (0, 0)
    share = run.trace["readout.probs"].outputs[0].array[0, pos, run.tokens.ids[pos + 1]]
    assert loss == pytest.approx(-math.log(share), abs=0.006)


def test_the_answers_about_rotation_are_those_of_the_angles() -> None:
    run, found = run_of("names-llama", ".mari", ""), asked("names-llama", ".mari", "")["rotation"]
    assert found.name == "angle" and found.where == "angle"
    assert found.options[found.answer] == pytest.approx(run.trace.value("angle").array[3, 0], abs=0.006)
    assert asked("names-llama", ".m", "")["rotation"].name == "shape"  # nothing is to be worked out from one position
    tokens = run.tokens
    from_one = lmviz.record(PositionsFromOne(), torch.arange(len(tokens)))
    whole = Stage(0, "rotation", None, 0, len(from_one) - 1, 0)
    assert angle_of_a_position(from_one, whole, tokens) is None  # then the answer does not follow


class PositionsFromOne(nn.Module):
    def forward(self, pos: Tensor) -> Tensor:
        return torch.cos((pos + 1)[:, None] * torch.tensor([1.0, 0.1]))


class Repeats(nn.Module):
    """Heads share keys, in a way that is known: [batch, kv_head, pos, d_head] -> [batch, head, pos, d_head]."""

    def __init__(self, order: list[int]) -> None:
        super().__init__()
        self.order = torch.tensor(order)

    def forward(self, k: Tensor) -> Tensor:
        return k.index_select(1, self.order)


@pytest.mark.parametrize(("order", "right"), [([0, 0, 1, 1], 1), ([0, 1, 0, 1], 0), ([1, 1, 0, 0], 0)], ids=str)
def test_which_key_a_head_reads_is_found_by_its_numbers(order: list[int], right: int) -> None:
    torch.manual_seed(0)
    trace = lmviz.record(Repeats(order), torch.randn(1, 2, 3, 4))
    whole, tokens = Stage(0, "sharing", 0, 0, len(trace) - 1, 0), run_of("names", ".m", "").tokens
    found = key_of_a_head(trace, whole, tokens)
    assert found is not None and found.details["head"] == 2 and found.options[found.answer] == right
    alike = lmviz.record(Repeats(order), torch.ones(1, 2, 3, 4))
    assert key_of_a_head(alike, whole, tokens) is None  # two keys are the same: no answer is the only right one


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixtral", "deepseek_v3"])
def test_how_many_experts_work_is_what_the_config_says(kind: str) -> None:
    model, tokens = of_transformers(kind), Tokenizer.characters(LETTERS).encode("abc a")
    found = questions(lmviz.record(Logits(model), tokens.ids_tensor), tokens, tuple(LETTERS))
    (router,) = (question for question in found if question.about == "router")
    assert router.name == "n_experts" and router.options[router.answer] == ROUTERS[kind]["num_experts_per_tok"]
    assert next(question for question in found if question.about == "rotation").name == "angle"


class Logits(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(input_ids=ids, use_cache=False).logits
        return logits


def test_options_come_in_the_order_of_their_seed() -> None:
    assert mixed(1, [2, 3, 4], "a") == mixed(1, [2, 3, 4], "a")
    assert len({mixed(1, [2, 3, 4], str(seed))[1] for seed in range(20)}) == 4


@pytest.mark.nightly
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", PITFALLS)
def test_every_pitfall_has_a_question_that_its_training_answers(name: str) -> None:
    question = ASKED[name].question(result_of(PITFALLS[name].faulty))
    expected = {
        "rate_too_high": "rises",
        "rate_too_low": "still",
        "all_unknown": "none",
        "not_shifted": "the_same_token",
        "too_long": "one_name",
        "as_the_guide_writes_it": "one_word",
        "too_little_training": "between",
        "too_little_data": "nearly_all",
        "too_uniform_data": "much_higher",
        "too_small_a_model": "between",
    }
    assert question.options[question.answer] == expected[name]


def test_twice_the_batch_is_twice_the_activations() -> None:
    question = memory_question(lmviz.load(ROOT / "sample_models" / "names").config, 8)
    assert question.options[question.answer] == 2.0


def test_playing_leaves_torchs_random_numbers_alone(models: dict[str, Checkpoint]) -> None:
    state = torch.random.get_rng_state()
    puzzle(3, 2, models)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("next_word", ["mat", "The", "dog", "sits"])
def test_a_question_names_one_tensor_and_has_something_to_work_out(next_word: str) -> None:
    run = Services().models.record(Request(read_reference("simple-llm"), "The cat sits on the", next_word))
    for question in asked("simple-llm", "The cat sits on the", next_word).values():
        if question.name == "shape":
            name = str(question.details["name"])
            assert name == question.where or sum(a.rpartition(".")[2] == name for a in run.trace.find(name)) < 2
        if question.name == "loss_of":
            assert float(str(question.options[question.answer])) > 0
