"""A file that somebody asked for by its name: written whole or not at all, and one sentence says why it is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lmviz.errors import UserError
from lmviz.faults import of_system


def save_whole(path: Path, write: Callable[[Path], object], failure: type[Exception] = OSError) -> None:
    """Let `write` make the file beside its place; when all of it is there, it takes that place.

    Args:
        write: is given the path that it writes to.
        failure: what `write` may raise beside OSError and ValueError where it cannot write.

    Raises:
        UserError: it can't be written there; what was there before is still there.
    """
    place = check_place(path)
    beside = place.with_name(f".{place.name[:100]}.{os.getpid()}")
    try:
        write(beside)
        beside.replace(place)
    except (OSError, ValueError, failure) as error:
        raise _not_written(path, of_system(error)) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def check_place(path: Path) -> Path:
    """What can be seen before any work is done; returns where the file really goes: a link stays one.

    Raises:
        UserError: there is no such folder, or something else than a file is there.
    """
    try:
        place = Path(os.path.realpath(path))
        is_there, is_folder, is_other = place.parent.is_dir(), path.is_dir(), path.exists() and not path.is_file()
        leads_nowhere = place.is_symlink() or (path.is_symlink() and not is_there)  # round and round, or to no folder
    except (OSError, ValueError) as error:  # a name with a null character, or one that is too long
        raise _not_written(path, of_system(error)) from error
    if is_folder:
        raise _not_written(path, UserError("it is a folder"))
    if is_other:
        raise _not_written(path, UserError("it is no ordinary file"))
    if leads_nowhere:
        raise _not_written(path, UserError("it is a link that leads nowhere"))
    if not is_there:
        raise _not_written(path, UserError("there is no such folder"))
    if not os.access(place.parent, os.W_OK):
        raise _not_written(path, UserError("lmviz has no right to do so"))
    return place


def _not_written(path: Path, reason: UserError) -> UserError:
    return UserError(
        "A file is written into a folder that is there and can be written to; {file} can't be written: {reason}. Name "
        "another place.",
        file=str(path),
        reason=reason,
    )
