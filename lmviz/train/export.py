"""A run's model as an ordinary folder, which lmviz and, for GPT-2, Hugging Face's libraries open; or as a zip of it."""

from __future__ import annotations

import io
import re
import shutil
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from lmviz.model.card import Card
from lmviz.model.checkpoint import Checkpoint, save
from lmviz.train.data import Corpus
from lmviz.train.recipe import Recipe, toml_of
from lmviz.train.report import card_text

RECIPE = "recipe.toml"


def export(checkpoint: Checkpoint, step: int, recipe: Recipe, corpus: Corpus, run: Path, folder: Path) -> Path:
    """Write config, weights, tokenizer, a card that says what was measured, and the recipe that makes it again.

    What the recipe's own card tells was measured on another model, so it stays out.
    """
    titled = replace(recipe, card=replace(recipe.card, title=checkpoint.card.title, about="", license=""))
    text = card_text(titled, corpus, checkpoint.model, f"python -m lmviz.train {RECIPE}", step)
    card = Card(titled.card.title, text, titled.card.license, titled.card.languages, titled.card.prompts)
    save(replace(checkpoint, card=card), folder)
    (folder / RECIPE).write_text(toml_of(titled), encoding="utf-8")
    if recipe.model.start:
        shutil.copytree(run / recipe.model.start, folder / recipe.model.start, dirs_exist_ok=True)
    return folder


def zipped(checkpoint: Checkpoint, step: int, recipe: Recipe, corpus: Corpus, run: Path) -> bytes:
    """The same folder as the bytes of a zip file."""
    name = folder_name(checkpoint.card.title, step)
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        folder = export(checkpoint, step, recipe, corpus, run, Path(temporary) / name)
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(temporary))
    return packed.getvalue()


def folder_name(title: str, step: int) -> str:
    """A name that every system takes for a folder.

    >>> folder_name("My /names/ №2", 500)
    'My-names-2-step-500'
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:40]
    return f"{plain or 'run'}-step-{step}"
