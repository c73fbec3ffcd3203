"""Words and numbers in the reader's language. The only reader of locale/: a folder per language, a catalogue per page.

A language is a folder and nothing else; what it has no words for is said in English. English errors are their own keys,
so only the other languages have catalogues of errors. How numbers and plurals are written comes from Babel.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NewType

from babel import Locale
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, get_decimal_symbol, get_group_symbol

from lmviz.digits import PLAIN_LARGE, PLAIN_SMALL, rounded
from lmviz.errors import QUOTED, Sentence, UserError

CODE = re.compile(r"(```.*?```|~~~.*?~~~|`[^`\n]*`)", re.DOTALL)
_TAG = re.compile(
    r"<!--.*?-->|</?(?:a|abbr|audio|b|blockquote|br|center|code|dd|details|div|dl|dt|em|embed|figcaption|figure|font|form"
    r"|h[1-6]|hr|i|iframe|img|input|kbd|li|link|meta|object|ol|p|picture|pre|q|s|samp|script|small|source|span|strong"
    r"|style|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|u|ul|video)(?:[\s/][^<>]*)?>",
    re.DOTALL | re.IGNORECASE,
)
LOCALE = Path(__file__).parent.parent / "locale"
Language = NewType("Language", str)  # a folder of locale/: no key, and no other text, may be given for it
DEFAULT = Language("en")
_FOLDERS = sorted(path.name for path in LOCALE.iterdir() if path.is_dir())
LANGUAGES = (DEFAULT, *(Language(name) for name in _FOLDERS if name != DEFAULT))
_THOUSAND = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")  # where a mark of thousands stands
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NARROW = "\u202f"  # the space between a number and its sign
SHORT = 8  # characters of a number that an error repeats as it came


@lru_cache
def catalogue(language: Language) -> dict[str, str]:
    """Every text of one language by its key."""
    texts: dict[str, str] = {}
    for path in sorted((LOCALE / language).glob("*.po")):
        with path.open("rb") as file:
            messages = read_po(file, locale=language)
        texts |= {str(message.id): str(message.string) for message in messages if message.id and message.string}
    return texts


def spoken(asked: Iterable[str]) -> Language:
    """The first of the languages that somebody asks for, best first, in which there are words; else English.

    >>> spoken(["de-CH", "fr-CH", "en"]), spoken(["", "FR"]), spoken(["xx"])
    ('fr', 'fr', 'en')
    """
    codes = (one.strip().replace("_", "-").partition("-")[0].lower() for one in asked)
    return next((Language(code) for code in codes if code in LANGUAGES), DEFAULT)


def language_of(named: object) -> Language:
    """The language that somebody's program names.

    Raises:
        UserError: there is no such language.
    """
    if named not in LANGUAGES:
        raise UserError(
            "The language must be one of {languages}; got {lang}.", languages=", ".join(LANGUAGES), lang=named
        )
    return Language(str(named))


@dataclass(frozen=True)
class Translator:
    """Words and numbers in one language: `t("page.key", n=3)`, `t.number(0.5)`."""

    language: Language
    plain: bool = False  # whether its numbers are written without powers of ten: 0.0004, and not 3.7e−4

    @property
    def numbers(self) -> str:
        """How the browser writes numbers: the language, with a mark of ours if they are plain."""
        return f"{self.language}-x-plain" if self.plain else self.language

    def __call__(self, key: str, /, **details: object) -> str:
        """The text of a key, with its details filled in; English where the language has none.

        With a count `n` it is the text of `key.one`, say, if there is one for the plural form that the language has for
        it. In French that is so for 0 too, but only where that text says the number.
        """
        texts = catalogue(self.language) if key in catalogue(self.language) else catalogue(DEFAULT)
        form = f"{key}.{_plural(self.language, str(details.get('n')))}"
        if form in texts and (details["n"] not in (0, "0") or "{n}" in texts[form]):
            key = form
        return texts[key].format(**details) if key in texts else key

    def has(self, key: str) -> bool:
        return key in catalogue(self.language) or key in catalogue(DEFAULT)

    def texts(self, *beginnings: str) -> dict[str, str]:
        """The texts whose keys begin so, for a picture that writes them itself; English where the language has none."""
        known = catalogue(DEFAULT) | catalogue(self.language)
        return {key: text for key, text in known.items() if key.startswith(beginnings)}

    def long_text(self, kind: str) -> str:
        """The long explanation of a stage, in Markdown; empty if there is none."""
        return _long_text(self.language, kind)

    def error(self, error: UserError) -> str:
        """The sentence of an error; in English where it has not been translated.

        It is Markdown, in which none of the details can act as Markdown.
        """
        return _Plain(self).format(catalogue(self.language).get(error.sentence, error.sentence), **error.details)

    def number(self, value: float, digits: int = 2) -> str:
        """A number of any size, with a true minus sign: −0.08, −0,08. Never "0.00" for what is not zero."""
        shown = rounded(value, digits, self.plain)
        return self.integer(int(shown)) if shown.lstrip("-").isdigit() else self.localised(shown)

    def exact(self, value: float) -> str:
        """A number that somebody chose, without zeros that say nothing.

        >>> Translator(Language("fr")).exact(0.003), Translator(DEFAULT).exact(1e-05), Translator(DEFAULT).exact(100.0)
        ('0,003', '1e−5', '100')
        """
        mantissa, _, power = f"{value:g}".partition("e")
        if power and self.plain and PLAIN_SMALL <= int(power) < PLAIN_LARGE:
            mantissa, power = f"{Decimal(f'{value:g}'):f}", ""
        return self.localised(f"{mantissa}e{int(power)}" if power else mantissa)

    def integer(self, value: int) -> str:
        """A count with its thousands set apart: 2,832, 2 832; with a power of ten where it is very long."""
        if abs(value) >= 10**15:
            return self.localised(rounded(value, 2, self.plain))
        return str(format_decimal(value, locale=self.language)).replace("-", "−")

    def percent(self, share: float) -> str:
        """A probability or a share: 24.4%, 24,4 %. Never "0.0%" for what is not zero."""
        sign = self.percent_sign
        if 0 < share < 0.0005:
            return f"<{' ' if sign.startswith(NARROW) else ''}{self.localised('0.1')}{sign}"
        return self.number(100 * share, 1) + sign if math.isfinite(share) else self.number(share)

    def localised(self, shown: str) -> str:
        """A number in plain text, as `rounded` gives it, as the language writes it: 1,295.2, 1 295,2."""
        not_finite = {"nan": "NaN", "inf": "∞", "-inf": "−∞"}
        decimal, thousands = self.separators
        mantissa, _, power = shown.partition("e")
        if power and self.plain:
            shown = f"{mantissa} × 10{power.translate(_RAISED)}"
        whole, point, rest = shown.partition(".")
        if whole.lstrip("-").isdigit():
            whole = _THOUSAND.sub(thousands, whole)
        return not_finite.get(shown, f"{whole}{decimal if point else ''}{rest}".replace("-", "−"))

    @property
    def percent_sign(self) -> str:
        """The sign, with the space before it where the language has one."""
        pattern = str(_locale(self.language).percent_formats[None].pattern)
        return f"{NARROW}%" if pattern.rstrip("%")[-1:].isspace() else "%"

    @property
    def separators(self) -> tuple[str, str]:
        """How the language separates decimals and thousands."""
        locale = _locale(self.language)
        return str(get_decimal_symbol(locale)), str(get_group_symbol(locale))


@lru_cache
def _locale(language: Language) -> Locale:
    return Locale.parse(language)


@lru_cache(4096)
def _plural(language: Language, n: str) -> str:
    """The plural form of a count, by CLDR: "one", "few", "other" …"""
    return str(_locale(language).plural_form(int(n))) if n.isdecimal() else "other"


@lru_cache
def _long_text(language: Language, kind: str) -> str:
    paths = (LOCALE / one / "stages" / f"{kind}.md" for one in (language, DEFAULT))
    return next((path.read_text(encoding="utf-8") for path in paths if path.is_file()), "")


class _Plain(Sentence):
    """Fills in details as they are written, whatever they would mean in Markdown; long counts with their thousands
    set apart."""

    def __init__(self, t: Translator) -> None:
        self.t = t

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, UserError):
            return self.t.error(value)
        if format_spec == QUOTED:
            return code(super().format_field(value, format_spec))
        if isinstance(value, float) and not format_spec and (len(str(value)) > SHORT or not math.isfinite(value)):
            return self.t.number(value, 4)
        if isinstance(value, float) and not format_spec:
            return self.t.localised(str(value))
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000 and not format_spec:
            return self.t.integer(value)
        return plain(str(super().format_field(value, format_spec)))


def plain(shown: str) -> str:
    """Any text as plain text in Markdown: no emphasis, link, picture, formula or colour comes of it.

    >>> plain("a_b *c* $d$")
    'a\\\\_b \\\\*c\\\\* \\\\$d\\\\$'
    """
    return re.sub(r"([\\`*_\[\]$:<>~#!|&])", r"\\\1", shown.replace("\n", " "))


def foreign(markdown: str) -> str:
    """Markdown that somebody else wrote, such as a model's card. Nothing in it loads anything: an image becomes the
    link to it, and tags of HTML go.

    >>> foreign("![a cat](http://example.org/cat.png) <b>bold</b> `<unk>`")
    '!\u2060[a cat](http://example.org/cat.png) bold `<unk>`'
    """
    parts = CODE.split(markdown)
    parts[::2] = [_TAG.sub("", part) for part in parts[::2]]
    return "".join(parts).replace("![", "!\u2060[")  # a word joiner, which is not seen: also in what looks like code


def visible(piece: str) -> str:
    """A token's text with its spaces and line ends to be seen: · ¶ →."""
    shown = piece.replace("\n", "¶").replace("\r", "␍").replace("\t", "→").replace("\u00a0", "⍽")
    shown = "".join("·" if c == " " else c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    return shown if shown else "∅"


def shortened(shown: str, limit: int = 60) -> str:
    """The beginning of a text that may be long."""
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def code(shown: str) -> str:
    """Any text as code in Markdown, where none of it can act as Markdown: the fence is longer than any in the text.

    >>> code("a"), code("`*`")
    ('`` a ``', '`` `*` ``')
    """
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(2, longest + 1)
    return f"{fence} {shown} {fence}"
