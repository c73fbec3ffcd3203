"""What a visitor of the tokenizer page is looking at."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.registry.reference import Reference
from lmviz.services.tokenizers import GPT2, LEARNED
from lmviz.ui.parts import tokenizer_part
from lmviz.ui.place import Place, choice, part, whole
from lmviz.ui.tokenizer.own import FILE

TABS = ("pieces", "compare", "learn", "trip", "vocabulary")
MOST_MERGES = 2000
TEXT_LIMIT = 4000  # characters to cut
CORPUS_LIMIT = 20_000  # characters to learn from
KINDS = (
    "",
    "special",
    "single",
    "punctuation",
    "beginning",
    "continuation",
    "ending",
    "open",
    "blank",
    "partial",
    "missing",
)
CASES = ("", "lower", "capital", "upper", "mixed", "none")


@dataclass(frozen=True)
class TokenizerView(Place):
    """One visitor's place on the tokenizer page."""

    tab: str = part("pieces", choice(*TABS))
    tokenizer: str | Reference = tokenizer_part(*LEARNED, GPT2, FILE)  # one of these words, or a model's
    text: str | None = part(None, str)  # to cut; None: an example
    corpus: str | None = part(None, str)  # to learn from; None: an example
    merges: int = part(60, whole(0, MOST_MERGES))  # that are learned
    at: int = part(0, whole(0, MOST_MERGES))  # the state of learning that is looked at
    piece: int | None = part(None, whole(0, 100_000))  # the position that is looked at
    pair: int | None = part(None, whole(0, 1000))  # the place, among the pairs, of the one that is looked at
    kind: str = part("", choice(*KINDS))
    case: str = part("", choice(*CASES))
    find: str = part("", str)
    word: str = part("", str)

    @property
    def cut(self) -> str:
        """The text to cut."""
        return self.t("tokenizer.example") if self.text is None else self.text

    @property
    def source(self) -> str:
        """The text to learn from."""
        return self.t("tokenizer.corpus_example") if self.corpus is None else self.corpus
