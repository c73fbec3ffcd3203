"""A text that is written with a KV cache: what each step kept and computed, and what difference that makes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from lmviz.generate.cached import CachedTensor, CacheUse
from lmviz.generate.generation import Writing
from lmviz.generate.token_step import TokenStep
from lmviz.model.checkpoint import Checkpoint
from lmviz.ui import pieces, shell, state
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.pieces import Piece
from lmviz.ui.text import Translator


def compared(view: GenerationView, checkpoint: Checkpoint, writing: Writing, step: TokenStep) -> None:
    """The differences along the text, and what the step that is looked at kept and computed."""
    t = view.t
    if step.cache is None:
        shell.note(t("generation.cache.none"))
        return
    steps = {each.index: each for each in (*writing.first(view.n).steps, step)}
    with st.container(border=True, key="generation_cache"):
        st.markdown(t("generation.cache.title"))
        boxes = [_box(checkpoint, each, t, each.index >= view.n) for each in steps.values()]
        pieces.show(boxes, t, "generation.cache", _open, step.index, height=110)
        st.markdown(f"{_used(t, step, step.cache)} {_difference(t, step, step.cache)}")
        st.markdown(_bytes(t, step.cache))
        with st.expander(t("generation.cache.layers")):
            st.markdown(_layers(t, step.cache))


def _open(index: int) -> None:
    state.keep("generation.running", False)
    state.go(at=index, token=None)


def _box(checkpoint: Checkpoint, step: TokenStep, t: Translator, coming: bool) -> Piece:
    """A step, by its token, with its difference below."""
    assert step.cache is not None
    known = None if coming or step.chosen is None else checkpoint.tokenizer.piece(step.chosen)
    marks = ("coming",) if known is None else ("new",)
    return Piece(known or "?", _written(t, step.cache.difference), marks, key=step.index)


def _written(t: Translator, difference: float) -> str:
    return t.number(difference, 2) if difference else "0"


def _used(t: Translator, step: TokenStep, use: CacheUse) -> str:
    if use.n_kept:
        return t("generation.cache.step", n=use.n_kept)
    return t("generation.cache.slid" if step.index and step.n_cut else "generation.cache.first", n=use.n_new)


def _difference(t: Translator, step: TokenStep, use: CacheUse) -> str:
    finite = step.logits[np.isfinite(step.logits)]
    largest = t.number(float(np.abs(finite).max()))
    return t("generation.cache.difference", difference=_written(t, use.difference), largest=largest)


def _bytes(t: Translator, use: CacheUse) -> str:
    """The product that the bytes are; all blocks keep tensors of one shape."""
    (_, n_heads, n_pos, d_head), n_bytes = use.tensors[0].shape, use.tensors[0].n_bytes
    factors = {"layers": len(use.tensors) // 2, "pos": n_pos, "width": n_heads * d_head}
    size = n_bytes // (n_heads * n_pos * d_head)
    shown = {name: t.integer(factor) for name, factor in {**factors, "size": size, "total": use.n_bytes}.items()}
    return t("generation.cache.bytes", **shown)


def _layers(t: Translator, use: CacheUse) -> str:
    """A row for each block."""
    heads = ("block", "kept", "new", "n_bytes")
    rows = [[t(f"generation.cache.{name}") for name in heads], ["---"] * len(heads)]
    for k, v in zip(use.tensors[::2], use.tensors[1::2], strict=True):
        n_bytes = t.integer(k.n_bytes + v.n_bytes)
        rows.append([str(k.layer), _shape(k, use.n_kept), _shape(k, use.n_new), n_bytes])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shape(tensor: CachedTensor, n_pos: int) -> str:
    n_batch, n_heads, _, d_head = tensor.shape
    return f"`[{n_batch}, {n_heads}, {n_pos}, {d_head}]`"
