"""Where the app's files that are no modules lie: beside the package in a checkout, inside it where it was installed."""

from __future__ import annotations

from pathlib import Path

_INSIDE = Path(__file__).parent / "bundled"
HOME = _INSIDE if _INSIDE.is_dir() else Path(__file__).parent.parent

ENTRY = HOME / "streamlit_app.py"
PAGES = HOME / "pages"
SAMPLES = HOME / "sample_models"
