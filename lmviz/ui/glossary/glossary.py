"""The button that opens the glossary; with it on a page, every term on that page is explained where it stands.

The terms are data: `locale/LANGUAGE/glossary.po` has each as `word.NAME`, its forms between bars, and `word.NAME.says`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from lmviz.ui import mounted
from lmviz.ui.glossary.terms_types import Term, Terms
from lmviz.ui.text import Translator

BROWSER = Path(__file__).parent / "browser"
WORD, SAYS = "word.", ".says"


@lru_cache
def terms(t: Translator) -> tuple[Term, ...]:
    """All terms in the reader's language, in the order of its alphabet."""
    texts = t.texts(WORD)
    names = [key for key in texts if not key.endswith(SAYS)]
    found = [Term(forms=texts[name].split("|"), says=texts[f"{name}{SAYS}"]) for name in names]
    return tuple(sorted(found, key=lambda term: term["forms"][0].casefold()))


def button(t: Translator) -> None:
    """Opens the list of all terms, which can be searched."""
    data = Terms(lang=t.language, words=t.texts("glossary.words."), terms=list(terms(t)))
    mounted.component("lmviz.glossary", BROWSER / "words.js", "glossary")(
        data=[data], key="glossary", height="content", width="content"
    )
