"""What went wrong in the system or in a library, as a clause of ours: the `reason` of a UserError.

What ours lack is quoted: `{said:code}` is in the words of whoever said it.
"""

from __future__ import annotations

import errno
import re
from json import JSONDecodeError

from lmviz.errors import UserError

LONGEST = 200  # characters of what is quoted
_PLACE = re.compile(r"\(?(?:at )?line (\d+),? column (\d+)\)?.*", re.S)
_NUMBER = re.compile(r"os error (\d+)")  # as a library in Rust tells it
_CUT = ("header too small", "invalid header length", "incomplete metadata", "MetadataIncompleteBuffer")
_OTHER_KIND = ("header too large", "invalid UTF-8", "must start with", "expected value", "EOF while parsing a value")


def of_system(error: Exception) -> UserError:
    """Why a file or a folder could not be read or written.

    Args:
        error: an OSError; what a library makes of one; or what Python raises of a name that no file can have.
    """
    told = _NUMBER.search(str(error))
    match int(told[1]) if told else getattr(error, "errno", None):
        case errno.EACCES | errno.EPERM:
            return UserError("lmviz has no right to do so")
        case errno.EROFS:
            return UserError("the disk can only be read")
        case errno.ENOSPC | errno.EDQUOT:
            return UserError("the disk is full")
        case errno.ENAMETOOLONG:
            return UserError("the name is too long")
        case errno.ENOENT | errno.ENOTDIR:
            return UserError("there is no such folder")
        case errno.EISDIR:
            return UserError("it is a folder")
        case errno.ELOOP:
            return UserError("its links lead in a circle")
    if "null" in str(error):
        return UserError("no name has such a character")
    return quoted(getattr(error, "strerror", None) or error)


def of_syntax(error: Exception) -> UserError:
    """Where a text stops being JSON or TOML."""
    if isinstance(error, RecursionError):
        return UserError("it has parts within parts within parts, too many of them")
    if place := _PLACE.search(str(error)):
        said = str(error)[: place.start()].strip(" :")
        return UserError(
            "the fault is in line {line}, column {column}: {said:code}", line=place[1], column=place[2], said=said
        )
    return quoted(error)


def of_content(error: Exception) -> UserError:
    """What is wrong with a file whose parts are read one by one; what Python says of it is for who reads the log."""
    match error:
        case UserError():
            return error
        case RecursionError() | JSONDecodeError():
            return of_syntax(error)
        case KeyError():
            return UserError("its part {name:code} is missing", name=str(error.args[0])[:LONGEST])
        case MemoryError():
            return UserError("it asks for more memory than there is")
    return UserError("it contradicts itself")


def of_safetensors(error: Exception) -> UserError:
    """Why a file is no whole safetensors file."""
    if isinstance(error, OSError):
        return of_system(error)
    said = str(error)
    if any(one in said for one in _CUT):
        return UserError("it is cut short or was changed, so fetch it again")
    if any(one in said for one in _OTHER_KIND):
        return UserError("it is a file of another kind")
    return UserError(
        "its header is wrong, {said:code}", said=said.removeprefix("Error while deserializing header: ")[:LONGEST]
    )


def quoted(said: object) -> UserError:
    """Words that are not ours."""
    return UserError("{said:code}", said=(str(said) or type(said).__name__)[:LONGEST])
