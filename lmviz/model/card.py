"""The card of a model: the README.md of its folder, with a few facts in front of it between two lines of ---."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lmviz.model.files import MissingFile, read_text

LONGEST = 100_000  # characters of front matter that are read
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Card:
    """What a model is, in the words of who made it."""

    title: str = ""
    text: str = ""  # Markdown, the title included
    license: str = ""
    languages: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()  # the first one is where to start
    begins: str = ""  # in a line of Markdown: what it was trained on, and how a text for it begins

    @classmethod
    def parse(cls, readme: str) -> Card:
        """Read a README. Front matter that is no YAML says nothing."""
        front = _FRONT_MATTER.match(readme)
        facts = _facts(front.group(1)) if front else {}
        text = (readme[front.end() :] if front else readme).strip()
        heading = re.search(r"^# +(.+?) *#*$", text, re.MULTILINE)
        return cls(
            title=heading.group(1) if heading else "",
            text=text,
            license=next(iter(facts.get("license", ())), ""),
            languages=facts.get("language", ()),
            prompts=facts.get("widget", ()),
            begins=next(iter(facts.get("begins", ())), ""),
        )

    def readme(self) -> str:
        """The README that `parse` reads back as this card."""
        facts = {
            "license": self.license,
            "language": list(self.languages),
            "pipeline_tag": "text-generation",
            "widget": [{"text": prompt} for prompt in self.prompts],
            "begins": self.begins,
        }
        front = yaml.safe_dump(
            {key: fact for key, fact in facts.items() if fact}, allow_unicode=True, sort_keys=False, width=10**6
        )
        return f"---\n{front}---\n\n{self.text}\n"


def read_card(path: Path) -> Card:
    """The card in a README.md; an empty one where there is none."""
    try:
        return Card.parse(read_text(path))
    except MissingFile:
        return Card()


def _facts(front_matter: str) -> dict[str, tuple[str, ...]]:
    """Each key with its text or its list of texts, as far as there are such: a list may have `text: …` for each.

    Everything is read as text: YAML by itself would make the language `no` a refusal, and run on dates. The loader is
    the one in Python: libyaml's own, given brackets in brackets, ends the process from Python 3.12 on.
    """
    try:
        read = yaml.load(front_matter, Loader=yaml.BaseLoader) if len(front_matter) <= LONGEST else None
    except (yaml.YAMLError, RecursionError):
        return {}
    return {key: tuple(_texts(fact)) for key, fact in read.items()} if isinstance(read, dict) else {}


def _texts(fact: object) -> Iterator[str]:
    for item in fact if isinstance(fact, list) else [fact]:
        text = item.get("text") if isinstance(item, dict) else item
        if isinstance(text, str) and text:
            yield text
