"""Chapters as files: what can be wrong in one is told with its line, and nothing hostile gets through."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from lmviz.errors import UserError
from lmviz.lessons import folders
from lmviz.lessons.chapter import Chapter
from lmviz.lessons.progress import Progress
from lmviz.lessons.quiz import read_quiz
from lmviz.lessons.reading import read_chapter
from lmviz.ui.course.chapters import KNOWN, begin, chapters, depth_needed, led_to, quiz
from lmviz.ui.course.checks import CHECKS
from lmviz.ui.text import LANGUAGES, Language, Translator
from tests.conftest import ROOT

GOOD = """---
title: Mine
goal: One thing.
minutes: 3
tasks:
  - view: step_through?model=names&prompt=.mar
    check: pinned pattern
  - check: head_off
understood: It works.
---
A story.

## Do this

In words.

> It is {value}.

## Then that
> Now {after}.
"""


def read(text: str) -> Chapter:
    return read_chapter(text, "mine", "mine.md", KNOWN)


def test_a_chapter_has_what_its_file_says() -> None:
    found = read(GOOD)
    assert (found.title, found.minutes, found.story, found.notes) == ("Mine", 3, "A story.", "")
    first, second = found.tasks
    assert first.do == "**Do this**\n\nIn words." and first.answer == "It is {value}."
    assert (first.check, first.argument, second.argument) == ("pinned", "pattern", "")
    assert first.view is not None and first.view.query == {"model": "names", "prompt": ".mar"}
    assert second.view is None and begin(found, 1, Language("en"))[0] == "step_through"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("---\ntitle", "title", 1, "three dashes"),
        ("understood: It works.\n---", "understood: It works.", 19, "must end"),
        ("title: Mine", "titel: Mine", 2, "“titel” is not known"),
        ("title: Mine", "title: Mine\ntitle: Yours", 3, "second time"),
        ("title: Mine\n", "", 2, "“title” is missing"),
        ("title: Mine", "title: [Mine]", 2, "“title” must be a text"),
        ("title: Mine", f"title: {'x' * 61}", 2, "1 to 60 characters"),
        ("goal: One thing.", "goal: One: thing.", 3, "no YAML"),
        ("goal: One thing.", "goal: !!python/object/apply:os.system [ls]", 3, "“goal” must be a text"),
        ("minutes: 3", "minutes: 3.5", 4, "from 1 to 60"),
        ("minutes: 3", "minutes: 1" + "0" * 15, 4, "from 1 to 60"),
        ("pinned pattern", "pined pattern", 7, "no check “pined”"),
        ("pinned pattern", "pinned", 7, "knows nothing of “”"),
        ("check: head_off", "check: reached nowhere", 8, "knows nothing of “nowhere”"),
        ("check: head_off", "chek: head_off", 8, "“chek” is not known"),
        ("step_through?model=names", "https://example.org/?model=names", 6, "no view"),
        ("step_through?model=names", "//example.org/step_through?model=names", 6, "no view"),
        ("step_through?model=names", "javascript:alert(1)", 6, "no view"),
        ("step_through?model=names", "../pages?model=names", 6, "no view"),
        ("step_through?model=names", "step_through?model=names&head=-1", 6, "make no sense: head"),
        ("step_through?model=names", "step_through?model=names&nothing=1", 6, "make no sense: nothing"),
        ("  - view: step_through?model=names&prompt=.mar\n    check", "  - check", 6, "first task needs a view"),
        ("## Then that\n", "", 13, "lists 2 tasks"),
        ("> Now {after}.", "Now.", 19, "needs an answer"),
        ("{after}", "{afterwards}", 20, "finds no “afterwards”"),
        ("  - check: head_off\n", "", 18, "1 tasks"),
        ("tasks:", "tasks: &a [*a]\nnotes:", 20, "lists 1 tasks"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(UserError, match=said) as told:
        read(GOOD.replace(old, new, 1))
    assert told.value.details["file"] == "mine.md" and told.value.details["line"] == line


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["", "---", "---\n---", "---\n- a\n---", "---\n" + "[" * 5000 + "\n---", "\ufeff---", "---\n\t\n---"]
)
def test_any_text_is_a_chapter_or_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="line"):
        read(text)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(folders.FOLDER, str(tmp_path))
    return tmp_path


def test_a_teachers_folder_adds_chapters_and_a_wrong_file_hides_no_other(own: Path) -> None:
    files: dict[str, bytes] = {
        "10_mine.md": GOOD.encode(),
        "10_mine.fr.md": GOOD.replace("Mine", "Le mien").encode(),
        "11_wrong_line.md": GOOD.replace("minutes: 3", "minutes: soon").encode(),
        "12_binary.md": b"---\n\x00\x01",
        "13_latin.md": "---\ntitle: été".encode("latin-1"),
        "14_huge.md": b"x" * (folders.LARGEST + 1),
        "15 Name.md": GOOD.encode(),
        "README.md": b"about",
        "notes.txt": b"about",
    }
    for name, content in files.items():
        (own / name).write_bytes(content)
    (own / "16_dir.md").mkdir()
    os.mkfifo(own / "17_pipe.md")
    (own / "18_away.md").symlink_to(ROOT / "README.md")
    (own / "19_gone.md").symlink_to(own / "nowhere.md")
    english, wrong = chapters(Language("en"))
    french, _ = chapters(Language("fr"))
    assert [one.title for one in english[9:]] == ["Mine"] and french[-1].title == "Le mien"
    told = [str(error) for error in wrong]
    assert len(told) == 9
    damaged = (
        "11_wrong_line.md, line 4",
        "12_binary.md, line 2",
        "13_latin.md, line 2",
        "14_huge.md must be at most 60000 bytes",
        "15 Name.md",
    )
    no_files = (
        "16_dir.md must be an ordinary",
        "17_pipe.md must be an ordinary",
        "18_away.md must be an ordinary",
        "no file 19_gone.md",
    )
    for said in (*damaged, *no_files):
        assert any(said in one for one in told), said


def test_a_chapter_of_the_folder_takes_the_place_of_ours_and_is_read_anew_when_it_changes(own: Path) -> None:
    path = own / "attention.md"
    path.write_text(GOOD, encoding="utf-8")
    assert chapters(Language("en"))[0][3].title == "Mine"
    path.write_text(GOOD.replace("Mine", "Other"), encoding="utf-8")
    assert chapters(Language("fr"))[0][3].title == "Other"


def test_a_folder_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(folders.FOLDER, "/no/such/folder")
    found, wrong = chapters(Language("en"))
    assert len(found) == 9 and "/no/such/folder" in str(wrong[0])


def test_our_chapters_are_nine_short_ones_that_are_the_same_in_both_languages() -> None:
    (english, wrong), (french, wrong_too) = chapters(Language("en")), chapters(Language("fr"))
    assert wrong == wrong_too == ()
    assert len(english) == 9 and 20 <= sum(one.minutes for one in english) <= 30
    for one, other in zip(english, french, strict=True):
        assert 3 <= len(one.tasks) <= 6 and (one.name, one.minutes) == (other.name, other.minutes)
        for task, same in zip(one.tasks, other.tasks, strict=True):
            assert (task.check, task.argument) == (same.check, same.argument)
            views = [view and (view.page, {**view.query, "prompt": ""}) for view in (task.view, same.view)]
            assert views[0] == views[1], "only the text that is read may differ"
            details = [Counter(re.findall(r"\{\w+\}", said.answer)) for said in (task, same)]
            assert details[0].keys() == details[1].keys() and details[0]
    assert {task.check for one in english for task in one.tasks} >= set(CHECKS) - {"reached"}


def test_french_chapters_have_narrow_spaces_before_their_signs() -> None:
    files = [*(ROOT / "lmviz/lessons").rglob("*.fr.md")]
    assert len(files) == 10
    for path in files:
        body = re.sub(
            r"`[^`]*`|^- \[[x ]\] |^\w+:|^ *- \w+: .*|^    check: .*", "", path.read_text("utf-8"), flags=re.M
        )
        assert not re.findall(r"\w[?!;:»](?=\s|$)|[ \u00a0][?!;:»]|«[^\u202f]", body), path.name


def test_eight_questions_are_asked_in_both_languages_with_the_same_right_answers() -> None:
    english, french = quiz(Language("en")), quiz(Language("fr"))
    assert len(english) == len(french) == 8
    for one, other in zip(english, french, strict=True):
        assert one.right == other.right and len(one.options) == len(other.options) >= 3


def test_a_question_without_one_right_answer_is_told_with_its_line() -> None:
    with pytest.raises(UserError, match="line 3"):
        read_quiz("\n\n## Which?\n- [x] a\n- [x] b\n> so", "quiz.md")


def test_progress_survives_its_link_and_joins() -> None:
    here = Progress().with_done("guess", 0).with_done("guess", 2).at("tokens", 1)
    there = Progress.parse("~guess.2~tokens.1")
    assert Progress.parse(str(here)) == here and str(here) == "tokens.1~guess.5"
    both = here.joined(there)
    assert str(both) == "tokens.1~guess.7~tokens.1" and both.has("guess", 1) and both.count("guess") == 3
    assert not Progress().has("guess", 0) and str(Progress()) == ""


@pytest.mark.parametrize(
    "text", ["guess", "guess.x", "Guess.1", "guess.99", "~guess.0", "~guess.10000", "a.1~b", "~" * 90, "a.²"]
)
def test_a_link_with_senseless_progress_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Progress.parse(text)


DOCS = (ROOT / "docs/chapters.md").read_text(encoding="utf-8")


def test_the_example_of_the_docs_is_a_chapter(own: Path) -> None:
    (written,) = re.findall(r'```markdown title="([\w.]+)"\n(.*?)```', DOCS, re.DOTALL)
    (own / written[0]).write_text(written[1], encoding="utf-8")
    found, wrong = chapters(Language("en"))
    assert wrong == () and found[-1].title == "First names" and len(found[-1].tasks) == 3


def test_the_docs_name_every_check_with_what_it_finds() -> None:
    for name, check in CHECKS.items():
        said = " ".join((check.find.__doc__ or "").split())
        assert f"| `{name}` | {said} | {', '.join(f'`{one}`' for one in sorted(check.details))} |" in DOCS


def test_the_course_leads_from_the_story_to_the_numbers_and_never_hides_what_the_reader_sees() -> None:
    hidden_in_the_story = {"pinned", "edited", "gradient_shown"}  # arithmetic beside the picture, and the way back
    for chapter in chapters(Language("en"))[0]:
        for i, task in enumerate(chapter.tasks):
            needed = depth_needed(task)
            assert needed == ("numbers" if task.check in hidden_in_the_story else "story"), (chapter.name, i)
            assert led_to(chapter, i, Language("en"), None)[1].depth == needed
            assert led_to(chapter, i, Language("en"), "formula")[1].depth == "formula"
            assert led_to(chapter, i, Language("en"), "numbers")[1].depth == "numbers"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_task_names_what_is_not_shown_in_front_of_a_room(language: str) -> None:
    t = Translator(Language(language))
    hidden = [t(key) for key in ("heads.title", "exercise.predict", "tools.take", "bar.grain.line", "bar.grain.op")]
    named = [f"**{name}**" for name in hidden]
    read, _ = chapters(Language(language))
    found = [(chapter.name, name) for chapter in read for task in chapter.tasks for name in named if name in task.do]
    assert not found


def test_no_answer_ends_a_sentence_with_a_text_that_may_end_with_a_dot() -> None:
    texts = r"\{(text|token|row|now|near|piece|sample|most|name)\}\."
    files = sorted((ROOT / "lmviz/lessons/chapters").glob("*.md"))
    found = [(path.name, one[0]) for path in files for one in re.finditer(texts, path.read_text(encoding="utf-8"))]
    assert files and not found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_table_has_the_name_on_the_card_that_it_has_in_the_picture(language: str) -> None:
    t = Translator(Language(language))
    read, _ = chapters(Language(language))
    (task,) = [one for chapter in read for one in chapter.tasks if one.view and one.view.query.get("section") == "sum"]
    assert f"`{t('embeddings.sum.x')}`" in task.do
