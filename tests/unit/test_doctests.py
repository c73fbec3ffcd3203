"""The examples in docstrings say what Python answers."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from tests.source import PACKAGE, PAGES, module_of

EXAMPLES = [path for path in (*PACKAGE, *PAGES) if ">>>" in path.read_text(encoding="utf-8")]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize("name", [module_of(path) for path in EXAMPLES])
def test_an_example_is_answered_as_it_is_written(name: str) -> None:
    tried = doctest.testmod(import_module(name))
    assert tried.attempted and not tried.failed
