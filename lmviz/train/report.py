"""The text of a card: what the recipe says, what was measured on the model that came of it, and how to use it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

import torch
from torch import nn

from lmviz.model.architectures import ARCHITECTURES
from lmviz.train.baselines import baselines, counted_loss
from lmviz.train.data import Corpus, Windows
from lmviz.train.loop import mean_loss
from lmviz.train.recipe import Recipe
from lmviz.train.sampling import first_words, samples

_FEW_TOKENS = 8  # a vocabulary so small that the card says what comes after each of its tokens
_HOW_TO_PUBLISH = """\
pip install huggingface_hub
hf auth login
hf upload {name} ."""


def card_text(recipe: Recipe, corpus: Corpus, model: nn.Module, command: str, step: int | None = None) -> str:
    """Markdown: title, what it is, sizes, losses in nats per token beside those of counting, what it says next, what
    it writes, and how to use, publish and make it.

    Args:
        step: how many steps the model has made, if not all of the recipe's.
    """
    prompt = first_words(recipe, corpus.tokenizer)
    use = ARCHITECTURES[recipe.model.architecture].use
    parts = [
        f"# {recipe.card.title}",
        *filter(None, [recipe.card.about.strip()]),
        "## Sizes",
        _table(("setting", "value"), _sizes(recipe, corpus, model, step)),
        "## Loss",
        "In nats per predicted token; lower is better.",
        _table(("texts trained on", "nats"), _losses(corpus.train, corpus, model)),
        *(_held_out(corpus.held_out, corpus, model) if corpus.held_out else ()),
        "## What it says next",
        _table(("after", "next", "how sure"), next_tokens(recipe, corpus, model)),
        *_written(recipe, corpus, model, prompt),
        "## Use it",
        use.heading,
        f"```python\n{use.code.format(prompt=json.dumps(prompt, ensure_ascii=False))}\n```",
        "## Publish it",
        "In this folder; YOUR-NAME is your account at huggingface.co:",
        f"```\n{_HOW_TO_PUBLISH.format(name=f'YOUR-NAME/{_slug(recipe.card.title)}')}\n```",
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
    for name, setting in sizes.own:
        yield name, str(setting)
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


@torch.no_grad()
def next_tokens(recipe: Recipe, corpus: Corpus, model: nn.Module) -> Iterator[tuple[str, str, str]]:
    """What comes next, and its probability, after each prompt; of a very small vocabulary, after each of its tokens."""
    tokenizer, was_training = corpus.tokenizer, model.training
    asked = [(prompt, tokenizer.encode(prompt)) for prompt in (first_words(recipe, tokenizer), *recipe.card.prompts)]
    known = {prompt: t.ids for prompt, t in asked if len(t) and not t.dropped and not any(t.unknown)}
    if tokenizer.d_vocab <= _FEW_TOKENS:
        known |= {tokenizer.piece(id): (id,) for id in range(tokenizer.d_vocab)}
    model.eval()
    for prompt, ids in known.items():
        shares = torch.softmax(model(torch.tensor([ids[-recipe.model.n_ctx :]]))[0, -1], dim=-1)
        best = int(shares.argmax())
        yield code(prompt), code(tokenizer.piece(best)), f"{100 * float(shares[best]):.2f} %"
    model.train(was_training)


def _written(recipe: Recipe, corpus: Corpus, model: nn.Module, prompt: str) -> Iterator[str]:
    found = samples(model, corpus.tokenizer, recipe, prompt, recipe.training.seed)
    if found:
        yield "## What it writes"
        yield f"Drawn from its probabilities, after {code(prompt)}, with seed {recipe.training.seed}:"
        yield "\n".join(f"- {code(text)}" for text in found)


def code(text: str) -> str:
    """A text as code in a Markdown table: line ends are spelled out, bars kept from cutting the row.

    >>> code("a|b"), code("\\n"), code("`")
    ('`a\\\\|b`', '`\\\\n`', '`` ` ``')
    """
    shown = text.replace("\n", "\\n").replace("|", "\\|")
    if "`" in shown:
        fence = "`" * (1 + max(len(run) for run in re.findall("`+", shown)))
        return f"{fence} {shown} {fence}"
    return f"`{shown}`" if shown.strip() else f"`` {shown} ``"


def _slug(title: str) -> str:
    """A title as the name of a repository.

    >>> _slug("Small-ever"), _slug("Été n° 2")
    ('small-ever', 't-n-2')
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "my-model"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    rule = (":--", *["--:"] * (len(heads) - 1))
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))
