"""Writes the browser's declarations from Python's: `python -m tools.browser_types`.

What Python sends to the browser is declared once, as TypedDicts in files named `X_types.py`; from each of them comes a
`browser/X.d.ts` in the same folder, against which the JavaScript is checked. A test compares the two.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

ROOT = Path(__file__).parents[1]
HEAD = "// Made from {source}:\n// change that file, and run `python -m tools.browser_types`.\n"
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null", object: "unknown"}


def sources() -> list[Path]:
    return sorted((ROOT / "lmviz/ui").rglob("*_types.py"))


def target(source: Path) -> Path:
    return source.parent / "browser" / f"{source.stem.removesuffix('_types')}.d.ts"


def declarations(source: Path) -> str:
    """The text of the declarations that belong to a Python file."""
    own = _declared(source)
    bases = _bases(source)
    written = [
        _interface(value, bases.get(name, [])) if is_typeddict(value) else _alias(name, value)
        for name, value in own.items()
    ]
    head = HEAD.format(source=source.relative_to(ROOT).as_posix())
    return "\n".join([head, *_imports(source, set(own), "".join(written)), *written])


def _declared(source: Path) -> dict[str, object]:
    """What a file declares by itself: its classes, and the names that it gives to types."""
    named = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            named.add(node.name)
        if isinstance(node, ast.Assign):
            named |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name: value for name, value in vars(_module(source)).items() if name in named}


def _module(source: Path) -> types.ModuleType:
    return importlib.import_module(".".join(source.relative_to(ROOT).with_suffix("").parts))


def _imports(source: Path, own: set[str], written: str) -> Iterator[str]:
    """What the declarations use from those of other files."""
    here, used = target(source).parent, set(re.findall(r"\b[A-Z]\w*", written)) - own
    for other in sources():
        if names := sorted(used & set(_declared(other))):
            if _module(other).__name__ not in source.read_text(encoding="utf-8"):
                continue
            path = Path(os.path.relpath(target(other), here)).as_posix()
            path = path if path.startswith(".") else f"./{path}"
            yield f'import type {{ {", ".join(names)} }} from "{path}";\n'


def _alias(name: str, value: object) -> str:
    return f"export type {name} = {_written(value)};\n"


def _interface(declared: Any, bases: list[Any]) -> str:
    inherited = {key for base in bases for key in get_type_hints(base)}
    hints = get_type_hints(declared, include_extras=True)
    keys = "".join(f"  {_key(key, hint)};\n" for key, hint in hints.items() if key not in inherited)
    extends = f" extends {', '.join(base.__name__ for base in bases)}" if bases else ""
    doc = (declared.__doc__ or "").strip().partition("\n")[0]
    comment = f"/** {doc} */\n" if doc and not doc.startswith("dict(") else ""
    return f"{comment}export interface {declared.__name__}{extends} {{\n{keys}}}\n"


def _bases(source: Path) -> dict[str, list[Any]]:
    """The TypedDicts that each class of a file extends; the classes themselves have forgotten it."""
    known, found = vars(_module(source)), {}
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            bases = [known[base.id] for base in node.bases if isinstance(base, ast.Name)]
            found[node.name] = [base for base in bases if is_typeddict(base)]
    return found


def _key(key: str, hint: Any) -> str:
    optional = get_origin(hint) is NotRequired
    return f"{key}{'?' if optional else ''}: {_written(get_args(hint)[0] if optional else hint)}"


def _written(hint: Any) -> str:
    """A type as TypeScript writes it."""
    if hint in PLAIN:
        return PLAIN[hint]
    if is_typeddict(hint):
        return str(hint.__name__)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:  # what Python can't say
        return str(args[1])
    if origin is Literal:
        return " | ".join(f'"{word}"' for word in args)
    if origin in (Union, types.UnionType):
        return " | ".join(_written(arg) for arg in args)
    if origin is tuple:
        return f"[{', '.join(_written(arg) for arg in args)}]"
    if origin is list:
        inner = _written(args[0])
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if origin in (dict, Mapping):
        return f"Record<{_written(args[0])}, {_written(args[1])}>"
    raise TypeError(f"The browser has no type for {hint}.")


if __name__ == "__main__":
    for path in sources():
        target(path).write_text(declarations(path), encoding="utf-8")
