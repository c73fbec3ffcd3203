"""How many numbers a model is made of, part by part; and how many the well-known ones are."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.model.architecture import Config, Part
from lmviz.model.architectures import architecture_of


@dataclass(frozen=True)
class KnownModel:
    """A model that people have heard of, and where its size was published."""

    name: str
    year: int
    n_parameters: int
    source: str
    is_estimate: bool = False  # by others: who made it has never said


KNOWN_MODELS = (
    KnownModel("GPT-2 small", 2019, 124_439_808, "openai-community/gpt2, counted from its weights"),
    KnownModel("GPT-2 XL", 2019, 1_557_611_200, "openai-community/gpt2-xl, counted from its weights"),
    KnownModel("BERT base", 2018, 110_000_000, "Devlin et al. 2018, section 3"),
    KnownModel("GPT-3", 2020, 175_000_000_000, "Brown et al. 2020, table 2.1"),
    KnownModel("Llama 2 7B", 2023, 6_738_415_616, "meta-llama/Llama-2-7b-hf, counted from its weights"),
    KnownModel("Llama 3.1 405B", 2024, 405_000_000_000, "Grattafiori et al. 2024, table 3"),
    KnownModel("GPT-4 (ChatGPT)", 2023, 1_800_000_000_000, "as the lesson estimates it; OpenAI has never said", True),
)
COMPARED = (KNOWN_MODELS[0], KNOWN_MODELS[-1])  # that a new model is compared with at once


def parts(config: Config) -> tuple[Part, ...]:
    """All weights of a model, each in one part, as the lesson counts them. A tied unembedding is no part of its own."""
    return architecture_of(config).parts(config)


def n_parameters(config: Config) -> int:
    return sum(part.count for part in parts(config))
