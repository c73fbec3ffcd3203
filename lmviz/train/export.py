"""A run's model as an ordinary folder, which lmviz and, for GPT-2, Hugging Face's libraries open; or as a zip of it."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from lmviz.model.card import Card
from lmviz.model.checkpoint import Checkpoint, contents
from lmviz.model.files import UNFINISHED, read_bytes, write_whole
from lmviz.train.data import Corpus
from lmviz.train.recipe import Recipe, toml_of
from lmviz.train.report import card_text
from lmviz.train.store.files import LARGEST, SECONDS

RECIPE = "recipe.toml"

Files = Mapping[str, bytes]  # what each holds, by its path below the folder


def exported(checkpoint: Checkpoint, step: int, recipe: Recipe, corpus: Corpus, run: Path) -> Files:
    """Config, weights, tokenizer, a card that says what was measured, and the recipe that makes it again.

    What the recipe's own card tells was measured on another model, so it stays out.
    """
    titled = replace(recipe, card=replace(recipe.card, title=checkpoint.card.title, about="", license="", begins=""))
    text = card_text(titled, corpus, checkpoint.model, f"python -m lmviz.train {RECIPE}", step)
    card = Card(titled.card.title, text, titled.card.license, titled.card.languages, titled.card.prompts)
    files = {**contents(replace(checkpoint, card=card)), RECIPE: toml_of(titled).encode("utf-8", "replace")}
    if start := recipe.model.start:
        paths = sorted(path for path in (run / start).iterdir() if path.is_file())
        files |= {f"{start}/{path.name}": read_bytes(path, LARGEST, SECONDS) for path in paths}
    return files


def write_folder(files: Files, folder: Path) -> Path:
    """A folder that is new is there whole or not at all; in one that exists, every single file is."""
    place = folder if folder.is_dir() else folder.with_name(f".{uuid4().hex}{UNFINISHED}")
    try:
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(place / name, content)
        if place != folder:
            place.rename(folder)
    except BaseException:
        if place != folder:
            shutil.rmtree(place, ignore_errors=True)
        raise
    return folder


def zipped(files: Files, name: str) -> bytes:
    """The same folder, by the name that it gets, as the bytes of a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(f"{name}/{path}", content)
    return packed.getvalue()


def folder_name(title: str, step: int) -> str:
    """A name that every system takes for a folder.

    >>> folder_name("My /names/ №2", 500)
    'My-names-2-step-500'
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-")[:40]
    return f"{plain or 'run'}-step-{step}"
