"""`lmviz.check()`: the doctor for any language model in memory; and for any training loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from lmviz.attach.example import example_of
from lmviz.attach.run import logits_in
from lmviz.attach.sentences import line_of
from lmviz.attach.token_words import ids_of
from lmviz.debug.copies import copy_of
from lmviz.debug.doctor import CHECKS, examine, is_alarm
from lmviz.debug.doctor.curves import diagnose
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.doctor.history import History
from lmviz.debug.other_inputs import reads_ids
from lmviz.debug.reading import last_logits, tensors_given
from lmviz.debug.subject import MOST_TEXTS, Subject
from lmviz.debug.threads import one_thread
from lmviz.errors import UserError, check_given
from lmviz.random_state import seeded

_MEASURED_ON_A_CORPUS = ("targets_shifted", "padding", "cross_entropy", "gradients_afresh", "all_move", "tied")
OF_A_MODEL = tuple(name for name in CHECKS if name not in _MEASURED_ON_A_CORPUS)  # the others are about a loop


class Findings(tuple[Finding, ...]):
    """What the doctor found, in the order of its checks. Its text has one line for each."""

    __slots__ = ()

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """What does not hold, certainly or likely."""
        return tuple(one for one in self if is_alarm(one))

    @property
    def hints(self) -> tuple[Finding, ...]:
        """What may be wrong, or meant: questions to whoever wrote the model."""
        return tuple(one for one in self if one.holds is False and not is_alarm(one))

    @property
    def skipped(self) -> tuple[Finding, ...]:
        """What could not be measured here, each with its reason in `why_not`."""
        return tuple(one for one in self if one.holds is None)

    def __str__(self) -> str:
        return "\n".join(map(line_of, self))

    def __repr__(self) -> str:
        counts = {"findings": self, "alarms": self.alarms, "hints": self.hints, "not measured": self.skipped}
        return f"<{', '.join(f'{len(some)} {name}' for name, some in counts.items())}>"


def check(
    model: nn.Module,
    *inputs: Any,
    n_ctx: int | None = None,
    tokenizer: Any = None,
    causal: bool | None = None,
    **kwargs: Any,
) -> Findings:
    """What the doctor says of a language model: whether positions see the future, whether it can learn at all, …

    The model is left as it is: what is trained for a moment is a copy.

    Args:
        model: takes ids [batch, pos] and gives logits [batch, pos, d_vocab], alone or among other things.
        inputs: what it is called with, as in `show`. One that reads ids alone is given [batch, pos] or [pos], or lists
            of texts of unequal length; better texts that mean something. Of others (a mask, a source to translate) it
            is given what they are for the first text that has no padding, cut to what it reads.
        n_ctx: how many positions the model can read; default: as many as the longest text has, which is the most
            where there are other inputs.
        tokenizer: reads a text.
        causal: whether it is meant to predict the next token, so that no position may see a later one; False: it reads
            both ways, as an encoder does. Not said, it is judged by its mask, its outputs and its loss; where these
            tell nothing, that it reads both ways is a hint and no alarm.
        kwargs: what the model is called with by name.

    Raises:
        UserError: it is no module, no ids are among the inputs, `n_ctx` is no count, or the model gives no logits for
            them.
    """
    if not isinstance(model, nn.Module):
        raise UserError(
            "The doctor examines the weights of a torch.nn.Module; this model is of type {found}: put the "
            "function into the `forward` of a module that holds them.",
            found=type(model).__name__,
        )
    check_given("check", "n_ctx", n_ctx, int, None)
    check_given("check", "causal", causal, bool, None)
    if n_ctx is not None and n_ctx < 2:
        raise UserError("check needs an n_ctx of at least 2 positions; got {n_ctx}.", n_ctx=n_ctx)
    with one_thread():
        subject = replace(_subject_of(model, inputs, kwargs, tokenizer, n_ctx), causal=causal)
        return Findings(examine(subject, OF_A_MODEL))


def _subject_of(
    model: nn.Module, inputs: tuple[Any, ...], kwargs: dict[str, Any], tokenizer: Any, n_ctx: int | None
) -> Subject:
    """A model by what it is called with."""
    if len(inputs) == 1 and not kwargs and not isinstance(inputs[0], dict):
        ids = [ids_of(tokenizer, inputs[0])] if isinstance(inputs[0], str) and tokenizer is not None else inputs[0]
        return _subject(model, _texts(ids), n_ctx)
    example = example_of(model, inputs, tokenizer, kwargs=kwargs)
    alone, found = _run(reads_ids, model, example.args, example.kwargs)
    n_pos = found.shape[1]
    return _subject(alone, _texts(found), min(n_ctx or n_pos, n_pos))


def _texts(ids: Any) -> tuple[tuple[int, ...], ...]:
    """Texts as ids, each of two or more."""
    if isinstance(ids, Tensor):
        if ids.is_floating_point() or ids.is_complex() or ids.ndim not in (1, 2):
            raise UserError(
                "check needs the ids of some texts, whole numbers [batch, pos]; got {dtype} {shape}.",
                dtype=str(ids.dtype).removeprefix("torch."),
                shape=list(ids.shape),
            )
        ids = ids.tolist()
    rows = ids if isinstance(ids, Sequence) and ids and isinstance(ids[0], Sequence) else [ids]
    try:
        found = tuple(tuple(int(one) for one in row) for row in rows)
    except (TypeError, ValueError):
        raise UserError(
            "check needs the ids of some texts, [batch, pos]; got {found}.", found=type(ids).__name__
        ) from None
    long = tuple(row for row in found if len(row) > 1)[:MOST_TEXTS]
    if not long:
        raise UserError("check needs a text of at least two ids: one position alone shows nothing of what follows.")
    return long


def _subject(model: nn.Module, texts: tuple[tuple[int, ...], ...], n_ctx: int | None) -> Subject:
    longest = max(texts, key=len)
    dtype = next((parameter.dtype for parameter in model.parameters()), torch.float32)
    d_vocab = _d_vocab(model, torch.tensor([longest[: n_ctx or len(longest)]]))
    return Subject(model, d_vocab, n_ctx or len(longest), texts, dtype=dtype)


def _d_vocab(model: nn.Module, ids: Tensor) -> int:
    """How many logits a position has."""
    with torch.no_grad(), seeded(0):
        output = _run(copy_of(model).eval(), ids)
    whole = logits_in(output, ids)
    if whole is not None:
        return whole.shape[-1]
    embedded = {part.num_embeddings for part in model.modules() if isinstance(part, nn.Embedding)}
    for one in tensors_given(output):
        width = one.shape[-1] if one.ndim else 0
        is_flat = one.ndim == 2 and one.shape[0] == ids.shape[1]
        is_last = last_logits(one, 1, width) is not None and width in (embedded or {width})  # or it is any vector
        if one.is_floating_point() and width > int(ids.max()) and (is_flat or is_last):
            return width
    raise UserError(
        "The model gives no logits, [batch, pos, d_vocab], for these ids: the doctor has nothing to measure."
    )


def _run(act: Callable[..., Any], *given: Any) -> Any:
    """What calls the model; what it raises is its own, and of any kind."""
    try:
        return act(*given)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            "The model cannot read these inputs: {error:code}. Give check all that the model is called with, in its "
            "order or by name.",
            error=f"{type(error).__name__}: {error}"[:300].rstrip("."),
        ) from error


def check_training(
    step_fn: Callable[[Any], Any], batches: Iterable[Any], model: nn.Module | None = None, d_vocab: int | None = None
) -> Findings:
    """What the doctor says of a training loop: `step_fn(batch)` makes one step of it and returns its loss.

    Args:
        batches: what the steps learn from; a few dozen tell more than a few.
        model: what they train: then its gradients and its movements are looked at too.
        d_vocab: how many tokens there are, for what the first loss should be: ln V.

    Raises:
        UserError: a step returns no loss, there are no batches, or another argument is not what it must be.
    """
    check_given("check_training", "step_fn", step_fn, Callable)  # type: ignore[arg-type]
    check_given("check_training", "batches", batches, Iterable)
    check_given("check_training", "model", model, nn.Module, None)
    check_given("check_training", "d_vocab", d_vocab, int, None)
    if d_vocab is not None and d_vocab < 2:
        raise UserError("check_training needs a d_vocab of at least 2 tokens; got {d_vocab}.", d_vocab=d_vocab)
    seen = _Seen(model)
    losses: list[tuple[int, float]] = []
    try:
        for step, batch in enumerate(batches, start=1):
            losses.append((step, _number(step_fn(batch))))
            seen.step(step)
    finally:
        seen.end()
    if not losses:
        raise UserError("check_training needs at least one batch.")
    history = History(tuple(losses), (), tuple(seen.norms), tuple(seen.ratios), d_vocab)
    found = diagnose(history)
    return Findings((*found, seen.all_move()) if model is not None else found)


def _number(loss: Any) -> float:
    try:
        return float(loss.detach() if isinstance(loss, Tensor) else loss)
    except (TypeError, ValueError, RuntimeError):
        raise UserError(
            "step_fn must return the loss of its step, one number; it returned {found}.", found=type(loss).__name__
        ) from None


class _Seen:
    """What shows of a training at its model: gradients as they are made, and how far weights move."""

    def __init__(self, model: nn.Module | None) -> None:
        self.norms: list[tuple[int, float]] = []
        self.ratios: list[tuple[int, float]] = []
        self._weights = dict(model.named_parameters()) if model is not None else {}
        self._first = {path: weight.detach().clone() for path, weight in self._weights.items()}
        self._last = dict(self._first)
        self._lengths: dict[str, float] = {}
        self._steep: set[str] = set()
        self._hooks = [
            weight.register_post_accumulate_grad_hook(self._keeps(path))
            for path, weight in self._weights.items()
            if weight.requires_grad
        ]

    def _keeps(self, path: str) -> Callable[[Tensor], None]:
        def arrived(weight: Tensor) -> None:
            if weight.grad is not None:
                self._lengths[path] = float(weight.grad.norm())
                self._steep |= {path} if self._lengths[path] else set()

        return arrived

    def step(self, step: int) -> None:
        """A step is over."""
        if self._lengths:
            self.norms.append((step, math.hypot(*self._lengths.values())))
        self._lengths = {}
        ratios = [
            float((weight.detach() - self._last[path]).norm() / self._last[path].norm().clamp(min=1e-12))
            for path, weight in self._weights.items()
            if weight.ndim > 1
        ]
        if ratios:
            self.ratios.append((step, max(ratios)))
        self._last = {path: weight.detach().clone() for path, weight in self._weights.items()}

    def end(self) -> None:
        for hook in self._hooks:
            hook.remove()

    def all_move(self) -> Finding:
        """Every weight with a gradient is elsewhere in the end. Measured: how many tensors are not."""
        still = [path for path, weight in self._weights.items() if torch.equal(weight, self._first[path])]
        forgotten = [path for path in still if path in self._steep]
        why = "" if self._steep else "no_gradient"
        details = {"forgotten": ", ".join(forgotten[:4]), "tensors": len(self._weights), "why": why}
        count = len(forgotten) if self._steep else len(self._weights)
        return Finding("all_move", not count, count, 0, forgotten[0] if forgotten else "", details=details)
