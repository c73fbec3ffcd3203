"""What the first page asks a visitor: read from a file beside the sample, so that nobody waits for torch to see it.

The file holds what the model says; `python -m tools.greetings` writes it anew, and a test compares the two.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmviz.bundle import SAMPLES
from lmviz.model.files import read_text

SAMPLE = "sentences"  # the model of the first page
FILE = "greetings.json"
BEGINNINGS = {"en": "The cat sits on the", "fr": "Le chat dort sur le"}  # the question, in each language
EXAMPLES = {"en": "It rains, so the dog", "fr": "Il pleut, donc le chien"}  # of a beginning of one's own


@dataclass(frozen=True)
class Choice:
    """One token that may come next."""

    piece: str
    share: float  # its probability
    text: str  # the whole text with it


@dataclass(frozen=True)
class NextWords:
    """What a model says may come after a text."""

    text: str
    choices: tuple[Choice, ...]  # the likeliest ones, the likeliest first
    n_others: int  # tokens of the vocabulary that are not among them
    n_pos: int  # tokens of the text
    n_parameters: int
    strange: tuple[str, ...] = ()  # words of the text that the model has no token for
    is_full: bool = False  # the context has no room for more

    @property
    def others(self) -> float:
        """The probability of all other tokens together."""
        return max(0.0, 1.0 - sum(choice.share for choice in self.choices))


def greeting(language: str, samples: Path = SAMPLES) -> NextWords:
    """The question in a language, or else in English."""
    found: dict[str, Any] = json.loads(read_text(samples / SAMPLE / FILE))
    one = found.get(language, found["en"])
    choices = tuple(Choice(**choice) for choice in one["choices"])
    return NextWords(**{**one, "choices": choices, "strange": tuple(one["strange"])})
