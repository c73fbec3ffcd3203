"""The sample models as the rest of the world opens them: with `transformers`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from lmviz.model.checkpoint import load

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_models"
GPT2S = ["names", "sentences", "simple-llm", "small-ever"]


@pytest.mark.parametrize("name", GPT2S)
def test_a_sample_gives_the_logits_that_transformers_gives(name: str) -> None:
    checkpoint = load(SAMPLES / name)
    model = AutoModelForCausalLM.from_pretrained(SAMPLES / name)
    ids = torch.randint(checkpoint.config.d_vocab, (4, checkpoint.config.n_ctx), generator=torch.Generator())
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.model(ids), model(ids).logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*GPT2S, "pokemon"])
def test_a_sample_is_cut_into_tokens_as_transformers_does(name: str) -> None:
    checkpoint = load(SAMPLES / name)
    tokenizer = AutoTokenizer.from_pretrained(SAMPLES / name)
    for prompt in (*checkpoint.card.prompts, "zoé is\nNOT there"):
        ids = list(checkpoint.tokenizer.encode(prompt).ids)
        assert tokenizer(prompt).input_ids == ids
        assert tokenizer.decode(ids) == checkpoint.tokenizer.decode(ids)


@pytest.mark.parametrize("name", [*GPT2S, "pokemon"])
def test_the_lines_of_code_on_a_card_run_in_its_folder_and_print_what_the_card_says(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    card = load(SAMPLES / name).card.text
    (lines,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(SAMPLES / name)
    exec(compile(lines, "the card", "exec"), {"__name__": "__main__"})
    first = re.search(r"^\| `.*` \| `(.*)` \|", card, re.MULTILINE)
    assert first is not None
    assert capsys.readouterr().out.strip("\n") == first.group(1)


def test_small_ever_answers_as_its_document_says() -> None:
    """One token in; logits divided by a temperature of 0.5; softmax; the likeliest token out."""
    words = {0: "Clem", 1: "Creatrice", 2: "<pad>", 3: "<unk>"}
    model = AutoModelForCausalLM.from_pretrained(SAMPLES / "small-ever").eval()
    with torch.no_grad():
        logits = model(torch.tensor([[0]])).logits[0, -1, :]
    probabilities = F.softmax(logits / 0.5, dim=-1)
    assert words[int(torch.argmax(probabilities))] == "Creatrice"
    assert model.num_parameters() == 112
