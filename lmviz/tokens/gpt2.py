"""GPT-2's own vocabulary of 50,257 tokens (Radford et al. 2019, 2.2), made again from its merges.

The merges are OpenAI's, under the MIT licence; `data/gpt2_merges.txt.gz` has them, the most important first.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from lmviz.model.spelling import BYTE_LETTERS
from lmviz.model.tokenizer import Tokenizer

NAME = "gpt2"
_MERGES = Path(__file__).parent / "data" / "gpt2_merges.txt.gz"
END = "<|endoftext|>"


@lru_cache(maxsize=1)
def gpt2() -> Tokenizer:
    """The tokenizer of GPT-2 and GPT-3: 256 bytes, 50,000 merges, and one token that ends a text."""
    written = gzip.decompress(_MERGES.read_bytes()).decode("utf-8").splitlines()
    merges = [(left, right) for left, right in (line.split(" ") for line in written)]
    pieces = [*BYTE_LETTERS, *(left + right for left, right in merges)]
    backend = tokenizers.Tokenizer(models.BPE(vocab={piece: id for id, piece in enumerate(pieces)}, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    return Tokenizer(backend)
