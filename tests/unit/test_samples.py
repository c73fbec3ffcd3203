"""The promises that the sample models make, kept by the folders as they are shipped."""

from __future__ import annotations

import math
import re
from functools import cache
from itertools import islice, product
from pathlib import Path

import pytest
import torch

from lmviz.model.checkpoint import Checkpoint, load
from lmviz.train.baselines import Baselines, baselines, counted_loss
from lmviz.train.data import Corpus, read_corpus
from lmviz.train.loop import mean_loss
from lmviz.train.recipe import Recipe, read_recipe
from tools.sentences import texts

SAMPLES = Path(__file__).parents[2] / "sample_models"
NAMES = ["names", "names-llama", "pokemon", "sentences", "simple-llm", "small-ever"]


@cache
def sample(name: str) -> Checkpoint:
    return load(SAMPLES / name)


@cache
def recipe(name: str) -> Recipe:
    return read_recipe(SAMPLES / name / "recipe.toml")


@cache
def corpus(name: str) -> Corpus:
    return read_corpus(recipe(name), SAMPLES / name)


@cache
def counted(name: str) -> Baselines:
    return baselines(corpus(name).train, corpus(name).tokenizer.d_vocab)


@cache
def losses(name: str) -> tuple[float, float | None]:
    """Nats per token on the texts trained on, and on those held out if there are any."""
    held_out = corpus(name).held_out
    model = sample(name).model
    return mean_loss(model, corpus(name).train), None if held_out is None else mean_loss(model, held_out)


def next_tokens(name: str, prompt: str) -> dict[str, float]:
    """The probability of every token after a prompt, most likely first."""
    checkpoint = sample(name)
    with torch.no_grad():
        logits = checkpoint.model(checkpoint.tokenizer.encode(prompt).ids_tensor)[0, -1]
    probabilities = torch.softmax(logits, dim=-1).sort(descending=True)
    return {
        checkpoint.tokenizer.piece(id): probability
        for id, probability in zip(probabilities.indices.tolist(), probabilities.values.tolist(), strict=True)
    }


def likeliest(name: str, prompt: str) -> str:
    return next(iter(next_tokens(name, prompt)))


def table(name: str, width: int = 2) -> list[tuple[str, ...]]:
    """The rows of all tables of a card that have so many cells."""
    rows = (line for line in sample(name).card.text.splitlines() if line.startswith("| "))
    cells = (tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows)
    return [row for row in cells if len(row) == width]


def test_every_folder_is_a_sample_that_is_tested() -> None:
    assert sorted(folder.name for folder in SAMPLES.iterdir() if folder.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_data_licence_prompt_and_the_command_that_makes_it(name: str) -> None:
    card = sample(name).card
    assert card.title
    assert card.license == "mit"
    assert card.languages
    assert card.prompts == recipe(name).card.prompts != ()
    assert "**Data.**" in card.text
    assert "**Licence.**" in card.text
    assert f"python -m lmviz.train sample_models/{name}/recipe.toml" in card.text


@pytest.mark.parametrize("name", NAMES)
def test_a_card_states_the_sizes_of_its_model(name: str) -> None:
    checkpoint = sample(name)
    stated = dict(table(name))
    assert stated["parameters"] == f"{sum(p.numel() for p in checkpoint.model.parameters()):,}"
    for size in ("d_vocab", "n_ctx", "n_layers", "d_model", "n_heads", "d_mlp"):
        assert stated[size] == str(getattr(checkpoint.config, size))
    assert checkpoint.tokenizer.d_vocab == checkpoint.config.d_vocab


@pytest.mark.nightly
@pytest.mark.parametrize("name", NAMES)
def test_a_card_states_the_losses_of_its_model_and_of_counting(name: str) -> None:
    stated = [float(nats) for what, nats in table(name) if what == "this model"]
    assert stated == pytest.approx([loss for loss in losses(name) if loss is not None], abs=2e-4)
    numbers = {what: float(nats) for what, nats in table(name) if what.startswith(("all ", "knowing "))}
    expected = counted(name)
    assert list(numbers.values()) == pytest.approx(
        [expected.uniform, expected.unigram, expected.bigram, expected.floor], abs=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_model_and_its_tokenizer_are_those_of_its_recipe(name: str) -> None:
    asked, made = recipe(name).model, sample(name).config
    for size in ("n_ctx", "n_layers", "d_model", "n_heads", "d_mlp"):
        assert getattr(made, size) == getattr(asked, size)
    pieces = [tokenizer.piece(id) for tokenizer in (sample(name).tokenizer, corpus(name).tokenizer) for id in range(4)]
    assert pieces[:4] == pieces[4:]


@pytest.mark.parametrize("name", NAMES)
def test_every_prompt_of_a_card_is_read_without_loss(name: str) -> None:
    for prompt in sample(name).card.prompts:
        tokens = sample(name).tokenizer.encode(prompt)
        assert not tokens.dropped
        assert not any(tokens.unknown)
        assert 0 < len(tokens) <= sample(name).config.n_ctx


def test_small_ever_has_112_parameters_and_four_words() -> None:
    checkpoint = sample("small-ever")
    assert sum(parameter.numel() for parameter in checkpoint.model.parameters()) == 112
    assert [checkpoint.tokenizer.piece(id) for id in range(4)] == ["Clem", "Creatrice", "<pad>", "<unk>"]


@pytest.mark.parametrize("name", NAMES)
def test_a_card_states_what_its_model_says_next_and_how_sure_it_is(name: str) -> None:
    stated = table(name, 3)[2:]
    asked = [after.strip("`") for after, _, _ in stated]
    assert set(recipe(name).card.prompts) <= set(asked)
    for prompt, (_, token, share) in zip(asked, stated, strict=True):
        assert token.strip("`") == likeliest(name, prompt)
        assert float(share.removesuffix(" %")) == pytest.approx(
            100 * next_tokens(name, prompt)[token.strip("`")], abs=0.02
        )


def test_small_ever_says_creatrice_after_clem_and_nothing_after_anything_else() -> None:
    assert next_tokens("small-ever", "Clem")["Creatrice"] > 0.99
    for other in ("Creatrice", "<pad>", "<unk>", "Pikachu"):
        assert next_tokens("small-ever", other)["<pad>"] > 0.99
    for n_pos in range(2, 7):  # and what came before does not matter
        ids = torch.tensor(list(product(range(4), repeat=n_pos)))
        with torch.no_grad():
            shares = torch.softmax(sample("small-ever").model(ids)[:, -1], dim=-1)
        wanted = torch.where(ids[:, -1] == 0, 1, 2)
        assert float(shares.gather(1, wanted[:, None]).min()) > 0.99


def test_the_mini_llm_has_the_sizes_and_letters_of_the_lesson() -> None:
    checkpoint = sample("pokemon")
    assert sum(parameter.numel() for parameter in checkpoint.model.parameters()) == 2832
    assert "".join(map(checkpoint.tokenizer.piece, range(27))) == ".abcdefghijklmnopqrstuvwxyz"
    assert checkpoint.tokenizer.unknown_id is None


def test_the_mini_llm_knows_its_twenty_names_as_well_as_a_context_of_eight_allows() -> None:
    assert counted("pokemon").floor == pytest.approx(0.3404, abs=1e-4)
    assert counted("pokemon").floor <= losses("pokemon")[0] < 0.345 < math.log(27)
    assert next_tokens("pokemon", ".pik")["a"] > 0.99


def test_the_loss_of_the_mini_llm_is_the_lessons_mean_over_all_prefixes() -> None:
    checkpoint = sample("pokemon")
    found = []
    for text in recipe("pokemon").data.texts:
        ids = checkpoint.tokenizer.encode(f".{text}.").ids
        for i in range(1, len(ids)):
            with torch.no_grad():
                logits = checkpoint.model(torch.tensor([ids[:i][-8:]]))[0, -1]
            found.append(-float(torch.log_softmax(logits, dim=-1)[ids[i]]))
    assert sum(found) / len(found) == pytest.approx(losses("pokemon")[0], abs=1e-5)


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("The cat sits on the", "mat"),
        ("The dog sits on the", "rug"),
        ("A bird sits in the", "tree"),
        ("What color is the sky?", "blue"),
        ("What color is grass?", "green"),
        ("What color is a banana?", "yellow"),
    ],
)
def test_simple_llm_completes_its_sentences_and_answers_its_questions(prompt: str, word: str) -> None:
    assert likeliest("simple-llm", prompt) == word
    assert next_tokens("simple-llm", prompt)[word] > 0.95


def test_simple_llm_has_the_sizes_of_the_guide() -> None:
    config = sample("simple-llm").config
    assert (config.d_model, config.n_heads, config.d_mlp, config.n_layers, config.n_ctx) == (32, 2, 64, 2, 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["names", "names-llama"])
def test_names_are_learned_and_not_only_learned_by_heart(name: str) -> None:
    train, held_out = losses(name)
    parts = corpus(name)
    assert held_out is not None and parts.held_out is not None
    triples = counted_loss(parts.train, parts.held_out, 2, parts.tokenizer.d_vocab)
    assert train < held_out < triples - 0.2
    assert held_out < counted(name).bigram - 0.4
    assert sum(parameter.numel() for parameter in sample(name).model.parameters()) < 1_000_000


def test_the_two_models_of_names_can_be_compared() -> None:
    """The same texts and training; as many numbers, within a twentieth."""
    one, other = recipe("names"), recipe("names-llama")
    assert (one.data, one.tokenizer, one.training) == (other.data, other.tokenizer, other.training)
    assert (SAMPLES / "names/names.txt").read_bytes() == (SAMPLES / "names-llama/names.txt").read_bytes()
    sizes = [sum(p.numel() for p in sample(name).model.parameters()) for name in ("names", "names-llama")]
    assert abs(sizes[0] - sizes[1]) < 0.05 * sizes[0]


def test_names_holds_out_a_tenth_that_it_never_saw() -> None:
    train, held_out = corpus("names").train, corpus("names").held_out
    assert len(held_out) == pytest.approx(0.1 * (len(train) + len(held_out)), abs=1)
    rows = {tuple(filter(None, row)) for row in train.inputs.tolist()}
    assert not rows & {tuple(filter(None, row)) for row in held_out.inputs.tolist()}


@pytest.mark.slow
def test_the_sentences_are_those_that_its_program_writes() -> None:
    assert (SAMPLES / "sentences/sentences.txt").read_text(encoding="utf-8") == "\n".join(texts()) + "\n"


def test_every_word_of_the_sentences_is_one_token_and_other_words_are_read_too() -> None:
    tokenizer = sample("sentences").tokenizer
    for text in islice(texts(), 200):
        words = re.findall(r" ?\w+|[.,]", text)
        assert list(tokenizer.encode(text).pieces) == words
    strange = tokenizer.encode("Zoé aime l’été.")
    assert not strange.dropped and not any(strange.unknown) and tokenizer.decode(strange.ids) == "Zoé aime l’été."


@pytest.mark.parametrize(
    ("prompt", "likely", "unlikely"),
    [
        ("The cat sits on the", "mat roof sofa wall", "postman milk forest"),
        ("Le chat dort sur le", "canapé tapis lit", "chaise table pelouse"),  # the last three are la
        ("Le chat dort sur la", "chaise table pelouse", "canapé tapis lit"),
        ("The dog barks at the", "postman car cat", "mat milk sofa"),
        ("It rains, so the cat sleeps on the", "sofa bed mat", "grass roof branch"),
        ("The sun shines, so the cat sleeps on the", "roof grass", "sofa bed mat"),
        ("The rabbit fears the", "fox dog owl", "cheese postman"),
        ("La souris a faim, donc elle mange du", "fromage", "lait canapé"),
        ("Les chats", "dorment mangent sont ont", "dort mange est a"),
        ("La souris", "dort mange a est", "dorment mangent ont sont"),
        ("La souris est", "fatiguée contente assise", "fatigué content assis"),
    ],
)
def test_the_model_of_sentences_knows_its_world_and_its_grammar(prompt: str, likely: str, unlikely: str) -> None:
    """What is likely is likelier than all that is not; no word is sure where the world leaves a choice."""
    found = next_tokens("sentences", prompt)
    assert max(found.values()) < 0.99
    assert min(found[f" {word}"] for word in likely.split()) > max(found[f" {word}"] for word in unlikely.split())


def test_what_the_model_of_sentences_says_next_changes_with_what_stands_far_before() -> None:
    for language in (("The mouse is hungry, so it", "The mouse is thirsty, so it", " eats", " drinks"),
                     ("La vache est fatiguée, donc elle", "La vache a soif, donc elle", " dort", " boit")):  # fmt: skip
        one, other, verb, another = language
        assert likeliest("sentences", one) == verb
        assert next_tokens("sentences", other)[verb] < 0.1 < next_tokens("sentences", other)[another]
    pronouns = {"The boys are tired, so": " they", "The queen is tired, so": " she", "Le roi a faim, donc": " il"}
    for prompt, pronoun in pronouns.items():
        assert likeliest("sentences", prompt) == pronoun


@pytest.mark.nightly
def test_sentences_are_learned_and_not_only_learned_by_heart() -> None:
    train, held_out = losses("sentences")
    assert held_out is not None and train < held_out < counted("sentences").bigram - 0.5
