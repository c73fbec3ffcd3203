"""The tokenizer in a folder: `tokenizer.json`, or an older layout of byte-level BPE, `vocab.json` with `merges.txt`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE, MissingFile, read_json_object, read_text
from lmviz.model.tokenizer import LARGEST_FILE, Tokenizer

_SPECIALS = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
GPT2 = ("GPT2Tokenizer", "")  # also of GPT-Neo and OPT; a folder without a name is of this kind
_QWEN2 = "Qwen2Tokenizer"
_QWEN2_PIECES = (  # how its paper's code cuts a text before the merges (Bai et al. 2023)
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer_in(folder: Path) -> Tokenizer:
    """The tokenizer of a model's folder.

    Raises:
        UserError: there is none, or none that can be read.
    """
    try:
        return Tokenizer.from_file(folder / "tokenizer.json")
    except MissingFile:
        if not (folder / "vocab.json").exists() or not (folder / "merges.txt").exists():
            raise
    return Tokenizer.parse(json.dumps(_older(folder)), "vocab.json")


def _older(folder: Path) -> dict[str, Any]:
    """What a tokenizer.json of the same would hold."""
    vocabulary = read_json_object(folder / "vocab.json", LARGEST_FILE)
    merges = read_text(folder / "merges.txt", LARGEST_FILE).split("\n")
    settings = _read(folder / "tokenizer_config.json")
    kind = str(settings.get("tokenizer_class") or "").removesuffix("Fast")
    if kind not in (*GPT2, _QWEN2):
        raise UserError(
            "tokenizer_class in tokenizer_config.json is {kind}: without a tokenizer.json, {known} can be read. "
            "Save the tokenizer again with transformers, which writes one.",
            kind=kind,
            known=", ".join(filter(None, (*GPT2, _QWEN2))),
        )
    added = list(_added(folder, vocabulary, settings))
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"} if kind == _QWEN2 else None,
        "pre_tokenizer": _pre_tokenizer(kind, bool(settings.get("add_prefix_space"))),
        "post_processor": _beginning(added, settings) if settings.get("add_bos_token") else None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": [line for line in merges if line.strip() and not line.startswith("#version")],
        },
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path, 16 * MEGABYTE)
    except MissingFile:
        return {}


def _pre_tokenizer(kind: str, prefix_space: bool) -> dict[str, Any]:
    levels = {"type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": True, "use_regex": kind != _QWEN2}
    if kind != _QWEN2:
        return levels
    cut = {"type": "Split", "pattern": {"Regex": _QWEN2_PIECES}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [cut, levels]}


def _added(folder: Path, vocabulary: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The tokens that are taken whole, in the order of their ids."""
    named = {**settings, **_read(folder / "special_tokens_map.json")}
    specials = {_content(named.get(role)) for role in _SPECIALS} | {
        _content(one) for one in _listed(named.get("additional_special_tokens"))
    }
    known = {token: id for token, id in vocabulary.items() if token in specials}
    known |= _read(folder / "added_tokens.json")
    flags: dict[str, Mapping[str, Any]] = {}
    described = settings.get("added_tokens_decoder")
    for id, one in (described if isinstance(described, dict) else {}).items():
        if isinstance(one, dict) and str(id).isdecimal():
            known[_content(one)] = int(id)
            flags[_content(one)] = one
    for token, id in sorted(known.items(), key=lambda pair: str(pair[1]).zfill(12)):
        one = flags.get(token, {})
        yield {
            "id": id,
            "content": token,
            "special": bool(one.get("special", token in specials)),
            "normalized": bool(one.get("normalized", False)),
            **{flag: bool(one.get(flag)) for flag in ("single_word", "lstrip", "rstrip")},
        }


def _beginning(added: list[dict[str, Any]], settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Every text begins with the token that begins one."""
    token = _content(settings.get("bos_token"))
    ids = [one["id"] for one in added if one["content"] == token]
    if not ids:
        return None
    first, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [first, text],
        "pair": [first, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": ids, "tokens": [token]}},
    }


def _content(token: object) -> str:
    """Of a token as text, or as a table with its `content`."""
    found = token.get("content") if isinstance(token, Mapping) else token
    return found if isinstance(found, str) else ""


def _listed(found: object) -> list[object]:
    return found if isinstance(found, list) else []
