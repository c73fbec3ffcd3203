"""The glossary says what each term means, in both languages, and no word stands for two."""

from __future__ import annotations

from collections import Counter

import pytest

from lmviz.ui.glossary.glossary import terms
from lmviz.ui.text import LANGUAGES, Language, Translator, catalogue


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_is_explained_and_no_word_stands_for_two(language: Language) -> None:
    found = terms(Translator(language))
    forms = Counter(form.casefold() for term in found for form in term["forms"])
    assert len(found) >= 40
    assert [form for form, n in forms.items() if n > 1 or not form.strip()] == []
    assert all(term["says"].endswith(".") and len(term["says"]) < 160 for term in found)


def test_a_term_of_one_language_is_one_of_the_other() -> None:
    english, french = ({key for key in catalogue(lang) if key.startswith("word.")} for lang in LANGUAGES)
    assert english == french


def test_the_words_of_the_vocabulary_are_in_it() -> None:
    english = {form for term in terms(Translator(LANGUAGES[0])) for form in term["forms"]}
    assert {"width", "block", "unigram", "bigram", "softmax", "token", "loss"} <= english
