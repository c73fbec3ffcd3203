"""What is known of a training before it starts: texts, windows, sizes, memory, and the recipe as a file."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lmviz.errors import UserError
from lmviz.model.checkpoint import load, save
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.model.tokenizer import Tokenizer
from lmviz.train.__main__ import make
from lmviz.train.baselines import double_softmax_floor
from lmviz.train.counts import KNOWN_MODELS, Config, n_parameters, parts
from lmviz.train.data import LARGEST_WINDOWS, read_corpus, split, windows
from lmviz.train.gradient import loss_of
from lmviz.train.initial import first_model, new_model, sizes_of
from lmviz.train.memory import check_memory, memory_of
from lmviz.train.preview import aligned, check_data
from lmviz.train.progress import bar, clock
from lmviz.train.recipe import (
    DataRecipe,
    ModelRecipe,
    QuantisationRecipe,
    Recipe,
    TokenizerRecipe,
    TrainingRecipe,
    read_recipe,
    toml_of,
)
from lmviz.train.sampling import N_TEXTS, samples
from lmviz.train.texts import LARGEST_OWN, PRESETS, SAMPLES, own_data, own_texts, preset, two_words

CONFIGS = [
    GPT2Config(27, 16, 3, 64, 4, 256, dropout=0.2),
    GPT2Config(50, 32, 2, 48, 8, 200, tied=False),
    MiniLLMConfig(),
    MiniLLMConfig(100, 32, 3, 64, 4, 128),
]
TRAINING = TrainingRecipe(steps=1, learning_rate=0.1)


def made(config: Config) -> torch.nn.Module:
    return GPT2(config) if isinstance(config, GPT2Config) else MiniLLM(config)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_parts_of_a_model_add_up_to_its_parameters(config: Config) -> None:
    assert n_parameters(config) == sum(weight.numel() for weight in made(config).parameters())


def test_the_parts_of_the_lessons_model_are_those_that_the_lesson_counts() -> None:
    counts = {part.name: part.count for part in parts(MiniLLMConfig())}
    assert counts == {
        "tok_embed": 27 * 16,
        "pos_embed": 8 * 16,
        "w_qkv": 3 * 16 * 16,
        "w_in": 16 * 32,
        "w_out": 32 * 16,
        "biases": 32 + 16,
        "unembed": 16 * 27,
    }
    assert n_parameters(MiniLLMConfig()) == 2832
    assert (
        n_parameters(MiniLLMConfig(d_model=32, d_mlp=64)) == 2 * 27 * 32 + 8 * 32 + 3 * 32 * 32 + 2 * 32 * 64 + 64 + 32
    )


@pytest.mark.parametrize(("name", "sizes"), [("GPT-2 small", (12, 768, 12)), ("GPT-2 XL", (48, 1600, 25))])
def test_counting_gives_the_published_size_of_gpt_2(name: str, sizes: tuple[int, int, int]) -> None:
    n_layers, d_model, n_heads = sizes
    known = {model.name: model.n_parameters for model in KNOWN_MODELS}
    assert n_parameters(GPT2Config(50257, 1024, n_layers, d_model, n_heads, 4 * d_model)) == known[name]
    assert all(model.source for model in KNOWN_MODELS)


def kept_by_autograd(config: Config) -> int:
    """Bytes, for a batch of 8."""
    model, ids = made(config), torch.randint(0, config.d_vocab, (8, config.n_ctx))
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss_of(model(ids), ids)
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize("config", CONFIGS)
def test_the_memory_of_activations_is_about_what_autograd_keeps(config: Config) -> None:
    assert memory_of(config, "adam", 8).activations == pytest.approx(kept_by_autograd(config), rel=0.1)


def test_dropout_keeps_exactly_its_masks() -> None:
    config = CONFIGS[0]
    assert isinstance(config, GPT2Config) and config.dropout
    without = replace(config, dropout=0.0)
    more = memory_of(config, "adam", 8).activations - memory_of(without, "adam", 8).activations
    assert more == 2 * config.n_layers * 8 * config.n_ctx * config.d_model * 4
    assert more == pytest.approx(kept_by_autograd(config) - kept_by_autograd(without), rel=0.01)


@pytest.mark.parametrize(("optimizer", "copies"), [("sgd", 0), ("momentum", 1), ("adam", 2), ("adamw", 2)])
def test_an_optimizer_remembers_so_many_numbers_a_weight(optimizer: str, copies: int) -> None:
    memory = memory_of(CONFIGS[0], optimizer, batch_size=8)
    assert memory.weights == memory.gradients == 4 * n_parameters(CONFIGS[0])
    assert memory.optimizer == copies * memory.weights
    assert memory.total == (2 + copies) * memory.weights + memory.activations


def test_a_training_that_needs_too_much_memory_is_refused() -> None:
    check_memory(CONFIGS[2], TRAINING, n_windows=41, limit=2**20)
    with pytest.raises(UserError, match=r"may need 1048576 bytes of memory; this one needs about \d{8}"):
        check_memory(CONFIGS[2], TRAINING, n_windows=41_000, limit=2**20)


@pytest.mark.nightly
def test_two_words_of_ones_own_train_to_the_numbers_of_small_ever(tmp_path: Path) -> None:
    """Only the names of the ids differ."""
    recipe = two_words("soleil", "jaune")
    (tmp_path / "recipe.toml").write_text(toml_of(recipe), encoding="utf-8")
    made = make(tmp_path / "recipe.toml", tmp_path)
    assert made.tokenizer.encode("jaune soleil <pad> mer").ids == (1, 0, 2, 3)
    sample = load(SAMPLES / "small-ever")
    for name, weight in sample.model.state_dict().items():
        torch.testing.assert_close(made.model.state_dict()[name], weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("words", [("", "b"), ("a b", "c"), ("a", "a"), ("<pad>", "x"), ("a" * 31, "b")])
def test_two_words_must_be_two_words(words: tuple[str, str]) -> None:
    with pytest.raises(UserError, match=r"one word|different"):
        two_words(*words)


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_recipe_that_can_be_followed(name: str) -> None:
    recipe = preset(name)
    corpus = read_corpus(recipe, Path("nowhere"))
    assert corpus.train.n_targets > 0
    assert new_model(recipe.model, corpus.tokenizer.d_vocab, 0)


def test_the_guides_texts_come_apart_into_sentences_and_questions() -> None:
    sentences, questions = preset("sentences").data.texts, preset("questions").data.texts
    assert len(sentences) == len(questions) == 3
    assert "What color is the sky? blue" in questions
    assert "The cat sits on the mat" in sentences
    with pytest.raises(UserError, match="no texts called cats; there are pokemon, two_words"):
        preset("cats")


def test_ones_own_text_is_a_text_a_line_or_one_in_all() -> None:
    written = "\ufeffune\r\n\r\ndeux œufs\n".encode()
    assert own_texts(written) == ("une", "deux œufs")
    assert own_texts("une\n\ndeux œufs\n", by_line=False) == ("une\n\ndeux œufs\n",)
    recipe = own_data("abc\nde", n_ctx=8, held_out=0.0)
    assert (recipe.around, recipe.stride, recipe.texts) == ("\n", 8, ("abc", "de"))


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (b"", "two tokens or more"),
        (b" \n \n", "two tokens or more"),
        (b"caf\xe9", "must be in UTF-8; byte 3 is not"),
        (b"a" * (LARGEST_OWN + 1), "can have 1000000 bytes at most; this one has 1000001"),
    ],
)
def test_ones_own_text_that_cannot_be_trained_on_is_refused(written: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        own_texts(written)


def test_of_a_text_that_is_alone_the_end_is_held_out() -> None:
    assert split(["0123456789"], 0.2, seed=5) == (["01234567"], ["89"])
    assert split(["0123456789"], 0.0, seed=5) == (["0123456789"], [])


def test_texts_that_make_too_many_windows_are_refused() -> None:
    text = [0] * (LARGEST_WINDOWS // 100)
    with pytest.raises(UserError, match=r"windows of 256 tokens, .*: raise the stride"):
        windows([text], n_ctx=256)
    assert len(windows([text[:30_000]], n_ctx=256, stride=256)) == 118


@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
def test_a_corpus_is_the_same_with_the_tokenizer_that_it_made(kind: str) -> None:
    recipe = replace(preset("questions"), tokenizer=TokenizerRecipe(kind, d_vocab=300, specials=("<unk>",)))
    first = read_corpus(recipe, Path("nowhere"))
    again = read_corpus(recipe, Path("nowhere"), first.tokenizer)
    assert torch.equal(first.train.inputs, again.train.inputs)
    texts = [first.tokenizer.encode(text).ids for text in recipe.data.texts]
    assert torch.equal(windows(texts, recipe.model.n_ctx).inputs, first.train.inputs)


def test_inputs_and_targets_are_shown_one_under_the_other() -> None:
    tokenizer = Tokenizer.characters("abcd.")
    shown = windows([tokenizer.encode(text).ids for text in (".abcd.", ".a.")], n_ctx=3)
    first, second, *_, last = aligned(shown, tokenizer, n_windows=9)
    assert (first.inputs, first.targets) == ((".", "a", "b"), ("a", "b", "c"))
    assert (second.inputs, second.targets) == (("a", "b", "c"), (None, None, "d"))
    assert (last.inputs, last.targets) == ((".", "a"), ("a", "."))


def test_a_round_trip_marks_what_was_lost() -> None:
    trip = check_data(Tokenizer.characters("abc"), "abxxc")
    assert trip.parts == (("ab", "kept"), ("xx", "dropped"), ("c", "kept"))
    assert (trip.decoded, trip.is_exact) == ("abc", False)
    words = check_data(Tokenizer.words("the cat"), "the big cat")
    assert words.parts == (("the ", "kept"), ("big", "unknown"), (" cat", "kept"))
    assert words.decoded == "the <unk> cat"
    assert check_data(Tokenizer.bpe("abc", 256), "né?").is_exact
    assert check_data(Tokenizer.characters("abc"), "").parts == ()


def test_the_floor_under_a_double_softmax_is_what_a_perfect_model_gets_through_it() -> None:
    certain = torch.zeros(27).index_fill(0, torch.tensor([4]), 1.0)
    loss = torch.nn.functional.cross_entropy(certain[None], torch.tensor([4]))
    assert double_softmax_floor(27) == pytest.approx(float(loss), rel=1e-6)


def test_a_recipe_comes_back_from_the_file_that_is_written_of_it(tmp_path: Path) -> None:
    recipe = Recipe(
        DataRecipe(texts=('qu"ote\\', "é\n\t\x7f€😀", "a"), around=".", held_out=0.5),
        TokenizerRecipe("bpe", d_vocab=300),
        ModelRecipe("gpt2", 4, 1, 4, 1, 8, tied=False, dropout=0.1, start="start"),
        TrainingRecipe(steps=5, learning_rate=1e-5, optimizer="sgd", clip=1.0),
        QuantisationRecipe("int8", symmetric=False, granularity="group", group_size=16),
        replace(preset("pokemon").card, title="[x]"),
    )
    path = tmp_path / "recipe.toml"
    path.write_text(toml_of(recipe), encoding="utf-8")
    assert read_recipe(path) == recipe
    assert "seed =" not in path.read_text(encoding="utf-8")  # as by default


def test_a_mini_llm_has_no_dropout() -> None:
    with pytest.raises(UserError, match=r"has no dropout: leave it at 0, or take gpt2, llama; got 0\.1"):
        ModelRecipe("mini_llm", 8, 1, 16, 1, 32, dropout=0.1)


def test_a_training_can_start_from_another_model(tmp_path: Path) -> None:
    recipe = preset("questions")
    corpus = read_corpus(recipe, tmp_path)
    other = new_model(recipe.model, corpus.tokenizer.d_vocab, seed=9)
    save(
        replace(load("sample_models/simple-llm"), model=other, config=other.cfg, tokenizer=corpus.tokenizer),
        tmp_path / "start",
    )
    model = replace(recipe.model, start="start", dropout=0.2)
    found = first_model(model, corpus.tokenizer.d_vocab, seed=1, folder=tmp_path)
    assert found.cfg.dropout == 0.2
    assert found.training
    for name, weight in found.named_parameters():
        assert torch.equal(weight, other.state_dict()[name])
    assert sizes_of(found.cfg) == replace(model, start="")
    with pytest.raises(UserError, match=r"d_mlp must be 64, as in the model that training starts from; got 65"):
        first_model(replace(model, d_mlp=65), 5, 1, tmp_path)
    told = read_corpus(replace(recipe, model=model, tokenizer=TokenizerRecipe("characters")), tmp_path)
    assert told.tokenizer.d_vocab == corpus.tokenizer.d_vocab


def test_progress_is_written_so_that_people_can_read_it() -> None:
    assert bar(0.0) == "░" * 24 + "   0%"
    assert bar(0.5) == "█" * 12 + "░" * 12 + "  50%"
    assert bar(1.0) == "█" * 24 + " 100%"
    assert (clock(0.4), clock(75), clock(3700)) == ("0:00", "1:15", "1:01:40")
    assert math.isclose(len(bar(0.3)), 29)


@pytest.mark.parametrize(("own", "is_kept"), [("hello world", False), ("hello world " * 9, True)])
def test_an_end_with_nothing_to_predict_is_not_held_out(own: str, is_kept: bool) -> None:
    recipe = replace(preset("pokemon"), data=own_data(own, n_ctx=8), tokenizer=TokenizerRecipe("characters"))
    corpus = read_corpus(recipe, Path())
    assert (corpus.held_out is not None) is is_kept
    assert is_kept or corpus.train.n_targets == len(recipe.data.around + own + recipe.data.around) - 1


def test_a_batch_counts_and_not_all_texts_when_memory_is_checked() -> None:
    small, all_at_once = replace(TRAINING, batch_size=8), replace(TRAINING, batch_size=0)
    check_memory(CONFIGS[2], small, n_windows=41_000, limit=2**21)
    with pytest.raises(UserError, match="memory"):
        check_memory(CONFIGS[2], all_at_once, n_windows=41_000, limit=2**21)


class NextLetter(torch.nn.Module):
    """Says that the next id is the likeliest by far."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return 1e4 * torch.nn.functional.one_hot((ids + 1) % 6, 6).float()


def test_a_sample_ends_with_what_closes_a_text() -> None:
    tokenizer = Tokenizer.characters("abc.de")
    ids = [tokenizer.encode(letter).ids[0] for letter in "abcde."]
    order = sorted("abcde.")
    recipe = Recipe(
        DataRecipe(texts=("abc",), around=order[3]),
        TokenizerRecipe("characters"),
        ModelRecipe("gpt2", 8, 1, 4, 1, 8),
        TRAINING,
    )
    assert (
        sorted(ids) == list(range(6))
        and samples(NextLetter(), tokenizer, recipe, order[0], 0) == ("".join(order[:4]),) * N_TEXTS
    )
