"""What the lesson and the guide do with a model, as they do it: invent names, complete, answer, inspect.

The three functions are the guide's own examples, for who writes Python; tests hold the page's presets against them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lmviz.generate.generation import generate
from lmviz.generate.reading import next_logits, prompt_ids
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint

NAME_EDGE = "."  # opens and closes a name
_LESSON_TEMPERATURES = (0.1, 0.8, 2.0)  # sober, as the lesson starts, mad


@dataclass(frozen=True)
class Preset:
    """A model, a prompt and settings that show one thing well."""

    name: str
    model: str  # a folder of sample_models
    prompt: str
    settings: Settings
    stop: str = ""  # the token that ends a text; its id depends on the model: see `settings_for`


PRESETS = (
    *(
        Preset(
            f"names_{temperature:g}",
            "pokemon",
            NAME_EDGE,
            Settings(temperature=temperature, n_sequences=10, max_new_tokens=15),
            stop=NAME_EDGE,
        )
        for temperature in _LESSON_TEMPERATURES
    ),
    Preset("complete_sentence", "simple-llm", "The cat sits on the", Settings("greedy", max_new_tokens=1)),
    Preset("ask_question", "simple-llm", "What color is the sky?", Settings("greedy", max_new_tokens=1)),
    Preset("inspect_prediction", "simple-llm", "The cat sits on the", Settings("greedy", max_new_tokens=1)),
)


@dataclass(frozen=True)
class Prediction:
    """One token that may come next."""

    id: int
    piece: str
    prob: float


def settings_for(preset: Preset, checkpoint: Checkpoint) -> Settings:
    """The preset's settings, stopping at the token of this checkpoint that the preset names."""
    stop = checkpoint.tokenizer.id(preset.stop) if preset.stop else None
    return preset.settings if stop is None else replace(preset.settings, stop=(stop,))


def complete_sentence(checkpoint: Checkpoint, text: str) -> str:
    """The guide's example: the text with the likeliest next token after it."""
    prompt = prompt_ids(checkpoint.tokenizer, text)
    return checkpoint.tokenizer.decode(generate(checkpoint, prompt, Settings("greedy", max_new_tokens=1)).ids)


def ask_question(checkpoint: Checkpoint, question: str) -> str:
    """The guide's example: the likeliest token after the question, alone."""
    prompt = prompt_ids(checkpoint.tokenizer, question)
    return checkpoint.tokenizer.decode(generate(checkpoint, prompt, Settings("greedy", max_new_tokens=1)).new_ids)


def inspect_prediction(checkpoint: Checkpoint, text: str, k: int = 5) -> tuple[Prediction, ...]:
    """The guide's debugging tip: the k likeliest next tokens with their probabilities, the likeliest first."""
    probs = next_logits(checkpoint, [prompt_ids(checkpoint.tokenizer, text)])[0].softmax(-1)
    best = probs.topk(min(k, len(probs)))
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return tuple(Prediction(id, checkpoint.tokenizer.piece(id), prob) for id, prob in pairs)
