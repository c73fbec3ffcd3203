"""Tokenizers that somebody else wrote: each works in a process of its own, which has so much memory and time.

A small file can ask for any amount of both (a normalizer that doubles the text, twelve times), and the library then
ends the process that it works in. The process stays warm, so that a text costs what it does here and a fraction of a
millisecond; the last few that were used are kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmviz.errors import UserError
from lmviz.model.child_process import end, stopped_after
from lmviz.model.files import MEGABYTE
from lmviz.model.tokenizer_process import receive, send

_PROGRAM = Path(__file__).with_name("tokenizer_process.py")
MOST_PROCESSES = 8
OPENING = 30.0  # seconds that a tokenizer may take to open,
SECONDS = 5.0  # and for a text,
_CHARACTERS = 50_000  # of which so many give it another second
MEMORY = 512 * MEGABYTE
_PER_BYTE = 24  # bytes of memory more for each of its file: the largest in use take about half of that
MOST_IDS = 10_000  # of one text,
_IDS_PER_CHARACTER = 64  # and so many more for each character: no letter becomes more bytes than that
_LARGEST_ANSWER = 256 * MEGABYTE
LARGEST_OWN = 4 * MEGABYTE  # of a tokenizer that may be one of ours

_OWN_NORMALIZER = re.compile(r"\[\^(\\x\{[0-9a-f]{1,6}\})*\]")  # all but some letters
OWN_PRE_TOKENIZERS: tuple[Mapping[str, Any], ...] = (
    {"type": "Split", "pattern": {"Regex": r"[\s\S]"}, "behavior": "Isolated", "invert": False},
    {"type": "WhitespaceSplit"},
    {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
)
_OWN_DECODERS = (None, {"type": "Fuse"}, {**OWN_PRE_TOKENIZERS[2], "add_prefix_space": True})
_OWN_SETTINGS = {"type", "unk_token", "vocab", "merges"}  # of a model; any other must be off


@dataclass(frozen=True)
class Encoded:
    """A text as a foreign tokenizer cut it."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]


def is_own_kind(text: str) -> bool:
    """Whether a tokenizer.json is made of nothing but what ours are made of, none of which makes a text longer.

    Such a one is opened here, whoever wrote it.
    """
    if len(text) > LARGEST_OWN:
        return False
    try:
        content = json.loads(text)
        model, normalizer = content["model"], content["normalizer"]
        added = [(one["content"], one["lstrip"], one["rstrip"], one["normalized"]) for one in content["added_tokens"]]
        return (
            (normalizer is None or _is_own_normalizer(normalizer))
            and content["pre_tokenizer"] in OWN_PRE_TOKENIZERS
            and content["decoder"] in _OWN_DECODERS
            and content["post_processor"] is None
            and model["type"] in ("WordLevel", "BPE")
            and not any(value for name, value in model.items() if name not in _OWN_SETTINGS)
            and all(name and not any(flags) for name, *flags in added)
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return False


def _is_own_normalizer(found: Mapping[str, Any]) -> bool:
    pattern = found["pattern"].get("Regex", "")
    return (found["type"], found["content"]) == ("Replace", "") and _OWN_NORMALIZER.fullmatch(pattern) is not None


class ForeignTokenizer:
    """What `tokenizers.Tokenizer` is to a text, from a process of its own. Safe to use from several threads."""

    def __init__(self, text: str) -> None:
        """
        Args:
            text: of a tokenizer.json.

        Raises:
            Refused: the library does not take it.
            UserError: it takes more memory or time to open than it may.
        """
        self._file = text
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        described = self._ask({"do": "describe"}, OPENING)
        self.vocabulary: dict[str, int] = described["vocabulary"]
        self.parts: dict[str, Any] = described["parts"]
        self._tokens = {id: token for token, id in self.vocabulary.items()}

    def encode(self, text: str) -> Encoded:
        most = MOST_IDS + _IDS_PER_CHARACTER * len(text)
        answer = self._ask({"do": "encode", "text": text, "most": most}, SECONDS + len(text) / _CHARACTERS)
        return Encoded(answer["ids"], [(start, end) for start, end in answer["offsets"]])

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        assert not skip_special_tokens
        return str(self._ask({"do": "decode", "ids": list(ids)}, SECONDS + len(ids) / _CHARACTERS)["text"])

    def id_to_token(self, id: int) -> str | None:
        return self._tokens.get(id)

    def to_str(self, pretty: bool = True) -> str:
        return str(self._ask({"do": "write"}, OPENING)["text"])

    def close(self) -> None:
        """End its process; the next text starts another."""
        with self._lock:
            self._end()

    def _ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            _used(self)
            return self._exchange({**request, "seconds": seconds}, seconds)

    def _exchange(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        try:
            with stopped_after(process, seconds) as is_late:
                send(process.stdin, request)
                answer = receive(process.stdout, _LARGEST_ANSWER)
        except (OSError, ValueError):  # it went while it was asked
            answer = None
        if answer is None:
            self._end()
            raise _too_slow(seconds) if is_late() else _too_large()
        if "wrong" in answer:
            raise _too_large() if answer["wrong"] == "long" else Refused(answer["reason"])
        return answer

    def _start(self) -> None:
        self._end()
        _free_space()
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1"},
        )
        self._ending = weakref.finalize(self, end, self._process)
        n_bytes = MEMORY + _PER_BYTE * len(self._file)
        self._exchange({"file": self._file, "bytes": n_bytes, "seconds": OPENING}, OPENING)

    def _end(self) -> None:
        if self._process is not None:
            self._ending()
            self._process = None


class Refused(Exception):
    """What the library says to a file, or to a text, that it does not take."""


_alive: OrderedDict[int, weakref.ref[ForeignTokenizer]] = OrderedDict()  # the one that was used last comes last
_alive_lock = threading.Lock()


def _used(tokenizer: ForeignTokenizer) -> None:
    with _alive_lock:
        _alive[id(tokenizer)] = weakref.ref(tokenizer)
        _alive.move_to_end(id(tokenizer))


def _free_space() -> None:
    """End the process that has been idle for longest, if there are as many as there may be."""
    with _alive_lock:
        for key, found in list(_alive.items()):
            tokenizer = found()
            if tokenizer is None or tokenizer._process is None:
                del _alive[key]
        for key, found in list(_alive.items()):
            tokenizer = found()
            if len(_alive) < MOST_PROCESSES:
                return
            if tokenizer is not None and tokenizer._lock.acquire(blocking=False):  # it is not at work
                tokenizer._end()
                tokenizer._lock.release()
                del _alive[key]
        if len(_alive) >= MOST_PROCESSES:
            raise UserError("Too many tokenizers are at work at the moment: try again in a few seconds.")


def _too_slow(seconds: float) -> UserError:
    return UserError(
        "This tokenizer was stopped after {seconds} seconds: it takes too long for one text.", seconds=round(seconds)
    )


def _too_large() -> UserError:
    return UserError("This tokenizer was stopped: it makes more of a text than there is memory for.")
