"""Sizes that cannot be are refused by arithmetic, before anything is built or read."""

from __future__ import annotations

import json
import math
import resource
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import lmviz
from lmviz.errors import UserError
from lmviz.model import machine
from lmviz.model.checkpoint import save
from lmviz.model.gpt2 import GPT2Config
from lmviz.model.machine import check_free, free_memory
from lmviz.model.mini_llm import MiniLLMConfig
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.kinds import read_reference
from lmviz.services.services import Services
from lmviz.train.__main__ import make
from lmviz.train.counts import Config
from lmviz.train.initial import build, first_model, sizes_of
from lmviz.train.memory import bytes_to_build, check_memory, memory_of
from lmviz.train.recipe import Recipe, TrainingRecipe, read_recipe, recipe_from, tables_of, toml_of
from lmviz.train.store.files import write_listed
from lmviz.train.texts import preset
from lmviz.train.work.prepared import prepare, recipe_file
from tests.conftest import ROOT

SAMPLES = ROOT / "sample_models"
ABSURD = {
    "n_ctx": (2 * 10**6, 10**9, 10**26, 2**31 - 1),
    "d_model": (16 * 10**4, 10**9, 2**63, 10**40, 10**400),
    "n_layers": (10**6, 10**9, 10**18),
    "d_mlp": (10**10, 2**31 - 1),
}
CASES = [(name, size) for name, sizes in ABSURD.items() for size in sizes]


@pytest.fixture
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def built(*_: object, **__: object) -> None:
        raise AssertionError("a model was built")

    monkeypatch.setattr(nn.Embedding, "__init__", built)
    monkeypatch.setattr(nn.Linear, "__init__", built)


def tables(section: str, **values: object) -> dict[str, dict[str, object]]:
    found = tables_of(preset("pokemon"))
    return {**found, section: {**found[section], **values}}


@pytest.mark.usefixtures("nothing_is_built")
@pytest.mark.parametrize(("name", "size"), CASES)
def test_a_recipe_of_absurd_sizes_is_refused_before_anything_is_built(tmp_path: Path, name: str, size: int) -> None:
    recipe = recipe_from(tables("model", **{name: size}, **({"n_heads": 1} if name == "d_model" else {})))
    with pytest.raises(UserError):
        build(recipe.model, 27)
    with pytest.raises(UserError):
        first_model(recipe.model, 27, 0, tmp_path)
    write_listed(tmp_path, recipe_file(tables_of(recipe)))
    with pytest.raises(UserError):
        prepare(tmp_path, None, 0, memory=2**32)
    (tmp_path / "recipe.toml").write_text(toml_of(recipe), encoding="utf-8")
    with pytest.raises(UserError):
        make(tmp_path / "recipe.toml", tmp_path / "out")


@pytest.mark.usefixtures("nothing_is_built")
def test_the_model_of_24_gigabytes_that_a_link_asks_for_is_refused_by_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMVIZ_RUNS", str(tmp_path))
    services = Services()
    recipe = preset("pokemon")
    sizes = replace(recipe.model, d_model=12_000, n_heads=12, d_mlp=48_000, n_layers=4)
    assert 20 * 2**30 < bytes_to_build(MiniLLMConfig(27, 8, 4, 12_000, 12, 48_000)) < 28 * 2**30
    with pytest.raises(UserError, match="A training may need"):
        services.training.train(replace(recipe, model=sizes))
    with pytest.raises(UserError, match="A training may need"):
        services.models.runs.start(replace(recipe, model=sizes))
    assert services.models.runs.all() == ()
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name != "workers"]


@pytest.mark.usefixtures("nothing_is_built")
def test_what_only_the_texts_tell_is_also_checked_before_a_model_is_built(tmp_path: Path) -> None:
    """A batch of all windows is what makes this one large."""
    recipe = preset("pokemon")
    recipe = replace(recipe, training=replace(recipe.training, batch_size=0))
    write_listed(tmp_path, recipe_file(tables_of(recipe)))
    with pytest.raises(UserError, match="A training may need 200000 bytes"):
        prepare(tmp_path, None, 0, memory=200_000)


@pytest.mark.parametrize("d_vocab", [1_000_001, 2**31 - 1, 10**18, 10**40])
def test_a_vocabulary_of_absurd_size_is_refused_before_the_library_takes_memory_for_it(d_vocab: int) -> None:
    """It aborts the process where it cannot have it."""
    with pytest.raises(UserError):
        Tokenizer.bpe("some text", d_vocab)
    with pytest.raises(UserError):
        recipe_from(tables("tokenizer", kind="bpe", d_vocab=d_vocab))


@pytest.mark.parametrize("name", ["steps", "learning_rate", "batch_size", "warm_up", "clip", "seed", "weight_decay"])
@pytest.mark.parametrize("number", [10**400, -(10**30), math.nan, math.inf, "1" * 300])
def test_numbers_of_a_training_that_cannot_be_are_sentences(name: str, number: object) -> None:
    with pytest.raises(UserError):
        recipe_from(tables("training", **{name: number}))


def weights_that_take_no_room(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A file of safetensors with a hole in the place of its numbers."""
    header: dict[str, object] = {}
    end = 0
    for name, shape in shapes.items():
        size = 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    written = json.dumps(header).encode()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(written)) + written)
        file.truncate(8 + len(written) + end)


@pytest.mark.usefixtures("nothing_is_built")
def test_a_folder_whose_weights_do_not_fit_is_refused_before_one_is_read(tmp_path: Path) -> None:
    d_vocab, d_model = 10**6, 200_000  # 745 GiB of embeddings
    config = {
        "model_type": "gpt2", "vocab_size": d_vocab, "n_positions": 8, "n_layer": 1, "n_embd": d_model, "n_head": 1,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    Tokenizer.characters("ab").save(tmp_path / "tokenizer.json")
    shapes = {"transformer.wte.weight": (d_vocab, d_model), "lm_head.weight": (d_vocab, d_model)}
    weights_that_take_no_room(tmp_path, shapes)
    with pytest.raises(UserError, match=r"This model needs about \d{12,} bytes of memory and may have"):
        lmviz.load(tmp_path)


def test_a_model_may_take_only_so_much_of_a_server() -> None:
    load = lmviz.load(SAMPLES / "names", memory=10**6)
    assert load.config.n_layers == 3
    with pytest.raises(UserError, match="and may have 100000 here"):
        lmviz.load(SAMPLES / "names", memory=100_000)


def test_a_recipe_beside_a_model_cannot_ask_for_another_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that compares with the untrained model builds what the recipe says."""
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    save(lmviz.load(SAMPLES / "pokemon"), tmp_path / "m")
    recipe = recipe_from(tables("model", d_model=1600))
    (tmp_path / "m/recipe.toml").write_text(toml_of(recipe), encoding="utf-8")
    services = Services()
    with pytest.raises(UserError, match="d_model must be 16"):
        services.generation.writer(read_reference(str(tmp_path / "m")), "untrained")


@pytest.mark.parametrize("config", [MiniLLMConfig(27, 400, 3, 16, 2, 32), GPT2Config(27, 300, 2, 16, 2, 32)])
def test_the_masks_count_and_what_is_built_is_what_was_worked_out(config: Config) -> None:
    model = build(sizes_of(config), config.d_vocab)
    measured = sum(t.nbytes for t in (*model.parameters(), *model.buffers()))
    assert bytes_to_build(config) == pytest.approx(measured + config.n_layers * 50_000, rel=0.02)
    step = memory_of(config, "sgd", 1).total
    masks = sum(buffer.nbytes for buffer in model.buffers())
    assert masks == config.n_layers * config.n_ctx**2 > 2**17
    training = TrainingRecipe(1, 0.1, "sgd")
    check_memory(config, training, 1, limit=step + masks + config.n_layers * 50_000)
    with pytest.raises(UserError, match="A training may need"):
        check_memory(config, training, 1, limit=step + masks)


def test_what_is_free_is_asked_of_the_machine_and_of_its_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 < free_memory() <= machine.SHARE * machine.LARGEST
    check_free(1)
    for name, content in (("max", "1000\n"), ("used", "900\n"), ("stat", "anon 5\ninactive_file 500\n")):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(machine, "CONTAINERS", ((*(str(tmp_path / name) for name in ("max", "used", "stat")),),))
    assert free_memory() == int(machine.SHARE * 600)
    with pytest.raises(UserError, match="needs about 481 bytes of memory and may have 480 here"):
        check_free(481)
    (tmp_path / "max").write_text("max\n")
    assert free_memory() > 10**6
    monkeypatch.setattr(machine, "_lines", lambda path: [])
    assert free_memory() > 10**6


@pytest.mark.nightly
@pytest.mark.skipif(sys.platform == "win32", reason="a limit of POSIX")
def test_the_command_that_trains_refuses_in_a_sentence_what_it_cannot_build(tmp_path: Path) -> None:
    recipe: Recipe = recipe_from(tables("model", d_model=160_000))
    (tmp_path / "recipe.toml").write_text(toml_of(recipe), encoding="utf-8")

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))

    done = subprocess.run(
        [sys.executable, "-m", "lmviz.train", str(tmp_path / "recipe.toml")],
        cwd=ROOT, capture_output=True, text=True, preexec_fn=limited,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("This model needs about")


@pytest.mark.parametrize(
    "deep", ["[a" + ".a" * 5000 + "]", 'x."a"' + ".'b'" * 5000 + " = 1", "data = {a" + " . a" * 5000 + " = 1}"]
)
def test_a_recipe_of_keys_within_keys_without_end_is_refused_before_it_is_read(tmp_path: Path, deep: str) -> None:
    (tmp_path / "recipe.toml").write_text(deep)
    with pytest.raises(UserError, match=r"parts within parts"):
        read_recipe(tmp_path / "recipe.toml")
