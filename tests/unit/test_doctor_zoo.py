"""The doctor on models and loops in the habits of many: no alarm but a hint is false, and faults are found by name."""

from __future__ import annotations

import pytest

from lmviz.debug.doctor import CHECKS
from lmviz.debug.doctor.curves import RULES
from tests.zoo.catalogue import ENTRIES
from tests.zoo.score import BY_NAME, alarms, findings, how_sure

HEALTHY = [entry.name for entry in ENTRIES if not entry.fault]
BROKEN = [entry.name for entry in ENTRIES if entry.fault]
MISSED: frozenset[str] = frozenset()  # faults that the doctor is known not to find
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning"),  # torch's, of the models
]


def test_the_zoo_is_large_and_every_name_in_it_is_one() -> None:
    assert len(BY_NAME) == len(ENTRIES)
    assert len(HEALTHY) >= 40 and len(BROKEN) >= 40
    assert sum(entry.later for entry in ENTRIES) >= len(ENTRIES) / 3
    assert {check for entry in ENTRIES for check in entry.fault} <= CHECKS.keys() | RULES.keys()


@pytest.mark.sampled(18)
@pytest.mark.parametrize("name", HEALTHY)
def test_no_alarm_but_a_hint_is_raised_by_what_is_healthy_and_every_check_runs(name: str) -> None:
    assert not [alarm for alarm in alarms(name).values() if how_sure(alarm) in ("sure", "likely")]
    assert not [finding.check for finding in findings(name) if finding.why_not == "does_not_run"]


@pytest.mark.sampled(12)
@pytest.mark.parametrize("name", sorted(set(BROKEN) - MISSED))
def test_a_fault_is_found_by_its_name(name: str) -> None:
    assert set(BY_NAME[name].fault) & alarms(name).keys(), alarms(name).keys()


def test_a_gate_that_starts_closed_hides_nothing() -> None:
    assert "receptive_field" not in alarms("gates that start closed")
