"""Write what the first page asks, with what its model says: `python -m tools.greetings`, after a new training of it."""

from __future__ import annotations

import json
from dataclasses import asdict

from lmviz.bundle import SAMPLES
from lmviz.model.checkpoint import load
from lmviz.services.greetings import BEGINNINGS, FILE, SAMPLE
from lmviz.services.next_words import next_words


def written() -> str:
    """The content of the file."""
    checkpoint = load(SAMPLES / SAMPLE)
    found = {language: asdict(next_words(checkpoint, text)) for language, text in BEGINNINGS.items()}
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    (SAMPLES / SAMPLE / FILE).write_text(written(), encoding="utf-8")
