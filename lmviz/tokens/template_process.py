"""Fill in one chat template: a program of its own, so that a hostile template can be stopped from outside.

Reads one JSON object: the template, what it may see, the limits. Writes one: the text, or what is wrong.
Imports nothing but Jinja and the standard library, so that it starts quickly.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.ext import Extension, loopcontrols
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment


class TooLong(Exception):
    """The text that a template writes has no end in sight."""


class TooFar(Exception):
    """A range in a template has more numbers than the sandbox allows."""


class Generation(Extension):
    """`{% generation %}...{% endgeneration %}` marks what the assistant says; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _fill_in(template: str, variables: Mapping[str, Any], limit: int) -> str:
    """The text of a template, as the `transformers` library would write it.

    Raises:
        TemplateError: the template is wrong, reaches for what it must not have, or says itself that it will not do.
        TooLong: the text has more than `limit` characters.
        TooFar: a range has more than MAX_RANGE numbers.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["range"] = _range
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    parts: list[str] = []
    length = 0
    for part in environment.from_string(template).generate(**variables):
        length += len(part)
        if length > limit:
            raise TooLong
        parts.append(part)
    return "".join(parts)


def _lacking(template: str, variables: Mapping[str, Any]) -> list[str]:
    """The names that a template reads and that nobody gave."""
    environment = ImmutableSandboxedEnvironment(extensions=[Generation, loopcontrols])
    known = {*environment.globals, "raise_exception", "strftime_now"}
    read = find_undeclared_variables(environment.parse(template)) - known
    return sorted(name for name in read if variables.get(name) is None)


def _raise_exception(message: object) -> NoReturn:
    raise TemplateError(str(message))


def _range(*edges: int) -> range:
    found = range(*edges)
    if found[MAX_RANGE:]:
        raise TooFar
    return found


def _tojson(value: object, ensure_ascii: bool = False, indent: int | None = None, **more: Any) -> str:
    """Without the escapes for HTML that Jinja's own filter makes."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **more)


def _limit_resources(seconds: int, n_bytes: int) -> None:
    """Where the system can: no more memory and time than this. Elsewhere the parent's clock has to do."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_AS, n_bytes), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, 0)):
        with suppress(ValueError, OSError):  # macOS takes no limit of memory; or there is a lower one already
            resource.setrlimit(kind, (most, most))


def _answer(request: Mapping[str, Any]) -> dict[str, object]:
    try:
        return {"text": _fill_in(request["template"], request["variables"], request["limit"])}
    except TooLong:
        return {"wrong": "long"}
    except MemoryError:
        return {"wrong": "memory"}
    except TooFar:
        return {"wrong": "range", "limit": MAX_RANGE}
    except TemplateSyntaxError as error:
        return {"wrong": "syntax", "reason": str(error.message), "line": error.lineno}
    except TypeError as error:
        if "NoneType" not in str(error):
            return {"wrong": "refused", "reason": str(error)[:500]}
        return {"wrong": "lacking", "names": _lacking(request["template"], request["variables"])}
    except Exception as error:  # a template can make Python raise anything
        return {"wrong": "refused", "reason": (str(error) or type(error).__name__)[:500]}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    _limit_resources(asked["seconds"], asked["bytes"])
    json.dump(_answer(asked), sys.stdout)
