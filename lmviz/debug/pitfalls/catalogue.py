"""The pitfalls, in the guide's order, with the cures that it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lmviz.debug.pitfalls.setup import NAMES_MODEL, SENTENCER, Setup, with_rate, with_steps
from lmviz.train.recipe import TrainingRecipe

Family = Literal["no_learning", "poor_predictions"]


@dataclass(frozen=True)
class Pitfall:
    """A training that goes wrong, and what mends it."""

    name: str
    family: Family
    faulty: Setup
    cures: tuple[tuple[str, Setup], ...]  # each by the name of the cure
    findings: tuple[str, ...]  # what the doctor says of the sick training


HEALTHY = with_rate(Setup(), 0.001)  # the guide: "try 0.001"
_SENTENCES = replace(HEALTHY, texts="sentences")
_NAMES = TrainingRecipe(steps=150, learning_rate=0.01, optimizer="adamw", batch_size=64, warm_up=10)
NAMES = Setup(texts="names", n_texts=1500, model=NAMES_MODEL, training=_NAMES)
_SHORT = with_steps(NAMES, 50)
_LONG = TrainingRecipe(steps=400, learning_rate=0.01, optimizer="adamw", batch_size=64, warm_up=10)
_EPOCHS = 5  # of the guide's three sentences, one at a time
_AS_WRITTEN = Setup(
    texts="sentences",
    targets="last",
    model=SENTENCER,
    training=TrainingRecipe(steps=3 * _EPOCHS, learning_rate=0.001, optimizer="adam", batch_size=1),
)
_TINY = replace(NAMES_MODEL, n_layers=1, d_model=4, n_heads=1, d_mlp=4)

PITFALLS: dict[str, Pitfall] = {
    pitfall.name: pitfall
    for pitfall in (
        Pitfall("rate_too_high", "no_learning", with_rate(Setup(), 3.0), (("rate", HEALTHY),), ("falls",)),
        Pitfall("rate_too_low", "no_learning", with_rate(Setup(), 1e-7), (("rate", HEALTHY),), ("falls",)),
        Pitfall(
            "all_unknown",
            "no_learning",
            replace(_SENTENCES, vocabulary="other"),
            (("data", _SENTENCES),),
            ("known_tokens",),
        ),
        Pitfall(
            "not_shifted",
            "no_learning",
            replace(Setup(), shifted=False),
            (("data", Setup()),),
            ("targets_shifted",),
        ),
        Pitfall(
            "too_long",
            "no_learning",
            replace(Setup(), joined=True),
            (("shorter", Setup()),),
            ("length_in_context",),
        ),
        Pitfall(
            "as_the_guide_writes_it",
            "no_learning",
            _AS_WRITTEN,
            (("more_epochs", with_steps(_AS_WRITTEN, 3 * 20 * _EPOCHS)),),
            ("beats_counting",),
        ),
        Pitfall(
            "too_little_training",
            "poor_predictions",
            with_steps(NAMES, 20),
            (("longer", NAMES),),
            ("beats_counting",),
        ),
        Pitfall(
            "too_little_data",
            "poor_predictions",
            replace(NAMES, n_texts=12),
            (("more_data", NAMES),),
            ("generalises",),
        ),
        Pitfall(
            "too_uniform_data",
            "poor_predictions",
            replace(_SHORT, only="a", n_texts=300),
            (("other_data", replace(_SHORT, n_texts=300)),),
            ("generalises",),
        ),
        Pitfall(
            "too_small_a_model",
            "poor_predictions",
            replace(NAMES, model=_TINY, training=_LONG),
            (("larger_model", replace(NAMES, training=_LONG)),),
            ("beats_counting",),
        ),
    )
}
