"""A long log is read in a process of its own: a match over a long line would hold up all that the server does.

As a program it reads the text from its standard input, and writes the sheet, or the error, to its standard output.
"""

from __future__ import annotations

import pickle
import subprocess
import sys

from lmviz.bundle import PACKAGES
from lmviz.debug.logs.columns import Sheet
from lmviz.debug.logs.reader import read_sheet
from lmviz.errors import UserError

LONG = 50_000  # characters from which on a process pays
SECONDS = 60.0  # that it may take


def read_in_own_process(log: str) -> Sheet:
    """`read_sheet`, for a log of any length.

    Raises:
        UserError: as `read_sheet`; or reading took too long.
    """
    if len(log) < LONG:
        return read_sheet(log)
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=log.encode("utf-8", "surrogatepass"),
            capture_output=True,
            timeout=SECONDS,
            cwd=PACKAGES,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            "Reading this log was stopped after {seconds} seconds: paste a part of it.", seconds=int(SECONDS)
        ) from error
    found = pickle.loads(done.stdout)  # what our own program wrote a moment ago
    if isinstance(found, UserError):
        raise found
    sheet: Sheet = found
    return sheet


def _main() -> None:
    log = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    try:
        found: Sheet | UserError = read_sheet(log)
    except UserError as error:
        found = error
    sys.stdout.buffer.write(pickle.dumps(found))


if __name__ == "__main__":
    from lmviz.debug.logs.own_process import _main as main  # under its own name, so that what it writes can be read

    main()
