"""What a page can do with trainings: plans, a run's models, and its training steps under the debugger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lmviz
from lmviz.debug.first_bad import Bad, first_bad
from lmviz.errors import UserError
from lmviz.registry.folder import Folder
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request, tokens_of_row
from lmviz.registry.run import RunModel, RunStep
from lmviz.services.services import Services
from lmviz.train.recipe import Recipe
from lmviz.train.runs import Runs
from lmviz.train.texts import preset
from tests.conftest import ROOT
from tests.unit.test_runs import RECIPE, Here


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, str]]:
    """Services whose runs are those of a folder with one that is done; it has dropout."""
    folder = tmp_path_factory.mktemp("runs")
    here = Here(folder)
    run = here.start(RECIPE)
    here.work()
    services = Services(Models(open_runs=lambda: here))
    yield services, run
    here.die()


def test_a_runs_model_after_a_step_opens_in_the_step_through(trained: tuple[Services, str]) -> None:
    services, run = trained
    early, late = (services.models.record(Request(RunModel(run, step), ".ev")) for step in (0, 60))
    assert early.tokens.pieces == (".", "e", "v")
    assert early.trace.steps[0].address == late.trace.steps[0].address
    assert not np.array_equal(early.trace["logits"].outputs[0].array, late.trace["logits"].outputs[0].array)
    assert services.models.first_prompt(RunModel(run, 60)) == ".a"
    with pytest.raises(UserError, match="no checkpoint of step 3"):
        services.models.record(Request(RunModel(run, 3), "."))
    with pytest.raises(UserError, match="no run 0123"):
        services.models.checkpoint(read_reference("runs/0123@5"))


@pytest.mark.parametrize("step", [1, 21, 60])
def test_a_training_step_is_recorded_as_it_was_made(trained: tuple[Services, str], step: int) -> None:
    """Loss and gradients of the recording are the step's own, dropout and all."""
    services, run = trained
    opened = services.training.opened(run, step)
    walked = services.models.record(Request(RunStep(run, step, 2), ""))
    reported = dict(zip(*(part.tolist() for part in _curve(services, run)), strict=True))
    assert walked.trace.loss == pytest.approx(reported[step], rel=1e-6)
    assert opened.loss == reported[step]
    for name, gradient in opened.gradients.items():
        recorded = walked.trace.value(name)
        assert recorded is not None
        assert recorded.grad == pytest.approx(gradient, rel=1e-4, abs=1e-7)
    assert walked.row == 2
    assert walked.tokens.ids == tuple(opened.batch.inputs[2].tolist())
    assert walked.trace["logits"].outputs[0].shape[0] == len(opened.batch)
    why = walked.explain("blocks.0.x_mid", (2, 1, 3), gradient=True)
    assert why is not None
    assert why.value == pytest.approx(walked.trace["blocks.0.x_mid"].outputs[0].grad[2, 1, 3], rel=1e-4, abs=1e-8)


def _curve(services: Services, run: str) -> tuple[np.ndarray, np.ndarray]:
    found = services.models.runs.series(run, "loss", 10**6)
    return found.steps, found.numbers


def test_the_losses_of_the_positions_make_the_loss_of_the_step(trained: tuple[Services, str]) -> None:
    services, run = trained
    opened = services.training.opened(run, 20)
    walked = services.models.record(Request(RunStep(run, 20), ""))
    probs = walked.trace["readout.probs"].outputs[0].array
    targets = opened.batch.targets.numpy()
    places = np.argwhere(targets >= 0)
    by_hand = [-math.log(probs[window, pos, targets[window, pos]]) for window, pos in places]
    assert opened.losses[tuple(places.T)] == pytest.approx(by_hand, rel=1e-4)
    assert np.mean(by_hand) == pytest.approx(opened.loss, rel=1e-5)
    assert np.isnan(opened.losses[targets < 0]).all()


def test_a_gradient_that_is_measured_agrees_with_autograd(trained: tuple[Services, str]) -> None:
    services, run = trained
    found = services.training.checked_gradient(run, 20)
    assert {one.weight for one in found} >= {"tok_embed.weight", "blocks.0.attn.w_q.weight"}
    assert all(one.relative < 1e-4 or abs(one.autograd) < 1e-9 for one in found)
    assert services.training.checked_gradient(run, 20) == found


def test_the_first_bad_tensor_of_a_step_that_could_not_be_made_is_found(tmp_path: Path) -> None:
    here = Here(tmp_path)
    wild = replace(RECIPE.training, optimizer="sgd", learning_rate=3e37, schedule="constant", warm_up=20, clip=0.0)
    run = here.start(replace(RECIPE, training=wild))
    here.work()
    services = Services(Models(open_runs=lambda: here))
    step = here.get(run).details["step"]
    walked = services.models.record(Request(RunStep(run, step), ""))
    bad = first_bad(walked.trace)
    assert bad is not None
    value = walked.trace.value(bad.address)
    assert value is not None
    array = value.grad if bad.is_gradient else value.array
    assert not math.isfinite(array[bad.cell])
    if not bad.is_gradient:
        before = walked.trace[: walked.trace[bad.address].index]
        assert all(np.isfinite(v.array).all() for s in before for v in s.outputs if s.op != "masked_fill")
    here.die()


def test_a_healthy_step_has_no_bad_tensor(trained: tuple[Services, str]) -> None:
    services, run = trained
    assert first_bad(services.models.record(Request(RunStep(run, 20), "")).trace) is None
    assert Bad("x", (0,), is_gradient=False) != Bad("x", (0,), is_gradient=True)


def test_a_plan_counts_what_the_lesson_counts() -> None:
    plan = Services().training.plan(preset("pokemon"))
    assert plan.n_parameters == 2832
    assert [part.count for part in plan.parts] == [432, 128, 768, 512, 512, 48, 432]
    assert (len(plan.corpus.train), plan.corpus.train.n_targets, plan.batch_size) == (41, 176, 41)
    wide = replace(preset("pokemon"), model=replace(preset("pokemon").model, d_model=32, d_mlp=64))
    assert (
        Services().training.plan(wide).n_parameters == 27 * 32 + 8 * 32 + 3 * 32 * 32 + 2 * 32 * 64 + 64 + 32 + 32 * 27
    )


def test_a_plan_that_starts_from_a_model_takes_over_its_tokenizer() -> None:
    services = Services()
    recipe: Recipe = preset("pokemon")
    names = replace(recipe, data=replace(recipe.data, texts=("emma", "zoe")))
    assert (
        services.training.plan(names, Folder("names")).corpus.tokenizer.d_vocab
        == services.models.checkpoint(read_reference("names")).config.d_vocab
    )


def test_runs_are_those_of_the_folder_that_the_environment_names(runs_folder: Path) -> None:
    assert isinstance(Services().models.runs, Runs)
    assert Services().models.runs.folder == runs_folder


def test_a_row_of_a_batch_reads_as_text_and_its_offsets_slice_it() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/simple-llm")
    ids = checkpoint.tokenizer.encode("The cat sits on the mat").ids_tensor
    tokens = tokens_of_row(checkpoint, ids, 0)
    assert tokens.text.lower().startswith("the cat sits")
    assert [tokens.text[start:end] for start, end in tokens.offsets] == list(tokens.pieces)


@pytest.mark.parametrize("name", ["runs/{run}@0", "runs/{run}!1", "runs/{run}!1.5", "runs/{run}@99"])
def test_a_run_without_a_checkpoint_is_a_sentence_wherever_its_model_is_asked_for(tmp_path: Path, name: str) -> None:
    """As one is that never came to write one: its disk was full, or it still waits for its turn."""
    here = Here(tmp_path)
    run = here.start_resting(RECIPE)
    services = Services(Models(open_runs=lambda: here))
    model = read_reference(name.format(run=run))
    asked = (
        lambda: services.models.checkpoint(model),
        lambda: services.models.record(Request(model, ".")),
        lambda: services.generation.writer(model, "untrained"),
        lambda: services.models.first_prompt(model),
        lambda: services.quantisation.rivals_of(here.get(run), None),
        lambda: here.export(run, 0),
        lambda: here.zipped(run, 0),
        lambda: here.open_step(run, 1),
    )
    for ask in asked:
        with pytest.raises(UserError):
            ask()
    here.die()
