"""What the doctor says of a broken model that it does not say of the healthy one."""

from __future__ import annotations

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.models import broken, healthy, loop_of
from lmviz.debug.doctor import examine
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.patient import patient_of
from lmviz.model.checkpoint import Checkpoint


def verdict(checkpoint: Checkpoint, bug: Bug) -> tuple[Finding, ...]:
    """The checks that fail with the bug and hold, or cannot be made, without it. Empty: the doctor cannot see it.

    Raises:
        UserError: the bug has no place in this model.
    """
    failing = [f for f in examine(patient_of(broken(checkpoint, bug), loop=loop_of(bug))) if f.holds is False]
    names = tuple(f.check for f in failing)
    without = {f.check for f in examine(patient_of(healthy(checkpoint, bug)), names) if f.holds is False}
    return tuple(f for f in failing if f.check not in without)
