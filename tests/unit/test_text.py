"""Words and numbers: both languages say everything, and say it with the same details."""

from __future__ import annotations

import ast
import errno
import math
import os
import re
import string
from pathlib import Path

import numpy as np
import pytest

from lmviz import faults
from lmviz.errors import UserError
from lmviz.model.files import json_object
from lmviz.stages.stage import KINDS
from lmviz.ui.text import LANGUAGES, LOCALE, Translator, catalogue, visible
from tests.source import PACKAGE, PAGES, calls_in, last_name, nodes_of, tree_of
from tests.words import ENGLISH, FRENCH

ROOT = Path(__file__).parents[2]


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def is_key(message: str) -> bool:
    return re.fullmatch(r"[a-z_0-9.]+", message) is not None


def test_both_languages_have_the_same_keys() -> None:
    english, french = ({key for key in catalogue(language) if is_key(key)} for language in LANGUAGES)
    assert english == french


def test_a_translation_has_the_placeholders_of_the_original() -> None:
    english, french = (catalogue(language) for language in LANGUAGES)
    assert [key for key in english if is_key(key) and placeholders(french[key]) != placeholders(english[key])] == []


def french() -> list[tuple[str, str]]:
    """Every French sentence, but for texts that are there to be cut into tokens."""
    said = [(key, sentence) for key, sentence in catalogue("fr").items() if key.split(".")[1:2] != ["example"]]
    files = [*(LOCALE / "fr").rglob("*.md"), *(ROOT / "sample_models").glob("*/README.fr.md")]
    return said + [
        (path.name, re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)) for path in files
    ]


def test_french_signs_have_a_narrow_space_before_them_that_does_not_break() -> None:
    wrong = []
    for name, sentence in french():
        without_code = re.sub(r"`[^`]*`|^\|[ :|-]+$|\{[^{}]*\}", "x", sentence, flags=re.M)
        wrong += [(name, found) for found in re.findall(r"\S*[ \u00a0][?!;:»](?=\s|$)|«[ \u00a0]", without_code)]
    assert wrong == []


def test_what_is_done_is_told_alike_for_a_finger_and_a_mouse() -> None:
    said = [pair for language in LANGUAGES for pair in catalogue(language).items() if is_key(pair[0])]
    texts = [*LOCALE.rglob("*.md"), *(ROOT / "lmviz/lessons/chapters").glob("*.md")]
    said += [(path.name, path.read_text(encoding="utf-8")) for path in texts]
    of_keyboards = r"present\.(spotlight|stages)"  # their list is opened by a key
    wrong = r"\b(?:click|cliqu|clic\b|Ctrl)"
    assert [at for at, text in said if re.search(wrong, text, re.I) and not re.fullmatch(of_keyboards, at)] == []


def kinds_of_errors() -> set[str]:
    """UserError and the names of its kinds."""
    classes = [node for path in PACKAGE for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    return {"UserError"} | {one.name for one in classes if "UserError" in {getattr(b, "id", "") for b in one.bases}}


def sentences() -> set[str]:
    """The first argument of every UserError in the source, and the sentences that a run says about its input."""
    found, kinds = set(), kinds_of_errors()
    for path in PACKAGE:
        for call in calls_in(path):
            if getattr(call.func, "id", "") in kinds and call.args:
                found |= {
                    n.value for n in ast.walk(call.args[0]) if isinstance(n, ast.Constant) and isinstance(n.value, str)
                }
    return found


@pytest.mark.slow
def test_every_error_that_a_user_can_cause_is_translated() -> None:
    missing = sorted(sentence for sentence in sentences() if sentence not in catalogue("fr"))
    assert not missing


def test_a_translated_error_has_the_details_of_the_original() -> None:
    for sentence, translation in catalogue("fr").items():
        if not is_key(sentence):
            assert placeholders(translation) == placeholders(sentence), sentence


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_stage_has_its_words(language: str) -> None:
    for kind in KINDS:
        for key in (f"stage.{kind}", f"stage.{kind}.title", f"stage.{kind}.say"):
            assert Translator(language).has(key)
        assert (LOCALE / language / "stages" / f"{kind}.md").is_file()


def calls_of_translators() -> list[ast.Call]:
    """`t("page.key", n=3)` and the like, wherever the source has one."""
    calls = (call for path in (*PACKAGE, *PAGES) for call in calls_in(path) if call.args)
    return [call for call in calls if _is_translator(call.func)]


def _is_translator(called: ast.expr) -> bool:
    return last_name(called) == "t" or (isinstance(called, ast.Call) and ast.unparse(called) == "translator()")


def asked_for() -> set[str]:
    """The keys that pages ask a translator for by name, as in `t("page.key")`; not those that they put together."""
    keys = (call.args[0] for call in calls_of_translators())
    choices = (choice for key in keys for choice in ((key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,)))
    return {choice.value for choice in choices if isinstance(choice, ast.Constant)}


def test_keys_that_the_source_names_exist() -> None:
    keys = asked_for()
    assert len(keys) > 300
    assert {key for key in keys if not ENGLISH.has(key)} == set()


def test_a_sentence_is_given_the_details_that_it_names() -> None:
    """For keys and details that are written out."""
    n_checked = 0
    for call in calls_of_translators():
        key, given = call.args[0], {keyword.arg for keyword in call.keywords}
        if isinstance(key, ast.Constant) and None not in given:
            wanted = placeholders(catalogue("en")[key.value])
            n_checked += bool(wanted)
            assert wanted <= given, key.value
    assert n_checked > 100


def test_words_that_the_browser_asks_for_exist() -> None:
    pattern = re.compile(r"""words\[["'`]([a-z_.]+)["'`]\]""")
    for path in (ROOT / "lmviz/ui").rglob("*.js"):
        for key in pattern.findall(path.read_text(encoding="utf-8")):
            assert ENGLISH.has(key), f"{path.name} asks for {key}"


def test_one_is_not_spoken_of_in_the_plural() -> None:
    for key in ("tokenizer.about.single", "tokenizer.about.none", "tokenizer.found", "bars.others",
                "doctor.half_precision.measured.zero_loss", "doctor.half_precision.measured.gradient"):  # fmt: skip
        assert {f"{key}.one" in catalogue(language) for language in LANGUAGES} == {True}, key
    assert "its number" in ENGLISH("stage.tokenizer.say", n=1, d_vocab=4)
    assert "3 pieces" in ENGLISH("stage.tokenizer.say", n=3, d_vocab=4)


def test_an_error_reads_in_the_readers_language() -> None:
    error = UserError("There is no folder {folder}.", folder="x")
    assert ENGLISH.error(error) == "There is no folder x."
    assert FRENCH.error(error) == "Il n’y a pas de dossier x."
    assert FRENCH.error(UserError("Not translated: {n}.", n=3)) == "Not translated: 3."


def test_a_number_in_an_error_that_is_none_is_written_as_in_the_pictures() -> None:
    assert ENGLISH.error(UserError("A loss of {loss}.", loss=math.nan)) == "A loss of NaN."
    assert FRENCH.error(UserError("A loss of {loss}.", loss=-math.inf)) == "A loss of −∞."


def test_nothing_in_an_error_acts_as_markdown() -> None:
    error = UserError("There is no folder {folder}.", folder="![a](http://b/c.png) **d** `e` $f$ :red[g]")
    shown = ENGLISH.error(error)
    assert re.sub(r"\\(.)", r"\1", shown) == str(error)
    assert not re.search(r"(?<!\\)[*`$:\[\]]", shown)


def test_what_a_library_has_said_is_quoted_and_why_a_file_failed_is_in_the_readers_words() -> None:
    error = UserError("This tokenizer cannot read the text: {reason:code}.", reason="no `*`\nhere.")
    assert str(error) == "This tokenizer cannot read the text: no `*` here."
    assert FRENCH.error(error) == "Ce tokenizer ne peut pas lire le texte\u202f: `` no `*` here ``."
    for number, said in ((errno.ENOSPC, "le disque est plein"), (errno.EACCES, "lmviz n’en a pas le droit")):
        why = faults.of_system(OSError(number, os.strerror(number)))
        assert FRENCH.error(UserError("{file} cannot be read: {reason}.", file="x", reason=why)).endswith(f"{said}.")
    with pytest.raises(UserError) as wrong:
        json_object('{"a": ]', "x.json")
    assert "la faute est à la ligne 1, colonne 7\u202f: `` Expecting value ``." in FRENCH.error(wrong.value)


@pytest.mark.parametrize(
    ("value", "digits", "english", "french"),
    [
        (0.0791, 2, "0.079", "0,079"),
        (-3.0, 2, "−3.00", "−3,00"),
        (1295.24, 1, "1,295.2", "1\u202f295,2"),
        (-123456.0, 1, "−123,456.0", "−123\u202f456,0"),
        (0.0004, 2, "0.00040", "0,00040"),
        (1.234e-7, 2, "1.2e−7", "1,2e−7"),
        (10**30, 2, "1.0e30", "1,0e30"),
        (10**400, 4, "1.000e400", "1,000e400"),
        (1e30, 0, "1e30", "1e30"),
        (-2.5, 0, "−3", "−3"),
        (0.0, 2, "0.00", "0,00"),
        (float("-inf"), 2, "−∞", "−∞"),
        (float("nan"), 2, "NaN", "NaN"),
        (12345678.0, 2, "1.2e7", "1,2e7"),
    ],
)
def test_numbers_are_written_as_the_language_does(value: float, digits: int, english: str, french: str) -> None:
    assert ENGLISH.number(value, digits) == english
    assert FRENCH.number(value, digits) == french


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("value", [10**15, -(10**30), 10**400, 1e300, -1e-300, 5e-324, np.float32(3.4e38), 0.1 + 0.2])
def test_a_number_of_any_size_is_written_and_so_is_an_error_about_it(language: str, value: float) -> None:
    """Also where it came from a link, a config or a recipe, and is only repeated."""
    for shown in (
        Translator(language).number(value),
        Translator(language).number(value, 0),
        Translator(language).error(UserError("{n}", n=value)),
    ):
        assert len(shown) < 24
    if isinstance(value, int):
        assert len(Translator(language).integer(value)) < 24


def test_counts_are_grouped_as_the_language_does() -> None:
    assert ENGLISH.integer(2832) == "2,832"
    assert re.fullmatch(r"2\s832", FRENCH.integer(2832))


def test_blanks_in_tokens_can_be_seen() -> None:
    assert visible(" a\n") == "·a¶"
    assert visible("\x00") == "\\x00"
    assert visible("") == "∅"


def test_every_key_is_used_somewhere() -> None:
    files = [*(ROOT / "lmviz").rglob("*.py"), *(ROOT / "lmviz").rglob("*.js"), *(ROOT / "pages").glob("*.py")]
    source = "".join(path.read_text(encoding="utf-8") for path in files)
    written = set(re.findall(r"[`\"']([a-z_0-9.]+)[`\"']", source))
    begun = tuple(re.findall(r"[`\"']([a-z_0-9.]+\.)(?:\$?\{|[\"'](?: \+|, ))", source))  # as in f"stage.{kind}"
    keys = {key.removesuffix(".one") for key in catalogue("en") if is_key(key)}
    assert {key for key in keys - written if not key.startswith(begun)} == set()


@pytest.mark.parametrize(("language", "limit"), [("en", "20,000"), ("fr", "20\u202f000")])
def test_a_long_count_in_an_error_has_its_thousands_set_apart(language: str, limit: str) -> None:
    error = UserError("The text must have a line of two words or more, and {limit} characters at most.", limit=20_000)
    assert f" {limit} " in Translator(language).error(error)


def test_one_is_singular_written_as_a_number_too() -> None:
    assert FRENCH("generation.left", n="1", total="27") == "1 token sur 27 peut venir."


def test_what_is_called_a_language_or_a_translator_is_one_and_no_other_text() -> None:
    """So that mypy finds a key that is given for a language."""
    kinds = {"lang": "Language", "language": "Language", "t": "Translator"}
    for path in PACKAGE:
        if "ui" in path.parts:
            for node in nodes_of(path):
                if isinstance(node, ast.arg) and node.arg in kinds and node.annotation is not None:
                    assert ast.unparse(node.annotation) == kinds[node.arg], f"{path.name}:{node.lineno}"
