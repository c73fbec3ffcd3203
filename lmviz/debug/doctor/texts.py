"""What a model is given to read: ids that it has, texts that fit, letters that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lmviz.debug.doctor.finding import Finding
from lmviz.debug.subject import Subject
from lmviz.model.tokenizer import Tokenizer


def ids_in_range(subject: Subject) -> Finding:
    """Every id has a row in the token embedding. Measured: the largest id.

    Source: "index out of range in self"; LLMs-from-scratch #175.
    """
    largest, text, pos = max((id, i, pos) for i, ids in enumerate(subject.texts) for pos, id in enumerate(ids))
    smallest = min(min(ids) for ids in subject.texts)
    holds = smallest >= 0 and largest < subject.d_vocab
    details = {"smallest": smallest, "text": text, "pos": pos}
    return Finding(
        "ids_in_range", holds, largest, subject.d_vocab - 1, "tokenizer", ids=subject.texts[text], details=details
    )


def length_in_context(lengths: Sequence[int], n_ctx: int) -> Finding:
    """A text that is longer than the context is cut. Measured: the longest text, in tokens.

    Source: the guide for beginners, pitfall 1, cure 3; TransformerLens #842.
    """
    longest = max(lengths, default=0)
    cut = sum(length - 1 > n_ctx for length in lengths)
    lost = sum(max(0, length - 1 - n_ctx) for length in lengths) / max(1, sum(lengths))
    details = {"cut": cut, "texts": len(lengths), "lost": lost}
    return Finding("length_in_context", lost <= 0.5, longest, n_ctx, "tokenizer", step=1, details=details)


def text_lengths(subject: Subject) -> Finding:
    finding = length_in_context([len(ids) for ids in subject.texts], subject.n_ctx)
    return replace(finding, step=0, ids=max(subject.texts, key=len))


def known_tokens(tokenizer: Tokenizer, texts: Sequence[str]) -> Finding:
    """A model learns nothing from tokens that it reads as "unknown". Measured: the share of those, and of what is lost.

    Source: the guide for beginners, pitfall 1, cure 2.
    """
    read = [tokenizer.encode(text) for text in texts]
    unknown = sum(sum(tokens.unknown) for tokens in read)
    dropped = sum(len(lost) for tokens in read for _, lost in tokens.dropped)
    total = sum(len(tokens) for tokens in read) + dropped
    share = (unknown + dropped) / total if total else 1.0
    details = {"unknown": unknown, "dropped": dropped, "tokens": total}
    return Finding("known_tokens", share <= 0.1, share, 0.1, "tokenizer", step=1, details=details)
