"""The project's own source, as the tests about it read it: each file once."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

PACKAGE = sorted((ROOT / "lmviz").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file, as `ast.walk` meets them."""
    return tuple(ast.walk(tree_of(path)))


@cache
def calls_in(path: Path) -> tuple[ast.Call, ...]:
    return tuple(node for node in nodes_of(path) if isinstance(node, ast.Call))


def last_name(node: ast.AST) -> str:
    """`c` of `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
