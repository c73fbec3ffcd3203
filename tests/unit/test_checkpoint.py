"""Folders: what is saved is loaded, and what is wrong with a folder is said in one sentence."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers.models.auto.modeling_auto  # noqa: F401 - before the memory of opening a folder is measured
from safetensors.torch import load_file, save_file
from torch import nn

from lmviz.errors import UserError
from lmviz.model.card import Card, read_card
from lmviz.model.checkpoint import Checkpoint, Config, load, save
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig
from lmviz.model.tokenizer import Tokenizer

IDS = torch.tensor([[0, 3, 1, 2]])
TOKENIZER = Tokenizer.characters("abcd")
CONFIGS: list[Config] = [
    GPT2Config(d_vocab=4, n_ctx=6, n_layers=2, d_model=6, n_heads=3, d_mlp=5),
    GPT2Config(d_vocab=5, n_ctx=6, n_layers=1, d_model=6, n_heads=1, d_mlp=7, activation="silu", tied=False),
    MiniLLMConfig(d_vocab=4, n_ctx=6, d_model=6, n_heads=2, d_mlp=5, n_layers=2),
]
CARD = Card("A title", "# A title\n\nText with a\n\n---\n\nrule.", "mit", ("fr", "en"), ('Say "hi"', "l'été\\n: x # y"))


def drawn(config: Config) -> nn.Module:
    torch.manual_seed(0)
    model = GPT2(config) if isinstance(config, GPT2Config) else MiniLLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def logits(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS)


@pytest.fixture(params=CONFIGS, ids=["gpt2", "untied", "mini_llm"])
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoint:
    checkpoint = Checkpoint(drawn(request.param), TOKENIZER, request.param, CARD, tmp_path)
    save(checkpoint, tmp_path)
    return checkpoint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good folder, for tests to damage."""
    save(Checkpoint(drawn(CONFIGS[0]), TOKENIZER, CONFIGS[0]), tmp_path)
    return tmp_path


def test_what_was_saved_is_loaded(saved: Checkpoint) -> None:
    loaded = load(saved.folder)
    assert torch.equal(logits(loaded.model), logits(saved.model))
    assert loaded.config == saved.config
    assert loaded.card == saved.card
    assert loaded.folder == saved.folder
    assert loaded.tokenizer.encode("dab") == TOKENIZER.encode("dab")
    assert not loaded.model.training


def test_a_loaded_model_has_no_part_without_memory(saved: Checkpoint) -> None:
    model = load(saved.folder).model
    assert not [name for name, tensor in [*model.named_parameters(), *model.named_buffers()] if tensor.is_meta]


def test_a_loaded_model_can_be_trained(saved: Checkpoint) -> None:
    model = load(saved.folder).model
    model(IDS).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    if getattr(saved.config, "tied", False):
        assert model.unembed.weight is model.tok_embed.weight


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_are_kept_in_the_precision_asked_for(tmp_path: Path, dtype: torch.dtype) -> None:
    save(Checkpoint(drawn(CONFIGS[0]), TOKENIZER, CONFIGS[0], weight_dtype=dtype), tmp_path)
    loaded = load(tmp_path, dtype=torch.float64)
    assert loaded.weight_dtype == dtype
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float64}
    torch.testing.assert_close(logits(loaded.model).float(), logits(drawn(CONFIGS[0])), rtol=0.3, atol=0.3)


def test_a_loaded_model_does_not_change_with_its_file(saved: Checkpoint, tmp_path: Path) -> None:
    model = load(tmp_path).model
    with (tmp_path / "model.safetensors").open("r+b") as file:
        file.write(bytes((tmp_path / "model.safetensors").stat().st_size))
    assert torch.equal(logits(model), logits(saved.model))


def test_loading_draws_no_random_number(folder: Path) -> None:
    before = torch.get_rng_state()
    load(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_old_files_without_prefix_are_read(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    save_file({name.removeprefix("transformer."): w for name, w in weights.items()}, folder / "model.safetensors")
    assert torch.equal(logits(load(folder).model), logits(drawn(CONFIGS[0])))


def edit_config(**changes: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return damage


def edit_weights(edit: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        edit(weights)
        save_file(weights, folder / "model.safetensors")

    return damage


def write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def truncate(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def only_a_pickle(folder: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return exec, ("raise SystemExit('unpickled')",)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))


def shards(weight_map: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))

    return damage


WTE, C_FC = "transformer.wte.weight", "transformer.h.0.mlp.c_fc.weight"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (remove("config.json"), r"no file config\.json in"),
    "no tokenizer": (remove("tokenizer.json"), r"no file tokenizer\.json in"),
    "no weights": (remove("model.safetensors"), r"no file model\.safetensors in"),
    "config is not JSON": (write("config.json", b"{'a': 1}"), r"config\.json must be JSON"),
    "config is a list": (write("config.json", b"[1]"), r"config\.json must hold a JSON object, \{\.\.\.\}; .* list"),
    "config is nested": (write("config.json", b"[" * 100_000), r"config\.json must be JSON"),
    "config is binary": (write("config.json", b"\xff"), r"config\.json must be text in UTF-8; byte 0"),
    "config is huge": (write("config.json", b" " * (10**6 + 1)), r"config\.json must be at most 1000000 bytes"),
    "unknown architecture": (
        edit_config(model_type="gpt9"),
        "lmviz or transformers knows; got 'gpt9'",
    ),
    "architecture is a list": (edit_config(model_type=["gpt2"]), "model_type in config.json must name an architecture"),
    "size is a word": (edit_config(n_embd="6"), "n_embd in config.json must be a whole number, 1 or more; got '6'"),
    "size is missing": (edit_config(n_layer=None), "n_layer in config.json must be a whole number.*got None"),
    "size is negative": (edit_config(n_inner=-1), "n_inner in config.json must be a whole number.*got -1"),
    "heads do not fit": (edit_config(n_head=4), "multiple of n_heads.*d_model=6, n_heads=4"),
    "activation is a list": (edit_config(activation_function=[]), r"must name an activation; got \[\]"),
    "epsilon is a word": (edit_config(layer_norm_epsilon="x"), "norm_eps must be a finite number"),
    "absurd width": (edit_config(n_embd=3 * 10**9), "d_model must be 2147483647 at most; got 3000000000"),
    "wrong width": (edit_config(n_embd=9 * 10**8), r"must have shape \[4, 900000000\].*it has \[4, 6\]"),
    "absurd vocabulary": (edit_config(vocab_size=10**12), "d_vocab must be 2147483647 at most"),
    "absurd depth": (edit_config(n_layer=10**9), "n_layers must be 1000 at most; got 1000000000"),
    "wrong depth": (edit_config(n_layer=900), "900 layers, but the weights have only 28 tensors"),
    "absurd context": (edit_config(n_positions=10**9), "up to a context of 16384 tokens; config.json says 1000000000"),
    "one layer too many": (edit_config(n_layer=3), r"must have transformer\.h\.2\.ln_1\.weight.*missing"),
    "one layer too few": (edit_config(n_layer=1), "tensors that this architecture lacks, 12 in all"),
    "a tensor too many": (edit_weights(lambda w: w.update(score=torch.ones(2))), "first is transformer.score"),
    "a tensor too few": (edit_weights(lambda w: w.pop(C_FC)), f"must have {C_FC}, as config.json says; it is missing"),
    "a tensor transposed": (
        edit_weights(lambda w: w.update({C_FC: w[C_FC].T.contiguous()})),
        rf"{C_FC} in model\.safetensors must have shape \[6, 5\].*it has \[5, 6\]",
    ),
    "whole numbers": (edit_weights(lambda w: w.update({WTE: w[WTE].int()})), f"its {WTE} has I32"),
    "untied without": (edit_config(tie_word_embeddings=False), "must have lm_head.weight"),
    "truncated": (truncate, r"model\.safetensors must be a whole safetensors file"),
    "not safetensors": (write("model.safetensors", b"x" * 100), r"model\.safetensors must be a whole safetensors"),
    "empty weights": (write("model.safetensors", b""), r"model\.safetensors must be a whole safetensors file"),
    "only a pickle": (only_a_pickle, r"opening a pickle such as pytorch_model\.bin can run any code"),
    "shard elsewhere": (shards({"a": "../other.safetensors"}), r"files beside it; got \.\./other\.safetensors"),
    "shard is missing": (shards({"a": "b.safetensors"}), r"no file b\.safetensors in"),
    "shard is a pickle": (shards({"a": "b.bin"}), r"files beside it; got b\.bin"),
    "shards without names": (shards({"a": 1}), "must have a weight_map"),
    "no shards": (shards([]), "must have a weight_map"),
    "tokenizer too large": (
        lambda folder: Tokenizer.characters("abcdefgh").save(folder / "tokenizer.json"),
        "below the model's d_vocab of 4; they go up to 7",
    ),
    "card is huge": (write("README.md", b"x" * (10**6 + 1)), r"README\.md must be at most"),
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"d_vocab": 10**40}, "d_vocab must be 2147483647 at most"),
        ({"d_model": 3 * 10**8}, r"must have shape \[4, 300000000\]"),
        ({"n_layers": 10**12}, "n_layers must be 1000 at most"),
        ({"n_ctx": None}, "n_ctx in config.json must be a whole number"),
        ({"n_layers": 1}, "tensors that this architecture lacks, 7 in all"),
    ],
)
def test_a_damaged_mini_llm_is_refused_in_a_sentence(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    save(Checkpoint(drawn(CONFIGS[2]), TOKENIZER, CONFIGS[2]), tmp_path)
    edit_config(**changes)(tmp_path)
    with pytest.raises(UserError, match=sentence):
        load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_folder_is_refused_in_a_sentence(folder: Path, name: str) -> None:
    damage, sentence = DAMAGES[name]
    damage(folder)
    tracemalloc.start()
    with pytest.raises(UserError, match=sentence) as error:
        load(folder)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert str(error.value).rstrip(".")[-1] != "."


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"There is no folder .*nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("readme", "card"),
    [
        ("", Card()),
        ("# Just a title\n\ntext", Card("Just a title", "# Just a title\n\ntext")),
        ("---\nlicense: mit # free\n---\n", Card(license="mit")),
        ("---\nlanguage: fr\n---\ntext", Card(text="text", languages=("fr",))),
        ("---\nlanguage:\n- fr\n- en\ntags:\n- x\n---\n", Card(languages=("fr", "en"))),
        ("---\nwidget:\n- text: 'It''s'\n  example_title: t\n- text: \"a\\nb\"\n---\n", Card(prompts=("It's", "a\nb"))),
        ("---\nwidget:\n  - example_title: t\n    text: Clem\n---\n", Card(prompts=("Clem",))),
        ("---\nmodel-index:\n- name: x\n  results: []\nlicense: mit\n---\n", Card(license="mit")),
        ("---\nno end", Card(text="---\nno end")),
        ("---\r\nlicense: mit\r\n---\r\n# T\r\n", Card("T", "# T", "mit")),
        ('---\nlicense: "half\n---\n# T', Card("T", "# T")),
        ("---\nlanguage: [no, 'fr']\nlicense:\n  - mit\n---\n", Card(license="mit", languages=("no", "fr"))),
        ("---\nwidget:\n- text: >-\n    two\n    lines\n- text: [1]\n- 3\n---\n", Card(prompts=("two lines", "3"))),
        ("---\nlicense: &l mit\nlanguage: *l\n- x\n---\n", Card()),
        ("---\n" + "[" * 100_000 + "\n---\n", Card()),
        ("---\n" + "[" * 90_000 + "\n---\n", Card()),
        ("---\n" + "- " * 40_000 + "\n---\n", Card()),
    ],
)
def test_a_card_is_read_as_far_as_it_is_understood(tmp_path: Path, readme: str, card: Card) -> None:
    (tmp_path / "README.md").write_text(readme, encoding="utf-8", newline="")
    assert read_card(tmp_path / "README.md") == card
