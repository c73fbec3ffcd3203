"""From a running instruction to the expression that it evaluates, and the names it is assigned to.

Python 3.11 and later keep, for every instruction, the lines and columns of its expression (PEP 657). Together with the
syntax tree of the file that is enough to tell `q @ k` from the division around it, and both from the name on the left.
"""

from __future__ import annotations

import ast
import builtins
import dis
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import CodeType
from typing import TypeGuard

from lmviz.trace.source.syntax import Function, Position, Syntax, position_of, syntax_of, version_with


@dataclass(frozen=True, slots=True)
class SourceSpan:
    """A piece of source: its text, and where it stands. Lines count from 1, columns (in characters) from 0.

    `text` is empty where the source can't be had: a model made by `exec`, say, or a file that was edited since.
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
    returned: bool = False  # whether its function returns it, at once or under its name
    repeats: bool = False  # whether it may call torch several times: sum(tensors)
    inlined: bool = False  # whether it is in the loop of a comprehension, which goes back within its statement
    passes: tuple[str, ...] = ()  # what the passes of the loop that it is in are unpacked to: q, k = (f(t) for t in …)
    is_whole_pass: bool = False  # whether it is all that a pass makes

    def in_pass(self, number: int) -> Site:
        """The same, in one pass of its loop."""
        name = self.passes[number]
        return replace(self, names=(name,) if self.is_whole_pass else (), target=name)


@dataclass(frozen=True, slots=True)
class Listing:
    """The lines of one function, as a debugger shows them; `first` is the number of the first."""

    file: str
    function: str
    first: int
    lines: tuple[str, ...]


_COMPREHENSION = re.compile(r"(\.<locals>\.<(listcomp|setcomp|dictcomp|genexpr)>)+$")
_STORING = ("STORE_SUBSCR", "UNPACK_SEQUENCE", "UNPACK_EX")

_sites: dict[int, tuple[CodeType, dict[int, Site]]] = {}  # by identity: comparing code objects is slow


def _sites_of(code: CodeType) -> dict[int, Site]:
    """The sites of a function's instructions that are known so far; `site` adds to it."""
    known = _sites.get(id(code))
    if known is None:
        if len(_sites) > 5000:
            _sites.clear()
        known = _sites[id(code)] = (code, {})
    return known[1]


def site(code: CodeType, lasti: int) -> Site:
    """What the source says about the instruction at byte `lasti` of `code`."""
    known = _sites_of(code)
    if lasti not in known:
        known[lasti] = _site(code, lasti)
    return known[lasti]


def _site(code: CodeType, lasti: int) -> Site:
    position = _positions(code)[lasti // 2]
    function = _COMPREHENSION.sub("", code.co_qualname)
    syntax = syntax_of(code)
    node = None if syntax is None or None in position else syntax.find(position)  # type: ignore[arg-type]
    statement = None if syntax is None or node is None else _statement(syntax, node)
    if syntax is None or node is None or statement is None:
        line = position[0] or code.co_firstlineno
        nowhere = SourceSpan("", code.co_filename, (line, position[1] or line), (0, 0), function)
        return Site(nowhere, nowhere)
    is_assignment = dis.opname[code.co_code[lasti]] in _STORING  # it has the place of the assignment's left side
    names = _stored_names(node) if is_assignment else _assigned_names(node, syntax.parent)
    loop = None if is_assignment else _loop_around(node, syntax.parent)
    passes = () if loop is None else _unpacked_names(loop, syntax.parent)
    is_whole_pass = bool(passes) and loop is not None and node is _made_in(loop)
    whole = statement if is_assignment else node
    return Site(
        _span(syntax, _extent(whole), code.co_filename, function),
        _span(syntax, _extent(statement), code.co_filename, function),
        names,
        _target(syntax, statement),
        _shape_comment(syntax, node, statement, is_whole_pass),
        _is_returned(node, names, syntax),
        _may_repeat(getattr(statement, "value", node) if is_assignment else node),  # r, s = map(f, tensors)
        _is_inlined(syntax, node, statement),
        passes,
        is_whole_pass,
    )


def _target(syntax: Syntax, statement: ast.AST) -> str:
    """The one name that a statement assigns; "" for none, or several."""
    named = syntax.parent.get(statement) if isinstance(statement, ast.Lambda) else statement  # double = lambda x: 2 * x
    targets = _targets(named)
    return targets[0] if len(targets) == 1 else ""


def _shape_comment(
    syntax: Syntax, node: ast.AST, statement: ast.expr | ast.stmt, is_all: bool = False
) -> tuple[str, ...]:
    """The axes that the comment behind a statement names, if it means this very node."""
    first, last, *_ = _extent(statement)
    return (syntax.axes.get(last) or syntax.axes.get(first, ())) if is_all or _is_all(node, syntax.parent) else ()


def _may_repeat(node: ast.AST) -> bool:
    """Whether one instruction may call torch several times: a built-in function does, as in sum(tensors)."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and hasattr(builtins, node.func.id)


def _is_inlined(syntax: Syntax, node: ast.AST, statement: ast.AST) -> bool:
    """Whether a node is in the loop of a comprehension that runs in its function's own frame (PEP 709)."""
    if sys.version_info < (3, 12):
        return False
    around: ast.AST | None = node
    while around is not None and around is not statement:
        if isinstance(around, ast.ListComp | ast.SetComp | ast.DictComp):
            return True
        around = syntax.parent.get(around)
    return False


_Loop = ast.GeneratorExp | ast.ListComp | ast.Lambda  # of `map(lambda t: …, tensors)`


def _made_in(loop: _Loop) -> ast.expr:
    """What each pass of a loop makes."""
    return loop.body if isinstance(loop, ast.Lambda) else loop.elt


def _loop_around(node: ast.AST, parent: Mapping[ast.AST, ast.AST]) -> _Loop | None:
    """The loop of which every pass evaluates a node once."""
    above = parent.get(node)
    while above is not None and not isinstance(above, ast.stmt | ast.IfExp | ast.BoolOp):
        if isinstance(above, _Loop):
            return above if node is _made_in(above) else None
        node, above = above, parent.get(above)
    return None


def _unpacked_names(loop: _Loop, parent: Mapping[ast.AST, ast.AST]) -> tuple[str, ...]:
    """The names that the passes of a loop are unpacked to, one each; () where that is not so."""
    whole: ast.AST = loop
    if isinstance(loop, ast.Lambda):
        whole = parent[loop]
        if not (_is_call_of(whole, ("map",)) and whole.args[0] is loop):
            return ()
    while _is_call_of(above := parent.get(whole), ("list", "tuple")):
        whole = above
    target = above.targets[0] if isinstance(above, ast.Assign) else None
    if not isinstance(target, ast.Tuple | ast.List):
        return ()
    return _names(target) if all(isinstance(e, ast.Name | ast.Attribute) for e in target.elts) else ()


def _is_call_of(node: ast.AST | None, names: tuple[str, ...]) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and bool(node.args)


@lru_cache(maxsize=4096)
def _positions(code: CodeType) -> tuple[tuple[int | None, int | None, int | None, int | None], ...]:
    return tuple(code.co_positions())


def _statement(syntax: Syntax, node: ast.AST) -> ast.stmt | ast.Lambda | None:
    """The statement around a node; inside a lambda, the lambda, since the statement around it ran long ago."""
    function = syntax.function_of(node)
    return function if isinstance(function, ast.Lambda) else syntax.statement_of(node)


@lru_cache(maxsize=65536)  # so that the spans of one statement are one object
def _span(syntax: Syntax, position: Position, filename: str, function: str) -> SourceSpan:
    text, columns = syntax.cut(position), syntax.columns(position)
    return SourceSpan(text, filename, (position[0], position[1]), columns, function)


def _extent(node: ast.expr | ast.stmt) -> Position:
    """A node's whole extent; of a compound statement (for, if, with) only the head."""
    first, last, start, end = position_of(node)
    body = getattr(node, "body", None)
    if isinstance(body, list) and body:
        head = body[0].lineno - 1 if body[0].lineno > first else first
        return first, head, start, 10**6
    return first, last, start, end


def _targets(statement: ast.AST | None) -> tuple[str, ...]:
    if isinstance(statement, ast.Assign):
        return _names(statement.targets[0])
    return _names(statement.target) if isinstance(statement, ast.AnnAssign | ast.AugAssign) else ()


def _names(target: ast.AST) -> tuple[str, ...]:
    if isinstance(target, ast.Tuple | ast.List):
        return tuple(name for element in target.elts for name in (_names(element) or ("",)))
    if isinstance(target, ast.Starred):
        return _names(target.value)
    if isinstance(target, ast.Name):
        return (target.id,)
    return (target.attr,) if isinstance(target, ast.Attribute) else ()


def _stored_names(target: ast.AST) -> tuple[str, ...]:
    """The names that an assignment gives new values to: ("x",) for `x[i] = …`, ("q", "k") for `q, k = …`."""
    return _stored_names(target.value) if isinstance(target, ast.Subscript) else _names(target)


def _assigned_names(node: ast.AST, parent: Mapping[ast.AST, ast.AST]) -> tuple[str, ...]:
    """What a value is assigned to: ("q",) for `q = node`, ("q", "k") for `q, k = node`, () for a part of more."""
    if isinstance(node, ast.AugAssign):  # x += 1: the instruction is the statement
        return _targets(node)
    above = parent.get(node)
    if isinstance(above, ast.Assign | ast.AnnAssign):
        return _targets(above)
    if isinstance(above, ast.NamedExpr):
        return _names(above.target)
    if isinstance(above, ast.IfExp) and node is not above.test:
        return _assigned_names(above, parent)
    if isinstance(above, ast.Tuple):  # q, k = f(x), g(x)
        targets = getattr(parent.get(above), "targets", [None])
        if isinstance(targets[0], ast.Tuple) and len(targets[0].elts) == len(above.elts):
            return _names(targets[0].elts[[*above.elts].index(node)])  # type: ignore[arg-type]
    return _changed_names(node) if isinstance(above, ast.Expr) else ()


def _changed_names(node: ast.AST) -> tuple[str, ...]:
    """What a call that stands on its own changes: ("x",) for `x.add_(1)` and for `torch.add(a, b, out=x)`."""
    if not isinstance(node, ast.Call):
        return ()
    out = next((keyword.value for keyword in node.keywords if keyword.arg == "out"), None)
    if out is None and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("_"):
        out = node.func.value
    return () if out is None else _stored_names(out)


def _is_all(node: ast.AST, parent: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a node is all that its statement computes, so that the comment behind it means this very value."""
    above = parent.get(node)
    if isinstance(above, ast.IfExp) and node is not above.test:
        return _is_all(above, parent)
    return isinstance(node, ast.stmt) or isinstance(
        above, ast.Assign | ast.AnnAssign | ast.Return | ast.Expr | ast.Tuple
    )


def _is_returned(node: ast.AST, names: tuple[str, ...], syntax: Syntax) -> bool:
    """Whether the function around a value returns it: at once, or under its name at the next `return`."""
    above = syntax.parent.get(node)
    while isinstance(above, ast.IfExp):
        node, above = above, syntax.parent.get(above)
    if isinstance(above, ast.Return | ast.Lambda):
        return True
    function = syntax.function_of(node)
    if len(names) != 1 or function is None or isinstance(function, ast.Lambda):
        return False
    line = getattr(node, "lineno", 0)
    coming = next((r for r in _returns(function) if r.lineno >= line), None)
    return coming is not None and isinstance(coming.value, ast.Name) and coming.value.id == names[0]


@lru_cache(maxsize=1024)
def _returns(function: Function) -> tuple[ast.Return, ...]:
    """A function's own `return`s, from top to bottom."""
    found: list[ast.Return] = []
    inside = list(ast.iter_child_nodes(function))
    while inside:
        node = inside.pop()
        if isinstance(node, ast.Return):
            found.append(node)
        if not isinstance(node, Function):
            inside.extend(ast.iter_child_nodes(node))
    return tuple(sorted(found, key=lambda node: node.lineno))


@lru_cache(maxsize=1024)
def listing(span: SourceSpan) -> Listing:
    """The lines of the innermost function around a span; empty where there is no source."""
    line = span.lines[0]
    syntax = version_with(span.file, line, span.columns[0], span.text)
    if syntax is None:
        return Listing(span.file, span.function, 1, ())
    around = [f for f in syntax.functions if f.lineno <= line <= (f.end_lineno or f.lineno)]
    function = max(around, key=lambda f: f.lineno, default=None)
    first, last = (line, line) if function is None else (function.lineno, function.end_lineno or line)
    return Listing(span.file, span.function, first, tuple(text.rstrip("\n") for text in syntax.lines[first - 1 : last]))
