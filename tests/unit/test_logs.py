"""Logs of other programs: every format is read right or asks, whatever is cut off, in as many steps as it is long."""

from __future__ import annotations

import ast
import json
import math
import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from lmviz.debug.doctor.curves import diagnose
from lmviz.debug.doctor.history import Points
from lmviz.debug.doctor.log import read_log
from lmviz.debug.logs import own_process
from lmviz.debug.logs.lines import MOST_PIECES, read_line, token_pattern
from lmviz.debug.logs.notation import Notation, cell_pattern, notation_of
from lmviz.debug.logs.reader import MOST_CHARACTERS, MOST_LINES, read_sheet
from lmviz.debug.logs.roles import name_of
from lmviz.errors import UserError
from tests.conftest import ROOT
from tests.log_samples import SAMPLES, Point, Sample, curve
from tests.source import nodes_of

ASKING = {  # formats whose rows mean nothing without their headings
    "model card", "Trainer's notebook table", "unsloth's notebook table", "Lightning's metrics.csv", "fastai",
    "TensorBoard", "W&B", "trackio", "MLflow", "pandas", "rich's table", "French CSV", "CSV with val",
    "CSV with validation", "CSV with eval_loss", "CSV with test loss", "CSV, last step first", "history of Keras",
    "CSV with a split",
}  # fmt: skip


def losses(sample: Sample, points: list[Point]) -> tuple[tuple[int, float], ...]:
    return tuple((sample.step(p), round(p.loss, sample.digits)) for p in points)


def rounded(points: Points) -> Points:
    return tuple((step, round(number, 6)) for step, number in points)


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n", [5, 200])
@pytest.mark.parametrize("with_val", [False, True])
def test_a_format_is_read_as_it_is_printed(name: str, n: int, with_val: bool) -> None:
    sample = SAMPLES[name]
    points = curve(n, with_val and sample.has_val, sample.every, sample.first)
    history = read_log(sample.write(points)).history
    assert rounded(history.losses) == losses(sample, points)
    if sample.has_val:
        assert rounded(history.held_out) == tuple((sample.val_step(p), p.val) for p in points if p.val is not None)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_log_that_ends_in_the_middle_of_a_line_has_no_wrong_number(name: str) -> None:
    sample = SAMPLES[name]
    points = curve(40, sample.has_val, sample.every, sample.first)
    text, known = sample.write(points), dict(losses(sample, points))
    for cut in range(len(text) // 2, len(text) // 2 + len(text) // 20, 7):
        history = read_log(text[:cut]).history
        assert dict(rounded(history.losses)).items() <= known.items()
        assert name == "history of Keras" or len(history.losses) >= 16


@pytest.mark.slow
@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"tinygrad"}))  # whose first number may be any
def test_a_log_that_begins_in_the_middle_of_a_line_has_no_wrong_number_or_asks(name: str) -> None:
    sample = SAMPLES[name]
    points = curve(40, False, sample.every, sample.first)
    text, known = sample.write(points), {round(p.loss, sample.digits) for p in points}
    for cut in range(len(text) // 2, len(text) // 2 + len(text) // 20, 7):
        try:
            history = read_log(text[cut:]).history
        except UserError:
            assert name in ASKING
        else:
            assert {round(loss, 6) for _, loss in history.losses} <= known
            assert len(history.losses) >= 16


def test_headings_that_say_nothing_are_asked_about_and_what_the_reader_says_is_read() -> None:
    text = "a,b,c\n1,3.2,7\n2,2.9,8\n3,2.7,9\n"
    with pytest.raises(UserError, match="which of a, b, c is the loss"):
        read_log(text)
    log = read_log(text, roles={"b": "loss", "a": "step"})
    assert log.history.losses == ((1, 3.2), (2, 2.9), (3, 2.7))
    swapped = read_log("step,loss,other\n1,3.2,9\n2,2.9,8\n", roles={"other": "loss", "loss": ""})
    assert swapped.history.losses == ((1, 9), (2, 8))


def test_what_was_taken_for_what_is_told_with_what_is_only_guessed() -> None:
    log = read_log("1 3.2\n2 2.9\n3 2.7\n")
    assert [(one.label, one.role, one.guessed) for one in log.column_roles] == [
        ("column 1", "step", True), ("column 2", "loss", True),
    ]  # fmt: skip
    named = read_log("step,loss,gpu\n1,3.2,70\n2,2.9,71\n")
    assert [(one.label, one.role, one.guessed) for one in named.column_roles] == [
        ("step", "step", False), ("loss", "loss", False), ("gpu", "", False),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["3.2\n2.9\n2.7\n", "7 3.2\n7 2.9\n", "2 5\n3 6\n4 7\n", "1,2,3,4,5\n2,3,4,5,6\n"])
def test_numbers_without_headings_that_may_be_anything_are_asked_about(text: str) -> None:
    with pytest.raises(UserError, match="which of column 1"):
        read_log(text)


def test_lines_that_say_nothing_are_counted_and_shown() -> None:
    log = read_log("Loading the model\nstep 1: loss 3.2\nSaved.\nstep 2: loss 3.1\n")
    assert (log.n_read, log.n_skipped) == (2, 2)
    assert log.skipped == ((1, "Loading the model"), (3, "Saved."))


@pytest.mark.nightly
def test_lines_after_the_most_that_are_read_are_told() -> None:
    log = read_log("".join(f"{i} train 2.5\n" for i in range(MOST_LINES + 7)))
    assert len(log.history.losses) == MOST_LINES
    assert log.n_left_out == 7


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("step 1 loss 3\nstep 2 loss 2\nstep 1 loss 1", (1, 2, 3)),  # another epoch
        ("epoch 1 step 10 loss 3\nepoch 1 step 20 loss 2\nepoch 2 step 10 loss 1", (10, 20, 30)),
        ("step 900 loss 3\nstep 1000 loss 2\nstep 950 loss 1\nstep 1050 loss 1", (900, 950, 1000, 1050)),  # resumed
        ("loss 3\nloss 2\nloss 1", (1, 2, 3)),
        ("epoch 1 loss 3\nepoch 1 loss 2\nepoch 2 loss 1", (1, 2, 3)),
        ("epoch 7 loss 3\nepoch 8 loss 2\nepoch 9 loss 1", (7, 8, 9)),
        ("step 1e3 loss 3\nstep 2k loss 2", (1000, 2000)),
        ("\n".join(f"[rank{r}] step {s} loss {4 - s}" for s in (1, 2, 3) for r in range(8)), (1, 2, 3)),
    ],
)
def test_every_loss_is_at_its_step(text: str, steps: tuple[int, ...]) -> None:
    assert tuple(step for step, _ in read_log(text).history.losses) == steps


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("train/CrossEntropyLoss", "loss"), ("lm loss", "loss"), ("Perte", "loss"), ("trainingLoss", "loss"),
        ("loss/train/total", "loss"), ("mlm_loss", "loss"), ("nll", "loss"), ("cost", "loss"), ("Training", "loss"),
        ("val_loss", "held_out"), ("eval/loss", "held_out"), ("Perte de validation", "held_out"), ("val", "held_out"),
        ("test loss", "held_out"), ("dev_loss", "held_out"), ("held-out loss", "held_out"), ("loss_val", "held_out"),
        ("best_val_loss", ""), ("loss scale", ""), ("aux_loss", ""), ("kl_loss", ""), ("val_acc", ""),
        ("perplexity", ""), ("gnorm", "grad_norm"), ("grad_norm", "grad_norm"), ("total_grad_norm", "grad_norm"),
        ("norm", "grad_norm"), ("weight_norm", ""), ("lr", "learning_rate"), ("learning rate", "learning_rate"),
        ("lr-AdamW", "learning_rate"), ("taux d’apprentissage", "learning_rate"), ("step", "step"), ("iter", "step"),
        ("global_step", "step"), ("num_updates", "step"), ("Étape", "step"), ("Époque", "epoch"), ("max_steps", ""),
        ("Train Epoch", "epoch"), ("step_avg", ""), ("warmup_steps", ""), ("steps per second", ""), ("time/batch", ""),
        ("elapsed time per iteration", ""), ("total tokens", ""), ("batch size", ""), ("num_epochs", ""),
    ],
)  # fmt: skip
def test_a_name_is_told_from_its_words(name: str, role: str) -> None:
    assert name_of(name).role == role


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("loss 2,91\nloss 2,5", "comma"), ("step 1,000 loss 2.31", "dot"), ("1,2\n1,3.5", "dot"), ("loss 2.31", "dot"),
     ("étape 1.000 : perte 2,91", "comma"), ("10:00:00,123 loss 2.31", "dot"), ("perte 0,512", "comma")],
)  # fmt: skip
def test_how_numbers_are_written_is_told_from_the_text(text: str, decimals: str) -> None:
    assert notation_of(text).decimals == decimals


def test_where_only_three_digits_follow_a_comma_counts_have_thousands_and_losses_decimals() -> None:
    assert read_log("step 1,000: loss 2,915\nstep 2,000: loss 2,512").history.losses == ((1000, 2.915), (2000, 2.512))


def test_nan_is_a_number_that_is_none_only_where_something_was_measured() -> None:
    alternating = read_log("step,train,val\n1,3.5,nan\n2,nan,3.6\n3,2.5,nan\n4,nan,2.6\n")
    assert alternating.history.losses == ((1, 3.5), (3, 2.5)) and alternating.n_unmeasured == 4
    broken = read_log("step,train,val\n1,3.5,3.6\n2,nan,nan\n3,nan,nan\n")
    assert [math.isnan(loss) for _, loss in broken.history.losses] == [False, True, True]
    bare = read_log("Loss: tensor(2.5)\nLoss: tensor(nan)\nLoss: -inf\n")
    assert [math.isfinite(loss) for _, loss in bare.history.losses] == [True, False, False]
    counted = read_log("iteration 1 | lm loss: 2.5 | number of nan iterations: 0\niteration 2 | lm loss: 2.4\n")
    assert counted.history.losses == ((1, 2.5), (2, 2.4))


def test_what_old_programs_on_windows_write_for_nan_is_nan() -> None:
    losses = read_log(
        "step 1 loss 2.5\nstep 2 loss 1.#QNAN\nstep 3 loss -1.#IND00\nstep 4 loss 1.#INF\n"
    ).history.losses
    assert [math.isnan(loss) for _, loss in losses] == [False, True, True, False] and losses[3][1] == math.inf


def test_rows_of_json_are_read_as_rows() -> None:
    exported = json.dumps([[1.7e9 + i / 7, 10 * i, 3 - i / 5] for i in range(6)])  # by TensorBoard: time, step, value
    with pytest.raises(UserError, match="which of column 1, column 2, column 3"):
        read_log(exported)
    read = read_log(exported, roles={"column 2": "step", "column 3": "loss"})
    assert read.history.losses == tuple((10 * i, 3 - i / 5) for i in range(6))
    pairs = read_log("[(0, 3.25), (10, 3.0), (20, 2.75)]")
    assert pairs.history.losses == ((0, 3.25), (10, 3.0), (20, 2.75)) and all(one.guessed for one in pairs.column_roles)


def test_rows_that_do_not_fit_the_headings_above_them_are_asked_about() -> None:
    with pytest.raises(UserError, match="which of column 1"):
        read_log("step,loss\n1,3,2\n2,3,0\n3,2,8\n")
    assert read_log("My losses\n1,3.2\n2,3.0\n3,2.8\n").history.losses == ((1, 3.2), (2, 3.0), (3, 2.8))


def test_a_loss_without_a_name_after_a_count_can_be_chosen() -> None:
    log = "".join(f"{10 * i:7d}/    200: {3 - i / 8:.4f}\n" for i in range(5))
    with pytest.raises(UserError, match="#1"):
        read_log(log)
    assert read_log(log, roles={"#1": "loss"}).history.losses == tuple((10 * i, 3 - i / 8) for i in range(5))


def test_a_count_that_begins_anew_without_a_word_is_told() -> None:
    one = "".join(f"step {i}: loss {3 - i / 9:.3f}\n" for i in range(8))
    assert (read_log(one).n_anew, read_log(2 * one).n_anew, read_log(3 * one).n_anew) == (0, 1, 2)
    nameless = "".join(f"[{e}, {i}] loss: {3 - e / 9 - i / 99:.3f}\n" for e in (1, 2, 3) for i in (10, 20, 30))
    assert (read_log(nameless).n_anew, read_log(2 * nameless).n_anew) == (0, 1)
    epochs = "".join(f"Epoch {e} step {i}/4: loss {3 - e / 9 - i / 99:.3f}\n" for e in range(3) for i in range(4))
    assert read_log(epochs).n_anew == read_log(epochs.replace("/4", "")).n_anew == 0


def test_a_name_behind_a_bracket_is_not_that_of_a_number_in_it() -> None:
    read = read_log("[1, 10] loss: 3.1\n[1, 20] loss: 2.9\n[1, 30] loss").history
    assert read.losses == ((10, 3.1), (20, 2.9))


def test_losses_that_share_a_step_are_counted() -> None:
    log = read_log("".join(f"[rank{r}] step {s} loss {4 - s + r / 8}\n" for s in (1, 2, 3) for r in range(8)))
    assert (len(log.history.losses), log.n_same) == (3, 21)
    assert read_log("step 1 loss 3\nstep 2 loss 2\n").n_same == 0


def test_a_bar_that_repeats_its_validation_measures_it_once() -> None:
    log = read_log("\n".join(f"{i}/90 [loss={3 - i / 10:.2f}, val_loss={3 + i // 4:.1f}]" for i in range(1, 13)))
    assert log.history.held_out == ((1, 3.0), (4, 4.0), (8, 5.0), (12, 6.0))


# -- in as many steps as the text is long --------------------------------------------------------------------------

LOGS = ROOT / "lmviz" / "debug" / "logs"


def written_patterns() -> Iterator[str]:
    """Every pattern in the package, as its source has it or as it is put together."""
    for notation in (Notation("dot"), Notation("comma")):
        yield token_pattern(notation).pattern
        yield cell_pattern(notation).pattern
    for path in sorted(LOGS.glob("*.py")):
        for node in nodes_of(path):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and isinstance(node.func.value, ast.Name) and node.func.value.id == "re":  # type: ignore[attr-defined]
                first = node.args[0]  # type: ignore[attr-defined]
                if isinstance(first, ast.Constant):
                    yield first.value


def unbounded(pattern: Any, is_last: bool = True) -> Iterator[str]:
    """Quantifiers without a bound that something follows: they may be tried from every character of a long run."""
    for i, (op, argument) in enumerate(pattern):
        last = is_last and i == len(pattern) - 1
        name = str(op)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            _, most, inner = argument
            if most == re._constants.MAXREPEAT and not last:  # type: ignore[attr-defined]
                yield f"{name} {inner}"
            yield from unbounded(inner, False)
        elif name == "SUBPATTERN":
            yield from unbounded(argument[3], last)
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from unbounded(branch, last)
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield from unbounded(argument[1], False)
        elif name == "ATOMIC_GROUP":
            yield from unbounded(argument, last)


def test_no_pattern_can_be_tried_again_and_again_over_a_long_run() -> None:
    patterns = set(written_patterns())
    assert len(patterns) >= 15
    for written in patterns:
        parsed = re._parser.parse(written)  # type: ignore[attr-defined]
        assert not list(unbounded(parsed)), written
    assert list(unbounded(re._parser.parse(r"epoch\s*x")))  # type: ignore[attr-defined]


RUNS = (
    "a", "1", "1.", "1,", "1,000", "a_", "aA", "a.", "\x1b[", "\x1b[0", "{", "{a", "{}", '{"a":', "[", "(", "a(", ")",
    "%|", "\n", "a b\n", "1 2\n", "a,b\n1,2\n", "a,", "|", "a|", "a\t", "1\t", '"', '"a",', ":", "a:", "a=1 ", "a1 ",
    "step1 ", "loss at step ", "x.py:", "1:", "10:", "1/", "1/2/", "2024-", "-", " - ", "---\n", "val ", "loss ", "é",
    "nan ", "loss nan ", " ", "a  ", "1\u00a0", "tensor(", "np.", "} {", "loss[1]", '{"a":1,"loss":2.5}\n', "=", "[1,",
    "step,loss\n1,2.5\n", "epoch" + " " * 3000 + "x", "iter 10: loss 2.31, time 20ms\n", "losses = [1,",
    "1/2 " * 200 + "\n", "[1, 2000] loss: 2.1\n", "tensor (", "a tensor(", "1.#", "1'000", "[[1,2],", "[(1, 2),",
    "split,loss\ntrain,2\n", "a,b\n1,2,3\n",
)  # fmt: skip


def n_steps(text: str) -> int:
    """The lines of Python that reading a text takes."""
    n = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal n
        n += 1
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        read_log(text)
    except UserError:
        pass
    finally:
        sys.settrace(before)
    return n


@pytest.mark.nightly
@pytest.mark.parametrize("run", RUNS, ids=repr)
def test_reading_takes_a_number_of_steps_that_grows_as_the_text_does(run: str) -> None:
    short, long = (n_steps((run * (n // len(run) + 1))[:n]) for n in (2_000, 4_000))
    assert long <= 2.5 * short + 2_000


def test_a_line_of_more_pieces_than_any_log_has_is_read_to_a_limit() -> None:
    from lmviz.debug.logs.columns import Writer

    writer = Writer(Notation("dot"))
    assert len(read_line(writer, "a=1 " * (2 * MOST_PIECES))) <= MOST_PIECES


@pytest.mark.slow
def test_the_largest_text_of_the_box_is_read() -> None:
    sheet = read_sheet("epoch" + " " * (MOST_CHARACTERS - 6) + "x")
    assert sheet.n_silent == 1
    with pytest.raises(UserError, match="at most"):
        read_sheet("x" * (MOST_CHARACTERS + 1))


# -- columns that could be taken for one another ---------------------------------------------------------------------


def test_a_test_loss_does_not_take_the_place_of_the_validation() -> None:
    log = read_log("".join(f"step {i}: loss {3 - i / 9:.3f}, val loss 2.{i}, test loss 9.{i}\n" for i in range(6)))
    assert [loss for _, loss in log.history.held_out] == [2.0, 2.1, 2.2, 2.3, 2.4, 2.5]
    assert log.history.others == (("test loss", tuple((i, 9 + i / 10) for i in range(6))),)


def test_two_runs_in_one_table_are_not_made_into_one() -> None:
    rows = "".join(f'"{i}","{3 - i / 9:.3f}",""\n"{i}","","9.{i}"\n' for i in range(6)) + '"6","","9.6"\n'
    log = read_log('"Step","one - train/loss","two - train/loss"\n' + rows)
    assert log.history.losses == tuple((i, round(3 - i / 9, 3)) for i in range(6))
    chosen = read_log('"Step","one - train/loss","two - train/loss"\n' + rows, roles={"two - train/loss": "loss"})
    assert [loss for _, loss in chosen.history.losses] == [9.0, 9.1, 9.2, 9.3, 9.4, 9.5, 9.6]


def test_the_mean_of_an_epoch_is_no_loss_of_a_step_but_must_be_a_number() -> None:
    lines = [f"Epoch 0, step {i}/9 (loss: {1 - i / 10:.2f})" for i in range(1, 10)]
    log = read_log("\n".join([*lines, "Epoch 0: train_epoch_loss=nan, epoch time 3.1s", ""]))
    assert [loss for _, loss in log.history.losses] == [round(1 - i / 10, 2) for i in range(1, 10)]
    finding = next(f for f in diagnose(log.history) if f.check == "stays_finite")
    assert (finding.holds, finding.details["name"]) == (False, "train_epoch_loss")


@pytest.mark.parametrize(
    ("text", "alarm", "quiet"),
    [
        (
            "".join(f"{{'loss': {x}, 'grad_norm': nan}}\n" for x in (0.91, 0.0, 0.0, 0.0)),
            "half_precision",
            "gradients_add_up",
        ),
        ("".join(f"step: {i}  loss: {x}\n" for i, x in enumerate((3.2, 3.1, 3.0, 3.5, 3.0, 2.9))), "", "stays_down"),
        (
            "iter 4800: val loss 1.73\n" + "".join(f"iter {4800 + i}: loss 0.2{i}\n" for i in range(1, 7)),
            "generalises",
            "falls",
        ),
    ],
)
def test_a_short_log_has_the_alarm_that_it_should_have_and_no_other(text: str, alarm: str, quiet: str) -> None:
    found = {finding.check for finding in diagnose(read_log(text).history) if finding.holds is False}
    assert found == ({alarm} if alarm else set()) and quiet not in found


@pytest.mark.slow
def test_a_long_log_is_read_in_a_process_of_its_own_to_the_same_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one visitor pastes must not hold up the others."""
    log = "".join(f"step {step} loss {4 - step / 9000:.4f}\n" for step in range(1, 5000))
    assert len(log) > own_process.LONG
    wanted = read_sheet(log)
    monkeypatch.setattr(own_process, "read_sheet", None)  # not here
    assert own_process.read_in_own_process(log) == wanted


def test_what_is_wrong_with_a_long_log_is_told_from_there() -> None:
    with pytest.raises(UserError, match="can have 2000000 characters") as caught:
        own_process.read_in_own_process("{x} " * (MOST_CHARACTERS // 4 + 1))
    assert caught.value.details == {"limit": MOST_CHARACTERS, "found": MOST_CHARACTERS + 4}


def test_reading_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_process, "SECONDS", 0.01)
    with pytest.raises(UserError, match="was stopped after"):
        own_process.read_in_own_process("loss 1\n" * own_process.LONG)
