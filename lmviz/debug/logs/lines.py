"""Numbers in a line of words, and the name of each: what stands before it, or, after it, where nothing does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice

from lmviz.debug.logs.columns import LONGEST_NAME, Field, Writer, read_number
from lmviz.debug.logs.notation import MISSING, NOT_FINITE, Notation
from lmviz.debug.logs.roles import Part, name_of, part_of, words_of

# no quantifier but a trailing one is without a bound: each character is looked at a fixed number of times
_DATE = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ,_-]{1,2}\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?"
    r"|\d{1,3}:\d{2}(?::\d{2}){0,2}(?:[.,]\d{1,9})?(?![\w:])|\d{1,2}/\d{1,2}/\d{2,4}(?!\d)"
)
_FILE = r"[A-Za-z_]\w{0,60}\.(?:py|js|ts|rs|cu|cpp|cc|c|go|jl|java)\b(?::\d{1,7})?"
_UNIT = r"%|[^\W\d_][^\W\d_]{0,20}(?:/[^\W\d_]{1,20})?"
_COUNTED = re.compile(r"(step|iter|iteration|epoch|batch|ep)(\d{1,12})", re.IGNORECASE)
_POSITION = frozenset(("at", "after", "on", "in", "of", "for", "pour", "a", "au", "apres", "de", "du", "nach", "bei"))
_CUTS = "|;,"
_OPEN, _CLOSE = "([{", ")]}"
_MEASURED = ("loss", "held_out", "grad_norm")
MOST_PIECES = 1_000  # of a line that are looked at
_LONGEST = 12  # words of a name
_VAGUE = 3  # numbers without a name at the beginning of a line that are kept


@lru_cache
def token_pattern(notation: Notation) -> re.Pattern[str]:
    """The pieces of a line; whatever is no date, file, number or word is one character."""
    number = rf"(?P<number>{notation.number})(?P<unit>{_UNIT})?"
    return re.compile(rf"(?P<date>{_DATE})|(?P<file>{_FILE})|{number}|(?P<word>[^\W\d]\w*)|(?P<sign>\S)")


@dataclass
class _Line:
    """What has been read of a line so far."""

    writer: Writer
    text: str
    fields: list[Field] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # of the name that is being read
    start: int = 0
    end: int = 0
    is_closed: bool = False  # a ":" or "=" came after the words
    context: Part = ""
    waiting: str = ""  # a name whose number comes after another one: "loss at step 100: 2.3"
    last: str = ""  # the name of the number before
    loose: tuple[str, float] | None = None  # a number without a name, which one may follow
    n_vague: int = 0
    n_progress: int = 0
    bar: str = ""  # what a progress bar counts
    opened: list[tuple[str, list[str], int]] = field(default_factory=list)  # names that brackets interrupt
    prefixes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        if not self.words:
            return ""
        as_written = self.end - self.start <= LONGEST_NAME and len(self.words) <= _LONGEST
        return self.text[self.start : self.end] if as_written else " ".join(self.words[-_LONGEST:])

    def word(self, word: str, start: int, end: int) -> None:
        if self.is_closed:  # "Test set: Average loss": the words before only say which texts
            self.turn_to(part_of(words_of(self.name)))
            self.words, self.is_closed = [], False
        if not self.words:
            self.start = start
        self.words.append(word)
        self.end = end

    def turn_to(self, part: Part) -> None:
        self.context = part or self.context

    def end_words(self) -> None:
        """Words to which no number came: they name the number before them, or say what the line is about."""
        if self.words and self.loose is not None and not self.is_closed:
            self.put(self.name, *self.loose)
        elif self.words:
            self.turn_to(part_of(words_of(self.name)))
        self.words, self.is_closed, self.loose, self.waiting = [], False, None, ""

    def number(self, written: str, of: float = 0.0) -> None:
        name = self.name
        if not name and self.waiting:
            name, self.waiting = self.waiting, ""
        elif name:
            name = self._head(name)
        if name:
            self.put(name, written, of)
            self.words, self.is_closed, self.loose = [], False, None
        elif of and self.bar:
            self.put(self.bar, written, of)
        elif of:
            self.progress(written, of)
        elif not self.opened or (self.opened[-1][0] == "[" and not self.last):  # "[100] loss=2.3"
            self.vague(written)

    def put(self, name: str, written: str, of: float = 0.0) -> None:
        said = name_of(name)
        if said.bare and self.last and name_of(self.last).part:  # "loss train: 1.9, val: 1.8"
            name = f"{_without_part(self.last)} {name}"
            said = name_of(name)
        if of and said.bare:  # "Test: [0/196]"
            self.turn_to(said.part)
            self.progress(written, of)
        elif said.role in ("step", "epoch"):
            self.turn_to(said.part)
            self._keep(self.writer.column(name), written, of)
        else:
            self.last = name = "/".join([*self.prefixes, name])
            self._keep(self.writer.column(name, "" if said.part else self.context), written, of)

    def _keep(self, column: int | None, written: str, of: float) -> None:
        if column is not None and (found := read_number(self.writer, column, written, of)) is not None:
            self.fields.append(found)

    def progress(self, written: str, of: float) -> None:
        """ "[0/25][50/1583]": the first, the second, …"""
        self.n_progress += 1
        label = "n/N" if self.n_progress == 1 else f"n/N {self.n_progress}"
        self._keep(self.writer.column(label, is_progress=True), written, of)

    def vague(self, written: str) -> None:
        if self.n_vague + self.n_progress == len(self.fields) or self.n_vague:
            self.n_vague += 1
            if self.n_vague <= _VAGUE:
                self._keep(self.writer.column(f"#{self.n_vague}", place=self.n_vague), written, 0.0)
        self.loose = (written, 0.0)

    def _head(self, name: str) -> str:
        """Of "average loss at step" the step, if it is one; the loss waits for the number that comes next."""
        words = name.split()
        for i in range(len(words) - 2, 0, -1):
            if words_of(words[i]) and words_of(words[i])[0] in _POSITION:
                head, before = " ".join(words[i + 1 :]), " ".join(words[:i])
                if name_of(head).role in ("step", "epoch"):
                    self.turn_to(part_of(words_of(before)))
                    self.waiting = before if name_of(before).role in _MEASURED else ""
                    return head
        return name

    def opening(self, sign: str) -> None:
        if sign == "{" and self.words:
            self.prefixes.append(self.name)
            self.opened.append((sign, [], 0))
            self.words, self.is_closed = [], False
        elif sign == "(" and self.words and not self.is_closed:
            self.opened.append((sign, self.words, self.start))
            self.words = []
        else:
            self.opened.append(("" if sign == "{" else sign, [], 0))

    def close(self, at: int) -> None:
        if not self.opened:
            return
        opened, words, start = self.opened.pop()
        self.loose = None  # what stands outside a bracket does not name a number in it
        if opened == "{" and self.prefixes:
            self.prefixes.pop()
        if words and self.words:  # "iter time (ms)"
            self.words, self.start, self.end = words + self.words, start, at + 1
        elif words and name_of(" ".join(words)).role in _MEASURED:  # "loss (step 100): 2.3"
            self.waiting = " ".join(words)
        elif opened == "[":  # "[eval] loss 2.3"
            self.turn_to(part_of(words_of(self.name)))
            self.words, self.is_closed = [], False

    @property
    def indexes_a_loss(self) -> bool:
        """Whether a number stands where "Loss[100] = 2.3" has its step."""
        is_inside = bool(self.opened) and self.opened[-1][0] == "[" and bool(self.words) and not self.is_closed
        return is_inside and name_of(self.name).role in ("loss", "held_out")


def _without_part(name: str) -> str:
    kept = [word for word in re.split(r"[\s_/.\-:]", name) if not part_of(words_of(word))]
    return " ".join(kept)


def read_line(writer: Writer, text: str) -> list[Field]:
    """The numbers of one line under their names."""
    line = _Line(writer, " ".join(text.replace("\t", " | ").split()))
    tokens = list(islice(token_pattern(writer.notation).finditer(line.text), MOST_PIECES))
    i = 0
    while i < len(tokens):
        i += _take(line, tokens, i)
    line.end_words()
    return line.fields


def _take(line: _Line, tokens: list[re.Match[str]], i: int) -> int:
    """Read one token; returns how many were read."""
    token = tokens[i]
    kind, written = token.lastgroup, token.group()
    if kind == "unit" or kind == "number":
        return _number(line, tokens, i)
    if kind == "word":
        return _word(line, tokens, i)
    if kind == "date":
        line.end_words()
    elif kind == "sign":
        _sign(line, written, token)
    return 1


def _number(line: _Line, tokens: list[re.Match[str]], i: int) -> int:
    token = tokens[i]
    written, unit = token["number"], token["unit"]
    if unit is not None:
        if unit in ("k", "K") and name_of(line.name).role == "step":
            line.number(f"{line.writer.notation.value(written) * 1000:.0f}")
        if unit == "%" and name_of(line.name).role in ("step", "epoch"):  # "Epochs:  33%|##| 1/3"
            line.bar = line.name
        line.words, line.is_closed, line.loose = [], False, None
        return 1
    if i + 2 < len(tokens) and tokens[i + 1].group() == "/" and tokens[i + 2].lastgroup == "number":
        try:
            of = line.writer.notation.value(tokens[i + 2]["number"], is_count=True)
        except ValueError:
            of = 0.0
        line.number(written, of)
        return 3
    if line.indexes_a_loss:
        line.vague(written)
        return 1
    line.number(written)
    return 1


def _word(line: _Line, tokens: list[re.Match[str]], i: int) -> int:
    token = tokens[i]
    word, lower = token.group(), token.group().lower()
    if lower in NOT_FINITE and _is_value(line, tokens, i):
        before = tokens[i - 1].group() if i else ""
        line.number(f"-{lower}" if before in "-−" and before else lower)
    elif lower in MISSING and line.is_closed and line.words:
        line.last = line._head(line.name)
        line.words, line.is_closed = [], False
    elif (counted := _COUNTED.fullmatch(word)) is not None and not line.words:
        line.word(counted[1], token.start(), token.start() + len(counted[1]))
        line.number(counted[2])
    else:
        line.word(word, token.start(), token.end())
    return 1


def _is_value(line: _Line, tokens: list[re.Match[str]], i: int) -> bool:
    """Whether "nan" is a number here, and not a word as in "number of nan iterations: 0"."""
    if line.words and not line.is_closed:
        return name_of(line.name).role != ""
    return bool(line.words) or bool(line.waiting)


def _sign(line: _Line, sign: str, token: re.Match[str]) -> None:
    if sign in _OPEN:
        line.opening(sign)
    elif sign in _CLOSE:
        line.close(token.start())
    elif sign in ":=" and line.words:
        line.is_closed = True
    elif sign in _CUTS or sign in "•·→" or (sign in "-–—" and _is_alone(line.text, token.start())):
        line.end_words()


def _is_alone(text: str, at: int) -> bool:
    """Whether a dash has a space on both sides."""
    return text[at - 1 : at].isspace() and (at + 1 >= len(text) or text[at + 1].isspace())
