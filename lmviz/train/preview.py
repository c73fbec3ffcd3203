"""What a training will be shown, seen before it starts: how texts are cut, and what is lost in cutting them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lmviz.model.tokenizer import Tokenizer, Tokens
from lmviz.train.data import IGNORED, Windows

KEPT, UNKNOWN, DROPPED = "kept", "unknown", "dropped"


@dataclass(frozen=True)
class Aligned:
    """One window as two rows of pieces, one under the other: at every position, the target is what should follow."""

    inputs: tuple[str, ...]
    targets: tuple[str | None, ...]  # None where nothing is to be learned


@dataclass(frozen=True)
class RoundTrip:
    """A text, encoded and decoded again."""

    tokens: Tokens
    decoded: str
    parts: tuple[tuple[str, str], ...]  # the text in parts, each with what became of it: kept, unknown, dropped

    @property
    def is_exact(self) -> bool:
        return self.decoded == self.tokens.text


def aligned(windows: Windows, tokenizer: Tokenizer, first: int = 0, n_windows: int = 3) -> tuple[Aligned, ...]:
    """Some windows, in order. Padding past the end of a text is left out."""
    shown = windows[slice(first, first + n_windows)]
    rows = zip(shown.inputs.tolist(), shown.targets.tolist(), strict=True)
    return tuple(_aligned(inputs, targets, tokenizer) for inputs, targets in rows)


def check_data(tokenizer: Tokenizer, text: str) -> RoundTrip:
    """The guide's check: text, tokens, and the text that they give back. A decoder may write spaces in another way."""
    tokens = tokenizer.encode(text)
    return RoundTrip(tokens, tokenizer.decode(tokens.ids), tuple(_parts(tokens)))


def _aligned(inputs: list[int], targets: list[int], tokenizer: Tokenizer) -> Aligned:
    counted = [pos for pos, target in enumerate(targets) if target != IGNORED]
    n_pos = counted[-1] + 1 if counted else len(inputs)
    return Aligned(
        tuple(tokenizer.piece(id) for id in inputs[:n_pos]),
        tuple(None if id == IGNORED else tokenizer.piece(id) for id in targets[:n_pos]),
    )


def _parts(tokens: Tokens) -> Iterator[tuple[str, str]]:
    """Neighbours of one fate are one part. Spaces between words count as kept: that is where the text was cut."""
    fates = [KEPT] * len(tokens.text)
    for (start, end), is_unknown in zip(tokens.offsets, tokens.unknown, strict=True):
        fates[start:end] = [UNKNOWN if is_unknown else KEPT] * (end - start)
    for start, lost in tokens.dropped:
        fates[start : start + len(lost)] = [DROPPED] * len(lost)
    start = 0
    for i in range(1, len(fates) + 1):
        if i == len(fates) or fates[i] != fates[start]:
            yield tokens.text[start:i], fates[start]
            start = i
