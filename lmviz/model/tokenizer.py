"""Text to token ids and back, keeping the pieces, where they stood in the text, and what was lost on the way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import tokenizers
import torch
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from lmviz.errors import UserError
from lmviz.model.files import MEGABYTE, read_text, write_whole
from lmviz.model.foreign import ForeignTokenizer, is_own_kind
from lmviz.model.spelling import spelling_of
from lmviz.model.tokenizer_process import harmless, is_from_library, parts_of

UNKNOWN = "<unk>"
LARGEST_D_VOCAB = 1_000_000  # about four times the largest in use
LARGEST_FILE = 64 * MEGABYTE  # the largest vocabularies in use, of 256,000 tokens, take about half of it
LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which Python can hold and UTF-8 cannot


@dataclass(frozen=True)
class Tokens:
    """A text as a model reads it, one entry per position.

    `text[start:end]` is the part of the text that a piece stands for; a piece that is not a whole character shows
    its bytes (`\\xf0\\x9f` or `<0xF0>`) and shares the offsets of that character with its neighbours.
    """

    text: str
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]  # in characters
    unknown: tuple[bool, ...]  # True where the vocabulary lacks the piece and its unknown token stands in
    dropped: tuple[tuple[int, str], ...]  # (offset, text) of what no id stands for; spaces between words don't count

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def ids_tensor(self) -> Tensor:
        return torch.tensor([self.ids], dtype=torch.long)  # [batch, pos]


class Tokenizer:
    """A vocabulary and the rule that cuts a text into its tokens: an ordinary `tokenizer.json`."""

    def __init__(self, backend: tokenizers.Tokenizer | ForeignTokenizer) -> None:
        self._backend = backend if isinstance(backend, ForeignTokenizer) else harmless(backend)
        if isinstance(backend, ForeignTokenizer):
            self._vocabulary, self.parts = backend.vocabulary, backend.parts
        else:
            self._vocabulary, self.parts = backend.get_vocab(with_added_tokens=True), parts_of(backend)
        if not self._vocabulary:
            raise UserError("A tokenizer must have at least one token; this one has none.")
        check_d_vocab(len(self))
        self._unknown_id = self._find_unknown()
        self._spelling = spelling_of(self.parts)
        self._spaces_taken = frozenset(self.parts["spaces_taken"])

    @classmethod
    def characters(cls, text: str, specials: Sequence[str] = ()) -> Tokenizer:
        """One token per distinct character of `text`, in the order of Unicode, then the specials.

        Other characters become `<unk>` if the specials have it, and are dropped, and reported, if they don't.
        """
        alphabet = sorted(set(LONE_SURROGATE.sub("", text)))
        backend = tokenizers.Tokenizer(models.WordLevel(_numbered([*alphabet, *specials]), unk_token=UNKNOWN))
        if UNKNOWN not in specials:
            known = "".join(rf"\x{{{ord(character):x}}}" for character in alphabet)
            backend.normalizer = normalizers.Replace(Regex(f"[^{known}]"), "")
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        backend.decoder = decoders.Fuse()
        return cls(backend)

    @classmethod
    def words(cls, text: str, specials: Sequence[str] = (UNKNOWN,)) -> Tokenizer:
        """One token per distinct word of `text`, cut at white space, in order of appearance, then the specials.

        `<unk>`, for the words that it lacks, is the last of them if they don't have it.
        """
        specials = [*specials, *({UNKNOWN} - {*specials})]
        cut = pre_tokenizers.WhitespaceSplit()
        words = [word for word, _ in cut.pre_tokenize_str(LONE_SURROGATE.sub("", text))]
        backend = tokenizers.Tokenizer(models.WordLevel(_numbered([*words, *specials]), unk_token=UNKNOWN))
        backend.pre_tokenizer = cut
        return cls(backend)

    @classmethod
    def bpe(cls, text: str, d_vocab: int, specials: Sequence[str] = ()) -> Tokenizer:
        """Byte-pair encoding (Sennrich et al. 2016) over bytes: the 256 bytes, then the most frequent pairs.

        Reads and writes any text unchanged. Has fewer than `d_vocab` tokens where the text is too short for more.
        """
        check_d_vocab(d_vocab)  # the library takes memory for all of them at once, and ends the process without it
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        if d_vocab < len(alphabet) + len(specials):
            raise UserError(
                "A byte-level vocabulary needs at least {least} tokens, one for each byte and special; got {d_vocab}.",
                least=len(alphabet) + len(specials),
                d_vocab=d_vocab,
            )
        backend = tokenizers.Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=d_vocab, initial_alphabet=alphabet, special_tokens=list(specials), show_progress=False
        )
        backend.train_from_iterator([LONE_SURROGATE.sub("", text)], trainer)
        return cls(backend)

    @classmethod
    def from_file(cls, path: str | Path) -> Tokenizer:
        """The tokenizer in a `tokenizer.json`; a UserError names the file if it is not one."""
        return cls.parse(read_text(Path(path), LARGEST_FILE), Path(path).name)

    @classmethod
    def parse(cls, text: str, name: str = "tokenizer.json") -> Tokenizer:
        """The tokenizer in the text of a file of that name.

        One of our own kind works here, any other in a process of its own, which has so much memory and time.
        """
        try:
            return cls(tokenizers.Tokenizer.from_str(text) if is_own_kind(text) else ForeignTokenizer(text))
        except UserError:
            raise
        except BaseException as error:
            if not is_from_library(error):
                raise
            raise UserError(
                "{file} must be a tokenizer as the tokenizers library saves it; it is not: {reason:code}.",
                file=name,
                reason=error,
            ) from None

    def text(self) -> str:
        """What its `tokenizer.json` holds."""
        return str(self._backend.to_str(pretty=True)) + "\n"

    def save(self, path: str | Path) -> None:
        write_whole(Path(path), self.text().encode())

    def __len__(self) -> int:
        return max(self._vocabulary.values()) + 1

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """The id of every token, added ones too."""
        return self._vocabulary

    @property
    def d_vocab(self) -> int:
        """How many ids there are, counting from 0: the height of the token embedding that it needs."""
        return len(self)

    @property
    def unknown_id(self) -> int | None:
        return self._unknown_id

    @property
    def special_ids(self) -> frozenset[int]:
        """The ids of the tokens that the tokenizer calls special."""
        return frozenset(token["id"] for token in self.parts["added_tokens"] if token["special"])

    def _find_unknown(self) -> int | None:
        model = self.parts["model"]
        by_id: int | None = model.get("unk_id")  # as Unigram says it
        return self._vocabulary.get(model.get("unk_token") or "") if by_id is None else by_id

    def id(self, token: str) -> int | None:
        """The id of one token as the vocabulary spells it, or None."""
        return self._vocabulary.get(token)

    def encode(self, text: str) -> Tokens:
        """Cut a text into tokens. Any text will do: what the vocabulary lacks is flagged, or reported as dropped."""
        legible = LONE_SURROGATE.sub("\ufffd", text)
        try:
            encoding = self._backend.encode(legible)
        except BaseException as error:
            if isinstance(error, UserError) or not is_from_library(error):
                raise
            raise UserError("This tokenizer cannot read the text: {reason:code}.", reason=error) from None
        ids, own = tuple(encoding.ids), [self._own_text(id) for id in encoding.ids]
        offsets = tuple(_with_spaces(legible, encoding.offsets, own))
        unknown = tuple(self._is_unknown(id, legible[start:end]) for id, (start, end) in zip(ids, offsets, strict=True))
        times = Counter(span for span, text in zip(offsets, own, strict=True) if text.strip())
        pieces = tuple(
            legible[slice(*span)] if is_unknown else self._surface(id, text, legible[slice(*span)], times[span] > 1)
            for id, text, span, is_unknown in zip(ids, own, offsets, unknown, strict=True)
        )
        return Tokens(text, ids, pieces, offsets, unknown, self._dropped(text, offsets))

    def decode(self, ids: Iterable[int]) -> str:
        """The text that ids stand for, special tokens included; an id without a token shows as `<id>`."""
        ids = list(ids)
        if ids and min(ids) < 0:
            raise UserError("A token id is 0 or more; got {id}.", id=min(ids))
        return "".join(
            self._backend.decode(list(run), skip_special_tokens=False) if known else "".join(map(self.piece, run))
            for known, run in groupby(ids, key=lambda id: self._backend.id_to_token(id) is not None)
        )

    def piece(self, id: int) -> str:
        """The text of one token on its own, with the spaces that belong to it."""
        token = self._backend.id_to_token(id)
        if token is None:
            return f"<{id}>"
        return self._spelling.piece(token)

    def _own_text(self, id: int) -> str:
        token = str(self._backend.id_to_token(id))
        return token if self._spelling.is_byte(token) else self._spelling.text(token)

    def _is_unknown(self, id: int, part: str) -> bool:
        """Whether the unknown token stands in for a part of the text; it may also be written there, or close a text."""
        return id == self._unknown_id and part != "" and part != self._backend.id_to_token(id)

    def _surface(self, id: int, own: str, part: str, is_shared: bool) -> str:
        """A piece as it was written; its own text if it is no whole character, a space, or shares its part."""
        is_whole = not is_shared and not self._spelling.is_partial(str(self._backend.id_to_token(id)))
        return part if is_whole and own.strip() and part.strip() else own

    def _dropped(self, text: str, offsets: Sequence[tuple[int, int]]) -> tuple[tuple[int, str], ...]:
        taken = "".join(self._spaces_taken)
        gaps = ((start, text[start:end]) for start, end in _gaps(offsets, len(text)))
        lost = {
            (start + len(gap) - len(gap.lstrip(taken)), gap.strip(taken)) for start, gap in gaps if gap.strip(taken)
        }
        if self._spelling.in_bytes or self._spelling.falls_back_to_bytes:  # else a piece shows U+FFFD in its place
            lost |= {(match.start(), match.group()) for match in LONE_SURROGATE.finditer(text)}
        return tuple(sorted(lost))


def check_d_vocab(d_vocab: int) -> None:
    """A UserError if a vocabulary has absurdly many ids."""
    if d_vocab > LARGEST_D_VOCAB:
        raise UserError(
            "A vocabulary can have {limit} ids at most; got {d_vocab}.", limit=LARGEST_D_VOCAB, d_vocab=d_vocab
        )


def _numbered(tokens: Iterable[str]) -> dict[str, int]:
    return {token: id for id, token in enumerate(dict.fromkeys(tokens))}


def _gaps(offsets: Iterable[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """The spans of a text that none of the offsets covers."""
    covered = 0
    for start, end in [*sorted(offsets), (length, length)]:
        if start > covered:
            yield covered, start
        covered = max(covered, end)


def _with_spaces(text: str, offsets: Iterable[tuple[int, int]], tokens: Iterable[str]) -> Iterator[tuple[int, int]]:
    """The spans of tokens with the spaces that they stand for, which some tokenizers leave out of them."""
    covered = 0
    for (start, end), token in zip(offsets, tokens, strict=True):
        lacking = _leading_spaces(token) - _leading_spaces(text[start:end])
        while lacking > 0 and start > covered and text[start - 1].isspace():
            start, lacking = start - 1, lacking - 1
        while lacking > 0 and not text[start:end].strip() and text[end : end + 1].isspace():
            end, lacking = end + 1, lacking - 1
        covered = max(covered, end)
        yield start, end


def _leading_spaces(text: str) -> int:
    return len(text) - len(text.lstrip())
