"""Whatever a link, a folder or a recipe says, what comes of it is what was asked for, or one sentence."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lmviz
from lmviz.errors import UserError
from lmviz.tokens.template import Message, read_template, render
from lmviz.train.plan import cut, plan_of
from lmviz.train.recipe import Recipe, read_recipe, recipe_from, tables_of, toml_of
from lmviz.train.texts import preset
from lmviz.ui.place import Place
from tests.conftest import ROOT
from tests.examples import times
from tests.places import place_of

PAGES = ("step_through", "generation", "tokenizer", "chat", "embeddings", "quantisation", "debugging", "training")
PLACES: tuple[type[Place], ...] = tuple(place_of(name) for name in PAGES)
NUMBERS = st.sampled_from(
    [0, -1, 1, 2, 3, 7, 0.5, 1e-300, 1e300, 10**9, 2**31 - 1, 2**31, 2**63, 10**26, 10**400, -(10**400),
     float("nan"), float("inf"), -float("inf"), True, False]
)  # fmt: skip
ODD_TEXTS = st.sampled_from(
    ["", " ", "nan", "-1", "1e400", "null", "[]", "{}", "[[]]", '["nan","nan"]', '[["x",[0]],["x",[0]]]', "[" * 5000,
     "1" * 5000, '{"a": NaN}', "\0", "\u202e", "![x](y)", "<b>", "../..", "/dev/zero", "~", "a" * 3000, "\ud800"]
)  # fmt: skip
ANYTHING = st.recursive(
    st.none() | NUMBERS | ODD_TEXTS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLACES, ids=PAGES)
def test_every_link_is_a_place(kind: type[Place]) -> None:
    texts = ODD_TEXTS | st.text(max_size=20) | ANYTHING.map(lambda one: json.dumps(one, default=str))

    @given(st.dictionaries(st.sampled_from(list(kind.__dataclass_fields__)), texts, max_size=6))
    @times(5)
    def holds(query: dict[str, str]) -> None:
        place, wrong = kind.parse(query)
        assert set(wrong) <= set(query)
        again, none_wrong = kind.parse(place.query())
        assert (again, none_wrong) == (place, ())
        for name in ("stops", "watch", "beside", "edits"):  # what a page draws a button or a row for
            shown = getattr(place, name, ())
            assert len(set(shown)) == len(shown)

    holds()


# -- recipes -----------------------------------------------------------------------------------------------------------

SMALL = tables_of(preset("questions"))
LEAVES = [(section, name) for section, table in SMALL.items() for name in table]


@given(st.lists(st.tuples(st.sampled_from(LEAVES), ANYTHING), min_size=1, max_size=3))
@times(12)
def test_every_recipe_is_planned_or_refused_in_a_sentence(changes: list[tuple[tuple[str, str], Any]]) -> None:
    tables = {section: dict(table) for section, table in SMALL.items()}
    for (section, name), value in changes:
        tables[section][name] = value
    with only_sentences():
        recipe = recipe_from(tables)
        if not recipe.data.file and not recipe.model.start:
            plan_of(recipe, cut(recipe)).check(2**32)
            with tempfile.TemporaryDirectory() as folder:
                written = Path(folder) / "recipe.toml"
                written.write_text(toml_of(recipe), encoding="utf-8", errors="replace")
                assert isinstance(read_recipe(written), Recipe)


@given(st.dictionaries(st.sampled_from([*SMALL, "x"]), ANYTHING, max_size=6))
@times(5)
def test_what_is_no_recipe_is_refused_in_a_sentence(tables: dict[str, Any]) -> None:
    with only_sentences():
        recipe_from(tables)


@given(st.text(max_size=40) | ODD_TEXTS | st.sampled_from(["a = " + "1" * 5000, "a = " + "[" * 3000, "[data]\n" * 2]))
@times(5)
def test_what_is_no_toml_is_refused_in_a_sentence(written: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.toml"
        path.write_text(written, encoding="utf-8", errors="replace")
        with only_sentences():
            read_recipe(path)


# -- folders -----------------------------------------------------------------------------------------------------------

SAMPLE = ROOT / "sample_models/small-ever"
FILES = ("config.json", "tokenizer.json", "model.safetensors", "README.md", "recipe.toml")


@st.composite
def damages(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of the folder, and what it holds instead."""
    name = draw(st.sampled_from(FILES))
    content = (SAMPLE / name).read_bytes()
    way = draw(st.sampled_from(["value", "bytes", "cut", "flip", "text"]))
    if way == "value" and name.endswith(".json"):
        return name, with_another_value(draw, json.loads(content))
    if way == "flip":
        at = draw(st.integers(0, len(content) - 1))
        return name, content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
    if way == "cut":
        return name, content[: draw(st.integers(0, len(content)))]
    if way == "text":
        return name, draw(ODD_TEXTS).encode("utf-8", "replace")
    return name, draw(st.binary(max_size=60))


def with_another_value(draw: st.DrawFn, found: Any) -> bytes:
    """A JSON file in which one value, somewhere, is another."""
    places: list[tuple[Any, Any]] = []

    def look(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            look(node[key])

    look(found)
    node, key = draw(st.sampled_from(places))
    node[key] = draw(ANYTHING)
    with contextlib.suppress(ValueError):  # no JSON has a number of so many digits
        return json.dumps(found).encode("utf-8", "replace")
    return b'{"n_layer": ' + b"1" * 5000 + b"}"


@pytest.mark.slow
@given(st.lists(damages(), min_size=1, max_size=2))
@times(6)
def test_every_folder_opens_or_is_refused_in_a_sentence(changes: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(SAMPLE, folder, dirs_exist_ok=True)
        for name, content in changes:
            (Path(folder) / name).write_bytes(content)
        with only_sentences():
            checkpoint = lmviz.load(folder)
            checkpoint.tokenizer.decode(checkpoint.tokenizer.encode("Clem é").ids)
        with only_sentences():
            read_recipe(Path(folder) / "recipe.toml")


@pytest.mark.slow
@given(ANYTHING, ODD_TEXTS | st.sampled_from(["{{ x", "{% for %}", "{{ messages[0].content }}"]))
@times(2)
def test_every_template_writes_or_is_refused_in_a_sentence(config: Any, template: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(ValueError):
            (Path(folder) / "tokenizer_config.json").write_text(
                json.dumps({"chat_template": config, "bos_token": config}), encoding="utf-8", errors="replace"
            )
        if template:
            (Path(folder) / "chat_template.jinja").write_text(template, encoding="utf-8", errors="replace")
        with only_sentences():
            if found := read_template(folder):
                render(found, [Message("user", "x")])


@contextlib.contextmanager
def only_sentences() -> Iterator[None]:
    """A UserError, which says something, passes; anything else is a mistake of ours."""
    said = []
    try:
        yield
    except UserError as error:
        said.append(str(error))
    assert all(said)
