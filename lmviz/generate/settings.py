"""How the next token is chosen: every knob in one place, checked, with a word on those that do nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lmviz.errors import UserError

Note = tuple[str, dict[str, object]]  # a sentence with named places, as in a UserError, and what goes into them


def note(sentence: str, /, **details: object) -> Note:
    return sentence, details


STRATEGIES = ("greedy", "sample", "beam")
_EARLY_STOPPING = ("estimate", "first", "never")
LONGEST = 1000  # new tokens in a run
_MOST_SEQUENCES = 100
_MOST_BEAMS = 32


@dataclass(frozen=True)
class Settings:
    """As it stands: draw from the model's own distribution, nothing cut. Filters apply in the order of the fields.

    A UserError says which number is impossible; what is merely pointless is told by `notes`.
    """

    strategy: str = "sample"  # "greedy", "sample", "beam"
    repetition_penalty: float = 1.0  # above 1: tokens that were used before become less likely (Keskar et al. 2019)
    no_repeat_ngram: int = 0  # no run of so many tokens comes twice (Paulus et al. 2018); 0: off
    temperature: float = 1.0  # below 1: the likely becomes likelier (Ackley et al. 1985); 0: greedy
    top_k: int = 0  # only the k likeliest tokens (Fan et al. 2018); 0: all
    top_p: float = 1.0  # only the fewest tokens that make up p together (Holtzman et al. 2020)
    min_p: float = 0.0  # only tokens at least min_p times as likely as the likeliest (Nguyen et al. 2024)
    max_new_tokens: int = 20
    stop: tuple[int, ...] = ()  # ids that end a text, and are its last token
    stop_repeats: int = 0  # a text ends when the same run of a few tokens has come so often in a row; 0: it goes on
    seed: int = 0
    n_sequences: int = 1
    n_beams: int = 4  # for "beam"
    length_penalty: float = 1.0  # for "beam": a finished text scores its log-probability / length ** length_penalty
    early_stopping: str = "estimate"  # for "beam": when to stop looking for better texts than those finished

    def __post_init__(self) -> None:
        _check_choice("strategy", self.strategy, STRATEGIES)
        _check_choice("early_stopping", self.early_stopping, _EARLY_STOPPING)
        _check_range("repetition_penalty", self.repetition_penalty, 0.01, 100)
        if self.temperature != 0:
            _check_range("temperature", self.temperature, 0.001, 1000)
        _check_range("top_p", self.top_p, 0, 1)
        _check_range("min_p", self.min_p, 0, 1)
        _check_range("length_penalty", self.length_penalty, -10, 10)
        _check_whole("top_k", self.top_k, 0, 2**31)
        _check_whole("no_repeat_ngram", self.no_repeat_ngram, 0, LONGEST)
        _check_whole("max_new_tokens", self.max_new_tokens, 1, LONGEST)
        _check_whole("stop_repeats", self.stop_repeats, 0, LONGEST)
        _check_whole("seed", self.seed, 0, 2**32 - 1)
        _check_whole("n_sequences", self.n_sequences, 1, _MOST_SEQUENCES)
        _check_whole("n_beams", self.n_beams, 1, _MOST_BEAMS)

    @property
    def draws(self) -> bool:
        """True where random numbers decide; if not, temperature and the cuts below it change nothing."""
        return self.strategy == "sample" and self.temperature > 0


def notes(settings: Settings, d_vocab: int) -> tuple[Note, ...]:
    """What the settings don't do, or do unexpectedly, on a vocabulary of this size."""
    return (*_unused(settings), *(_extreme(settings, d_vocab) if settings.draws else ()), *_always(settings, d_vocab))


def _unused(settings: Settings) -> Iterator[Note]:
    if settings.strategy == "sample" and not settings.draws:
        yield note("At temperature 0 the likeliest token takes it all: this is greedy, and nothing is drawn.")
    standard = Settings()
    names = [name for name in ("top_k", "top_p", "min_p") if getattr(settings, name) != getattr(standard, name)]
    if settings.strategy != "sample" and settings.temperature != standard.temperature:
        names = ["temperature", *names]
    if names and not settings.draws:
        yield note("Nothing is drawn, so these settings change nothing: {names}.", names=", ".join(names))
    if settings.n_sequences > 1 and settings.strategy != "beam" and not settings.draws:
        yield note("Greedy gives the same text every time: the {n} texts are one.", n=settings.n_sequences)


def _extreme(settings: Settings, d_vocab: int) -> Iterator[Note]:
    if settings.top_k > d_vocab:
        sentence = "A top-k of {top_k} cuts nothing: there are only {d_vocab} tokens."
        yield note(sentence, top_k=settings.top_k, d_vocab=d_vocab)
    if settings.top_k == 1 or settings.top_p == 0 or settings.min_p == 1:
        name = "top-k 1" if settings.top_k == 1 else "top-p 0" if settings.top_p == 0 else "min-p 1"
        yield note("{name} leaves only the likeliest token: this is greedy in all but name.", name=name)


def _always(settings: Settings, d_vocab: int) -> Iterator[Note]:
    if settings.repetition_penalty < 1:
        yield note("A repetition penalty below 1 is a reward: tokens that were used before become likelier.")
    if settings.no_repeat_ngram == 1:
        yield note("With n-grams of one token, no token may come twice, those of the prompt included.")
    if settings.strategy == "beam" and settings.n_beams == 1:
        yield note("A search with one beam is greedy.")
    if settings.strategy == "beam" and settings.n_sequences > settings.n_beams:
        sentence = "{n_beams} beams end in {n_beams} texts at most, and not in {n}."
        yield note(sentence, n_beams=settings.n_beams, n=settings.n_sequences)
    if strays := [id for id in settings.stop if not 0 <= id < d_vocab]:
        yield note("Token {id} is not in the vocabulary, so no text stops there.", id=strays[0])


def _check_choice(name: str, choice: object, choices: tuple[str, ...]) -> None:
    if choice not in choices:
        raise UserError(
            "{name} must be one of {choices}; got {choice!r}.", name=name, choices=", ".join(choices), choice=choice
        )


def _check_range(name: str, number: object, low: float, high: float) -> None:
    good = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
    if not good or not low <= number <= high:  # type: ignore[operator]
        if name == "temperature":
            raise UserError(
                "temperature must be 0, or from {low} to {high}; got {number!r}.", low=low, high=high, number=number
            )
        raise UserError(
            "{name} must be from {low} to {high}; got {number!r}.", name=name, low=low, high=high, number=number
        )


def _check_whole(name: str, number: object, low: int, high: int) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise UserError(
            "{name} must be a whole number from {low} to {high}; got {number!r}.",
            name=name,
            low=low,
            high=high,
            number=number,
        )
