"""Models by the name that the Hub has for them: from the cache without a network, and over a stand-in of the Hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lmviz.attach.doctor_command import main as doctor
from lmviz.errors import UserError
from lmviz.model import hub
from lmviz.registry.hub import HubModel, NotDownloaded
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from tests.conftest import ROOT
from tests.hub import COMMIT, empty_cache, lay_out, stand_in

POKEMON = ROOT / "sample_models" / "pokemon"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_cache(tmp_path, monkeypatch)


def test_a_model_in_the_cache_opens_without_the_hub(cache: Path) -> None:
    lay_out(cache, "org/tiny", POKEMON)
    models = Models()
    for name in ("org/tiny", "org/tiny@main", f"org/tiny@{COMMIT}"):
        assert models.record(Request(read_reference(name), ".pi")).trace["logits"].outputs[0].shape[-1] == 27
    assert hub.cached_names() == ["org/tiny"]


@pytest.mark.slow
def test_the_doctor_examines_a_model_by_its_name(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(["org/tiny"]) == 2
    assert "is neither a folder" in capsys.readouterr().err
    lay_out(cache, "org/tiny", POKEMON)
    assert doctor(["org/tiny", "--text", ".pikachu"]) in (0, 1)
    assert "finite" in capsys.readouterr().out


def test_what_is_not_there_is_a_sentence_and_asks_nobody(cache: Path) -> None:
    for name in ("org/tiny", "org/tiny@v1"):
        with pytest.raises(NotDownloaded, match=f"{name} is neither a folder"):
            Models().checkpoint(read_reference(name))
    (cache / "models--org--tiny" / "snapshots").mkdir(parents=True)
    with pytest.raises(NotDownloaded):
        Models().checkpoint(HubModel("org/tiny"))


@pytest.mark.parametrize(
    ("written", "is_name"),
    [("org/name", True), ("org/name@v1.0", True), ("a.b/c-d_e", True), ("sample_models/names", False),
     ("/org/name", False), ("../name", False), ("org/na/me", False), ("names", False), ("~/x", False)],
)  # fmt: skip
def test_a_name_of_the_hub_is_told_from_a_path(written: str, is_name: bool) -> None:
    reference = read_reference(written)
    assert isinstance(reference, HubModel) == is_name
    assert str(reference) == written


def test_a_model_is_downloaded_once_and_then_opens_without_the_hub(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(POKEMON, tmp_path / "theirs")
    (tmp_path / "theirs" / "pytorch_model.bin").write_bytes(b"code that would run")
    with stand_in("org/tiny", tmp_path / "theirs") as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        listed = hub.listing("org/tiny")
        assert listed.n_bytes == sum((POKEMON / name).stat().st_size for name in listed.sizes)
        folder = hub.download("org/tiny", listed)
        assert hub.arrived("org/tiny") == listed.n_bytes
    assert not any("pytorch_model" in one for one in asked)
    assert sorted(path.name for path in folder.iterdir()) == sorted(listed.sizes)
    checkpoint = Models().checkpoint(HubModel("org/tiny"))
    assert checkpoint.config.d_vocab == 27 and checkpoint.folder == folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("repo", "revision", "sentence"),
    [
        ("org/other", "", "There is no model org/other on the Hub, or it is private"),
        ("org/gated", "", "accepted its terms"),
        ("org/tiny", "v9", "has no revision v9"),
        ("org/bare", "", "There is no model org/bare"),
    ],
)
def test_what_the_hub_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, repo: str, revision: str, sentence: str
) -> None:
    with stand_in("org/tiny", POKEMON) as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(UserError, match=sentence):
            hub.listing(repo, revision)


def test_without_weights_in_safetensors_or_without_a_network_it_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="org/tiny could not be downloaded"):
        hub.listing("org/tiny")
    (tmp_path / "pickle").mkdir()
    (tmp_path / "pickle" / "config.json").write_text("{}")
    (tmp_path / "pickle" / "pytorch_model.bin").write_bytes(b"x")
    with stand_in("org/tiny", tmp_path / "pickle") as (address, _):
        monkeypatch.setenv("HF_ENDPOINT", address)
        with pytest.raises(UserError, match="in safetensors"):
            hub.listing("org/tiny")
