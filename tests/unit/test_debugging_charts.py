"""The curves of a training that goes wrong, with what counting alone reaches."""

from __future__ import annotations

import pytest

from lmviz.ui.debugging.charts import AXES, LINE, curves

LEVELS = {"all equally likely": 3.3, "counting tokens": 2.85, "counting pairs": 2.35}


@pytest.mark.parametrize("top", [3.3, 6.3])
def test_no_level_strikes_through_the_name_of_the_one_below(top: float) -> None:
    chart = curves({"gone wrong": [(0, 3.3), (10, top)]}, "step", "nats", LEVELS, height=230).to_dict(validate=False)
    pixels = (chart["height"] - AXES) / (1.08 * top)  # of a nat
    assert (2.85 - 2.35) * pixels >= 0.9 * LINE and (3.3 - 2.85) * pixels >= 0.9 * LINE
