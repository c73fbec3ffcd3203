"""A model that has no lesson here, on all pages: it is walked, it writes, and what it cannot do is a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lmviz.registry.kinds import read_reference
from lmviz.registry.recording import Request
from lmviz.services.services import Services
from tests.by_transformers import KINDS, ROUTERS, save_kind
from tests.pages.conftest import Open, complaints, errors, written

TEXT = "abc a"
LINKS = json.loads((Path(__file__).parent / "kept_links.json").read_text(encoding="utf-8"))
NO_LESSON = "This needs a model whose architecture has a lesson here"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("models")
    for kind in KINDS:
        save_kind(kind, root / kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LMVIZ_MODELS", str(root))
        yield root


@pytest.mark.nightly
@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_walked_from_stage_to_stage(open_page: Open, folders: Path, kind: str) -> None:
    model = str(folders / kind)
    recording = Services().models.record(Request(read_reference(model), TEXT))
    stages = [stage for stage in recording.navigator.stages if stage.block in (None, 0)]
    kinds = [stage.kind for stage in stages]
    assert {"embeddings", "qkv", "scores", "softmax", "mix", "residual", "mlp", "logits"} <= set(kinds)
    assert ("router" in kinds) == (kind == "mixtral") and "other" not in kinds
    for stage in stages[1:]:
        step = recording.trace[stage.stop].address
        app = open_page(model=model, prompt=TEXT, step=step, lang="fr" if stage.index % 2 else "en")
        assert not complaints(app) and not app.info, step


@pytest.mark.nightly
@pytest.mark.parametrize("kind", ROUTERS)
def test_the_experts_that_a_token_goes_to_are_those_that_work_for_it(folders: Path, open_page: Open, kind: str) -> None:
    model = str(folders / kind)
    if kind not in KINDS:
        save_kind(kind, folders / kind)
    recording = Services().models.record(Request(read_reference(model), TEXT))
    stage = next(stage for stage in recording.navigator.stages if stage.kind == "router")
    assert not any(one.kind == "other" for one in recording.navigator.stages)
    working: list[Tensor] = []  # [pos, chosen], as the first block's experts are given them
    experts = next(part for path, part in recording.checkpoint.model.named_modules() if path.endswith("mlp.experts"))
    with torch.no_grad(), experts.register_forward_pre_hook(lambda _, given: working.append(given[1])):
        recording.checkpoint.model(recording.tokens.ids_tensor)
    for pos in (0, 3):
        chosen = ", ".join(map(str, working[0][pos].tolist()))
        app = open_page(model=model, prompt=TEXT, step=recording.trace[stage.stop].address, focus=str(pos))
        assert f"goes to expert {chosen}." in _all_text(app)


def _all_text(app: Any) -> str:
    return json.dumps([json.loads(one.proto.json) for one in app.get("bidi_component")], ensure_ascii=False)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("link", [link for link in LINKS if "runs/" not in json.dumps(link)], ids=str)
def test_every_page_shows_it_or_says_why_not(open_on: Open, folders: Path, link: dict[str, Any]) -> None:
    query = {**link["query"], "model": _of(str(link["query"].get("model", "")), str(folders / "mixtral"))}
    app = open_on(link["page"], **query)
    assert not app.exception
    known = (
        NO_LESSON,
        "has no place in this model",
        "An edit must name",
        "adds no vector",
        "has no {run}",
        "There is no",
    )
    assert all(any(sentence in error for sentence in known) for error in errors(app)), errors(app)


@pytest.mark.parametrize("page", ["step_through", "generation"])
def test_a_variant_that_its_lesson_leaves_out_opens_and_says_why(
    open_on: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    save_kind("mistral", tmp_path / "windows", sliding_window=3, num_key_value_heads=2)
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    for lang, *said in (
        ("en", "the lesson here has no layers that see the last tokens only.", "So this is the model as the library"),
        ("fr", "la leçon d’ici n’a pas de couches qui ne voient que", "Voici donc le modèle que construit la bibl"),
    ):
        app = open_on(page, model=str(tmp_path / "windows"), prompt=TEXT, lang=lang, n="2")
        assert not errors(app) and all(one in written(app) for one in said), written(app)


@pytest.mark.parametrize("query", [{}, {"way": "several"}, {"way": "beam"}], ids=str)
def test_a_model_that_raises_when_it_writes_is_told(
    open_on: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    """A config that the library opens, and whose model cannot run: half of the rotated pairs of an odd head."""
    save_kind("phi", tmp_path / "odd")
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    app = open_on("generation", model=str(tmp_path / "odd"), prompt=TEXT, n="2", **query)
    assert not app.exception
    assert any("The model stopped with an error: `` RuntimeError" in error for error in errors(app)), errors(app)


def _of(model: str, folder: str) -> str:
    """What a link asks for, of the folder instead of a sample."""
    bug, at, _ = model.partition("@")
    return f"{bug}@{folder}" if at and bug.startswith(("bug/", "cured/")) else folder
