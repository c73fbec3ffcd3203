"""Texts as a model trains on them: windows of ids, each with the ids that should come next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE, read_text
from lmviz.model.tokenizer import Tokenizer
from lmviz.train.recipe import DataRecipe, Recipe, TokenizerRecipe, TrainingRecipe

IGNORED = -100  # a target that no loss counts: F.cross_entropy's own value for it
LARGEST_FILE = 64 * MEGABYTE
LARGEST_WINDOWS = 2**23  # tokens in all windows together: 134 MB of inputs and targets


@dataclass(frozen=True)
class Windows:
    """Inputs and targets, both [window, pos]: at every position, the target is the token that follows it."""

    inputs: Tensor
    targets: Tensor  # IGNORED past the end of a text, and where an earlier window has had the same target

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, chosen: Tensor | slice) -> Windows:
        return Windows(self.inputs[chosen], self.targets[chosen])

    def to(self, device: torch.device) -> Windows:
        return Windows(self.inputs.to(device), self.targets.to(device))

    @cached_property
    def n_targets(self) -> int:
        return int((self.targets != IGNORED).sum())


@dataclass(frozen=True)
class Corpus:
    """What a recipe trains on, and what it keeps back to measure on; held_out is None if nothing is."""

    tokenizer: Tokenizer
    train: Windows
    held_out: Windows | None


def read_corpus(recipe: Recipe, folder: Path, tokenizer: Tokenizer | None = None) -> Corpus:
    """The texts of a recipe, cut into windows as wide as the context of its model.

    Args:
        tokenizer: one that was made for this recipe before; default: the model's that it starts from, or a new one.
    """
    texts = read_texts(recipe.data, folder)
    if tokenizer is None and recipe.model.start:
        tokenizer = Tokenizer.from_file(folder / recipe.model.start / "tokenizer.json")
    by_letter = recipe.tokenizer.kind == "characters" and not recipe.model.start
    tokenizer = tokenizer or _make_tokenizer(recipe.tokenizer, texts)
    train, held_out = (
        [_ids(tokenizer, text, by_letter) for text in part]
        for part in split(texts, recipe.data.held_out, recipe.training.seed)
    )
    if not any(len(ids) > 1 for ids in held_out):  # there is nothing in them to predict
        train, held_out = [_ids(tokenizer, text, by_letter) for text in texts], []
    sizes = (recipe.model.n_ctx, recipe.data.stride, recipe.data.targets)
    return Corpus(tokenizer, windows(train, *sizes), windows(held_out, *sizes) if held_out else None)


def read_texts(recipe: DataRecipe, folder: Path) -> list[str]:
    texts = recipe.texts or read_text(folder / recipe.file, LARGEST_FILE).splitlines()
    return [recipe.around + text + recipe.around for text in texts if text]


def _make_tokenizer(recipe: TokenizerRecipe, texts: Sequence[str]) -> Tokenizer:
    """The tokenizer that a recipe asks for; its vocabulary comes from all texts, held out or not."""
    text = "\n".join(texts)
    if recipe.kind == "words":
        return Tokenizer.words(text, recipe.specials)
    if recipe.kind == "bpe":
        return Tokenizer.bpe(text, recipe.d_vocab, recipe.specials)
    return Tokenizer.characters(recipe.alphabet or "".join(texts), recipe.specials)


def split(texts: Sequence[str], held_out: float, seed: int) -> tuple[list[str], list[str]]:
    """Texts to train on and texts held out, drawn by the seed; each in the order they came in.

    Of a text that is alone, its end is held out.
    """
    if held_out and len(texts) == 1:
        cut = round((1 - held_out) * len(texts[0]))
        return [texts[0][:cut]], [texts[0][cut:]]
    n_held_out = round(held_out * len(texts))
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen = set(order[:n_held_out])
    return (
        [text for i, text in enumerate(texts) if i not in chosen],
        [text for i, text in enumerate(texts) if i in chosen],
    )


def windows(texts: Sequence[Sequence[int]], n_ctx: int, stride: int = 1, targets: str = "all") -> Windows:
    """Windows in which each token of a text but the first is the target exactly once.

    The first window of a text has all its targets; each later one, `stride` tokens on, only those that are new.
    So with a stride of 1 every token is predicted from all tokens before it, or from the last `n_ctx` of them.
    With targets="last" only the last token of every text is a target.
    """
    if stride > n_ctx:
        raise UserError(
            "stride must be at most n_ctx, or tokens are skipped; got stride={stride}, n_ctx={n_ctx}.",
            stride=stride,
            n_ctx=n_ctx,
        )
    _check_size(texts, n_ctx, stride, targets)
    rows = [row for ids in texts for row in _rows(ids, n_ctx, stride, targets)]
    if not rows:
        raise UserError("To train on, a text must have two tokens or more, one to read and one to predict; none has.")
    width = max(len(inputs) for inputs, _ in rows)
    return Windows(
        torch.tensor([inputs + [0] * (width - len(inputs)) for inputs, _ in rows]),
        torch.tensor([wanted + [IGNORED] * (width - len(wanted)) for _, wanted in rows]),
    )


def batches_of(windows: Windows, training: TrainingRecipe, done: int = 0) -> Iterator[Windows]:
    """The batches of a recipe."""
    return batches(windows, training.batch_size, training.seed, done, even=training.batches == "even")


def batches(windows: Windows, batch_size: int, seed: int, done: int = 0, *, even: bool = True) -> Iterator[Windows]:
    """Batches without end: every epoch all windows in a new order drawn by the seed. A batch_size of 0 is all.

    The first `done` batches are left out; what follows is what would have followed them.

    Args:
        even: the batches of an epoch differ by one window at most. Otherwise the last one is what full ones leave:
            a window or two, whose loss and gradient say little.
    """
    generator = torch.Generator().manual_seed(seed)
    if not 0 < batch_size < len(windows):
        while True:
            yield windows
    n_batches = math.ceil(len(windows) / batch_size)
    epochs, batch = divmod(done, n_batches)
    for _ in range(epochs):
        torch.randperm(len(windows), generator=generator)
    while True:
        order = torch.randperm(len(windows), generator=generator)
        for chosen in (order.tensor_split(n_batches) if even else order.split(batch_size))[batch:]:
            yield windows[chosen]
        batch = 0


def _rows(ids: Sequence[int], n_ctx: int, stride: int, targets: str) -> Iterator[tuple[list[int], list[int]]]:
    ids = list(ids)
    n_done = max(len(ids) - 2, 0) if targets == "last" else 0  # targets of this text that are out of the way
    start = 0
    while n_done < len(ids) - 1:
        wanted = ids[start + 1 : start + n_ctx + 1]
        n_old = n_done - start
        if n_old < len(wanted):
            yield ids[start : start + len(wanted)], [IGNORED] * n_old + wanted[n_old:]
            n_done = start + len(wanted)
        start += stride


def _check_size(texts: Sequence[Sequence[int]], n_ctx: int, stride: int, targets: str) -> None:
    n_windows = len(texts) if targets == "last" else sum(1 + max(0, len(ids) - 2) // stride for ids in texts)
    if n_windows * n_ctx > LARGEST_WINDOWS:
        raise UserError(
            "These texts make about {n_windows} windows of {n_ctx} tokens, more than the {limit} tokens that fit into "
            "memory: raise the stride, up to n_ctx, or take less text.",
            n_windows=n_windows,
            n_ctx=n_ctx,
            limit=LARGEST_WINDOWS,
        )


def _ids(tokenizer: Tokenizer, text: str, by_letter: bool) -> tuple[int, ...]:
    """The ids of a text. Looking its letters up one by one, where each is a token, is 100 times quicker."""
    if by_letter:
        letters = [tokenizer.id(letter) for letter in text]
        if None not in letters:
            return tuple(id for id in letters if id is not None)
    tokens = tokenizer.encode(text)
    if tokens.dropped:
        raise UserError("The tokenizer of this recipe has no token for {text!r}.", text=tokens.dropped[0][1])
    return tokens.ids
