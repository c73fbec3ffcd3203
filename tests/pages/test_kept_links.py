"""Links that somebody may have kept: each opens the view that it opened when it was copied."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from lmviz.train.runs import Runs
from lmviz.train.texts import preset
from tests.conftest import ROOT
from tests.pages.conftest import Open, errors, wrong_charts
from tests.waiting import until_rests

LINKS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "kept_links.json").read_text(encoding="utf-8"))
STEPS = 6  # of the run that links name
LINK = re.compile(r"\]\([^)]*\)|<[^>]*>|#[0-9a-f]{6}")
NUMBER = re.compile(r"(?<![\w.])[-−]?\d+[.,]\d{2,}(?!\d)")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What stands in a link for a run of this machine, and for a folder on it."""
    runs, recipe = Runs(), preset("pokemon")
    run = runs.start(replace(recipe, training=replace(recipe.training, steps=STEPS)), "kept")
    until_rests(runs, run)
    folder = tmp_path_factory.mktemp("models") / "mine"
    shutil.copytree(ROOT / "sample_models/names", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LMVIZ_MODELS", str(folder.parent))
        yield {"run": run, "last": str(STEPS), "folder": str(folder)}
    runs.close()


def facts(app: AppTest) -> list[str]:
    """What makes a view this one: the numbers in its sentences, and what its pictures are of."""
    said = [element.value for element in (*app.markdown, *app.caption, *app.info)]
    drawn = [json.loads(one.proto.json) for one in app.get("bidi_component")]
    numbers = [f.replace("−", "-").replace(",", ".") for f in NUMBER.findall(LINK.sub("", " ".join(said)))]
    return [*numbers, *(fact for one in drawn for fact in _drawn(one))]


def _drawn(content: object) -> Iterator[str]:
    """The addresses of what a picture shows, its tokens, and the sum of its numbers to three digits."""
    if isinstance(content, dict):
        if content.get("address"):
            yield f"address {content['address']}"
        if isinstance(tokens := content.get("tokens"), list):
            yield "tokens " + " ".join(str(one["text"] if isinstance(one, dict) else one) for one in tokens)
        if isinstance(cells := content.get("cells"), str):
            yield f"sum {np.nansum(np.frombuffer(base64.b64decode(cells), dtype='<f4'), dtype=float):.3g}"
    if isinstance(content, list | dict):
        for one in content.values() if isinstance(content, dict) else content:
            yield from _drawn(one)


def filled(query: dict[str, str], places: dict[str, str]) -> dict[str, str]:
    for name, value in places.items():
        query = {key: text.replace(f"{{{name}}}", value) for key, text in query.items()}
    return query


@pytest.mark.sampled(4)
@pytest.mark.parametrize("link", LINKS, ids=lambda link: " ".join([link["page"], *link["query"].values()])[:60])
def test_a_kept_link_opens_its_view(open_on: Open, places: dict[str, str], link: dict[str, Any]) -> None:
    query = filled(link["query"], places)
    app = open_on(link["page"], **query)
    assert not errors(app) and not wrong_charts(app)
    shown = {name: value if isinstance(value, str) else value[0] for name, value in app.query_params.items()}
    assert shown == filled(link["then"], places)
    assert [fact for fact in link["facts"] if fact not in facts(app)] == []
