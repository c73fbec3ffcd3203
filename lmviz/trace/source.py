"""From a running instruction to the expression that it evaluates, and the names it is assigned to.

Python 3.11 and later keep, for every instruction, the lines and columns of its expression (PEP 657). Together with the
syntax tree of the file that is enough to tell `q @ k` from the division around it, and both from the name on the left.
"""

from __future__ import annotations

import ast
import io
import linecache
import re
import tokenize
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType

Position = tuple[int, int, int, int]  # first line, last line, first column, last column; columns count UTF-8 bytes

_SHAPE = re.compile(r"\[\s*(\w+(?:\s*,\s*\w+)*)\s*\]")


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A piece of source: its text, and where it stands. Lines count from 1, columns (in characters) from 0.

    `text` is empty where the source can't be had (a model made by `exec`, say).
    """

    text: str
    file: str
    lines: tuple[int, int]
    columns: tuple[int, int]
    function: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """What the source says about one instruction."""

    span: SourceSpan
    statement: SourceSpan
    names: tuple[str, ...] = ()  # what this very expression is assigned to
    target: str = ""  # the one name that its statement assigns
    axes: tuple[str, ...] = ()  # from a shape comment behind the statement: # [batch, pos, d_model]


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of one function, as a debugger shows them; `first` is the number of the first."""

    file: str
    function: str
    first: int
    lines: tuple[str, ...]


class _File:
    """One parsed source file: expressions and statements by position, comments by line."""

    def __init__(self, filename: str) -> None:
        self.lines = linecache.getlines(filename)
        self.expressions: dict[Position, ast.expr] = {}
        self.calls_by_end: dict[tuple[int, int], ast.expr] = {}
        self.statement_of: dict[ast.AST, ast.stmt] = {}
        self.parent: dict[ast.AST, ast.AST] = {}
        self.statements: dict[Position, ast.stmt] = {}
        self.functions: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self.axes: dict[int, tuple[str, ...]] = {}
        text = "".join(self.lines)
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):  # a notebook's magics, or not Python at all
            self.lines = []
            return
        self._index(tree, None)
        self._read_comments(text)

    def _index(self, node: ast.AST, statement: ast.stmt | None) -> None:
        for child in ast.iter_child_nodes(node):
            self.parent[child] = node
            inside = child if isinstance(child, ast.stmt) else statement
            if isinstance(child, ast.stmt):
                self.statements.setdefault(_position(child), child)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self.functions.append(child)
            if isinstance(child, ast.expr):
                self.expressions.setdefault(_position(child), child)
                if isinstance(child, ast.Call):
                    self.calls_by_end.setdefault(_position(child)[1::2], child)
            if inside is not None:
                self.statement_of[child] = inside
            self._index(child, inside)

    def _read_comments(self, text: str) -> None:
        try:
            for token in tokenize.generate_tokens(io.StringIO(text).readline):
                if token.type == tokenize.COMMENT and (found := _SHAPE.search(token.string)):
                    self.axes[token.start[0]] = tuple(name.strip() for name in found[1].split(","))
        except (tokenize.TokenError, IndentationError):
            self.axes = {}

    def find(self, position: Position) -> ast.expr | ast.stmt | None:
        """The node that an instruction evaluates; a method call over several lines is known by its end alone."""
        return (
            self.expressions.get(position)
            or self.statements.get(position)
            or self.calls_by_end.get((position[1], position[3]))
        )

    def span(self, position: Position, filename: str, function: str) -> SourceSpan:
        first, last, start, end = position
        lines = [line.encode() for line in self.lines[first - 1 : last]]
        if not lines:
            return SourceSpan("", filename, (first, last), (0, 0), function)
        columns = (len(lines[0][:start].decode()), len(lines[-1][:end].decode()))
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][start:]
        return SourceSpan(b"".join(lines).decode(), filename, (first, last), columns, function)


def _position(node: ast.expr | ast.stmt) -> Position:
    return node.lineno, node.end_lineno or node.lineno, node.col_offset, node.end_col_offset or node.col_offset


@lru_cache(maxsize=256)
def _file(filename: str) -> _File:
    return _File(filename)


@lru_cache(maxsize=4096)
def _positions(code: CodeType) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
    return tuple(code.co_positions())


@lru_cache(maxsize=65536)
def site(code: CodeType, lasti: int) -> Site:
    """The expression that the instruction at byte `lasti` of `code` evaluates.

    Where the source is missing, or is not the one that runs, the span has a place but no text.
    """
    first, last, start, end = _positions(code)[lasti // 2]
    function = code.co_qualname
    line = first or code.co_firstlineno
    nowhere = SourceSpan("", code.co_filename, (line, last or line), (0, 0), function)
    if first is None or last is None or start is None or end is None:
        return Site(nowhere, nowhere)
    file = _file(code.co_filename)
    position = (first, last, start, end)
    node = file.find(position)
    statement = node if isinstance(node, ast.stmt) else file.statement_of.get(node) if node else None
    if node is None or statement is None:
        return Site(nowhere, nowhere)
    span = file.span(_position(node), code.co_filename, function)
    names = assigned_names(node, file.parent)
    return Site(
        span,
        file.span(_extent(statement), code.co_filename, function),
        names,
        next(iter(_targets(statement)), "") if len(_targets(statement)) == 1 else "",
        file.axes.get(statement.end_lineno or 0) or file.axes.get(statement.lineno, ()),
    )


def _extent(statement: ast.stmt) -> Position:
    """A simple statement's whole extent; of a compound one (for, if, with) only the head."""
    first, last, start, end = _position(statement)
    body = getattr(statement, "body", None)
    if isinstance(body, list) and body:
        head = body[0].lineno - 1 if body[0].lineno > first else first
        return first, head, start, 10**6
    return first, last, start, end


def _targets(statement: ast.stmt) -> tuple[str, ...]:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return _names(statement.targets[0])
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        return _names(statement.target)
    return ()


def _names(target: ast.expr) -> tuple[str, ...]:
    if isinstance(target, ast.Tuple | ast.List):
        return tuple(name for element in target.elts for name in (_names(element) or ("",)))
    if isinstance(target, ast.Starred):
        return _names(target.value)
    if isinstance(target, ast.Name):
        return (target.id,)
    if isinstance(target, ast.Attribute):
        return (target.attr,)
    return ()


def assigned_names(node: ast.expr | ast.stmt, parent: dict[ast.AST, ast.AST]) -> tuple[str, ...]:
    """What a value is assigned to: ("q",) for `q = node`, ("q", "k") for `q, k = node`, () for a part of more."""
    if isinstance(node, ast.stmt):  # x += 1: the instruction is the statement
        return _targets(node) if isinstance(node, ast.AugAssign) else ()
    above = parent.get(node)
    if isinstance(above, ast.Assign | ast.AnnAssign | ast.AugAssign) and above.value is node:
        return _targets(above)
    if isinstance(above, ast.NamedExpr) and above.value is node:
        return _names(above.target)
    if isinstance(above, ast.IfExp) and node in (above.body, above.orelse):
        return assigned_names(above, parent)
    if isinstance(above, ast.Tuple):  # q, k = f(x), g(x)
        statement = parent.get(above)
        if isinstance(statement, ast.Assign) and statement.value is above and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Tuple) and len(target.elts) == len(above.elts):
                return _names(target.elts[above.elts.index(node)])
    return ()


@lru_cache(maxsize=1024)
def listing(span: SourceSpan) -> Listing:
    """The lines of the innermost function around a span; empty where there is no source."""
    file = _file(span.file)
    line = span.lines[0]
    around = [f for f in file.functions if f.lineno <= line <= (f.end_lineno or f.lineno)]
    if not around or not span.text:
        first, last = (line, line) if span.text else (1, 0)
    else:
        function = max(around, key=lambda f: f.lineno)
        first, last = function.lineno, function.end_lineno or function.lineno
    lines = tuple(text.rstrip("\n") for text in file.lines[first - 1 : last])
    return Listing(span.file, span.function, first, lines)
