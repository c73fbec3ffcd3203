"""Each page says what it follows."""

from __future__ import annotations

import pytest

from lmviz.ui.shell import FIRST, LISTED
from lmviz.ui.sources import FOLLOWED
from lmviz.ui.text import LANGUAGES
from tests.pages.conftest import Open, written


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("page", [name for name, _ in LISTED if name != FIRST])
def test_every_page_names_what_it_follows(open_on: Open, page: str, lang: str) -> None:
    app = open_on(page, lang=lang)
    for source in FOLLOWED[page]:
        assert source.name in written(app)
