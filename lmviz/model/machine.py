"""How much memory this machine can still give, asked before anything large is built."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from lmviz.errors import UserError

LARGEST = 2**40  # bytes: more than this is asked of no machine, also not where we cannot tell what it has
SHARE = 0.8  # of what is free: the rest is for everything else

CONTAINERS = (  # limit, what is used of it, and the statistics that say how much of that can be had back
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ),
)


def free_memory() -> int:
    """Bytes that a model may take here: of this machine, or of the container that we run in."""
    found = [LARGEST, *_of_machine(), *_of_container()]
    return int(SHARE * min(found))


def check_free(n_bytes: int, limit: int | None = None) -> None:
    """A UserError if a model cannot have so many bytes.

    Args:
        limit: how many it may have at most; default: what this machine can give.
    """
    limit = free_memory() if limit is None else min(limit, free_memory())
    if n_bytes > limit:
        raise UserError(
            "This model needs about {needed} bytes of memory and may have {limit} here: take a smaller one.",
            needed=n_bytes,
            limit=limit,
        )


def _of_machine() -> list[int]:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return [1024 * int(line.split()[1])]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system can tell
        return [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    return []


def _of_container() -> list[int]:
    for limit, used, statistics in CONTAINERS:
        with contextlib.suppress(ValueError, IndexError):  # "max": there is no limit
            caches = [int(line.split()[1]) for line in _lines(statistics) if line.startswith("inactive_file ")]
            return [max(0, int(_lines(limit)[0]) - int(_lines(used)[0]) + sum(caches))]
    return []


def _lines(path: str) -> list[str]:
    """Of a file in which the system tells about itself."""
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="utf-8").splitlines()
    return []
