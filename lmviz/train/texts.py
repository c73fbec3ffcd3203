"""The texts to train on that come with lmviz, and the checks on those that a person brings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lmviz.bundle import SAMPLES
from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE
from lmviz.train.data import read_texts
from lmviz.train.recipe import DataRecipe, Recipe, read_recipe

LONGEST_WORD = 30
LARGEST_OWN = MEGABYTE  # of UTF-8


@dataclass(frozen=True)
class Preset:
    """Texts that come with a sample model. A question of the guide is a text with a question mark in it."""

    sample: str
    of: str = "all"  # "all", "questions", "sentences"


PRESETS = {
    "pokemon": Preset("pokemon"),
    "two_words": Preset("small-ever"),
    "names": Preset("names"),
    "sentences": Preset("simple-llm", "sentences"),
    "questions": Preset("simple-llm", "questions"),
    "sentences_and_questions": Preset("simple-llm"),
    "small_world": Preset("sentences"),
}


def preset(name: str, samples: Path = SAMPLES) -> Recipe:
    """The recipe of a sample model, its texts written out: a place to start from."""
    if name not in PRESETS:
        raise UserError("There are no texts called {name}; there are {known}.", name=name, known=", ".join(PRESETS))
    chosen = PRESETS[name]
    recipe = _with_texts_inside(read_recipe(samples / chosen.sample / "recipe.toml"), samples / chosen.sample)
    recipe = replace(recipe, training=replace(recipe.training, batches="even"))
    if chosen.of == "all":
        return recipe
    texts = tuple(text for text in recipe.data.texts if ("?" in text) == (chosen.of == "questions"))
    return replace(recipe, data=replace(recipe.data, texts=texts))


def two_words(first: str, second: str) -> Recipe:
    """The recipe of small-ever for two words of one's own: after the first comes the second, after all else `<pad>`.

    The ids stay the same, and with them the whole training, number by number.

    Raises:
        UserError: one of them is not one word, or both are the same.
    """
    recipe = preset("two_words")
    known = recipe.data.texts[0].split()
    words = [first.strip(), second.strip()]
    for word in words:
        if len(word.split()) != 1 or word in recipe.tokenizer.specials or len(word) > LONGEST_WORD:
            raise UserError(
                "Each of the two must be one word, without spaces, of at most {limit} letters; got “{word}”.",
                limit=LONGEST_WORD,
                word=word,
            )
    if words[0] == words[1]:
        raise UserError("The two words must be different; both are “{word}”.", word=words[0])
    own = dict(zip(known, words, strict=True))
    texts = tuple(" ".join(own.get(word, word) for word in text.split()) for text in recipe.data.texts)
    card = replace(recipe.card, title="", about="", prompts=(words[0],), languages=())
    return replace(recipe, data=replace(recipe.data, texts=texts), card=card)


def _with_texts_inside(recipe: Recipe, folder: Path) -> Recipe:
    """The same recipe, whose texts no longer lie in a file of its folder."""
    if not recipe.data.file:
        return recipe
    plain = replace(recipe.data, around="")
    return replace(recipe, data=replace(recipe.data, texts=tuple(read_texts(plain, folder)), file=""))


def own_texts(pasted: str | bytes, by_line: bool = True) -> tuple[str, ...]:
    """A person's own text, pasted or the bytes of a file: one text a line, or one in all.

    Raises:
        UserError: it is empty, more than LARGEST_OWN bytes, or not UTF-8.
    """
    text = _decoded(pasted if isinstance(pasted, bytes) else pasted.encode("utf-8", "replace"))
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError("To train on, a text must have two tokens or more, one to read and one to predict; none has.")
    return tuple(lines) if by_line else (text.replace("\r\n", "\n"),)


def own_data(pasted: str | bytes, by_line: bool = True, *, n_ctx: int, held_out: float = 0.1) -> DataRecipe:
    """What to learn from a person's own text: every token once, in windows that don't overlap where a text is long."""
    texts = own_texts(pasted, by_line)
    around = "\n" if by_line else ""
    return DataRecipe(texts=texts, around=around, held_out=held_out, stride=n_ctx)


def check_size(written: bytes) -> None:
    if len(written) > LARGEST_OWN:
        raise UserError(
            "A text to train on can have {limit} bytes at most; this one has {size}: shorten it.",
            limit=LARGEST_OWN,
            size=len(written),
        )


def _decoded(written: bytes) -> str:
    check_size(written)
    try:
        return written.decode("utf-8-sig")  # without the mark that some editors put in front
    except UnicodeDecodeError as error:
        raise UserError("A text to train on must be in UTF-8; byte {position} is not.", position=error.start) from None
