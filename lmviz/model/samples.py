"""Where the models that come with lmviz are."""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "sample_models"
