"""What stands on a page for a while moves nothing that is drawn below it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Node

from tests.pages.conftest import Open


def places(node: Node, at: tuple[int, ...] = ()) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The numbers that lead to each widget and picture: a press names the fragment that it is in by such numbers."""
    if isinstance(node, Block):
        for i, child in node.children.items():
            yield from places(child, (*at, i))
    elif name := str(getattr(getattr(node, "proto", None), "id", "")):
        yield name.rpartition("-")[2], at


def drawn(app: AppTest) -> dict[str, tuple[int, ...]]:
    return {name: at for name, at in places(app.main) if name not in ("None", "kept_course")}


@pytest.mark.parametrize(
    ("page", "link"),
    [
        ("step_through", {"model": "names", "prompt": ".mar"}),
        ("generation", {"model": "names", "prompt": "."}),
        ("tokenizer", {"tab": "learn"}),
    ],
)
def test_neither_a_note_nor_the_card_of_the_course_moves_what_is_below(
    open_on: Open, page: str, link: dict[str, str]
) -> None:
    plain = drawn(open_on(page, lang="en", depth="story", **link))
    crowded = drawn(open_on(page, lang="en", depth="story", nonsense="1", course="tokens.0", **link))
    assert len(plain) > 5
    assert {name: at for name, at in crowded.items() if name in plain} == plain
