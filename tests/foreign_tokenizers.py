"""Small tokenizers made of the parts that published ones are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors

LETTERS = "abcdeAB!."
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


def _ids(tokens: Iterable[str]) -> dict[str, int]:
    return {token: id for id, token in enumerate(dict.fromkeys(tokens))}


def bert() -> tokenizers.Tokenizer:
    """BERT uncased: small letters without accents; ## goes on with a word; the spaces are taken."""
    tokens = ["[UNK]", "[CLS]", "[SEP]", *LETTERS.lower(), *(f"##{letter}" for letter in LETTERS.lower()), "ab", "##cd"]
    backend = tokenizers.Tokenizer(models.WordPiece(_ids(tokens), unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens(["[UNK]", "[CLS]", "[SEP]"])
    backend.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return backend


def t5() -> tokenizers.Tokenizer:
    """T5: ▁ stands for a space, and opens every text, as a token of its own where nothing longer has it."""
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in LETTERS), ("▁ab", -1.0)]
    backend = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=0))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    backend.add_special_tokens(["</s>"])
    backend.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return backend


def llama() -> tokenizers.Tokenizer:
    """Llama 2: the normaliser writes ▁ for a space; letters that are lacking become bytes."""
    tokens = ["<unk>", "<s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *LETTERS, "▁a", "▁ab"]
    merges = [("▁", "a"), ("▁a", "b")]
    backend = tokenizers.Tokenizer(
        models.BPE(_ids(tokens), merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend.decoder = decoders.Sequence(steps)
    backend.add_special_tokens(["<unk>", "<s>"])
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return backend


def clip() -> tokenizers.Tokenizer:
    """CLIP: small letters as bytes, </w> where a word ends, and one token that ends a text and is the unknown one."""
    tokens = [*BYTES, *(f"{letter}</w>" for letter in BYTES), "ab</w>", "<|startoftext|>", "<|endoftext|>"]
    backend = tokenizers.Tokenizer(
        models.BPE(_ids(tokens), [("a", "b</w>")], unk_token="<|endoftext|>", end_of_word_suffix="</w>")
    )
    spaces = normalizers.Replace(Regex(r"\s+"), " ")
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), spaces, normalizers.Lowercase()])
    words = pre_tokenizers.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.BPEDecoder("</w>")
    specials = ["<|startoftext|>", "<|endoftext|>"]
    backend.add_special_tokens(specials)
    first, last = (backend.token_to_id(token) for token in specials)
    backend.post_processor = processors.RobertaProcessing((specials[1], last), (specials[0], first), True, False)
    return backend


def gpt2() -> tokenizers.Tokenizer:
    """GPT-2 and its like, with offsets that leave the spaces out, and a word that somebody added."""
    backend = tokenizers.Tokenizer(models.BPE(_ids([*BYTES, "Ġa", "Ġab"]), [("Ġ", "a"), ("Ġa", "b")]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=True)
    backend.add_tokens([AddedToken("déjà")])
    return backend


def bytes_by_normalizer() -> tokenizers.Tokenizer:
    """The bytes are made by the normaliser; nothing cuts the text into words."""
    backend = tokenizers.Tokenizer(models.BPE(_ids([*BYTES, "ab"]), [("a", "b")]))
    backend.normalizer, backend.decoder = normalizers.ByteLevel(), decoders.ByteLevel()
    return backend


def words() -> tokenizers.Tokenizer:
    """Whole words, parted by a comma or by spaces, neither of which is a token."""
    backend = tokenizers.Tokenizer(models.WordLevel(_ids(["a", "ab", "cd", "<end>"]), unk_token="<end>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["<end>"])
    backend.post_processor = processors.TemplateProcessing("$A <end>", special_tokens=[("<end>", 3)])
    return backend


ALL: tuple[Callable[[], tokenizers.Tokenizer], ...] = (bert, t5, llama, clip, gpt2, bytes_by_normalizer, words)
