"""Runs docs/notebook.ipynb from top to bottom and keeps what its cells show: `python -m tools.notebook`."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/notebook.ipynb"
PATIENCE = 120  # seconds for a cell


def executed() -> nbformat.NotebookNode:
    """The notebook with the outputs that it has now."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=PATIENCE, resources={"metadata": {"path": str(ROOT)}})
    client.execute()
    for cell in notebook.cells:
        cell.metadata.clear()  # when each ran, which is another time at each run
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
