"""What the zoo is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.debug import plain_loop
from lmviz.debug.doctor import CHECKS, examine
from lmviz.debug.doctor.curves import diagnose
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.doctor.log import read_log
from lmviz.debug.subject import Subject

V, T, C = 12, 16, 16  # tokens, positions, width
TEXTS = (
    (1, 2, 3, 4, 0),
    (1, 2, 5, 6, 7, 0),
    (3, 4, 5, 0),
    (6, 7, 8, 9, 0),
    (9, 8, 7, 6, 5, 0),
    (2, 4, 6, 8, 10, 0),
    (11, 3, 1, 2, 9, 4, 0),
    (10, 11, 2, 5, 0),
)


@dataclass(frozen=True)
class Entry:
    """A model with its loop, or the log of a training."""

    name: str
    make: Callable[[], Subject | str]
    fault: tuple[str, ...] = ()  # the checks of which one must find it; none: it is healthy
    later: bool = False  # written after the checks were mended, to see whether they hold for what they never saw

    def findings(self) -> list[Finding]:
        """What the doctor says of it; of a broken one, only what the checks say of which one must find the fault."""
        torch.manual_seed(0)
        made = self.make()
        if isinstance(made, str):
            return list(diagnose(read_log(made, V).history))
        return list(examine(made, tuple(name for name in CHECKS if not self.fault or name in self.fault)))

    def alarms(self) -> dict[str, Finding]:
        return {finding.check: finding for finding in self.findings() if finding.holds is False}


def subject(
    model: nn.Module, loop: Any = plain_loop, texts: Sequence[Sequence[int]] = TEXTS, n_ctx: int = T
) -> Subject:
    return Subject(model.eval(), V, n_ctx, tuple(map(tuple, texts)), loop=loop)


Train = Callable[[nn.Module, Tensor, Tensor, int, float], Iterator[float]]


def loop(**parts: Any) -> Any:
    """The plain loop with some of its parts in another habit."""
    whole = {"make_pairs": plain_loop.make_pairs, "Loss": plain_loop.Loss, "make_optimizer": plain_loop.make_optimizer}
    return SimpleNamespace(**{"train": plain_loop.train, **whole, **parts})
