"""`lmviz doctor TARGET`: what is wrong with a model. The exit code is 1 with alarms, 0 without, 2 for wrong use.

A hint is no alarm: what it asks about may be meant."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lmviz.attach.sentences import ALARM, FINE, HINT, SKIPPED, advice_of, as_json, line_of, sign_of
from lmviz.attach.target import CodeTarget, ModelTarget, RecordingTarget, read_target
from lmviz.debug.doctor.finding import Finding
from lmviz.errors import UserError
from lmviz.ui.text import LANGUAGES, Language

_STYLES = {SKIPPED: "dim", FINE: "green", HINT: "yellow", ALARM: "bold red"}  # in the order in which they stand
PATIENCE = 600.0  # seconds that a file, and all checks of its model, may take


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        found = findings_of(asked.target, asked.text, asked.causal)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    alarms, hints = (sum(sign_of(one) == sign for one in found) for sign in (ALARM, HINT))
    if asked.json:
        counts = {"alarms": alarms, "hints": hints}
        shown = {"target": asked.target, **counts, "findings": [as_json(one, asked.lang) for one in found]}
        print(json.dumps(shown, indent=2, ensure_ascii=False))
    else:
        _print(found, asked.lang)
    return 1 if alarms else 0


def findings_of(target: str, text: str = "", causal: bool | None = None) -> list[Finding]:
    """What the doctor finds in a model, or in that of a file of one's own, which may be meant to read both ways.

    Raises:
        UserError: there is no such thing, or it cannot be examined.
    """
    found = read_target(target)
    if isinstance(found, RecordingTarget):
        raise UserError(
            "The doctor examines a model, and {file} is a recording of one: give it the model's folder.",
            file=found.path.name,
        )
    return _of_code(found, text, causal) if isinstance(found, CodeTarget) else _of_model(found, text)


def _of_model(target: ModelTarget, text: str) -> list[Finding]:
    from lmviz.debug.doctor import examine
    from lmviz.debug.subject import subject_of
    from lmviz.debug.threads import one_thread
    from lmviz.model.checkpoint import load
    from lmviz.registry.kinds import read_reference
    from lmviz.registry.models import Models

    with one_thread():  # a folder, or the name of a sample or of a model of the Hub
        checkpoint = load(target.folder) if target.folder else Models().checkpoint(read_reference(target.reference))
        return list(examine(subject_of(checkpoint, [text] if text else ())))


def _of_code(target: CodeTarget, text: str, causal: bool | None) -> list[Finding]:
    from lmviz.attach.process import CodeProcess

    with tempfile.TemporaryDirectory(prefix="lmviz-") as folder:
        process = CodeProcess(target, Path(folder), PATIENCE)
        try:
            return process.examine(text, causal)
        finally:
            process.end()


def _print(found: Iterable[Finding], lang: Language) -> None:
    """Alarms last, where one looks, hints before them; in colours on a terminal, if rich is there."""
    ordered = sorted(found, key=lambda one: [*_STYLES].index(sign_of(one)))
    printed = _printer()
    for one in ordered:
        printed(line_of(one, lang), _STYLES[sign_of(one)])
        for line in advice_of(one, lang) if one.holds is False else ():
            printed(f"    {line}", "")
    counts = Counter(map(sign_of, ordered))
    printed("  ".join(f"{sign} {counts[sign]}" for sign in (FINE, ALARM, HINT, SKIPPED)), "bold")


def _printer():  # type: ignore[no-untyped-def]  # rich has no place in a signature: it need not be installed
    if sys.stdout.isatty():
        try:
            from rich.console import Console
            from rich.text import Text
        except ImportError:
            pass
        else:
            console = Console()
            return lambda line, style: console.print(Text(line, style=style))
    return lambda line, style: print(line)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lmviz doctor", description="Examine a language model and say what is wrong with it. Exit code 1 with alarms."
    )
    parser.add_argument(
        "target", metavar="TARGET", help="a sample model, a model's folder, a Python file, or package.module:function"
    )
    parser.add_argument("--text", default="", help="what the model reads; default: its own texts, or its inputs")
    parser.add_argument(
        "--causal",
        action=argparse.BooleanOptionalAction,
        help="of a file: whether its model is meant to predict the next token, or to read both ways, as an encoder "
        "does; default: judged by its mask, its outputs and its loss",
    )
    parser.add_argument("--json", action="store_true", help="print the findings for another program")
    parser.add_argument("--lang", choices=LANGUAGES, default=LANGUAGES[0], help="of what is said")
    return parser
