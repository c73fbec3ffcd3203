"""One notion, one word, on every page and in both languages."""

from __future__ import annotations

import re

import pytest

from lmviz.ui.text import LOCALE, catalogue

OTHER_WORDS = {  # what is said, and what is not said for it
    "en": {
        "width (d_model)": r"numbers per token",
        "counting tokens, counting pairs": r"token frequencies|counting (single )?letters|unigram model",
        "query": r"question \(q\)|[Qq]uestion (times|of one token)",
        "blocks": r"^Layers$|layer \{layer\}|(sharpest|worst) layer .*(rows|even)",
    },
    "fr": {
        "largeur (d_model)": r"nombres par token",
        "compter les tokens (unigramme)": r"fréquences des tokens|compter les lettres|monogramme",
        "embedding": r"[Pp]longement",
        "blocs": r"^Couches$|couche \{layer\}|(pire )?couche .*(tranchée|lignes)",
        "le softmax": r"\b([Uu]ne|[Ll]a|[Cc]ette|[Pp]remière|[Ss]econde|[Dd]ernière) softmax",
        "requête": r"question \(q\)|[Qq]uestion (fois|d’un token)",
        "sauvegarde": r"[Pp]oints? de (sauvegarde|reprise)|\b[Cc]heckpoint",
        "étapes": r"simples pas\b|pas suivants|^Pas, ",
        "itérations": r"(?<!y a )pas d’entraînement|\b([Ll]e|[Uu]n|[Dd]u|[Aa]u) pas \{",
        "sans, non": r"^Pas (?!à pas|seulement|cette)",
    },
}


def said(language: str) -> list[str]:
    lessons = (LOCALE.parent / "lessons").rglob("*.md")
    of_language = [path for path in lessons if path.name.endswith(".fr.md") == (language == "fr")]
    files = [path.read_text(encoding="utf-8") for path in (*(LOCALE / language).rglob("*.md"), *of_language)]
    return [*catalogue(language).values(), *files]


@pytest.mark.parametrize("language", OTHER_WORDS)
def test_a_notion_has_one_word(language: str) -> None:
    found = {
        word: [text for text in said(language) if re.search(other, text, re.MULTILINE)]
        for word, other in OTHER_WORDS[language].items()
    }
    assert {word: texts for word, texts in found.items() if texts} == {}
