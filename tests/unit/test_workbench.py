"""The facade: models, runs, and the bounded caches that all sessions share."""

from __future__ import annotations

import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from lmviz.benches.cache import Cache
from lmviz.benches.names import confined
from lmviz.benches.run import Edit, Request
from lmviz.errors import UserError
from lmviz.workbench import Workbench
from tests.conftest import ROOT, SAMPLES


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench()


def test_the_samples_are_listed_the_smallest_first(bench: Workbench) -> None:
    assert bench.models()[:4] == list(SAMPLES)


@pytest.mark.parametrize("model", SAMPLES)
def test_every_sample_has_a_first_prompt_that_it_can_read(bench: Workbench, model: str) -> None:
    run = bench.run(Request(model, bench.first_prompt(model)))
    assert not run.said and run.trace.failure is None


def test_a_run_is_recorded_once(bench: Workbench) -> None:
    request = Request("pokemon", ".pik")
    assert bench.run(request) is bench.run(request)


def test_targets_are_the_text_moved_by_one(bench: Workbench) -> None:
    run = bench.run(Request("pokemon", ".pik", target="a"))
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


def test_one_token_alone_has_no_loss(bench: Workbench) -> None:
    assert "loss.loss" not in bench.run(Request("small-ever", "Clem")).trace
    assert "loss.loss" in bench.run(Request("small-ever", "Clem", target="Creatrice")).trace


def test_the_temperature_divides_the_logits(bench: Workbench) -> None:
    trace = bench.run(Request("pokemon", ".pik", temperature=0.5)).trace
    assert trace["readout.scaled"].outputs[0].array == pytest.approx(trace["logits"].outputs[0].array / 0.5, rel=1e-6)


def test_a_head_is_switched_off(bench: Workbench) -> None:
    run = bench.run(Request("names", ".mar", edits=(Edit("blocks.0.attn.z", None, head=2),)))
    assert not run.trace["blocks.0.attn.z"].outputs[0].array[:, 2].any()
    assert run.trace["blocks.0.attn.z"].outputs[0].array[:, 1].any()


def test_a_weight_is_edited_for_one_run_only(bench: Workbench) -> None:
    plain = bench.run(Request("pokemon", ".pik")).trace["logits"].outputs[0].array
    edit = Edit("tok_embed.weight", (16, 0), 5.0)
    edited = bench.run(Request("pokemon", ".pik", edits=(edit,)))
    assert edited.trace["tok"].outputs[0].array[0, 1, 0] == 5.0
    assert not np.array_equal(edited.trace["logits"].outputs[0].array, plain)
    again = bench.run(Request("pokemon", ".pik", temperature=0.9)).trace["logits"].outputs[0].array
    assert np.array_equal(again, plain)


def test_gradients_are_there_when_asked_for(bench: Workbench) -> None:
    run = bench.run(Request("pokemon", ".pik", gradients=True))
    assert run.trace["blocks.0.attn.z"].outputs[0].grad is not None
    assert all(p.grad is None for p in run.checkpoint.model.parameters())


def test_the_explained_cell_is_the_recorded_one(bench: Workbench) -> None:
    run = bench.run(Request("pokemon", ".pik"))
    why = bench.explain(run, "blocks.0.attn.scores", (0, 0, 3, 1))
    assert why is not None
    assert why.value == pytest.approx(float(run.trace["blocks.0.attn.scores"].outputs[0].array[0, 0, 3, 1]), rel=1e-5)
    assert bench.explain(run, "tok_embed.weight", (0, 0)) is None


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("pokemon", ""), "at least one token"),
        (Request("pokemon", "ABC"), "at least one token"),
        (Request("pokemon", "a" * 5000), "at most"),
        (Request("no/such/folder", "a"), "no folder"),
        (Request("pokemon", ".pik", edits=(Edit("nowhere", (0,), 1.0),)), "An edit must name"),
        (Request("x" * 5000, "a"), "no folder"),
        (Request("~nobody", "a"), "must lie below"),
        (Request("pokemon", ".pik", edits=(Edit("logits", (0, 0, 99), 1.0),)), "must be inside the tensor"),
        (Request("pokemon", ".pik", edits=(Edit("logits", (0, 0), 1.0),)), "must be inside the tensor"),
        (Request("names", ".mar", edits=(Edit("blocks.0.attn.z", None, head=4),)), "must be inside the tensor"),
    ],
)
def test_what_cannot_be_run_is_a_sentence(bench: Workbench, request_: Request, message: str) -> None:
    with pytest.raises(UserError, match=message):
        bench.run(request_)


def test_a_folder_that_is_no_model_is_a_sentence(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config\.json"):
        bench.run(Request(str(tmp_path), "a"))


@pytest.mark.parametrize("folder", ["/etc", "/", "../../../etc", "/etc/passwd"])
def test_a_link_does_not_look_around_on_the_machine(bench: Workbench, folder: str) -> None:
    with pytest.raises(UserError, match="must lie below"):
        bench.run(Request(folder, "a"))


def test_models_open_below_the_folders_that_are_named(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "sample_models/small-ever", tmp_path / "mine")
    (home := tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    with pytest.raises(UserError, match="must lie below"):
        bench.run(Request(str(tmp_path / "mine"), "Clem"))
    monkeypatch.setenv("LMVIZ_MODELS", str(tmp_path))
    assert len(bench.run(Request(str(tmp_path / "mine"), "Clem")).tokens) == 1


@pytest.mark.parametrize("model", SAMPLES)
def test_a_card_in_french_has_the_numbers_of_the_english_one(bench: Workbench, model: str) -> None:
    run = bench.run(Request(model, bench.first_prompt(model)))
    english, french = (bench.card(run, language).text for language in ("en", "fr"))
    rows = [line for line in english.splitlines() if line.startswith("|") and any(map(str.isdigit, line))]
    theirs = [line for line in french.splitlines() if line.startswith("|") and any(map(str.isdigit, line))]
    digits = [[re.sub(r"\D", "", line) for line in lines] for lines in (rows, theirs)]
    assert english != french and digits[0] == digits[1]


def test_a_cache_makes_a_thing_once_for_many_threads() -> None:
    cache, made, barrier = Cache(2), [], threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        cache.get("key", lambda: made.append(1) or "thing")

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_cache_keeps_the_most_recent_within_its_limits() -> None:
    cache = Cache(10, weigh=len, weight_limit=6)
    for word in ("aaa", "bb", "cccc"):
        cache.get(word, lambda word=word: word)
    calls: list[str] = []
    cache.get("cccc", lambda: calls.append("cccc") or "x")
    cache.get("bb", lambda: calls.append("bb") or "x")
    cache.get("aaa", lambda: calls.append("aaa") or "aaa")
    assert calls == ["aaa"]
    few = Cache(2)
    for key in (1, 2, 3):
        few.get(key, lambda key=key: key)
    assert [key in few for key in (1, 2, 3)] == [False, True, True]


def test_a_failed_making_is_not_cached() -> None:
    cache = Cache(2)
    with pytest.raises(ValueError, match="no"):
        cache.get("key", lambda: (_ for _ in ()).throw(ValueError("no")))
    assert not cache._locks  # visitors choose the keys: none of what failed is held on to
    assert cache.get("key", lambda: 3) == 3


def test_a_temperature_or_a_target_does_not_run_the_model_again(bench: Workbench) -> None:
    """A slider on a large model would wait for it."""
    cold, warm, judged = (
        bench.run(Request("pokemon", ".evo", target=target, temperature=temperature))
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
