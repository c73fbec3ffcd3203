"""The course's `nn.Embedding(10, 3)`: ten words as random points in space, and where training moves them.

The training is small and real: from each word of a text, predict the next one. Words that are followed by the same
words get the same work to do, and end up close to each other.
"""

# torch types whatever a module returns as Any:
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.random_state import seeded

TEXT = """the cat sits on the mat
the dog sits on the rug
a bird sits on a tree"""  # ten different words
TEXTS = {
    "en": TEXT,
    "fr": """le chat dort sur le tapis
le chien dort sur le lit
un oiseau dort sur un arbre""",
}

LONGEST_TEXT = 20_000  # characters
RATE = 0.05  # of Adam


class NextWord(nn.Module):
    """A word's vector, and one score per word for what follows: all that a word says about the next one."""

    def __init__(self, d_vocab: int, d_embed: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(d_vocab, d_embed)  # drawn from N(0, 1), which is what torch does
        self.unembed = nn.Linear(d_embed, d_vocab, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        vectors = self.embed(ids)  # [batch, d_embed]
        logits = self.unembed(vectors)  # [batch, d_vocab]
        return logits


@dataclass(frozen=True, eq=False)
class WordsSnapshot:
    """The embedding after some steps; nothing here changes when training goes on."""

    step: int  # 0 is before training
    loss: float  # nats per word to predict, at this embedding
    embedding: NDArray[Any]  # [d_vocab, d_embed]
    gradient: NDArray[Any]  # of the loss, [d_vocab, d_embed]: the next step goes against it
    remembered: Mapping[str, NDArray[Any]]  # what Adam knows from the steps before, by torch's names


def vocabulary(text: str = TEXT) -> tuple[str, ...]:
    """The different words of a text in order of appearance: a word's id is its place."""
    return tuple(dict.fromkeys(text.split()))


def next_words(text: str = TEXT) -> tuple[tuple[int, int], ...]:
    """Every word with the one that follows it in its line, as ids."""
    ids = {word: id for id, word in enumerate(vocabulary(text))}
    lines = [[ids[word] for word in line.split()] for line in text.splitlines()]
    return tuple((line[i], line[i + 1]) for line in lines for i in range(len(line) - 1))


def train_embedding(
    text: str = TEXT, d_embed: int = 3, steps: int = 200, learning_rate: float = RATE, seed: int = 0
) -> Iterator[WordsSnapshot]:
    """Snapshots 0 to `steps` of a training with Adam on all pairs at once. The first has the random embedding.

    Raises:
        UserError: there is no line with two words, or the text is too long.
    """
    pairs = next_words(text) if len(text) <= LONGEST_TEXT else ()
    if not pairs:
        raise UserError(
            "The text must have a line of two words or more, and {limit} characters at most.", limit=LONGEST_TEXT
        )
    inputs, targets = torch.tensor(pairs).T
    with seeded(seed):
        model = NextWord(len(vocabulary(text)), d_embed)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    for step in range(steps + 1):
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        yield _snapshot(step, loss, model.embed.weight, optimizer)
        optimizer.step()


def _snapshot(step: int, loss: Tensor, weight: Tensor, optimizer: torch.optim.Optimizer) -> WordsSnapshot:
    gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad.clone()
    remembered = {name: _copy(known) for name, known in optimizer.state.get(weight, {}).items()}
    return WordsSnapshot(step, float(loss.detach()), _copy(weight), _copy(gradient), remembered)


def _copy(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().clone().numpy()
