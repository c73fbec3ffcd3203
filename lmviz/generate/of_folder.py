"""How a model is to write, as its folder says: the settings of generation_config.json, and what ends a text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmviz.errors import UserError
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.model.files import MEGABYTE, MissingFile, read_json_object

_GENERATION_CONFIG = "generation_config.json"
NAMES = {  # there -> here
    "repetition_penalty": "repetition_penalty",
    "no_repeat_ngram_size": "no_repeat_ngram",
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
}


def settings_of(checkpoint: Checkpoint) -> Settings:
    """How generation_config.json says to choose: greedy, and nothing changed, where it says nothing.

    Raises:
        UserError: it says something impossible.
    """
    said = _read(checkpoint.folder, _GENERATION_CONFIG)
    draws = said.get("do_sample")
    if draws is not None and not isinstance(draws, bool):
        raise UserError(
            "{name} in {file} must be true or false; got {it!r}.", name="do_sample", file=_GENERATION_CONFIG, it=draws
        )
    settings = Settings("sample" if draws else "greedy")
    for there, here in NAMES.items():
        if said.get(there) is not None:
            with _settings_named_as_in_the_file(there):
                settings = replace(settings, **{here: said[there]})
    return settings


@contextlib.contextmanager
def _settings_named_as_in_the_file(name: str) -> Iterator[None]:
    """A setting that is impossible is named as the file names it."""
    try:
        yield
    except UserError as error:
        low, high = error.details.get("low"), error.details.get("high")
        raise UserError(
            "{name} in {file} must be a number from {low} to {high}; got {it!r}.",
            name=name,
            file=_GENERATION_CONFIG,
            low=low,
            high=high,
            it=error.details.get("number"),
        ) from None


def end_ids(checkpoint: Checkpoint) -> tuple[int, ...]:
    """The tokens that end a text, as the folder's files name them, the first first; empty if they name none."""
    folder = checkpoint.folder
    found: list[int] = []
    for file in (_GENERATION_CONFIG, "config.json"):
        said = _read(folder, file)
        inner = said.get("text_config")
        for one in (said, inner if isinstance(inner, dict) else {}):
            found += _ids(one.get("eos_token_id"), file)
    for file in ("tokenizer_config.json", "special_tokens_map.json"):
        token = _read(folder, file).get("eos_token")
        text = token.get("content") if isinstance(token, dict) else token
        id = checkpoint.tokenizer.id(text) if isinstance(text, str) else None
        found += [] if id is None else [id]
    return tuple(id for id in dict.fromkeys(found) if id < checkpoint.config.d_vocab)


def _ids(found: object, file: str) -> list[int]:
    ids: list[Any] = found if isinstance(found, list) else [] if found is None else [found]
    if not all(type(id) is int and id >= 0 for id in ids):
        raise UserError(
            "{name} in {file} must be one token id, or a list of them; got {it!r}.",
            name="eos_token_id",
            file=file,
            it=found,
        )
    return ids


def _read(folder: Path | None, file: str) -> Mapping[str, Any]:
    if folder is not None:
        with contextlib.suppress(MissingFile):
            return read_json_object(folder / file, 16 * MEGABYTE)
    return {}
