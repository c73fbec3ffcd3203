"""The head of a chapter: a little YAML between two lines of three dashes, every part of which knows its line."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import yaml

from lmviz.errors import UserError

_FENCE = "---"


@dataclass(frozen=True)
class Wrong:
    """Says what is wrong in a file, and where."""

    file: str

    def __call__(self, line: int, sentence: str, /, **details: object) -> UserError:
        return UserError(sentence, file=self.file, line=line, **details)


@dataclass(frozen=True)
class Part:
    """A part of a head: a mapping, a list or a text, and the line where it stands, from 1."""

    node: yaml.Node
    line: int
    wrong: Wrong
    name: str = ""

    def mapping(self, needed: Collection[str], allowed: Collection[str] = ()) -> dict[str, Part]:
        """Its entries by name.

        Raises:
            UserError: it is no mapping, lacks what is needed, or has what nobody knows.
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.wrong(
                self.line, "{file}, line {line}: names and values are expected here, as in “title: Tokens”."
            )
        found: dict[str, Part] = {}
        for key, value in self.node.value:
            line, name = self._line(key), key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in (*needed, *allowed):
                raise self.wrong(line, "{file}, line {line}: “{name}” is not known here; known are {known}.",
                                 name=name[:40], known=", ".join((*needed, *allowed)))  # fmt: skip
            if name in found:
                raise self.wrong(line, "{file}, line {line}: “{name}” stands here a second time.", name=name)
            found[name] = Part(value, self._line(value), self.wrong, name)
        for name in needed:
            if name not in found:
                raise self.wrong(self.line, "{file}, line {line}: “{name}” is missing.", name=name)
        return found

    def entries(self, most: int) -> list[Part]:
        """The entries of a list, one at least."""
        if not isinstance(self.node, yaml.SequenceNode) or not 1 <= len(self.node.value) <= most:
            raise self.wrong(self.line, "{file}, line {line}: “{name}” must be a list of 1 to {most} entries.",
                             name=self.name, most=most)  # fmt: skip
        return [Part(value, self._line(value), self.wrong, self.name) for value in self.node.value]

    def text(self, longest: int) -> str:
        """A text of one character at least."""
        found = self.node.value.strip() if isinstance(self.node, yaml.ScalarNode) else ""
        if not 1 <= len(found) <= longest:
            raise self.wrong(self.line, "{file}, line {line}: “{name}” must be a text of 1 to {most} characters.",
                             name=self.name, most=longest)  # fmt: skip
        return str(found)

    def whole(self, low: int, high: int) -> int:
        """A whole number."""
        written = self.text(20)
        if not (written.isascii() and written.isdigit() and low <= int(written) <= high):
            raise self.wrong(self.line, "{file}, line {line}: “{name}” must be a whole number from {low} to {high}.",
                             name=self.name, low=low, high=high)  # fmt: skip
        return int(written)

    def _line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + 2  # the head begins below its fence


def read_head(lines: list[str], wrong: Wrong) -> tuple[Part, int]:
    """The head of a file, and the index of the first line below it.

    Raises:
        UserError: there is none, or it is no YAML.
    """
    if not lines or lines[0].rstrip() != _FENCE:
        raise wrong(1, "{file}, line {line}: a chapter begins with a line of three dashes, and its head below it.")
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise wrong(len(lines), "{file}, line {line}: the head must end with a line of three dashes.")
    try:
        node = yaml.compose("\n".join(lines[1:end]), yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = min(end + 1, mark.line + 2) if mark is not None else 2
        why = str(getattr(error, "problem", "") or "").partition("\n")[0]
        raise wrong(line, "{file}, line {line}: this is no YAML ({why}).", why=why or "?") from None
    except RecursionError:
        raise wrong(2, "{file}, line {line}: lists stand in lists too deeply.") from None
    if node is None:
        raise wrong(2, "{file}, line {line}: the head is empty.")
    return Part(node, 2, wrong), end + 1
