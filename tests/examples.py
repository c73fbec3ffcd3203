"""How many examples a property is tried with: a share of what the profile of the day or of the night says."""

from __future__ import annotations

from hypothesis import settings


def times(share: float) -> settings:
    """`@times(5)` tries five times as many examples as other properties: each is quick, and few are odd enough."""
    return settings(max_examples=max(1, round(share * settings().max_examples)))
