"""Texts that are written on as far as one looks, and the models that the services let write."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import torch

import lmviz
from lmviz.errors import UserError
from lmviz.generate.generation import Writing, generate
from lmviz.generate.settings import Settings
from lmviz.registry.kinds import read_reference
from lmviz.services import generation
from lmviz.services.generation import _drafts
from lmviz.services.services import Services
from lmviz.services.tokenizers import FILES
from lmviz.train.initial import first_model
from lmviz.train.recipe import read_recipe
from tests.conftest import ROOT, SAMPLES
from tests.outcomes import outcome


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


PROMPT = (0, 13)


@pytest.mark.parametrize("settings", [Settings("greedy"), Settings(seed=3), Settings(seed=1, stop=(0,))])
def test_a_writing_is_the_generation_as_far_as_one_looks(names: lmviz.Checkpoint, settings: Settings) -> None:
    whole = generate(names, PROMPT, settings)
    writing = Writing(names, PROMPT, settings)
    assert writing.first(0).ids == PROMPT and writing.n_bytes == 0
    for n in (2, 1, len(whole.steps), 500):
        found = writing.first(n)
        assert found.new_ids == whole.new_ids[:n]
        assert found.ended == (whole.ended if n >= len(whole.steps) else "")
    assert writing.step(1) is writing.step(1)
    assert writing.step(len(whole.steps)) is None


def test_a_writing_makes_no_more_steps_than_are_looked_at(names: lmviz.Checkpoint) -> None:
    writing = Writing(names, PROMPT, Settings())
    writing.first(3)
    assert writing.n_bytes == 3 * 27 * 4


def test_many_readers_see_one_text(names: lmviz.Checkpoint) -> None:
    writing, seen = Writing(names, PROMPT, Settings(seed=9)), []
    readers = [threading.Thread(target=lambda: seen.append(writing.first(12).ids)) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert set(seen) == {generate(names, PROMPT, Settings(seed=9, max_new_tokens=12)).ids} and len(seen) == 8


def test_broken_numbers_are_told_every_time(names: lmviz.Checkpoint) -> None:
    broken = lmviz.load(ROOT / "sample_models/names")
    with torch.no_grad():
        next(iter(broken.model.parameters()))[:] = torch.nan
    writing = Writing(broken, PROMPT, Settings())
    for _ in range(2):
        with pytest.raises(UserError, match="NaN"):
            writing.first(1)


@pytest.mark.parametrize("model", SAMPLES)
def test_untrained_is_what_the_recipe_starts_from(services: Services, model: str) -> None:
    recipe = read_recipe(ROOT / "sample_models" / model / "recipe.toml")
    trained, untrained = (
        services.generation.writer(read_reference(model)),
        services.generation.writer(read_reference(model), "untrained"),
    )
    first = first_model(recipe.model, trained.config.d_vocab, recipe.training.seed, ROOT / "sample_models" / model)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, untrained.model.state_dict()[name])
    assert untrained.tokenizer is trained.tokenizer and not untrained.model.training
    assert services.generation.writer(read_reference(model), "untrained") is untrained


@pytest.mark.parametrize("strategy", ["greedy", "sample", "beam"])
def test_the_service_gives_the_outcome_of_the_engine(services: Services, strategy: str) -> None:
    checkpoint = services.generation.writer(read_reference("pokemon"))
    settings, greedy = Settings(strategy, n_sequences=3, max_new_tokens=6, seed=2), Settings("greedy")
    asked = [(checkpoint, ".p", settings), (checkpoint, ".l", greedy)]
    live = services.generation.outcomes(asked)
    ids = (checkpoint.tokenizer.encode(prompt).ids for prompt in (".p", ".l"))
    wanted = tuple(outcome(checkpoint, one, how) for one, how in zip(ids, (settings, greedy), strict=True))
    assert live.finish()[-1]() == wanted
    assert (
        live.progress <= 1
        and services.generation.outcomes([(checkpoint, ".p", settings), (checkpoint, ".l", greedy)]) is live
    )


def test_drafts_grow_token_by_token_text_by_text(services: Services) -> None:
    checkpoint, settings = (
        services.generation.writer(read_reference("names")),
        Settings(n_sequences=2, max_new_tokens=3, seed=1),
    )
    found = [draft() for draft in _drafts([services.generation._ways(checkpoint, ".an", settings)])]
    assert found[0] == () and found[-1] == found[-2]
    lengths = [tuple(map(len, drafted[0].new_ids)) for drafted in found[1:-1]]
    assert lengths == [(1, 0), (1, 1), (2, 1), (2, 2), (3, 2), (3, 3)]
    assert len(found) == 2 + 2 * 3


def test_a_search_that_was_made_for_a_comparison_is_not_made_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint, settings = services.generation.writer(read_reference("names")), Settings("beam", max_new_tokens=4)
    (compared,) = services.generation.outcomes([(checkpoint, ".el", settings)]).finish()[-1]()
    monkeypatch.setattr(generation, "beam_searches", lambda *_: 1 / 0)
    last = services.generation.searches(checkpoint, ".el", settings).finish()[-1]
    assert compared.log_probs == tuple(last.nodes[node].score for node in last.best[:1])


def test_a_text_is_written_once_for_all_who_look(services: Services) -> None:
    checkpoint, settings = services.generation.writer(read_reference("names")), Settings(seed=4)
    assert services.generation.writing(checkpoint, ".an", settings) is services.generation.writing(
        checkpoint, ".an", settings
    )
    assert services.generation.writing(checkpoint, ".an", settings) is not services.generation.writing(
        checkpoint, ".an", replace(settings, seed=5)
    )


def test_too_long_a_prompt_is_a_sentence(services: Services) -> None:
    with pytest.raises(UserError, match="4000"):
        services.generation.writing(services.generation.writer(read_reference("names")), "a" * 4001, Settings())
    with pytest.raises(UserError, match="at least one token"):
        services.generation.searches(services.generation.writer(read_reference("names")), "", Settings("beam"))


def test_a_brought_tokenizer_is_read_once_whatever_the_order_of_its_files(services: Services) -> None:
    folder = ROOT / "sample_models/simple-llm"
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    found = services.tokenizers.read_tokenizer(files)
    assert services.tokenizers.read_tokenizer(dict(reversed(files.items()))) is found
    assert (
        found.tokenizer.encode("The cat").ids
        == services.models.checkpoint(read_reference("simple-llm")).tokenizer.encode("The cat").ids
    )
    assert found.template is None


def test_files_of_other_names_are_never_written(services: Services) -> None:
    tokenizer = (ROOT / "sample_models/names/tokenizer.json").read_bytes()
    found = services.tokenizers.read_tokenizer({"tokenizer.json": tokenizer, "../../escaped.json": b"{}"})
    assert found.tokenizer.d_vocab == 27 and not (ROOT.parent / "escaped.json").exists()
