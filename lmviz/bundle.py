"""Where things lie: the package itself, and the app's files that are no modules, which stand beside the package in a
checkout and inside it where it was installed."""

from __future__ import annotations

from pathlib import Path

PACKAGES = Path(__file__).parent.parent  # where `import lmviz` finds us, for processes that we start anywhere
_INSIDE = Path(__file__).parent / "bundled"
HOME = _INSIDE if _INSIDE.is_dir() else PACKAGES

SETTINGS = HOME / ".streamlit" / "config.toml"
ENTRY = HOME / "streamlit_app.py"
PAGES = HOME / "pages"
RECORDING = ".lmviz"  # the end of the name of a recording's file
SAMPLES = HOME / "sample_models"
