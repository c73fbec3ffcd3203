"""One foreign tokenizer at work: a program of its own, so that a hostile one can be stopped and ends nobody's work.

Reads requests and writes answers, one after the other, each as its length in 8 bytes and then JSON. The first request
brings the tokenizer.json and the limits. Imports nothing but the library and Python's own, so that it starts quickly.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

import tokenizers

_SPACES = [letter for letter in map(chr, range(0x3001)) if letter.isspace()]
_BIG = ("vocab", "merges")  # parts of a model that are not repeated among its settings

Answer = dict[str, Any]


def harmless(backend: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The same tokenizer, by which no text is cut short unseen, padded, or cut at random."""
    backend.no_truncation()
    backend.no_padding()
    if getattr(backend.model, "dropout", None):
        backend.model.dropout = None
    return backend


def parts_of(backend: tokenizers.Tokenizer) -> dict[str, Any]:
    """What a tokenizer is made of, as its file says it, without the tokens themselves."""
    content = json.loads(backend.to_str())
    model = content.get("model") or {}
    named = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
    return {
        **{name: content.get(name) for name in named},
        "model": {name: value for name, value in model.items() if name not in _BIG},
        "added_tokens": content.get("added_tokens") or [],
        "spaces_taken": _spaces_taken(backend),
    }


def _spaces_taken(backend: tokenizers.Tokenizer) -> list[str]:
    """The spaces that part two words and that no token stands for: tried out on each."""
    if backend.pre_tokenizer is None:
        return []
    return [space for space in _SPACES if _is_taken(backend, f"a{space}b")]


def _is_taken(backend: tokenizers.Tokenizer, text: str) -> bool:
    try:
        normalized = text if backend.normalizer is None else backend.normalizer.normalize_str(text)
        cut = backend.pre_tokenizer.pre_tokenize_str(normalized)
    except BaseException as error:
        if not is_from_library(error):
            raise
        return False  # the text that it is used for will be refused with the library's reason
    covered = {at for _, (start, end) in cut for at in range(start, end)}
    lost = [letter for at, letter in enumerate(normalized) if at not in covered]
    return bool(lost) and all(letter.isspace() for letter in lost)


def is_from_library(error: BaseException) -> bool:
    """The library raises plain exceptions, and, where its Rust code panics, one that is not an Exception."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _answer(backend: tokenizers.Tokenizer, request: Mapping[str, Any]) -> Answer:
    match request["do"]:
        case "describe":
            return {"vocabulary": backend.get_vocab(with_added_tokens=True), "parts": parts_of(backend)}
        case "encode":
            encoding = backend.encode(request["text"])
            if len(encoding.ids) > request["most"]:
                return {"wrong": "long"}
            return {"ids": encoding.ids, "offsets": encoding.offsets}
        case "decode":
            return {"text": backend.decode(request["ids"], skip_special_tokens=False)}
        case _:
            return {"text": backend.to_str(pretty=True)}


def _limit_memory(n_bytes: int) -> None:
    """Where the system can. Elsewhere the parent's clock has to do."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_AS, n_bytes), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # macOS takes no limit of memory; or there is a lower one already
            resource.setrlimit(kind, (most, most))


def _limit_time(seconds: float) -> None:
    """From now on: a parent that is gone watches no clock."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):  # there is a lower one already
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def receive(stream: IO[bytes], most: int) -> Answer | None:
    """What was sent; None if the other end is gone, or sends more than it may."""
    length = int.from_bytes(stream.read(8), "big")
    content = stream.read(length) if 0 < length <= most else b""
    if not content or len(content) < length:
        return None
    found: Answer = json.loads(content)
    return found


def send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    content = json.dumps(message).encode()
    stream.write(len(content).to_bytes(8, "big") + content)
    stream.flush()


def _work() -> None:
    backend: tokenizers.Tokenizer | None = None
    while (request := receive(sys.stdin.buffer, 2**40)) is not None:
        _limit_time(request["seconds"])
        try:
            if backend is None:
                _limit_memory(request["bytes"])
                backend = harmless(tokenizers.Tokenizer.from_str(request["file"]))
                answer: Answer = {}
            else:
                answer = _answer(backend, request)
        except MemoryError:
            return
        except BaseException as error:
            if not is_from_library(error):
                raise
            answer = {"wrong": "refused", "reason": (str(error) or type(error).__name__)[:500]}
        send(sys.stdout.buffer, answer)


if __name__ == "__main__":
    _work()
