"""What a norm is known by: its operation, its name, or that it divides by a statistic and has no product."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lmviz.stages.data_flow import DataFlow
from lmviz.trace.step import Step, Trace

_NAME = re.compile(r"norm|(?:^|[._])ln(?:[._\d]|$)", re.IGNORECASE)
_OPERATIONS = frozenset(("layer_norm", "rms_norm", "group_norm", "native_layer_norm"))
_STATISTICS = frozenset(
    ("mean", "var", "std", "var_mean", "std_mean", "norm", "linalg_vector_norm", "rsqrt", "normalize")
)


def is_norm(trace: Trace, flow: DataFlow, step: Step) -> bool:
    """By its operation; or by its name, if it is a part without products and sums onto the stream."""
    if step.op in _OPERATIONS:
        return True
    call = trace.calls[step.call]
    if not any(_NAME.search(name) for name in (step.module.rpartition(".")[2], call.class_name)):
        return False
    return not any(flow.is_weighted(s) or s.index in flow.residuals for s in trace[call.first : call.last + 1])


def is_written_norm(flow: DataFlow, steps: Iterable[Step]) -> bool:
    """Whether some steps use a statistic (a mean, a variance), and no weights."""
    steps = tuple(steps)
    return any(step.op in _STATISTICS for step in steps) and not any(map(flow.is_weighted, steps))
