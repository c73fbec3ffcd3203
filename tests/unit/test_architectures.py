"""An architecture is one record: what it says is what its lesson does, and nobody else knows of it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lmviz.debug.bugs.bug import apply
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.bugs.source import healthy_source
from lmviz.errors import UserError
from lmviz.model.architecture import Architecture
from lmviz.model.architectures import ARCHITECTURES, architecture_of, record_of
from lmviz.model.gpt2 import GPT2Config
from lmviz.train.counts import n_parameters
from lmviz.train.initial import check_same_sizes, config_of, new_model, sizes_of
from lmviz.train.memory import memory_of
from lmviz.train.recipe import (
    ModelRecipe,
    Recipe,
    of_architecture,
    own_settings,
    recipe_from,
    stored_recipe,
    tables_of,
    toml_of,
)
from lmviz.train.texts import preset
from lmviz.ui.text import Translator
from tests.conftest import ROOT
from tests.source import PACKAGE, PAGES, nodes_of
from tests.unit.test_extend import RECIPES, carry_out

USED = ROOT / "tests/use_of_an_architecture.py"
MODEL = ROOT / "lmviz/model"
RECORDS = sorted(ARCHITECTURES)
BESIDE = ("record", "cached", "folder", "nanogpt")  # what a lesson may have beside it, by the end of the file's name
SIZES: dict[str, Any] = {"n_ctx": 20, "n_layers": 3, "d_model": 24, "n_heads": 2, "d_mlp": 40}


def sized(name: str) -> tuple[Architecture[Any], Any]:
    return ARCHITECTURES[name], config_of(ModelRecipe(name, **SIZES), 50)


@pytest.mark.parametrize("name", RECORDS)
def test_the_parts_are_all_parameters_of_the_lesson(name: str) -> None:
    record, config = sized(name)
    assert n_parameters(config) == sum(p.numel() for p in record.model(config).parameters())


@pytest.mark.parametrize("name", RECORDS)
def test_the_tables_are_all_buffers_of_the_lesson(name: str) -> None:
    record, config = sized(name)
    buffers = dict(record.model(config).named_buffers())
    tables = {table.name: table for table in record.tables(config)}
    assert {path.rpartition(".")[2] for path in buffers} == tables.keys()
    assert sum(b.nbytes for b in buffers.values()) == sum(t.copies * t.n_bytes for t in tables.values())
    for path, buffer in buffers.items():
        assert torch.equal(buffer, tables[path.rpartition(".")[2]].make())


@pytest.mark.parametrize("name", RECORDS)
def test_the_slots_hold_every_parameter_once(name: str) -> None:
    record, config = sized(name)
    model, tied = record.model(config), record.ties(config)
    ours = [one for tensor in record.layout(config).values() for one in tensor.ours]
    assert sorted([*ours, *tied]) == sorted(model.state_dict())
    for one, source in tied.items():
        assert model.get_parameter(one) is model.get_parameter(source)


@pytest.mark.parametrize("name", RECORDS)
def test_what_is_kept_for_the_backward_pass_is_about_what_autograd_keeps(name: str) -> None:
    record, config = sized(name)
    model, kept = record.model(config), {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    weights = {p.untyped_storage().data_ptr() for p in (*model.parameters(), *model.buffers())}
    ids = torch.zeros(8, config.n_ctx, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = nn.functional.cross_entropy(model(ids).flatten(0, 1), ids.flatten())
    assert loss.requires_grad
    measured = sum(n for place, n in kept.items() if place not in weights)
    assert memory_of(config, "sgd", 8).activations == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize("name", RECORDS)
def test_weights_are_drawn_as_the_recipe_says(name: str) -> None:
    model = new_model(ModelRecipe(name, **SIZES, initial_std=0.5), 50, seed=1)
    assert model.get_parameter("tok_embed.weight").std().item() == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("name", RECORDS)
def test_every_edit_of_a_record_is_a_bug_of_the_catalogue_and_fits_its_lesson(name: str) -> None:
    record = ARCHITECTURES[name]
    for bug, edits in record.edits.items():
        assert not BUGS[bug].loop
        assert apply(edits, healthy_source(name)) != healthy_source(name)
        assert BUGS[bug].edits[name] == edits


def test_every_bug_is_in_the_loop_or_in_a_record() -> None:
    assert all(bug.edits for bug in BUGS.values())


def test_the_record_of_sizes_is_found_by_their_type() -> None:
    config = GPT2Config(5, 4, 1, 4, 1, 4)
    assert architecture_of(config) is ARCHITECTURES["gpt2"]
    assert record_of(object()) is None
    with pytest.raises(UserError, match="whose architecture has a lesson here"):
        architecture_of(object())  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", RECORDS)
def test_an_architecture_and_its_parts_have_names_in_both_languages(name: str, language: str) -> None:
    record, config = sized(name)
    keys = [f"train.model.{name}", *(f"train.part.{part.name}" for part in record.parts(config))]
    assert [key for key in keys if not Translator(language).has(key)] == []


# -- recipes -----------------------------------------------------------------------------------------------------------


def with_model(**values: object) -> Recipe:
    tables = tables_of(preset("names"))
    return recipe_from({**tables, "model": {**tables["model"], **values}})


def test_a_setting_that_only_one_architecture_has_is_a_key_of_its_recipes() -> None:
    recipe = with_model(norm_eps=0.25)
    assert "norm_eps" in own_settings("gpt2")
    assert config_of(recipe.model, 9).norm_eps == 0.25  # type: ignore[attr-defined]
    assert recipe_from(tables_of(recipe)) == recipe
    assert "norm_eps = 0.25" in toml_of(recipe)
    assert sizes_of(config_of(recipe.model, 9)).own == (("norm_eps", 0.25),)
    assert of_architecture(recipe.model, "mini_llm").own == ()
    for wrong in (
        {"norm_eps": "small"},
        {"norm_epsilon": 1.0},
        {"own": []},
        {"architecture": "mini_llm", "norm_eps": 1},
    ):
        with pytest.raises(UserError):
            with_model(**wrong)


def test_a_model_to_start_from_with_another_setting_of_its_own_is_refused() -> None:
    from lmviz.model.checkpoint import Checkpoint

    recipe = with_model(norm_eps=0.25)
    config = config_of(recipe.model, 9)
    started_from = Checkpoint(nn.Module(), None, config)  # type: ignore[arg-type]
    check_same_sizes(recipe.model, started_from)
    with pytest.raises(
        UserError, match=r"norm_eps must be 0\.25, as in the model that training starts from; got 1e-05"
    ):
        check_same_sizes(replace(recipe.model, own=()), started_from)


@pytest.mark.parametrize(("name", "value"), [("dropout", 0.1), ("activation", "silu")])
def test_a_setting_that_an_architecture_lacks_is_refused_in_a_sentence(name: str, value: object) -> None:
    sizes = {**SIZES, name: value}
    with pytest.raises(UserError, match=f"A mini_llm has no {name}: leave it at .*, or take gpt2, llama; got {value}"):
        ModelRecipe("mini_llm", **sizes)
    other = of_architecture(ModelRecipe("gpt2", **sizes), "mini_llm")
    assert other == ModelRecipe("mini_llm", **SIZES)


def test_what_an_architecture_has_in_place_of_a_setting_may_be_said() -> None:
    assert ModelRecipe("mini_llm", **SIZES, activation="relu", tied=False).activation == "relu"


def test_a_stored_run_that_said_what_its_architecture_lacks_still_opens() -> None:
    tables = tables_of(preset("pokemon"))
    stored = {**tables, "model": {**tables["model"], "activation": "silu", "tied": False}}
    assert stored_recipe(stored).model == preset("pokemon").model


# -- nobody else knows -------------------------------------------------------------------------------------------------


def known_elsewhere(path: Path) -> Iterator[str]:
    """Where a file decides by the name of an architecture, or imports its lesson or record.

    A name may be an argument of a call: an example has to be of some architecture.
    """
    lessons = {record.model.__module__ for record in ARCHITECTURES.values()}
    inside = lessons | {f"{lesson}_{kind}" for lesson in lessons for kind in BESIDE}
    named = {value for record in ARCHITECTURES.values() for value in (record.config.__name__, record.model.__name__)}
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            found = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)} & inside
            yield from (f"import of {module}" for module in found)
        elif isinstance(node, ast.Import):
            yield from (f"import of {alias.name}" for alias in node.names if alias.name in inside)
        elif isinstance(node, (ast.Compare, ast.Dict, ast.List, ast.Set, ast.Tuple, ast.MatchValue, ast.Subscript)):
            held = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.Constant)]
            yield from (ast.unparse(node) for one in held if one.value in (*ARCHITECTURES, *named))


@pytest.mark.slow
def test_nobody_but_the_records_knows_of_an_architecture() -> None:
    lessons = {Path(sys.modules[record.model.__module__].__file__ or "") for record in ARCHITECTURES.values()}
    beside = {one.with_name(f"{one.stem}_{kind}.py") for one in lessons for kind in BESIDE}
    allowed = {*lessons, *beside, MODEL / "architectures.py"}
    tokenizers = {ROOT / "lmviz/ui/tokenizer/view.py"}  # "gpt2" is there the name of a tokenizer
    files = sorted({*PACKAGE, *PAGES} - allowed - tokenizers)
    assert len(files) > 300
    found = {str(path.relative_to(ROOT)): list(known_elsewhere(path)) for path in files}
    assert {name: places for name, places in found.items() if places} == {}


@pytest.mark.parametrize(
    "source",
    [
        'architecture == "mini_llm"',
        '"gpt2" if x else {"gpt2": 1}',
        'name in ("gpt2", "mini_llm")',
        "from lmviz.model.gpt2 import GPT2Config",
        "from lmviz.model import mini_llm_record",
        "from lmviz.model.gpt2_cached import read_on",
        "match x:\n    case 'gpt2': pass",
        'KINDS["gpt2"]',
        'type(x).__name__ == "GPT2Config"',
    ],
)
def test_knowing_of_an_architecture_is_seen(tmp_path: Path, source: str) -> None:
    (tmp_path / "x.py").write_text(source)
    assert list(known_elsewhere(tmp_path / "x.py"))


# -- a third one -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copy_with_a_third(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with one architecture more, as docs/extend.md adds it."""
    folder = tmp_path_factory.mktemp("third")
    shutil.copytree(ROOT / "lmviz", folder / "lmviz", ignore=shutil.ignore_patterns("__pycache__"))
    carry_out(RECIPES["An architecture"], folder)
    return folder


@pytest.mark.nightly
@pytest.mark.parametrize("tied", ["true", "false"])
def test_a_third_architecture_is_a_lesson_a_record_and_a_line(
    copy_with_a_third: Path, tmp_path: Path, tied: str
) -> None:
    done = subprocess.run(
        [sys.executable, str(USED), tied],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(copy_with_a_third), "LMVIZ_MODELS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip().endswith("done"), done.stderr
