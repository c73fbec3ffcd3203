"""The card of a model: the README.md of its folder, with a few facts in front of it between two lines of ---."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from lmviz.model.files import MissingFile, read_text

FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Card:
    """What a model is, in the words of who made it."""

    title: str = ""
    text: str = ""  # Markdown, the title included
    license: str = ""
    languages: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()  # the first one is where to start

    @classmethod
    def parse(cls, readme: str) -> Card:
        """Read a README. Of its front matter, which is YAML, only the few keys that a card has are understood."""
        front = FRONT_MATTER.match(readme)
        facts = _facts(front.group(1)) if front else {}
        text = (readme[front.end() :] if front else readme).strip()
        heading = re.search(r"^# +(.+?) *#*$", text, re.MULTILINE)
        return cls(
            title=heading.group(1) if heading else "",
            text=text,
            license=next(iter(facts.get("license", ())), ""),
            languages=facts.get("language", ()),
            prompts=facts.get("widget", ()),
        )

    def readme(self) -> str:
        """The README that `parse` reads back as this card."""
        lines = [f"license: {self.license}"] if self.license else []
        lines += ["language:", *(f"- {language}" for language in self.languages)] if self.languages else []
        lines += ["pipeline_tag: text-generation"]
        prompts = (f"- text: {json.dumps(prompt, ensure_ascii=False)}" for prompt in self.prompts)
        lines += ["widget:", *prompts] if self.prompts else []
        return "\n".join(["---", *lines, "---", "", self.text, ""])


def read_card(path: Path) -> Card:
    """The card in a README.md; an empty one where there is none."""
    try:
        return Card.parse(read_text(path))
    except MissingFile:
        return Card()


def _facts(front_matter: str) -> dict[str, tuple[str, ...]]:
    """Each top-level key with its value, or with the items of the list below it, whether `- item` or `- text: item`."""
    facts: dict[str, tuple[str, ...]] = {}
    key = ""
    for line in front_matter.splitlines():
        if top := re.match(r"([\w-]+):(.*)", line):
            key = top.group(1)
            facts[key] = (_scalar(top.group(2)),) if top.group(2).strip() else ()
        elif key and (item := re.match(r"\s*(?:-\s+(?:text:\s)?|text:\s)\s*(?![\w-]+:\s)(.+)", line)):
            facts[key] += (_scalar(item.group(1)),)
    return facts


def _scalar(written: str) -> str:
    """A YAML scalar on one line: "as in JSON", 'with two quotes for one', or plain."""
    written = written.strip()
    if written.startswith('"'):
        try:
            return str(json.loads(written))
        except ValueError:
            return written
    if len(written) > 1 and written[0] == written[-1] == "'":
        return written[1:-1].replace("''", "'")
    return written.partition(" #")[0].strip()
