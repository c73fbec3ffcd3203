"""`lmviz page TARGET FILE.html`: a walk, or a training, as one page that needs no server.

The exit code is 0, or 2 for wrong use.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from lmviz.attach.kept import open_trace
from lmviz.attach.page import recording_of
from lmviz.attach.target import CodeTarget, RecordingTarget, read_target
from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE
from lmviz.registry.attached import Attached
from lmviz.registry.kinds import read_reference
from lmviz.registry.program import Asked
from lmviz.registry.recording import Recording, Request
from lmviz.services.services import Services
from lmviz.stages.navigation import Navigator
from lmviz.ui.offline.page import LIMIT, check_limit, save_page
from lmviz.ui.offline.training import save_training_page
from lmviz.ui.text import LANGUAGES, Language

TRAINING = re.compile(r"runs/([0-9a-f]{1,32})")  # a whole training; runs/ID@STEP is its model after a step
LARGEST = 1000  # that a browser opens
PATIENCE = 600.0  # seconds that a file may take


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        limit = round(asked.megabytes * MEGABYTE)
        check_limit(limit)
        for sentence in _saved(asked.target, asked.text, asked.file, Language(asked.lang), limit):
            print(sentence)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Written: {asked.file} ({asked.file.stat().st_size / MEGABYTE:.1f} MB). A browser opens it.")
    return 0


def _saved(target: str, text: str | None, file: Path, lang: Language, limit: int) -> tuple[str, ...]:
    training = TRAINING.fullmatch(target)
    if training is not None:
        return save_training_page(Services().models, training[1], file, lang, text, limit)
    return save_page(_recorded(target, text), file, lang, limit)


def _recorded(target: str, text: str | None) -> Recording:
    found = read_target(target)
    if isinstance(found, CodeTarget):
        return _of_code(found)
    if isinstance(found, RecordingTarget):
        return recording_of(open_trace(found.path), title=found.path.stem)
    models = Services().models
    reference = read_reference(str(found.folder or found.reference))
    return models.record(Request(reference, models.first_prompt(reference) if text is None else text))


def _of_code(target: CodeTarget) -> Recording:
    from lmviz.attach.process import CodeProcess

    with tempfile.TemporaryDirectory(prefix="lmviz-") as folder:
        process = CodeProcess(target, Path(folder), PATIENCE)
        try:
            run = process.record(Asked())
        finally:
            process.end()
        for step in run.trace:  # its numbers lie in the folder
            for value in (*step.inputs, *step.outputs):
                _ = value.array
        return Recording(Request(Attached(target.name), ""), run, run.tokens, 0, None, Navigator(run.trace))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lmviz page", description=__doc__)
    parser.add_argument("target", help="a model or a file, as `lmviz TARGET` takes it; runs/ID: a training")
    parser.add_argument("file", type=Path, help="where the page goes")
    parser.add_argument("--text", help="what the model reads; default: its own first text")
    parser.add_argument("--lang", choices=LANGUAGES, default="en", help="the language it opens in; it has them all")
    parser.add_argument(
        "--megabytes",
        type=_megabytes,
        default=LIMIT / MEGABYTE,
        help="how large it may be; what has no room is left out",
    )
    return parser


def _megabytes(written: str) -> float:
    with suppress(ValueError):
        if 1 <= (number := float(written)) <= LARGEST:
            return number
    raise argparse.ArgumentTypeError(f"a page may have 1 to {LARGEST} megabytes, not {written!r}")
