"""Whatever somebody saves under a name is written whole or not at all, and one sentence says why it is not."""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import lmviz
from lmviz.errors import UserError
from lmviz.whole_file import check_place

SENTENCE = r"A file is written into a folder that is there and can be written to; .* can't be written: .+"
Save = Callable[[Path], object]


@pytest.fixture(scope="module")
def trace() -> lmviz.Trace:
    return lmviz.record(torch.nn.Linear(40, 40), torch.ones(40, 40))


@pytest.fixture(params=("recording", "numbers", "picture", "page"))
def save(request: pytest.FixtureRequest, trace: lmviz.Trace) -> tuple[Save, str]:
    """A door through which something becomes a file, and the end of that file's name."""
    doors: dict[str, tuple[Save, str]] = {
        "recording": (trace.save, ".lmviz"),
        "numbers": (lambda path: lmviz.export(trace, path), ".json"),
        "picture": (lambda path: lmviz.picture(trace[0].outputs[0], path), ".svg"),
        "page": (trace.to_html, ".html"),
    }
    return doors[request.param]


@contextmanager
def no_room() -> Iterator[None]:
    """No file may become larger than a few bytes, as where a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_where_nothing_can_be_written_one_sentence_says_so(save: tuple[Save, str], tmp_path: Path) -> None:
    write, end = save
    (tmp_path / f"folder{end}").mkdir()
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / f"door{end}"))
    links = (f"link{end}", f"round{end}")
    for link, goal in zip(links, ("unplugged/x", links[1]), strict=True):
        (tmp_path / link).symlink_to(goal)
    before = {*tmp_path.rglob("*")}
    for name in (f"nowhere/x{end}", f"folder{end}", f"file/x{end}", f"a\0b{end}", f"{'x' * 300}{end}", f"door{end}"):
        with pytest.raises(UserError, match=SENTENCE):
            write(tmp_path / name)
    for link in links:
        with pytest.raises(UserError, match="link that leads nowhere"):
            write(tmp_path / link)
    assert {*tmp_path.rglob("*")} == before


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda folder, _: Path(folder) != tmp_path)
    with pytest.raises(UserError, match=SENTENCE):
        check_place(tmp_path / "x.html")


@pytest.mark.nightly
def test_a_file_that_finds_no_room_leaves_the_old_one_and_nothing_else(save: tuple[Save, str], tmp_path: Path) -> None:
    write, end = save
    path, link = tmp_path / f"kept{end}", tmp_path / f"link{end}"
    link.symlink_to(path)
    path.write_text("old", encoding="utf-8")
    with no_room(), pytest.raises(UserError, match=SENTENCE):
        write(path)
    assert path.read_text(encoding="utf-8") == "old" and {*tmp_path.iterdir()} == {path, link}
    write(link)
    assert link.is_symlink() and path.stat().st_size > 100
    assert {*tmp_path.iterdir()} == {path, link}


@pytest.mark.nightly
def test_a_page_whose_words_alone_are_too_many_says_how_many_they_are(tmp_path: Path) -> None:
    trace = lmviz.record(torch.nn.Embedding(40, 1), torch.arange(40)[None])
    words = [f"{i:02}" * 7_000 for i in range(40)]
    with pytest.raises(UserError, match=r"at most 1\.0 MB, and its words .* take \d\.\d MB: allow as much") as told:
        trace.to_html(tmp_path / "x.html", words, limit=1_000_000)
    assert not [*tmp_path.iterdir()]
    needed = float(str(told.value).split("alone take ")[1].split(" ")[0])
    trace.to_html(tmp_path / "x.html", words, limit=round(needed * 1_000_000))  # with as much it is made
    assert (tmp_path / "x.html").stat().st_size <= needed * 1_000_000
