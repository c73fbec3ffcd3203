"""The text of a card: what the recipe says, and what was measured on the model that came of it."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from lmviz.train.baselines import baselines, counted_loss
from lmviz.train.data import Corpus, Windows
from lmviz.train.loop import mean_loss
from lmviz.train.recipe import Recipe


def card_text(recipe: Recipe, corpus: Corpus, model: nn.Module, command: str, step: int | None = None) -> str:
    """Markdown: title, what it is, sizes, losses in nats per token beside those of counting, and how to make it.

    Args:
        step: how many steps the model has made, if not all of the recipe's.
    """
    parts = [
        f"# {recipe.card.title}",
        recipe.card.about.strip(),
        "## Sizes",
        _table(("", ""), _sizes(recipe, corpus, model, step)),
        "## Loss",
        "In nats per predicted token; lower is better.",
        _table(("texts trained on", "nats"), _losses(corpus.train, corpus, model)),
        *(_held_out(corpus.held_out, corpus, model) if corpus.held_out else ()),
        "## Make it again",
        f"```\n{command}\n```",
    ]
    return "\n\n".join(parts)


def _sizes(recipe: Recipe, corpus: Corpus, model: nn.Module, step: int | None) -> Iterator[tuple[str, str]]:
    sizes = recipe.model
    yield "architecture", sizes.architecture
    yield "parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}"
    yield "d_vocab", str(corpus.tokenizer.d_vocab)
    for name in ("n_ctx", "n_layers", "d_model", "n_heads", "d_mlp"):
        yield name, str(getattr(sizes, name))
    made = "" if step is None or step == recipe.training.steps else f"{step:,} of "
    steps = f"{made}{recipe.training.steps:,} steps"
    yield "training", f"{steps} of {recipe.training.optimizer}, seed {recipe.training.seed}"


def _losses(windows: Windows, corpus: Corpus, model: nn.Module) -> Iterator[tuple[str, str]]:
    counted = baselines(windows, corpus.tokenizer.d_vocab)
    yield "this model", f"{mean_loss(model, windows):.4f}"
    yield f"all {corpus.tokenizer.d_vocab} tokens equally likely", f"{counted.uniform:.4f}"
    yield "knowing how frequent each token is", f"{counted.unigram:.4f}"
    yield "knowing the token before", f"{counted.bigram:.4f}"
    yield "knowing all that the model sees: the floor", f"{counted.floor:.4f}"


def _held_out(windows: Windows, corpus: Corpus, model: nn.Module) -> Iterator[str]:
    d_vocab = corpus.tokenizer.d_vocab
    rows = (
        ("this model", f"{mean_loss(model, windows):.4f}"),
        ("frequencies counted on the others", f"{counted_loss(corpus.train, windows, 0, d_vocab):.4f}"),
        ("pairs counted on the others", f"{counted_loss(corpus.train, windows, 1, d_vocab):.4f}"),
        ("triples counted on the others", f"{counted_loss(corpus.train, windows, 2, d_vocab):.4f}"),
    )
    yield _table(("texts held out", "nats"), rows)


def _table(heads: tuple[str, str], rows: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> str:
    lines = (f"| {left} | {right} |" for left, right in (heads, (":--", "--:"), *rows))
    return "\n".join(lines)
