"""What several unit tests start from."""

from __future__ import annotations

import pytest

import lmviz
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def names() -> lmviz.Checkpoint:
    """The largest sample model; nobody changes it."""
    return lmviz.load(ROOT / "sample_models/names")
