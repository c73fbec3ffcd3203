"""The places of the pages, by the names of their packages."""

from __future__ import annotations

from importlib import import_module

from lmviz.ui.place import Place


def place_of(page: str) -> type[Place]:
    """The one class of places that a page has."""
    module = import_module(f"lmviz.ui.{page}.view")
    defined = (one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__)
    (found,) = (one for one in defined if issubclass(one, Place))
    return found
