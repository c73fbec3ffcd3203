"""The source pane: the lines of the running function, coloured, with the current expression marked."""

from __future__ import annotations

import io
import keyword
import tokenize
from functools import lru_cache
from pathlib import Path

from lmviz.trace.source.sites import Listing, SourceSpan, listing
from lmviz.trace.step import Trace
from lmviz.ui.step_through.scene_types import Call, Source

Mark = tuple[int, int, str]  # start, end, class


def code_pane(trace: Trace, step: int, span: SourceSpan, stops: tuple[str, ...]) -> Source:
    """The listing of a step's function, the expression to mark in it, its breakpoints, and the calls around it."""
    shown = listing(span)
    file = f"line {Path(shown.file).name}:"
    return {
        "file": Path(shown.file).name,
        "function": shown.function,
        "first": shown.first,
        "lines": [
            {"text": line, "marks": list(marks)} for line, marks in zip(shown.lines, _coloured(shown), strict=True)
        ],
        "lit": {"lines": list(span.lines), "columns": list(span.columns)} if shown.lines else None,
        "stops": [
            int(stop.removeprefix(file)) for stop in stops if stop.startswith(file) and stop[len(file) :].isdigit()
        ],
        "stack": _call_stack(trace, step),
        "why": "",
    }


def empty_pane(words: str) -> Source:
    """A pane where no step of the model is shown, and that says why."""
    return {"file": "", "function": "", "first": 0, "lines": [], "lit": None, "stops": [], "stack": [], "why": words}


def hidden_pane(trace: Trace, step: int, words: str) -> Source:
    """A pane that says why it shows no source."""
    return {**empty_pane(words), "stack": _call_stack(trace, step)}


def _call_stack(trace: Trace, step: int) -> list[Call]:
    """The calls that were running at a step, the outermost first."""
    stack: list[Call] = []
    index: int | None = trace[step].call
    while index is not None:
        call = trace.calls[index]
        if call.class_name:
            stack.append({"module": call.module or call.class_name, "class": call.class_name, "last": call.last})
        index = call.parent
    return stack[::-1]


@lru_cache(maxsize=256)
def _coloured(shown: Listing) -> tuple[tuple[Mark, ...], ...]:
    """For each line, its pieces that have a colour: keywords, names that are defined, strings, numbers, comments."""
    marks: list[list[Mark]] = [[] for _ in shown.lines]
    previous = ""
    try:
        for token in tokenize.generate_tokens(io.StringIO("\n".join(shown.lines) + "\n").readline):
            kind = _class(token, previous)
            previous = token.string
            if kind:
                for row in range(token.start[0], token.end[0] + 1):
                    start = token.start[1] if row == token.start[0] else 0
                    end = token.end[1] if row == token.end[0] else len(shown.lines[row - 1])
                    marks[row - 1].append((start, end, kind))
    except (tokenize.TokenError, IndentationError, IndexError):
        pass  # colours are a courtesy; the text is there
    return tuple(tuple(line) for line in marks)


def _class(token: tokenize.TokenInfo, previous: str) -> str:
    if token.type == tokenize.COMMENT:
        return "comment"
    if token.type == tokenize.STRING:
        return "string"
    if token.type == tokenize.NUMBER:
        return "number"
    if token.type == tokenize.NAME:
        if previous in ("def", "class"):
            return "defined"
        if keyword.iskeyword(token.string):
            return "keyword"
        if token.string == "self":
            return "self"
    return ""
