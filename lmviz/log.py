"""What is worth knowing of a server afterwards, by the standard `logging`: what was opened, begun, and went wrong."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to(file: Path | None, verbose: bool) -> None:
    """Write the log of lmviz to standard error and, if one is named, to a file, Streamlit's warnings with it.

    Args:
        verbose: say what is done too, not only what goes wrong; a file says it in any case.

    Raises:
        OSError: the file can't be written.
    """
    shown = logging.StreamHandler(sys.stderr)
    shown.setLevel(logging.DEBUG if verbose else logging.WARNING)
    handlers: list[logging.Handler] = [shown]
    if file is not None:
        kept = logging.FileHandler(file, encoding="utf-8")
        handlers.append(kept)
        logging.getLogger("streamlit").addHandler(kept)
    own = logging.getLogger("lmviz")
    own.setLevel(logging.DEBUG)
    own.propagate = False
    own.handlers = handlers
    for handler in handlers:
        handler.setFormatter(logging.Formatter(LINE))


@contextmanager
def timed(log: logging.Logger, level: int, what: str, *details: object) -> Iterator[None]:
    """Log what was done, when it is done, and how long it took."""
    began = time.perf_counter()
    yield
    log.log(level, f"{what} in %.3f s", *details, time.perf_counter() - began)
