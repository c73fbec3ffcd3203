"""What a visitor of the embeddings is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lmviz.registry.reference import Reference
from lmviz.ui.parts import model_part
from lmviz.ui.place import Place, choice, part, real, whole
from lmviz.ui.place import cell as cell_of

SECTIONS = ("look_up", "ten_words", "sum", "near", "answers", "word2vec", "fasttext")
METRICS = ("cosine", "euclidean")
KINDS = ("skip-gram", "cbow")
LONGEST_GRAM = 8
TEXT_LIMIT = 4000  # characters of a text in the address bar
MOST_ANSWERS = 8
TEMPERATURES = (0.0, 3.0)  # from, to


def _text(written: str) -> str:
    return written[:TEXT_LIMIT]


def _texts(written: str) -> tuple[str, ...]:
    found: Any = json.loads(written)
    return tuple(_text(str(one)) for one in found[:MOST_ANSWERS])


def _grams(written: str) -> tuple[int, int]:
    shortest, longest = json.loads(written)
    if not 1 <= shortest <= longest <= LONGEST_GRAM or int(shortest) != shortest or int(longest) != longest:
        raise ValueError(written)
    return int(shortest), int(longest)


@dataclass(frozen=True)
class EmbeddingsView(Place):
    """One visitor's place among the embeddings."""

    section: str = part("look_up", choice(*SECTIONS))
    model: Reference = model_part("pokemon")
    prompt: str | None = part(None, _text)  # None: the model's own first prompt
    opening: str | None = part(None, _text)  # what the model's answers begin with; None: what leaves most open
    token: int = part(-1, whole(-1, 100_000))  # the position that is followed; negative: from the end
    cell: tuple[str, tuple[int, ...]] | None = part(None, lambda written: cell_of(json.loads(written)))
    words: str = part("", _text)  # the text from which random vectors learn; empty: the one that comes with lmviz
    seed: int = part(0, whole(0, 9999))
    step: int = part(-1, whole(-1, 10_000))  # of a training; negative: the last
    second: int = part(0, whole(0, 100_000))  # where the second segment begins; 0: there are no segments
    id: int = part(1, whole(0, 10_000_000))  # the token whose neighbours are shown
    other: int | None = part(None, whole(0, 10_000_000))  # the neighbour whose distance is worked out
    metric: str = part("cosine", choice(*METRICS))
    answers: tuple[str, ...] = part((), _texts)  # those of one's own; empty: the model's
    n_answers: int = part(4, whole(2, MOST_ANSWERS))
    temperature: float = part(1.0, real(*TEMPERATURES))
    story: str = part(
        "", _text
    )  # the text from which word2vec and FastText learn; empty: the one that comes with lmviz
    kind: str = part("skip-gram", choice(*KINDS))
    grams: tuple[int, int] = part((3, 6), _grams)  # characters of FastText's n-grams, from and to
    window: int = part(2, whole(1, 5))
    d_embed: int = part(16, whole(2, 300))
    negatives: int = part(0, whole(0, 20))
    steps: int = part(300, whole(50, 1000))
    example: int = part(1, whole(0, 1_000_000))  # which of the pairs is looked at
    analogy: tuple[str, ...] = part((), lambda written: tuple(str(one)[:40] for one in json.loads(written)[:3]))
    word: str = part("", lambda written: written[:40])
