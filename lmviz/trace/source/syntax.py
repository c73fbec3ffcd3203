"""One parsed source file: its nodes by position, its shape comments, and the code that it compiles to."""

from __future__ import annotations
import __future__

import ast
import functools
import io
import linecache
import re
import threading
import tokenize
from collections.abc import Iterator
from operator import or_
from types import CodeType

Position = tuple[int, int, int, int]  # first line, last line, first column, last column; columns count UTF-8 bytes
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_SHAPE = re.compile(r"\[([\w\s,]+)\]|\(([\w\s]+,[\w\s,]*)\)")
_VERSIONS_KEPT = 4
_FUTURE = functools.reduce(or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))


class Syntax:
    """A file as it was when it was read."""

    def __init__(self, filename: str, lines: list[str]) -> None:
        self.lines = lines
        self._filename = filename
        self._codes: dict[int, frozenset[CodeType]] = {}
        self.nodes: dict[Position, ast.expr | ast.stmt] = {}
        self.calls_by_end: dict[tuple[int, int], ast.expr] = {}
        self.parent: dict[ast.AST, ast.AST] = {}
        self.functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self.axes: dict[int, tuple[str, ...]] = {}  # of the shape comment on a line
        text = "".join(lines)
        try:
            self.tree = _parsed(text)
        except (SyntaxError, ValueError, RecursionError):  # a notebook's magics, or not Python at all
            self.tree = ast.parse("")
            return
        self._index(self.tree)
        self._read_comments(text)

    def codes(self, flags: int) -> frozenset[CodeType]:
        """All code that the file compiles to; `flags` are the future features that were on, as in a notebook."""
        if flags not in self._codes:
            try:
                whole = compile(self.tree, self._filename, "exec", flags, dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError):
                whole = compile("", self._filename, "exec")
            self._codes[flags] = frozenset(_codes_in(whole))
        return self._codes[flags]

    def _index(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):  # from the outside in: of nodes with one extent, the outer one is meant
            for child in ast.iter_child_nodes(node):
                self.parent[child] = node
            if isinstance(node, ast.expr | ast.stmt) and not isinstance(node, ast.Expr):
                self.nodes.setdefault(position_of(node), node)
            if isinstance(node, ast.Call):
                self.calls_by_end.setdefault(position_of(node)[1::2], node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.append(node)

    def _read_comments(self, text: str) -> None:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and (axes := axes_in(token.string)):
                self.axes[token.start[0]] = axes

    def find(self, position: Position) -> ast.expr | ast.stmt | None:
        """The node that an instruction evaluates; a method call over several lines is known by its end alone."""
        return self.nodes.get(position) or self.calls_by_end.get((position[1], position[3]))

    def statement_of(self, node: ast.AST) -> ast.stmt | None:
        while not isinstance(node, ast.stmt):
            if node not in self.parent:
                return None
            node = self.parent[node]
        return node

    def function_of(self, node: ast.AST) -> Function | None:
        while (above := self.parent.get(node)) is not None:
            if isinstance(above, Function):
                return above
            node = above
        return None

    def cut(self, position: Position) -> str:
        """The source text at a position."""
        first, last, start, end = position
        lines = [line.encode() for line in self.lines[first - 1 : last]]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][start:]
        return b"".join(lines).decode()

    def columns(self, position: Position) -> tuple[int, int]:
        """A position's columns in characters."""
        first, last, start, end = position
        return len(self.lines[first - 1].encode()[:start].decode()), len(self.lines[last - 1].encode()[:end].decode())


def _parsed(text: str) -> ast.Module:
    """The tree of a text. Python 3.11 refuses it now and then when something else is parsed at the same time
    ("recursion depth mismatch"); it does not refuse it again."""
    try:
        return ast.parse(text)
    except SystemError:
        return ast.parse(text)


def _codes_in(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes_in(constant)


def axes_in(comment: str) -> tuple[str, ...]:
    """The axis names in a shape comment: [batch, pos, d_model], (B, T, C), or what such an arrow points to.

    >>> axes_in("# [batch, head, query, key], each row sums to 1")
    ('batch', 'head', 'query', 'key')
    >>> axes_in("# (B, T, C) -> (B, T)")
    ('B', 'T')
    """
    shapes = [
        tuple(name.strip() for name in "".join(found).strip(" ,").split(",")) for found in _SHAPE.findall(comment)
    ]
    shapes = [shape for shape in shapes if all(re.fullmatch(r"\w+", name) for name in shape)]
    return shapes[-1 if "->" in comment else 0] if shapes else ()


def position_of(node: ast.expr | ast.stmt) -> Position:
    return node.lineno, node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or node.col_offset


_files: dict[str, list[Syntax]] = {}
_reading = threading.Lock()


def syntax_of(code: CodeType) -> Syntax | None:
    """The file that `code` was compiled from; None if there is none, or if it was edited since."""
    with _reading:
        versions = _files.setdefault(code.co_filename, [])
        known = next((syntax for syntax in versions if _is_from(code, syntax)), None)
        if known is not None:
            return known
        linecache.checkcache(code.co_filename)
        lines = linecache.getlines(code.co_filename)
        if any(syntax.lines == lines for syntax in versions):
            return None
        syntax = Syntax(code.co_filename, lines)
        versions[:] = [syntax, *versions[: _VERSIONS_KEPT - 1]]
        return syntax if _is_from(code, syntax) else None


def know(filename: str, lines: list[str]) -> None:
    """Note a file as it was when something was recorded elsewhere, so that its lines can be shown here."""
    with _reading:
        versions = _files.setdefault(filename, [])
        if all(syntax.lines != lines for syntax in versions):
            versions[:] = [Syntax(filename, lines), *versions[: _VERSIONS_KEPT - 1]]


def _is_from(code: CodeType, syntax: Syntax) -> bool:
    """Whether a file's text is the source of `code`.

    Test runners rewrite the `assert`s of a function, and mark it; such code has the file's names, and more.
    """
    codes = syntax.codes(code.co_flags & _FUTURE)
    if code in codes:
        return True
    if not any(name.startswith("@py") for name in (*code.co_names, *code.co_varnames)):
        return False
    return any(
        known.co_qualname == code.co_qualname
        and known.co_firstlineno == code.co_firstlineno
        and set(known.co_names) <= set(code.co_names)
        for known in codes
    )


def version_with(filename: str, line: int, column: int, text: str) -> Syntax | None:
    """The version of a file that has this text there; None for no text."""
    head = text.partition("\n")[0]
    with _reading:
        for syntax in _files.get(filename, ()):
            if head and line <= len(syntax.lines) and syntax.lines[line - 1][column:].startswith(head):
                return syntax
    return None
