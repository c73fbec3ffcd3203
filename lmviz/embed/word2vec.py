"""Vectors of words, learned from their neighbours: word2vec (Mikolov et al. 2013a, b), and FastText's n-grams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lmviz.embed.fasttext import gram_index
from lmviz.embed.words import Example, WordText, cbow_examples, skip_gram_examples
from lmviz.errors import UserError
from lmviz.random_state import seeded

KINDS = ("skip-gram", "cbow")
LONGEST_GRAM = 20  # characters
MOST_STEPS = 10_000


@dataclass(frozen=True)
class Word2VecSettings:
    """How vectors are learned. With `grams`, a word is the sum of its n-grams of so many characters: FastText."""

    kind: str = "skip-gram"
    grams: tuple[int, int] | None = None  # from, to; None: each word has a vector of its own
    window: int = 2  # neighbours on each side
    d_embed: int = 16
    n_negatives: int = 0  # words drawn for comparison at each step; 0: all words, by a full softmax
    steps: int = 300
    batch_size: int = 64
    learning_rate: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError("kind must be one of {known}; got {kind!r}.", known=", ".join(KINDS), kind=self.kind)
        if self.grams is not None and not 1 <= self.grams[0] <= self.grams[1] <= LONGEST_GRAM:
            raise UserError(
                "n-grams must go from a number of characters to one that is not smaller, both from 1 to {most}; "
                "got {grams}.",
                most=LONGEST_GRAM,
                grams=self.grams,
            )
        limits: dict[str, tuple[float, float]] = {
            "window": (1, 10),
            "d_embed": (1, 300),
            "n_negatives": (0, 50),
            "steps": (1, MOST_STEPS),
        }
        limits |= {"batch_size": (1, 4096), "learning_rate": (1e-6, 10), "seed": (0, 2**32 - 1)}
        for name, (low, high) in limits.items():
            if not low <= getattr(self, name) <= high:
                found = getattr(self, name)
                raise UserError(
                    "{name} must be from {low} to {high}; got {found}.", name=name, low=low, high=high, found=found
                )


@dataclass(frozen=True, eq=False)
class VectorsSnapshot:
    """The vectors after one step, and the examples of the step that led there."""

    step: int  # 0 is before training
    loss: float  # nats per example, before the step; NaN for step 0
    examples: tuple[Example, ...]
    negatives: tuple[tuple[int, ...], ...]  # for each example the words it was compared with; empty for a full softmax
    table: NDArray[Any]  # [rows, d_embed]: what is learned, a row for each word, or for each n-gram
    vectors: NDArray[Any]  # [d_vocab, d_embed]: of the words; for FastText the sums of their n-grams


class Word2Vec(nn.Module):
    """Two matrices: a vector for a word as the one that is read, and one for it as the one that is predicted."""

    rows: Tensor
    starts: Tensor

    def __init__(self, members: Sequence[Sequence[int]], d_embed: int) -> None:
        """`members` says for each word which rows of the table make it up: its own, or those of its n-grams."""
        super().__init__()
        rows = torch.tensor([row for own in members for row in own])
        starts = torch.tensor([0, *(len(own) for own in members[:-1])]).cumsum(0)
        self.register_buffer("rows", rows)
        self.register_buffer("starts", starts)
        self.table = nn.Parameter((torch.rand(int(rows.max()) + 1, d_embed) - 0.5) / d_embed)  # as word2vec begins
        self.outputs = nn.Parameter(torch.zeros(len(members), d_embed))

    def forward(self, bag: Tensor) -> Tensor:
        vectors = F.embedding_bag(self.rows, self.table, self.starts, mode="sum")  # [d_vocab, d_embed]
        hidden = bag @ vectors  # [batch, d_embed]: the mean of the words in the bag
        logits = hidden @ self.outputs.T  # [batch, d_vocab]
        return logits


def examples(text: WordText, settings: Word2VecSettings) -> tuple[Example, ...]:
    """All that there is to learn from a text."""
    make = cbow_examples if settings.kind == "cbow" else skip_gram_examples
    return tuple(make(text.sentences, settings.window))


def train_vectors(text: WordText, settings: Word2VecSettings) -> Iterator[VectorsSnapshot]:
    """Snapshots 0 to `steps`. The same text and settings give the same snapshots.

    Adam is used in the place of word2vec's own decreasing learning rate, since the texts here are small.
    """
    everything = examples(text, settings)
    if not everything:
        raise UserError("The text must have a sentence of two words or more.")
    generator = torch.Generator().manual_seed(settings.seed)
    with seeded(settings.seed):
        model = Word2Vec(_members(text, settings), settings.d_embed)
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    yield _snapshot(0, float("nan"), (), (), model)
    for step in range(1, settings.steps + 1):
        chosen = torch.randint(len(everything), (min(settings.batch_size, len(everything)),), generator=generator)
        batch = tuple(everything[i] for i in chosen.tolist())
        negatives = _negatives(text, batch, settings.n_negatives, generator)
        loss = loss_of(model(_bags(batch, len(text.words))), batch, negatives)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield _snapshot(step, float(loss.detach()), batch, tuple(map(tuple, negatives.tolist())), model)


def loss_of(logits: Tensor, batch: Sequence[Example], negatives: Tensor) -> Tensor:
    """Nats per example.

    With negatives: −ln σ(target) − Σ ln σ(−negative) (Mikolov et al. 2013b, eq. 4); a negative that happens to be the
    target does not count. Without: −ln softmax(target), over all words (eq. 2).

    Args:
        logits: [batch, d_vocab]
        negatives: [batch, n_negatives], ids.
    """
    targets = torch.tensor([example.target for example in batch])
    if not negatives.shape[1]:
        return F.cross_entropy(logits, targets)
    wanted = F.logsigmoid(logits.gather(1, targets[:, None])).squeeze(1)
    unwanted = F.logsigmoid(-logits.gather(1, negatives)) * (negatives != targets[:, None])
    return -(wanted + unwanted.sum(dim=1)).mean()


def _members(text: WordText, settings: Word2VecSettings) -> tuple[tuple[int, ...], ...]:
    """For each word its rows in the table."""
    if settings.grams is not None:
        return gram_index(text.words, *settings.grams)[1]
    return tuple((id,) for id in range(len(text.words)))


def _bags(batch: Sequence[Example], d_vocab: int) -> Tensor:
    """[batch, d_vocab]: each row sums to 1, shared among the words that are read."""
    bags = torch.zeros(len(batch), d_vocab)
    for row, example in enumerate(batch):
        for id in example.inputs:
            bags[row, id] += 1 / len(example.inputs)
    return bags


def _negatives(text: WordText, batch: Sequence[Example], n: int, generator: torch.Generator) -> Tensor:
    """[batch, n] words drawn by their count ^ 0.75 (Mikolov et al. 2013b, 2.2)."""
    if not n:
        return torch.zeros(len(batch), 0, dtype=torch.long)
    weights = torch.tensor(text.counts, dtype=torch.float64) ** 0.75
    return torch.multinomial(weights, len(batch) * n, replacement=True, generator=generator).reshape(len(batch), n)


def _snapshot(
    step: int, loss: float, batch: tuple[Example, ...], negatives: tuple[tuple[int, ...], ...], model: Word2Vec
) -> VectorsSnapshot:
    table = model.table.detach().clone()
    vectors = F.embedding_bag(model.rows, table, model.starts, mode="sum")
    return VectorsSnapshot(step, loss, batch, negatives, table.numpy(), vectors.numpy())
