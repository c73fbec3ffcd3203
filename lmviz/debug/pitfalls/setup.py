"""One training of a pitfall: which texts, how they are cut, which model, how it learns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from lmviz.model.tokenizer import Tokenizer
from lmviz.train.data import Windows, split, windows
from lmviz.train.recipe import ModelRecipe, TrainingRecipe
from lmviz.train.texts import preset

_HELD_OUT = 200  # names that no training of a pitfall sees
NAME_BOUNDARY = "."

_MINI = ModelRecipe("mini_llm", n_ctx=8, n_layers=1, d_model=16, n_heads=1, d_mlp=32, initial_std=0.2)
_QUICK_TRAINING = TrainingRecipe(steps=300, learning_rate=0.01, optimizer="adam")
SENTENCER = ModelRecipe("gpt2", n_ctx=10, n_layers=2, d_model=32, n_heads=2, d_mlp=64)  # the guide's SimpleLLM
NAMES_MODEL = ModelRecipe("gpt2", n_ctx=12, n_layers=2, d_model=32, n_heads=2, d_mlp=64, initial_std=0.05)


@dataclass(frozen=True)
class Setup:
    """A training in full. The defaults are a healthy one on the lesson's twenty names."""

    texts: str = "pokemon"  # or "names", "sentences"
    n_texts: int = 0  # so many, drawn by a seed; 0: all
    only: str = ""  # texts that begin with this
    vocabulary: str = "own"  # "other": the tokenizer was made from other texts
    shifted: bool = True  # False: the target is the token itself
    joined: bool = False  # all texts are one, which is cut where the context ends
    targets: str = "all"  # "last": only the last token of a text is predicted
    model: ModelRecipe = _MINI
    training: TrainingRecipe = _QUICK_TRAINING


@dataclass(frozen=True)
class Data:
    """What a training reads, and what it is judged by."""

    tokenizer: Tokenizer
    texts: tuple[str, ...]  # as the tokenizer gets them
    train: Windows  # as the pitfall cuts them
    true: Windows  # the same texts, cut as they should be
    held_out: Windows | None


def data_of(setup: Setup) -> Data:
    texts, held_out = _texts(setup)
    tokenizer = _tokenizer(setup, texts, held_out)
    ids = [tokenizer.encode(text).ids for text in texts]
    true = windows(ids, setup.model.n_ctx, targets=setup.targets)
    train = true
    if setup.joined:
        whole = [id for text in ids for id in text]
        train = windows([whole[: setup.model.n_ctx + 1]], setup.model.n_ctx)
    if not setup.shifted:
        train = Windows(train.inputs, torch.where(train.targets < 0, train.targets, train.inputs))
    kept = windows([tokenizer.encode(text).ids for text in held_out], setup.model.n_ctx) if held_out else None
    return Data(tokenizer, tuple(texts), train, true, kept)


def _texts(setup: Setup) -> tuple[list[str], list[str]]:
    """The texts to train on, and those held out."""
    found = _corpus(setup.texts)
    around = NAME_BOUNDARY if setup.texts != "sentences" else ""
    learned, held_out = split(found, _HELD_OUT / len(found), seed=0) if setup.texts == "names" else (list(found), [])
    chosen = [text for text in learned if text.startswith(setup.only)]
    if setup.n_texts:
        order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(0)).tolist()
        chosen = [chosen[i] for i in order[: setup.n_texts]]
    return [around + text + around for text in chosen], [around + text + around for text in held_out]


@lru_cache
def _corpus(name: str) -> tuple[str, ...]:
    return preset(name).data.texts


def _tokenizer(setup: Setup, texts: list[str], held_out: list[str]) -> Tokenizer:
    if setup.vocabulary == "other":
        return Tokenizer.words("le chat dort sur le tapis")
    if setup.texts == "sentences":
        return Tokenizer.words("\n".join(texts))
    return Tokenizer.characters(NAME_BOUNDARY + "abcdefghijklmnopqrstuvwxyz" + "".join([*texts, *held_out]))


def with_rate(setup: Setup, rate: float) -> Setup:
    return replace(setup, training=replace(setup.training, learning_rate=rate))


def with_steps(setup: Setup, steps: int) -> Setup:
    return replace(setup, training=replace(setup.training, steps=steps))
