"""The command `lmviz`: opens the app, on a model or on a file of one's own; or does without it what it does."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from lmviz import __version__
from lmviz.errors import UserError
from lmviz.log import log_to
from lmviz.stopped import stoppable

PORT = 8501
WRONG_USE = 2  # the exit code


@dataclass(frozen=True)
class Command:
    """One word after `lmviz`: the module whose `main(arguments)` does it and returns the exit code."""

    module: str
    says: str


_COMMANDS = {
    "train": Command("lmviz.train.__main__", "train the model of a recipe and write its folder"),
    "convert": Command("lmviz.attach.convert_command", "make a folder of weights in a pickle, such as nanoGPT's"),
    "page": Command("lmviz.attach.page_command", "write a walk as one page of HTML that needs no server"),
    "doctor": Command("lmviz.attach.doctor_command", "examine a model and say what is wrong with it"),
}
_TARGET = """what to open; nothing: the app as it is. One of
  a sample model      lmviz names
  a model's folder    lmviz my-model/
  a name of the Hub   lmviz org/name
  a recording         lmviz mine.lmviz
  a Python file       lmviz model.py
                      which names `model` and `inputs`, or has a function lmviz_example() that returns them
  a function          lmviz package.module:function
                      that returns (model, inputs)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 when the server was stopped, 1 if it can't start, 2 for wrong use."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments and arguments[0] in _COMMANDS:
        command, *rest = arguments
        return stoppable(lambda: int(import_module(_COMMANDS[command].module).main(rest)))
    asked = _parser().parse_args(arguments)
    try:
        log_to(asked.log_file, asked.verbose)
    except OSError as error:
        print(f"--log-file must name a file that can be written to: {error.strerror}.", file=sys.stderr)
        return WRONG_USE
    try:
        return int(import_module("lmviz.attach.app").open_app(asked.target, asked.port, asked.open))
    except UserError as error:
        print(error, file=sys.stderr)
        return WRONG_USE


def _parser() -> argparse.ArgumentParser:
    commands = "\n".join(f"  lmviz {name:<8} {command.says}" for name, command in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        "lmviz",
        description="See how a language model works, one step and one number at a time. Opens the app.",
        epilog=f"other commands (each has a --help of its own):\n{commands}",
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("target", nargs="?", metavar="TARGET", help=_TARGET)
    parser.add_argument("--port", type=_port, default=PORT, help=f"where the app answers; default: {PORT}")
    parser.add_argument("--no-browser", dest="open", action="store_false", help="start the server only")
    parser.add_argument("--verbose", action="store_true", help="say what is opened and recorded, and how long it took")
    parser.add_argument("--log-file", type=Path, metavar="FILE", help="write the log to a file too")
    parser.add_argument("--version", action="version", version=f"lmviz {__version__}")
    return parser


def _port(written: str) -> int:
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {written!r}")
    return int(written)
