"""How well the doctor does on the zoo."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from lmviz.debug.doctor import CHECKS
from lmviz.debug.doctor.curves import RULES
from lmviz.debug.doctor.finding import Finding, Sure
from tests.zoo.catalogue import ENTRIES
from tests.zoo.entry import Entry

BY_NAME = {entry.name: entry for entry in ENTRIES}


@cache
def findings(name: str) -> tuple[Finding, ...]:
    """What the doctor says of an entry; made once."""
    return tuple(BY_NAME[name].findings())


def alarms(name: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings(name) if finding.holds is False}


def how_sure(finding: Finding) -> Sure:
    known = CHECKS.get(finding.check) or RULES[finding.check]
    return finding.sure or known.sure


@dataclass(frozen=True)
class Score:
    """Counts over some entries, and the names of those that count against the doctor."""

    n_healthy: int
    n_broken: int
    false_sure: tuple[str, ...] = ()
    false_likely: tuple[str, ...] = ()
    missed: tuple[str, ...] = field(default=())

    @property
    def found(self) -> int:
        return self.n_broken - len(self.missed)


def score(entries: Iterable[Entry]) -> Score:
    healthy = [entry.name for entry in entries if not entry.fault]
    broken = [entry for entry in entries if entry.fault]
    found = {name: {how_sure(alarm) for alarm in alarms(name).values()} for name in healthy}
    return Score(
        len(healthy),
        len(broken),
        tuple(name for name, sures in found.items() if "sure" in sures),
        tuple(name for name, sures in found.items() if "likely" in sures),
        tuple(entry.name for entry in broken if not set(entry.fault) & alarms(entry.name).keys()),
    )
