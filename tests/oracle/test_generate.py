"""Our next tokens against those of `transformers`: every filter, and whole runs, greedy, sampled and by beams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers import (
    LogitsProcessor,
    MinPLogitsWarper,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from lmviz.generate.beam import beam_search
from lmviz.generate.columns import columns
from lmviz.generate.draw import draw, random_number
from lmviz.generate.filters import apply_temperature, ban_repeats, keep_min_p, keep_top_k, keep_top_p, penalise_repeats
from lmviz.generate.generation import generate
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint, load

SAMPLES = Path(__file__).parents[2] / "sample_models"
LOGITS = st.lists(st.floats(-30, 30, width=32) | st.sampled_from([-1.0, 0.0, 2.0]), min_size=2, max_size=40)


@dataclass(frozen=True)
class Pair:
    """One model, opened by us and by them."""

    ours: Checkpoint
    theirs: Any


@pytest.fixture(scope="module", params=["random", "names", "simple-llm"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = SAMPLES / request.param
    if request.param == "random":
        folder = _random_gpt2(tmp_path_factory.mktemp("random"))
    theirs = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    return Pair(load(folder), theirs)


def _random_gpt2(folder: Path) -> Path:
    sizes = {"vocab_size": 50, "n_positions": 24, "n_embd": 8, "n_layer": 2, "n_head": 2}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=None, eos_token_id=None))
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_()
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text((SAMPLES / "names" / "tokenizer.json").read_text())
    return folder


def written_on(pair: Pair, prompt: tuple[int, ...], chosen: Settings, **more: object) -> Tensor:
    """What `transformers` writes under our settings, [sequence, pos]."""
    return pair.theirs.generate(
        torch.tensor([prompt]),
        attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
        do_sample=chosen.draws,
        max_new_tokens=chosen.max_new_tokens,
        eos_token_id=list(chosen.stop) or None,
        pad_token_id=chosen.stop[0] if chosen.stop else 0,
        repetition_penalty=float(chosen.repetition_penalty),
        no_repeat_ngram_size=chosen.no_repeat_ngram,
        **({"temperature": float(chosen.temperature), "top_k": chosen.top_k} if chosen.draws else {}),
        **({"top_p": chosen.top_p, "min_p": chosen.min_p} if chosen.draws else {}),
        **more,
    )


# -- filters -----------------------------------------------------------------------------------------------------------


def assert_same(ours: Tensor, theirs: LogitsProcessor, ids: list[int], scores: Tensor) -> None:
    expected = theirs(torch.tensor([ids]), scores[None].clone())[0]
    torch.testing.assert_close(ours, expected, rtol=0, atol=0)


@given(LOGITS, st.data())
def test_every_filter_is_the_processor_of_transformers(logits: list[float], data: st.DataObject) -> None:
    scores = torch.tensor(logits)
    ids = data.draw(st.lists(st.integers(0, len(logits) - 1), min_size=1, max_size=12))
    penalty, p = data.draw(st.floats(0.1, 5)), data.draw(st.floats(0, 0.999))
    k, size = data.draw(st.integers(1, 50)), data.draw(st.integers(1, 4))
    assert_same(penalise_repeats(scores, ids, penalty), RepetitionPenaltyLogitsProcessor(penalty), ids, scores)
    assert_same(ban_repeats(scores, ids, size), NoRepeatNGramLogitsProcessor(size), ids, scores)
    assert_same(apply_temperature(scores, penalty), TemperatureLogitsWarper(penalty), ids, scores)
    assert_same(keep_top_k(scores, k), TopKLogitsWarper(k), ids, scores)
    assert_same(keep_top_p(scores, p), TopPLogitsWarper(p), ids, scores)
    assert_same(keep_min_p(scores, p), MinPLogitsWarper(p), ids, scores)


FULL = Settings(
    repetition_penalty=1.4, no_repeat_ngram=3, temperature=0.7, top_k=9, top_p=0.9, min_p=0.02, max_new_tokens=10
)


def test_the_columns_follow_in_the_order_of_transformers(pair: Pair) -> None:
    ids = torch.tensor([[1, 5, 2, 1, 5]])
    generated = written_on(
        pair,
        (1, 5, 2, 1, 5),
        replace(FULL, max_new_tokens=1),
        output_scores=True,
        output_logits=True,
        return_dict_in_generate=True,
    )
    made = columns(generated.logits[0][0], ids[0].tolist(), FULL)
    assert all(column.is_on for column in made)
    torch.testing.assert_close(torch.from_numpy(made[-1].scores), generated.scores[0][0], rtol=0, atol=0)


# -- whole runs --------------------------------------------------------------------------------------------------------

PROMPTS = [(1,), (0, 13, 1), (2, 4, 4, 4)]


@pytest.mark.parametrize("prompt", PROMPTS, ids=str)
@pytest.mark.parametrize(
    "chosen",
    [
        Settings("greedy", max_new_tokens=6),
        Settings("greedy", max_new_tokens=6, stop=(0, 1)),
        Settings("greedy", max_new_tokens=6, repetition_penalty=1.5),
        Settings("greedy", max_new_tokens=6, no_repeat_ngram=2),
        Settings(temperature=0, max_new_tokens=6),
    ],
    ids=str,
)
def test_greedy_runs_are_those_of_transformers(pair: Pair, prompt: tuple[int, ...], chosen: Settings) -> None:
    assert list(generate(pair.ours, prompt, chosen).ids) == written_on(pair, prompt, chosen)[0].tolist()


@pytest.fixture
def our_numbers(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let `transformers` draw with our random numbers: those of a seed, one step after the other."""

    def use(seed: int) -> None:
        steps = count()

        def multinomial(probs: Tensor, num_samples: int) -> Tensor:
            number = random_number(seed, 0, next(steps))
            return torch.tensor([[draw(probs[0].numpy(), number).chosen]])

        monkeypatch.setattr(torch, "multinomial", multinomial)

    return use


@pytest.mark.sampled(2)
@pytest.mark.parametrize("prompt", PROMPTS, ids=str)
@pytest.mark.parametrize(
    "chosen",
    [
        Settings(max_new_tokens=6),
        Settings(max_new_tokens=6, temperature=1.7, seed=5),
        Settings(max_new_tokens=6, top_k=4, stop=(0,)),
        Settings(max_new_tokens=6, top_p=0.5),
        Settings(max_new_tokens=6, top_p=0.0),
        Settings(max_new_tokens=6, min_p=0.2),
        replace(FULL, max_new_tokens=6, seed=3),
    ],
    ids=str,
)
def test_sampled_runs_are_those_of_transformers_on_the_same_random_numbers(
    pair: Pair, our_numbers: Callable[[int], None], prompt: tuple[int, ...], chosen: Settings
) -> None:
    our_numbers(chosen.seed)
    assert list(generate(pair.ours, prompt, chosen).ids) == written_on(pair, prompt, chosen)[0].tolist()


EARLY = {"estimate": False, "first": True, "never": "never"}


def beam_settings() -> Iterator[Settings]:
    base = Settings("beam", n_beams=3, max_new_tokens=6)
    yield base
    yield replace(base, n_beams=1)
    yield replace(base, stop=(0,))
    yield replace(base, stop=(0, 1, 5), n_beams=5)
    for early_stopping in EARLY:
        for length_penalty in (-1.0, 0.0, 2.0):
            yield replace(base, stop=(0, 5), length_penalty=length_penalty, early_stopping=early_stopping)
    yield replace(base, stop=(0,), repetition_penalty=1.3, no_repeat_ngram=2)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("chosen", list(beam_settings()), ids=str)
def test_beam_searches_are_those_of_transformers(pair: Pair, chosen: Settings) -> None:
    for prompt in PROMPTS:
        search = beam_search(pair.ours, prompt, chosen)
        theirs = (
            written_on(
                pair,
                prompt,
                chosen,
                num_beams=chosen.n_beams,
                length_penalty=chosen.length_penalty,
                early_stopping=EARLY[chosen.early_stopping],
                num_return_sequences=chosen.n_beams,
                return_dict_in_generate=True,
                output_scores=True,
            )
            if chosen.n_beams > 1
            else None
        )
        if theirs is None:
            greedy = replace(chosen, strategy="greedy")
            assert search.ids(search.best[0]) == generate(pair.ours, prompt, greedy).ids
            continue
        finals = [search.nodes[index].final for index in search.best]
        assert finals == pytest.approx(theirs.sequences_scores.tolist(), rel=1e-4)
        for index, row in zip(search.best, theirs.sequences.tolist(), strict=True):
            ids = list(search.ids(index))
            assert row[: len(ids)] == ids
