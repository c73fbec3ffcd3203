"""Models by reference, and what they read: opened once, recorded once, and refused in a sentence."""

from __future__ import annotations

import gc
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import lmviz
from lmviz.debug.bugs.catalogue import bug_named
from lmviz.debug.doctor.finding import Finding
from lmviz.errors import UserError
from lmviz.model.checkpoint import save
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.folder import confined
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.services.services import Services
from tests.conftest import ROOT, SAMPLES
from tests.source import calls_in


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


def test_the_samples_are_listed_the_smallest_first(services: Services) -> None:
    assert services.models.sample_names()[: len(SAMPLES)] == list(SAMPLES)


@pytest.mark.parametrize("model", SAMPLES)
def test_every_sample_has_a_first_prompt_that_it_can_read(services: Services, model: str) -> None:
    run = services.models.record(Request(read_reference(model), services.models.first_prompt(read_reference(model))))
    assert not run.notes and run.trace.failure is None


def test_a_run_is_recorded_once(services: Services) -> None:
    request = Request(read_reference("pokemon"), ".pik")
    assert services.models.record(request) is services.models.record(request)


def test_targets_are_the_text_moved_by_one(services: Services) -> None:
    run = services.models.record(Request(read_reference("pokemon"), ".pik", target="a"))
    assert run.target_id == run.checkpoint.tokenizer.encode("a").ids[0]
    nll = run.trace["loss.nll"].outputs[0].array[0]
    logits = run.trace["logits"].outputs[0].array[0].astype(np.float64)
    log_probs = (
        logits
        - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True))
        - logits.max(-1, keepdims=True)
    )
    wanted = [*run.tokens.ids[1:], run.target_id]
    assert nll == pytest.approx([-log_probs[i, t] for i, t in enumerate(wanted)], rel=1e-4, abs=1e-5)
    assert float(run.trace["loss.loss"].outputs[0].array) == pytest.approx(nll.mean(), rel=1e-5)


def test_one_token_alone_has_no_loss(services: Services) -> None:
    assert "loss.loss" not in services.models.record(Request(read_reference("small-ever"), "Clem")).trace
    assert (
        "loss.loss" in services.models.record(Request(read_reference("small-ever"), "Clem", target="Creatrice")).trace
    )


def test_the_temperature_divides_the_logits(services: Services) -> None:
    trace = services.models.record(Request(read_reference("pokemon"), ".pik", temperature=0.5)).trace
    assert trace["readout.scaled"].outputs[0].array == pytest.approx(trace["logits"].outputs[0].array / 0.5, rel=1e-6)


def test_a_head_is_switched_off(services: Services) -> None:
    run = services.models.record(Request(read_reference("names"), ".mar", edits=(HeadOff("blocks.0.attn.z", 2),)))
    assert not run.trace["blocks.0.attn.z"].outputs[0].array[:, 2].any()
    assert run.trace["blocks.0.attn.z"].outputs[0].array[:, 1].any()


def test_a_weight_is_edited_for_one_run_only(services: Services) -> None:
    plain = services.models.record(Request(read_reference("pokemon"), ".pik")).trace["logits"].outputs[0].array
    edit = CellEdit("tok_embed.weight", (16, 0), 5.0)
    edited = services.models.record(Request(read_reference("pokemon"), ".pik", edits=(edit,)))
    assert edited.trace["tok"].outputs[0].array[0, 1, 0] == 5.0
    assert not np.array_equal(edited.trace["logits"].outputs[0].array, plain)
    again = (
        services.models.record(Request(read_reference("pokemon"), ".pik", temperature=0.9))
        .trace["logits"]
        .outputs[0]
        .array
    )
    assert np.array_equal(again, plain)


def test_gradients_are_there_when_asked_for(services: Services) -> None:
    run = services.models.record(Request(read_reference("pokemon"), ".pik", gradients=True))
    assert run.trace["blocks.0.attn.z"].outputs[0].grad is not None
    assert all(p.grad is None for p in run.checkpoint.model.parameters())


def test_the_explained_cell_is_the_recorded_one(services: Services) -> None:
    run = services.models.record(Request(read_reference("pokemon"), ".pik"))
    why = run.explain("blocks.0.attn.scores", (0, 0, 3, 1))
    assert why is not None
    assert why.value == pytest.approx(float(run.trace["blocks.0.attn.scores"].outputs[0].array[0, 0, 3, 1]), rel=1e-5)
    assert run.explain("tok_embed.weight", (0, 0)) is None


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(read_reference("pokemon"), ""), "at least one token"),
        (Request(read_reference("pokemon"), "ABC"), "at least one token"),
        (Request(read_reference("pokemon"), "a" * 5000), "at most"),
        (Request(read_reference("no/such/folder"), "a"), "no folder"),
        (Request(read_reference("pokemon"), ".pik", edits=(CellEdit("nowhere", (0,), 1.0),)), "An edit must name"),
        (Request(read_reference("x" * 5000), "a"), "no folder"),
        (Request(read_reference("~nobody"), "a"), "must lie below"),
        (
            Request(read_reference("pokemon"), ".pik", edits=(CellEdit("logits", (0, 0, 99), 1.0),)),
            "must be inside the tensor",
        ),
        (
            Request(read_reference("pokemon"), ".pik", edits=(CellEdit("logits", (0, 0), 1.0),)),
            "must be inside the tensor",
        ),
        (
            Request(read_reference("names"), ".mar", edits=(HeadOff("blocks.0.attn.z", 4),)),
            "must be inside the tensor",
        ),
    ],
)
def test_what_cannot_be_run_is_a_sentence(services: Services, request_: Request, message: str) -> None:
    with pytest.raises(UserError, match=message):
        services.models.record(request_)


def test_a_folder_that_is_no_model_is_a_sentence(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config\.json"):
        services.models.record(Request(read_reference(str(tmp_path)), "a"))


@pytest.mark.parametrize("folder", ["/etc", "/", "../../../etc", "/etc/passwd"])
def test_a_link_does_not_look_around_on_the_machine(services: Services, folder: str) -> None:
    with pytest.raises(UserError, match="must lie below"):
        services.models.record(Request(read_reference(folder), "a"))


def test_models_open_below_the_folders_that_are_named(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "sample_models/small-ever", tmp_path / "mine")
    (home := tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    with pytest.raises(UserError, match="must lie below"):
        services.models.record(Request(read_reference(str(tmp_path / "mine")), "Clem"))
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    assert len(services.models.record(Request(read_reference(str(tmp_path / "mine")), "Clem")).tokens) == 1


@pytest.mark.parametrize("model", SAMPLES)
def test_a_card_in_french_has_the_numbers_of_the_english_one(services: Services, model: str) -> None:
    run = services.models.record(Request(read_reference(model), services.models.first_prompt(read_reference(model))))
    english, french = (services.models.card(run.checkpoint, language).text for language in ("en", "fr"))
    rows = [line for line in english.splitlines() if line.startswith("|") and any(map(str.isdigit, line))]
    theirs = [line for line in french.splitlines() if line.startswith("|") and any(map(str.isdigit, line))]
    digits = [[re.sub(r"\D", "", line) for line in lines] for lines in (rows, theirs)]
    assert english != french and digits[0] == digits[1]


def test_a_temperature_or_a_target_does_not_run_the_model_again(services: Services) -> None:
    """A slider on a large model would wait for it."""
    cold, warm, judged = (
        services.models.record(Request(read_reference("pokemon"), ".evo", target=target, temperature=temperature))
        for target, temperature in (("", 0.5), ("", 2.0), ("l", 2.0))
    )
    assert cold.trace.segments[0] is warm.trace.segments[0] is judged.trace.segments[0]


@pytest.mark.parametrize("other", ["models-secret", "models.bak", "modelsx", "models/../models2", "models/../.."])
def test_a_folder_whose_path_only_begins_like_an_allowed_one_is_not_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    for name in ("HOME", "LMVIZ_RUNS"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    (tmp_path / "models/inner").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path / "models"))
    (tmp_path / other).resolve().mkdir(exist_ok=True)
    with pytest.raises(UserError, match="must lie below"):
        confined(str(tmp_path / other))
    assert confined(str(tmp_path / "models/inner")) == tmp_path / "models/inner"
    (tmp_path / "models/link").symlink_to(tmp_path / "here/..")
    with pytest.raises(UserError, match="must lie below"):
        confined(str(tmp_path / "models/link"))


def test_a_bias_and_the_scale_of_a_norm_are_edited(services: Services) -> None:
    for address, cell in (("blocks.0.mlp.w_in.bias", (3,)), ("blocks.0.norm_1.weight", (2,))):
        plain, edited = (
            services.models.record(Request(read_reference("names"), ".mar", edits=edits))
            for edits in ((), (CellEdit(address, cell, 2.5),))
        )
        assert edited.trace.weights[address].array[cell] == 2.5
        assert not np.array_equal(plain.trace["logits"].outputs[0].array, edited.trace["logits"].outputs[0].array)


@pytest.mark.slow
def test_a_folder_that_is_saved_again_is_never_shown_with_the_numbers_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved again and again, with other models opened and let go in between, and one prompt at several temperatures."""
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    shutil.copytree(ROOT / "sample_models/small-ever", tmp_path / "mine")
    checkpoint = lmviz.load(tmp_path / "mine")
    models, folder = Models(), read_reference(str(tmp_path / "mine"))
    for version in range(6):
        torch.nn.init.constant_(checkpoint.model.get_parameter("tok_embed.weight"), 1.0 + version)
        save(checkpoint, tmp_path / "mine")
        for temperature in (0.5, 1.0, 2.0):
            trace = models.record(Request(folder, "Clem", temperature=temperature)).trace
            assert set(trace["tok"].outputs[0].array.flat) == {1.0 + version}
        for seed in range(8):
            models.record(Request(read_reference("small-ever"), "Clem", temperature=0.1 + seed + 10 * version))
        gc.collect()


def test_no_key_is_an_identity() -> None:
    """`id()` of a thing that is gone is another's: keys are values, or the things themselves. Caches are only here."""
    for path in sorted([*(ROOT / "lmviz/registry").glob("*.py"), *(ROOT / "lmviz/services").glob("*.py")]):
        calls = (call.func for call in calls_in(path))
        assert path.name == "cache.py" or "id" not in {getattr(call, "id", "") for call in calls}, path


@pytest.mark.nightly
def test_what_a_service_keeps_of_a_folder_goes_when_the_folder_is_saved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for before and after, what is kept is what services answer that have kept nothing."""
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    mine, kept, bug = tmp_path / "mine", Services(), bug_named("no_scale")
    folder, row = read_reference(str(mine)), Finding("dead_units", False, where="tok_embed.weight", cell=(25, 9))

    def answers(services: Services) -> tuple[object, ...]:
        prompt = services.models.first_prompt(folder)
        return (
            services.bugs.difference(bug, folder, prompt),
            services.bugs.first_training_difference(bug, folder),
            services.doctor.examine(folder).findings,
            services.doctor.place_of(folder, "m", row),
        )

    before: tuple[object, ...] = ()
    for sample in ("pokemon", "simple-llm"):
        shutil.copytree(ROOT / "sample_models" / sample, mine, dirs_exist_ok=True)
        found = answers(kept)
        assert found == answers(Services())
        assert all(old != new for old, new in zip(before, found, strict=False))
        before = found
