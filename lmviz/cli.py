"""The command `lmviz`: opens the app."""

from __future__ import annotations

import argparse
import runpy
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from lmviz.bundle import ENTRY

PORT = 8501


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 when the server was stopped, 1 if it can't start, 2 for wrong use."""
    asked = _parser().parse_args(arguments)
    if not _is_free(asked.port):
        print(f"Port {asked.port} is taken: choose another with --port, or close what uses it.", file=sys.stderr)
        return 1
    app = runpy.run_path(str(ENTRY))["app"]
    app.run(config={"server.port": asked.port, "server.headless": not asked.open})
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lmviz", description="See how a language model works, one step and one number at a time. Opens the app."
    )
    parser.add_argument("--port", type=_port, default=PORT, help=f"where the app answers; default: {PORT}")
    parser.add_argument("--no-browser", dest="open", action="store_false", help="start the server only")
    parser.add_argument("--version", action="version", version=f"lmviz {_version()}")
    return parser


def _port(written: str) -> int:
    if not written.isdecimal() or not 1 <= int(written) <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {written!r}")
    return int(written)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _version() -> str:
    try:
        return version("lmviz")
    except PackageNotFoundError:  # a checkout that is not installed
        return "of this checkout"
