"""One question for each pitfall, answered by the training that is run when the player has chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lmviz.debug.exercises.question import Question, mixed
from lmviz.debug.memory.estimate import estimate
from lmviz.debug.pitfalls.run import Result
from lmviz.model.architecture import Config

MOVES = ("rises", "still", "slow", "falls")  # what a loss can do


@dataclass(frozen=True)
class TrainingQuestion:
    """A question whose answer nobody knows before the training has run."""

    name: str  # of the pitfall; its sentence asks
    options: tuple[str, ...]  # keys of sentences
    read: Callable[[Result], str]  # the option that a finished training proves right

    def question(self, result: Result) -> Question:
        return Question(self.name, self.name, "word", self.options, self.options.index(self.read(result)))


def _move(result: Result) -> str:
    """What the loss did, as the rule on curves has it."""
    finding = next((f for f in result.findings if f.check == "falls"), None)
    why = str(finding.details.get("why", "")) if finding is not None else ""
    return "rises" if result.diverged_at is not None else why or "falls"


def _known(result: Result) -> str:
    return "none" if result.unknown_share > 0.99 else "all" if result.unknown_share == 0 else "some"


def _repeats(result: Result) -> str:
    """What it writes: the token that it was given, again, or names."""
    again = sum(len(set(sample)) == 1 for sample in result.samples)
    return "the_same_token" if again > len(result.samples) / 2 else "names"


def _how_many(result: Result) -> str:
    different = len(set(result.samples))
    return "one_name" if different == 1 else "few_names" if different <= 3 else "many_names"


def _endings(result: Result) -> str:
    """After how many different sentences it says the same word."""
    different = len(set(result.endings))
    return "one_word" if different == 1 else "each_its_word" if different == len(result.endings) else "two_words"


def _counting(result: Result) -> str:
    if result.true_loss > result.baselines.unigram:
        return "worse_than_letters"
    return "between" if result.true_loss > result.baselines.bigram else "better_than_pairs"


def _copies(result: Result) -> str:
    share = result.n_copied / max(1, len(result.samples))
    return "nearly_all" if share > 0.75 else "some" if share > 0.1 else "none"


def _gap(result: Result) -> str:
    if result.held_out_loss is None:
        return "the_same"
    gap = result.held_out_loss - result.true_loss
    return "much_higher" if gap > 0.5 else "the_same" if abs(gap) <= 0.5 else "much_lower"


_COUNTING = ("worse_than_letters", "between", "better_than_pairs")

ASKED: dict[str, TrainingQuestion] = {
    asked.name: asked
    for asked in (
        TrainingQuestion("rate_too_high", MOVES, _move),
        TrainingQuestion("rate_too_low", MOVES, _move),
        TrainingQuestion("all_unknown", ("all", "some", "none"), _known),
        TrainingQuestion("not_shifted", ("names", "the_same_token"), _repeats),
        TrainingQuestion("too_long", ("one_name", "few_names", "many_names"), _how_many),
        TrainingQuestion("as_the_guide_writes_it", ("each_its_word", "two_words", "one_word"), _endings),
        TrainingQuestion("too_little_training", _COUNTING, _counting),
        TrainingQuestion("too_little_data", ("none", "some", "nearly_all"), _copies),
        TrainingQuestion("too_uniform_data", ("much_lower", "the_same", "much_higher"), _gap),
        TrainingQuestion("too_small_a_model", _COUNTING, _counting),
    )
}


def memory_question(config: Config, batch_size: int) -> Question:
    """Twice the batch: how many times the activations? Worked out by the estimate, and so by its formula."""
    once, twice = (estimate(config, "adam", size) for size in (batch_size, 2 * batch_size))
    right = round(twice["block"] / once["block"], 2)
    options, answer = mixed(right, [1.0, 4.0, 1.5], "memory")
    details: dict[str, object] = {"batch": batch_size, "double": 2 * batch_size}
    return Question("out_of_memory", "out_of_memory", "number", options, answer, details=details)
