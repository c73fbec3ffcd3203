"""Every file that somebody else wrote comes in through one door: ordinary files, so many bytes, so many seconds."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import lmviz
from lmviz.errors import UserError
from lmviz.model import files
from lmviz.model.card import read_card
from lmviz.model.files import MEGABYTE, MissingFile, ordinary_file, read_bytes, read_json_object, read_text
from lmviz.model.tokenizer import Tokenizer
from lmviz.model.weights import stored_tensors
from lmviz.tokens.template import read_template
from lmviz.train.data import read_texts
from lmviz.train.recipe import DataRecipe, read_recipe
from tests.conftest import ROOT
from tests.source import PACKAGE, last_name, nodes_of

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="devices and links of POSIX")
SAMPLE = ROOT / "sample_models/small-ever"


def fifo(path: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # its name must be short


def device(name: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(name)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: takes no room


NOT_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "endless": (device("/dev/zero"), "must be an ordinary file"),
    "nothing": (device("/dev/null"), "must be an ordinary file"),
    "keyboard": (device("/dev/tty"), "must be an ordinary file"),
    "hangs": (device("/proc/kmsg"), "must be an ordinary file in its own folder"),
    "secret": (device("/etc/passwd"), "must be an ordinary file in its own folder"),
    "fifo": (fifo, "must be an ordinary file"),
    "socket": (a_socket, "must be an ordinary file"),
    "folder": (Path.mkdir, "must be an ordinary file"),
    "loop of links": (loop, "cannot be read"),
    "huge": (huge, "must be at most"),
}

DOORS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "config": ("config.json", lambda path: lmviz.load(path.parent)),
    "weights": ("model.safetensors", lambda path: lmviz.load(path.parent)),
    "tokenizer": ("tokenizer.json", lambda path: lmviz.load(path.parent)),
    "card": ("README.md", lambda path: lmviz.load(path.parent)),
    "index": ("model.safetensors.index.json", lambda path: stored_tensors(path.parent)),
    "tokenizer alone": ("tokenizer.json", Tokenizer.from_file),
    "template": ("chat_template.jinja", lambda path: read_template(path.parent)),
    "template's config": ("tokenizer_config.json", lambda path: read_template(path.parent)),
    "recipe": ("recipe.toml", read_recipe),
    "texts": ("texts.txt", lambda path: read_texts(DataRecipe(file=path.name), path.parent)),
}


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("kind", NOT_FILES)
def test_what_is_no_ordinary_file_is_refused_at_every_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, door: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name, open_it = DOORS[door]
    make, sentence = NOT_FILES[kind]
    folder = tmp_path / "m"
    shutil.copytree(SAMPLE, folder)
    if door == "index":
        (folder / "model.safetensors").unlink()
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    if (door, kind) == ("weights", "huge"):
        sentence = "must be a whole safetensors file"  # weights may be large; their beginning says how large
    with pytest.raises(UserError, match=sentence) as error:
        open_it(folder / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


@POSIX
def test_a_link_inside_its_own_folder_is_followed(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE, tmp_path / "m")
    (tmp_path / "m/config.json").rename(tmp_path / "m/real.json")
    (tmp_path / "m/config.json").symlink_to("real.json")
    (tmp_path / "by-another-name").symlink_to("m")
    assert lmviz.load(tmp_path / "m").config == lmviz.load(tmp_path / "by-another-name").config


@POSIX
def test_the_links_of_the_hubs_own_folders_are_followed_and_no_others(tmp_path: Path) -> None:
    """`models--x/snapshots/REVISION/config.json -> ../../blobs/HASH` is how the Hub's cache keeps files."""
    blobs, snapshot = tmp_path / "models--x/blobs", tmp_path / "models--x/snapshots/0f3a"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for path in SAMPLE.iterdir():
        shutil.copy(path, blobs / f"hash-of-{path.name}")
        (snapshot / path.name).symlink_to(f"../../blobs/hash-of-{path.name}")
    assert lmviz.load(snapshot).card.title
    (tmp_path / "models--x/secret.md").write_text("# secret")
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to("../../secret.md")
    with pytest.raises(UserError, match=r"README\.md must be an ordinary file in its own folder"):
        lmviz.load(snapshot)
    shutil.rmtree(blobs)
    blobs.symlink_to("/etc")
    (snapshot / "README.md").unlink()
    (snapshot / "README.md").symlink_to("../../blobs/passwd")
    with pytest.raises(UserError, match="in its own folder"):
        read_card(snapshot / "README.md")


@POSIX
@pytest.mark.parametrize("target", ["/etc/passwd", "../card.md", "inner/../../card.md"])
def test_a_card_that_is_a_link_to_another_file_is_not_shown(tmp_path: Path, target: str) -> None:
    (tmp_path / "card.md").write_text("# a file of somebody else")
    (tmp_path / "m/inner").mkdir(parents=True)
    (tmp_path / "m/README.md").symlink_to(target)
    with pytest.raises(UserError, match=r"README\.md must be an ordinary file in its own folder"):
        read_card(tmp_path / "m/README.md")


@POSIX
def test_a_folder_whose_name_only_begins_like_the_files_own_is_another_one(tmp_path: Path) -> None:
    for name in ("m", "m-secret"):
        (tmp_path / name).mkdir()
    (tmp_path / "m-secret/card.md").write_text("secret")
    (tmp_path / "m/README.md").symlink_to("../m-secret/card.md")
    with pytest.raises(UserError, match="in its own folder"):
        read_card(tmp_path / "m/README.md")


def test_no_more_is_read_than_the_file_had_when_it_was_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"x" * (files.CHUNK + 5))
    read = os.read

    def growing(descriptor: int, n_bytes: int) -> bytes:
        with path.open("ab") as file:
            file.write(b"y" * 100)
        return read(descriptor, n_bytes)

    monkeypatch.setattr(os, "read", growing)
    assert read_bytes(path, 2 * files.CHUNK) == b"x" * (files.CHUNK + 5)


@POSIX
def test_a_file_of_the_system_that_claims_to_be_empty_is_empty(tmp_path: Path) -> None:
    if not Path("/proc/self/environ").is_file():
        pytest.skip("needs /proc")
    assert read_bytes(Path("/proc/self/environ")) == b""


def test_a_disk_that_does_not_answer_is_a_sentence_and_holds_up_nobody_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "slow"
    path.write_text("text")
    answers = threading.Event()
    real = os.read
    monkeypatch.setattr(os, "read", lambda *asked: (answers.wait(60), real(*asked))[1])
    began = time.monotonic()
    for _ in range(files.MOST_WAITING):
        with pytest.raises(UserError, match=r"slow could not be read within 0\.05 seconds"):
            read_bytes(path, seconds=0.05)
    with pytest.raises(UserError, match="could not be read within"):
        read_bytes(path, seconds=60.0)  # so many wait already: it is not even tried
    assert time.monotonic() - began < 60
    answers.set()
    while files._waiting._value < files.MOST_WAITING:
        time.sleep(0.001)
    assert read_bytes(path) == b"text"


def test_a_missing_file_is_told_with_a_folder_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingFile, match=re.escape(f"in {tmp_path}.")):
        ordinary_file(Path("missing.pt"))


def test_what_is_missing_can_be_told_from_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match=r"There is no file config\.json in"):
        read_text(tmp_path / "config.json")
    with pytest.raises(MissingFile):
        ordinary_file(tmp_path / "no folder/config.json")
    assert read_card(tmp_path / "README.md").text == ""
    (tmp_path / "x.json").write_text("[1]")
    with pytest.raises(UserError, match="must hold a JSON object"):
        read_json_object(tmp_path / "x.json")
    (tmp_path / "x.json").write_text('{"a": ' + "1" * 5000 + "}")
    with pytest.raises(UserError, match="must be JSON"):
        read_json_object(tmp_path / "x.json")


def test_a_name_that_no_system_takes_is_a_sentence(tmp_path: Path) -> None:
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(UserError):
            read_bytes(tmp_path / name)


OWN = {  # files that come with lmviz or that it wrote itself
    "lmviz/model/files.py",
    "lmviz/model/machine.py",
    "lmviz/debug/bugs/source.py",
    "lmviz/tokens/gpt2.py",
    "lmviz/debug/memory/__main__.py",
    "lmviz/attach/app.py",
    "lmviz/trace/opened.py",
    *("lmviz/site/docs.py", "lmviz/site/frame.py"),  # our own docs and look
    "lmviz/registry/recorded.py",  # its own copy
    "lmviz/attach/child.py",  # its own ends of pipes
    "lmviz/stopped.py",  # the system's hole, for what nobody reads any more
    *(f"lmviz/train/{name}" for name in ("store/files.py", "store/liveness.py", "work/trainer_pool.py")),
}
OPENING = {"open", "read_text", "read_bytes", "readlines", "fdopen"}


def test_there_is_no_other_door() -> None:
    """No part but the pages' own look (below `ui`) opens a file by itself."""
    found = set()
    for path in PACKAGE:
        name = path.relative_to(ROOT).as_posix()
        if name in OWN or name.startswith("lmviz/ui/"):
            continue
        for node in nodes_of(path):
            if isinstance(node, ast.Call):
                called = node.func
                is_method = isinstance(called, ast.Attribute) and called.attr in OPENING
                is_method = is_method and ast.unparse(called.value) != "webbrowser"
                if is_method or (isinstance(called, ast.Name) and called.id == "open"):
                    found.add(f"{name}: {ast.unparse(node)}")
    assert not found


UNIT = re.compile(r"\b([KMG]I?B|\w*(KILO|MEGA|GIGA|KIBI|MEBI|GIBI)BYTES?)\b")


def test_a_megabyte_is_one_constant() -> None:
    """On screen it is a million bytes; whatever else has the word in its name comes of it."""
    found = {}
    for path in PACKAGE:
        for node in nodes_of(path):
            if isinstance(node, ast.Assign) and UNIT.search(" ".join(map(last_name, ast.walk(node.targets[0])))):
                found[path.relative_to(ROOT).as_posix()] = ast.unparse(node)
    assert found == {
        "lmviz/model/files.py": "MEGABYTE = 10 ** 6",
        "lmviz/train/limits.py": "GIGABYTE = 1000 * MEGABYTE",
    }


def test_a_tokenizer_file_may_be_as_large_as_the_largest_in_use(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(b" " * (64 * MEGABYTE + 1))
    with pytest.raises(UserError, match="at most 64000000 bytes; it has 64000001"):
        Tokenizer.from_file(path)
