"""The texts of a model: those it learned from, and those it writes."""

from __future__ import annotations

from lmviz.generate.generation import generate_all
from lmviz.generate.reading import prompt_ids
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.models import Models
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunModel, RunStep
from lmviz.train.recipe import Recipe, read_recipe

MOST_TOKENS = 24


def recipe_of(models: Models, model: Reference) -> Recipe | None:
    """How a model was trained, if that is known. A file of texts that it names lies in the model's folder."""
    if isinstance(model, RunModel | RunStep):
        return models.runs.recipe(model.run)
    folder = models.checkpoint(model).folder
    path = folder / "recipe.toml" if folder is not None else None
    return read_recipe(path) if path is not None and path.is_file() else None


def written(
    checkpoint: Checkpoint, recipe: Recipe | None, prompt: str, n: int, temperature: float, seed: int
) -> tuple[str, ...]:
    """Texts that a model writes on from a prompt, up to what closes a text. The same seed draws the same random
    numbers, whatever the model; at temperature 0 all texts are one."""
    ids = prompt_ids(checkpoint.tokenizer, prompt)
    stop = checkpoint.tokenizer.encode(recipe.data.around).ids[:1] if recipe is not None else ()
    settings = Settings(temperature=temperature, seed=seed, n_sequences=n, max_new_tokens=MOST_TOKENS, stop=tuple(stop))
    texts = [checkpoint.tokenizer.decode(one.ids) for one in generate_all(checkpoint, ids, settings)]
    return tuple(texts[i % len(texts)] for i in range(n))
