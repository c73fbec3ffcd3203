"""What the doctor says of a broken model that it does not say of the healthy one."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from torch import nn

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.models import broken, healthy, loop_of
from lmviz.debug.doctor import examine
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.subject import subject_of
from lmviz.model.checkpoint import Checkpoint

# of each model, which checks fail without a bug: many bugs are compared with the same one
_healthy: WeakKeyDictionary[nn.Module, dict[str, bool]] = WeakKeyDictionary()


def verdict(checkpoint: Checkpoint, bug: Bug) -> tuple[Finding, ...]:
    """The checks that fail with the bug and hold, or cannot be made, without it. Empty: the doctor cannot see it.

    Raises:
        UserError: the bug has no place in this model.
    """
    failing = [f for f in examine(subject_of(broken(checkpoint, bug), loop=loop_of(bug))) if f.holds is False]
    base = healthy(checkpoint, bug)
    known = _healthy.setdefault(base.model, {})
    asked = tuple(f.check for f in failing if f.check not in known)
    known.update({f.check: f.holds is False for f in examine(subject_of(base), asked)})
    return tuple(f for f in failing if not known[f.check])
