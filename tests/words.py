"""The words of the two languages, as pages say them."""

from __future__ import annotations

from lmviz.ui.text import Language, Translator

ENGLISH, FRENCH = Translator(Language("en")), Translator(Language("fr"))
