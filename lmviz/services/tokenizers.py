"""Tokenizers and chats: of the models, learned from a text, brought by a visitor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmviz.errors import UserError
from lmviz.model.tokenizer import Tokenizer
from lmviz.registry.models import Models
from lmviz.registry.reference import Reference
from lmviz.services.live import Live
from lmviz.tokens.analysis import Analysis, analyse
from lmviz.tokens.chat import Chat, read_chat
from lmviz.tokens.gpt2 import NAME, gpt2
from lmviz.tokens.learning import AT_ONCE, LONGEST_TEXT, Learner, Learning, check_learning, learners
from lmviz.tokens.template import Message, Template, read_template
from lmviz.tokens.vocabulary import Vocabulary, vocabulary_of

GPT2 = NAME
LEARNED = ("bpe", "words", "characters")  # tokenizers that are learned from a text
FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
)  # what a visitor may bring of a tokenizer
CHATML_SPECIALS = ("<|im_start|>", "<|im_end|>")
_CHAT_VOCABULARY = 400
_TOKENIZERS_KEPT = 8
_CHATS_KEPT = 16


@dataclass(frozen=True, eq=False)
class UploadedTokenizer:
    """A tokenizer from a visitor's files."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    template: Template | None  # of its chats, if it was among the files


class Tokenizers:
    """What the pages of tokenizers and chats can do. Safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._learnings, self._tokenizers = models.cache(_TOKENIZERS_KEPT), models.cache(_TOKENIZERS_KEPT)
        self._vocabularies, self._analyses = models.cache(_TOKENIZERS_KEPT), models.cache(_TOKENIZERS_KEPT)
        self._chats = models.cache(_CHATS_KEPT)

    def tokenizer(self, name: str | Reference, corpus: str = "", n_merges: int = 0) -> Tokenizer:
        """A model's tokenizer, GPT-2's own, or one of LEARNED, learned from a text."""
        if isinstance(name, Reference):
            return self._models.checkpoint(name).tokenizer
        if name == GPT2:
            return gpt2()
        key = (name, corpus, n_merges if name == "bpe" else 0)
        return self._tokenizers.get(key, lambda: self._learned_tokenizer(name, corpus, n_merges))

    def _learned_tokenizer(self, name: str, corpus: str, n_merges: int) -> Tokenizer:
        if name == "bpe":
            return self.learned(corpus, n_merges).tokenizer()
        _check_corpus(corpus)
        return Tokenizer.words(corpus) if name == "words" else Tokenizer.characters(corpus)

    def learned(self, corpus: str, n_merges: int) -> Learning:
        """What byte-pair encoding learns from a text, every state of it."""
        return self.learning(corpus, n_merges).finish()[-1].learned()

    def learning(self, corpus: str, n_merges: int) -> Live[Learner]:
        """The same, while a page watches: what learns has learned all when it is done."""
        return self._learnings.get((corpus, n_merges), lambda: self._learning(corpus, n_merges))

    def _learning(self, corpus: str, n_merges: int) -> Live[Learner]:
        check_learning(corpus, n_merges)
        return Live(learners(corpus, n_merges), total=n_merges // AT_ONCE + 2, keep=1)

    def read_tokenizer(self, files: Mapping[str, bytes]) -> UploadedTokenizer:
        """A tokenizer that a visitor brought: its tokenizer.json, and what lies beside it, by the names of FILES.

        Raises:
            UserError: what is wrong with it.
        """
        content = sha256(b"".join(sha256(name.encode() + files[name]).digest() for name in sorted(files)))
        return self._tokenizers.get(content.hexdigest(), lambda: _read_tokenizer(files))

    def vocabulary(self, tokenizer: Tokenizer) -> Vocabulary:
        return self._vocabularies.get(tokenizer, lambda: vocabulary_of(tokenizer))

    def analysis(self, vocabulary: Vocabulary) -> Analysis:
        """A vocabulary taken apart."""
        return self._analyses.get(vocabulary, lambda: analyse(vocabulary))

    # -- chats -------------------------------------------------------------------------------------------------------

    def chat_template(self, model: Reference) -> Template | None:
        """The template beside a model's tokenizer; None if it has none."""
        folder = self._models.checkpoint(model).folder
        return None if folder is None else read_template(folder)

    def chat_tokenizer(self, text: str) -> Tokenizer:
        """Byte pairs learned from a chat, with the special tokens of ChatML: for where no chat model is at hand."""
        return self._tokenizers.get(("chat", text), lambda: Tokenizer.bpe(text, _CHAT_VOCABULARY, CHATML_SPECIALS))

    def chat(
        self,
        tokenizer: Tokenizer,
        messages: tuple[Message, ...],
        template: Template,
        asks: bool,
        variables: Mapping[str, Any] | None = None,
    ) -> Chat:
        """Messages, and what else the template is given, as a model reads them.

        Raises:
            UserError: what is wrong with the template, or why it refuses these messages.
        """
        key = (tokenizer, repr((messages, template, asks, variables)))
        return self._chats.get(key, lambda: read_chat(tokenizer, messages, template, asks, variables))


def _check_corpus(corpus: str) -> None:
    if len(corpus) > LONGEST_TEXT:
        raise UserError(
            "A text to learn from can have {limit} characters at most; this one has {found}.",
            limit=LONGEST_TEXT,
            found=len(corpus),
        )
    if not corpus:
        raise UserError("There is nothing to learn from: type a text.")


def _read_tokenizer(files: Mapping[str, bytes]) -> UploadedTokenizer:
    with TemporaryDirectory() as folder:
        for name in FILES:
            if name in files:
                (Path(folder) / name).write_bytes(files[name])
        tokenizer = Tokenizer.from_file(Path(folder) / FILES[0])
        return UploadedTokenizer(tokenizer, vocabulary_of(tokenizer), read_template(folder))
