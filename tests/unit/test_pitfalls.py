"""Every pitfall is reproduced by a real training, told by the doctor, and cured by each of its cures."""

from __future__ import annotations

import math
import threading

import pytest

from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.debug.pitfalls.run import Result, longest_copy, result_of, step_of_setup
from lmviz.debug.pitfalls.setup import Setup, data_of
from lmviz.errors import UserError
from lmviz.registry.lesson_step import PitfallStep
from lmviz.services.services import Services
from lmviz.services.turns import Turns
from lmviz.train.loop import Snapshot

pytestmark = pytest.mark.slow

_known: dict[Setup, Result] = {}


def result(setup: Setup) -> Result:
    if setup not in _known:
        _known[setup] = result_of(setup)
    return _known[setup]


def told(found: Result) -> set[str]:
    return {finding.check for finding in found.findings if finding.holds is False}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", PITFALLS)
def test_a_pitfall_is_reproduced_told_and_cured(name: str) -> None:
    pitfall = PITFALLS[name]
    faulty = result(pitfall.faulty)
    assert set(pitfall.findings) <= told(faulty)
    assert pitfall.cures
    for _, setup in pitfall.cures:
        cured = result(setup)
        assert not set(pitfall.findings) & told(cured)
        assert cured.diverged_at is None
        assert cured.history.end < cured.history.start / 1.3


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["rate_too_high", "rate_too_low", "not_shifted", "too_long"])
def test_a_model_that_does_not_learn_stays_above_what_the_cured_one_reaches(name: str) -> None:
    faulty, (cured, *_) = result(PITFALLS[name].faulty), [result(setup) for _, setup in PITFALLS[name].cures]
    assert cured.true_loss < cured.baselines.bigram
    assert not faulty.true_loss < faulty.baselines.uniform - 0.1


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["not_shifted", "too_long"])
def test_nothing_is_said_of_new_texts_where_none_are_held_out(name: str) -> None:
    faulty = result(PITFALLS[name].faulty)
    assert faulty.judged[-1][1] == pytest.approx(faulty.true_loss)
    assert next(finding for finding in faulty.findings if finding.check == "generalises").holds is None


def test_unshifted_targets_give_a_loss_near_0_and_a_model_that_repeats_itself() -> None:
    faulty = result(PITFALLS["not_shifted"].faulty)
    assert faulty.history.end < 0.01
    assert all(set(sample) == {"."} for sample in faulty.samples)


def test_a_tokenizer_of_other_words_leaves_nothing_to_learn() -> None:
    faulty = result(PITFALLS["all_unknown"].faulty)
    assert faulty.unknown_share == 1.0
    assert sum("<unk>" in sample for sample in faulty.samples) >= 7


@pytest.mark.nightly
def test_too_few_texts_are_learned_by_heart() -> None:
    faulty, cured = result(PITFALLS["too_little_data"].faulty), result(PITFALLS["too_little_data"].cures[0][1])
    assert faulty.n_copied > len(faulty.samples) / 2 > cured.n_copied
    assert faulty.held_out_loss is not None and cured.held_out_loss is not None
    assert faulty.held_out_loss - faulty.true_loss > 1 > cured.held_out_loss - cured.true_loss


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["too_little_training", "too_uniform_data", "too_small_a_model"])
def test_the_cure_of_poor_predictions_shows_on_texts_it_never_saw(name: str) -> None:
    faulty, cured = result(PITFALLS[name].faulty), result(PITFALLS[name].cures[0][1])
    assert faulty.held_out_loss is not None and cured.held_out_loss is not None
    assert cured.held_out_loss < faulty.held_out_loss - 0.2


@pytest.mark.nightly
def test_the_same_pitfall_twice_gives_the_same_numbers() -> None:
    first, second = (result_of(PITFALLS["not_shifted"].faulty) for _ in range(2))
    assert first.history == second.history
    assert first.samples == second.samples


def test_held_out_names_are_in_no_training() -> None:
    data = data_of(PITFALLS["too_little_training"].faulty)
    assert data.held_out is not None
    assert math.isclose(len(data.held_out), 200, rel_tol=0.2)


@pytest.mark.parametrize(
    ("sample", "longest"), [(".marie.", ".mari"), ("xyz", ""), (".anna.", ".anna."), ("ann", "ann"), ("", "")]
)
def test_the_longest_copy_is_found(sample: str, longest: str) -> None:
    assert longest_copy(sample, (".anna.", ".mario.")) == longest


@pytest.mark.nightly
def test_any_step_of_a_pitfall_can_be_opened() -> None:
    setup = PITFALLS["rate_too_high"].faulty
    losses = dict(result_of(setup).history.losses)
    for step in (1, 7):
        moment, _, _ = step_of_setup(setup, step)
        assert moment.record().loss == pytest.approx(losses[step], rel=1e-5)
    with pytest.raises(UserError, match="can be opened; got 301"):
        step_of_setup(setup, 301)


@pytest.mark.nightly
@pytest.mark.parametrize("name", PITFALLS)
def test_every_alarm_on_a_pitfall_names_a_step_of_it(name: str) -> None:
    doctor, faulty = Services().doctor, result(PITFALLS[name].faulty)
    last = faulty.diverged_at or faulty.history.last_step
    alarms = [finding for finding in faulty.findings if finding.holds is False]
    assert alarms
    for finding in alarms:
        place = doctor.place_in_pitfall(name, finding, last)
        assert 1 <= place.step <= last
        assert place.model == PitfallStep(place.step, 0, name)
        assert finding.step in (0, place.step)


def test_trainings_take_turns_in_the_order_of_asking() -> None:
    turns, order, told = Turns(), list[str](), list[int]()
    first, waits = threading.Event(), threading.Event()

    def have(name: str) -> None:
        with turns.turn(lambda before: (told.append(before), waits.set())):  # type: ignore[func-returns-value]
            order.append(name)
            first.wait(10)

    threads = [threading.Thread(target=have, args=(name,)) for name in ("a", "b")]
    threads[0].start()
    while not order:
        pass
    threads[1].start()
    waits.wait(10)
    assert order == ["a"] and set(told) == {1}
    first.set()
    for thread in threads:
        thread.join(10)
    assert order == ["a", "b"]


def test_who_goes_away_while_waiting_leaves_the_queue() -> None:
    turns = Turns()

    def go_away(before: int) -> None:
        raise RuntimeError("nobody looks")

    with turns.turn(), pytest.raises(RuntimeError), turns.turn(go_away):
        raise AssertionError("it was not its turn")
    with turns.turn(go_away):
        pass


def test_a_training_that_nobody_watches_any_more_stops() -> None:
    pitfalls, seen = Services().pitfalls, list[int]()

    def watch(snapshot: Snapshot) -> None:
        seen.append(snapshot.step)
        if snapshot.step == 5:
            raise RuntimeError("nobody looks")

    with pytest.raises(RuntimeError):
        pitfalls.result(PITFALLS["rate_too_low"].faulty, watch)
    assert seen == [1, 2, 3, 4, 5]
    assert not pitfalls.has_run(PITFALLS["rate_too_low"].faulty)
    assert pitfalls.result(PITFALLS["rate_too_low"].faulty).history.last_step == 300


@pytest.mark.nightly
def test_the_guides_training_as_written_learns_no_sentence_and_a_hundred_epochs_learn_all_three() -> None:
    pitfall = PITFALLS["as_the_guide_writes_it"]
    assert len(set(result(pitfall.faulty).endings)) == 1
    (cured,) = (result(setup) for _, setup in pitfall.cures)
    assert cured.endings == ("mat", "rug", "tree")
