"""A fixture for one's own tests, there wherever lmviz is installed: `lmviz_healthy(model, *inputs)` fails with what
the doctor finds wrong.

    def test_my_model(lmviz_healthy):
        lmviz_healthy(MyModel(), torch.tensor([[1, 2, 3, 4]]))
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lmviz.attach.check import Findings


@pytest.fixture
def lmviz_healthy() -> Callable[..., Findings]:
    """Examine a model; the test fails with the sentences of the alarms, and hints are warnings. `but` names checks
    that may fail; the rest is given as to `lmviz.check`."""
    from lmviz.attach.check import check  # torch comes with it
    from lmviz.attach.sentences import advice_of, line_of

    def healthy(
        model: Any,
        *inputs: Any,
        n_ctx: int | None = None,
        causal: bool | None = None,
        but: Collection[str] = (),
        **kwargs: Any,
    ) -> Findings:
        __tracebackhide__ = True
        found = check(model, *inputs, n_ctx=n_ctx, causal=causal, **kwargs)
        for one in found.hints:
            if one.check not in but:
                warnings.warn(line_of(one), stacklevel=2)
        alarms = [one for one in found.alarms if one.check not in but]
        if alarms:
            said = "\n".join("\n    ".join((line_of(one), *advice_of(one))) for one in alarms)
            pytest.fail(f"the doctor has {len(alarms)} alarms:\n{said}", pytrace=False)
        return found

    return healthy
