"""The numbers of this run that the sentence of a stage speaks of. Every one is read from a recorded tensor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from lmviz.model.architectures import record_of
from lmviz.registry.recording import Recording
from lmviz.stages.experts import choice_in
from lmviz.stages.gates import ACTIVATIONS
from lmviz.stages.navigation import Location
from lmviz.stages.panels import panels_at
from lmviz.stages.stage import Stage
from lmviz.trace.step import Array, Step, Value
from lmviz.ui.pictures import lead_of
from lmviz.ui.step_through.variants import angle_in, repeat_in, variant_of
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import visible

Details = dict[str, str | int]  # what a sentence is filled in with


def hidden_by_mask(scores: Array) -> Literal["", "future", "other"]:
    """Which scores a mask hides, [query, key]: none, later keys alone, or others too (a window, a filler)."""
    if scores.dtype.kind != "f" or scores.ndim != 2 or not (hidden := np.isneginf(scores)).any():
        return ""
    return "other" if np.tril(hidden).any() else "future"


class Facts:
    """Facts about one stage of one run, for one focus token."""

    def __init__(self, run: Recording, view: StepThroughView, stage: Stage, pos: int) -> None:
        self.run, self.view, self.stage, self.pos = run, view, stage, pos
        self.steps = run.trace[stage.first : stage.last + 1] if stage.first >= 0 else ()

    def all(self) -> Details:
        config = self.run.config
        known: Details = {
            "token": visible(self.run.token(self.pos)),
            "pos": self.pos,
            "n": len(self.run.tokens),
            "d_vocab": self.integer(config.d_vocab),
            "d_model": self.integer(config.d_model),
            "d_head": self.integer(config.d_head),
            "d_mlp": self.integer(config.d_mlp),
            "n_heads": config.n_heads,
            "n_kv": self.n_kv_heads,
            "total": self.integer(len(self.run.tokens) + self.run.left_out),
            "head": min(self.view.head, config.n_heads - 1),
            "given": self._program_inputs(),
        }
        if self.has_stopped:
            return known | {"error": self.steps[-1].error}
        more = Facts.gradient if self.view.grad and self.steps else _BY_KIND.get(self.stage.kind)
        if self.stage.kind == "qkv":
            known["n"] = config.n_heads
        return known | (more(self) if more else {})

    @property
    def key(self) -> str:
        """Which sentence says them."""
        kind = self.stage.kind
        if self.has_stopped:
            return "stage.stopped.say"
        if self.view.grad and self.steps:
            if self._grad() is None:
                return "stage.no_gradient.say"
            if kind == "loss" and not self.steps[-1].outputs[0].shape:
                return "stage.gradient.say.loss"
            return "stage.gradient.say.head" if "head" in self.steps[-1].outputs[0].axes[:-2] else "stage.gradient.say"
        if self.steps and np.isnan(self._result()).any():
            return "stage.nan.say"
        if kind == "softmax" and not np.isclose(self._shares().sum(), 1, atol=1e-3):
            return "stage.softmax.say.by_hand"
        if kind == "mlp" and self.run.navigator.stages[self.stage.index - 1].kind == "router":
            return "stage.mlp.say.experts"
        if kind == "loss" and self.run.own is not None and self._counted() is None:
            return "stage.loss.say.whole"
        if kind == "tokenizer" and (unusual := self._unusual()):
            return f"stage.tokenizer.say.{unusual}"
        if self.variant:
            return f"stage.{kind}.say.{self.variant}"
        if kind in ("scores", "softmax", "mix") and self.run.config.n_heads > 1:
            return f"stage.{kind}.say.heads"
        return f"stage.{kind}.say"

    @property
    def variant(self) -> str:
        """Which form of its stage the model has; empty for GPT-2's."""
        if self.stage.kind == "qkv" and self.n_kv_heads < self.run.config.n_heads:
            return "shared"
        return variant_of(self.stage, self.steps)

    @property
    def n_kv_heads(self) -> int:
        config = self.run.config
        record = record_of(config)
        return config.n_heads if record is None else record.key_heads(config)

    @property
    def also(self) -> list[str]:
        """Further sentences, where they are true."""
        if self.view.grad or self.key in ("stage.nan.say", "stage.stopped.say"):
            return []
        if self.stage.kind in ("logits", "probabilities") and self.run.reads_out_last:
            return ["stage.last_only"]
        if self.stage.kind == "loss" and self.run.request.temperature != 1:
            return ["stage.loss.temperature"]
        if self.stage.kind == "scores":
            return self._of_mask()
        if self.stage.kind == "mix" and self.step("linear") is not None:
            return ["stage.mix.out"]
        return []

    def _of_mask(self) -> list[str]:
        """What is said of the hatched cells of the head that is shown, if there are any."""
        value = self.steps[-1].outputs[0]
        hidden = hidden_by_mask(value.array[lead_of(value.shape, value.axes, self.view.head, self.run.row)])
        return [{"future": "stage.scores.masked", "other": "stage.scores.masked.elsewhere"}[hidden]] if hidden else []

    @property
    def before(self) -> tuple[str, Details] | None:
        """What is different in this block: what the same stage did in the block before; its sentence and its numbers.

        None in a first block, and where there is nothing to compare.
        """
        navigator, here = self.run.navigator, Location("stage", self.stage.index)
        there = navigator.stages[navigator.move(here, "previous_block").index]
        key = f"stage.{self.stage.kind}.before"
        if there.index == self.stage.index or self.view.grad or not self.view.t.has(key):
            return None
        earlier = Facts(self.run, self.view, there, self.pos)
        if earlier.key != self.key or self.key in ("stage.nan.say", "stage.stopped.say"):  # another form, or no numbers
            return None
        more = {"norm": self._growth, "qkv": self._turn}.get(self.stage.kind)
        found: Details | None = more(earlier) if more else {}
        return None if found is None else (key, earlier.all() | {"block": there.block_name} | found)

    def _growth(self, earlier: Facts) -> Details:
        """How long the stream's vector was when it came in, and is now."""
        rows = [facts.row(facts.steps[0].inputs[0]) for facts in (earlier, self)]
        lengths = [np.linalg.norm(row.astype(np.complex128 if row.dtype.kind == "c" else np.float64)) for row in rows]
        return {"length_before": self.number(float(lengths[0])), "length": self.number(float(lengths[1]))}

    def _turn(self, earlier: Facts) -> Details | None:
        """How alike the queries of the two blocks are; None where they are no two vectors of one width."""
        ours, theirs = (facts.row(facts.query()) for facts in (self, earlier))
        if ours.shape != theirs.shape or "c" in (ours.dtype.kind, theirs.dtype.kind):
            return None
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        both = float(np.linalg.norm(ours) * np.linalg.norm(theirs))
        return {"cosine": self.number(float(ours @ theirs) / both if both else 0.0)}

    def query(self) -> Value:
        """The queries that the stage makes: the first of its results."""
        panels = panels_at(self.run.navigator, Location("stage", self.stage.index))
        return next(panel.value for panel in panels if panel.is_result)

    @property
    def has_stopped(self) -> bool:
        """Whether the model raised an error here: its last step has made nothing."""
        return bool(self.steps) and not self.steps[-1].outputs

    def _program_inputs(self) -> str:
        """The inputs of a program of one's own: `ids [2, 5]`."""
        own = self.run.own
        return ", ".join(f"{name} {list(shape)}" for name, shape, _ in own.given) if own is not None else ""

    def _unusual(self) -> str:
        """What became of the text, if not every piece of it went in as it is."""
        tokens = self.run.tokens
        return "cut" if self.run.left_out else "dropped" if tokens.dropped else "unknown" if any(tokens.unknown) else ""

    # -- helpers -----------------------------------------------------------------------------------------------------

    def number(self, value: float, digits: int | None = None) -> str:
        return self.view.t.number(float(value), self.view.digits if digits is None else digits)

    def integer(self, value: int) -> str:
        return self.view.t.integer(value)

    def percent(self, share: float) -> str:
        return self.view.t.percent(float(share))

    def step(self, op: str) -> Step | None:
        return next((step for step in self.steps if step.op == op and step.outputs), None)

    def row(self, value: Value) -> Array:
        """The focus token's row of a tensor, [...], at the chosen head."""
        array = value.array
        if not array.size:
            return np.zeros(0)
        text = array[min(self.run.row, len(array) - 1)] if array.ndim >= 3 else array
        if array.ndim >= 4:
            return np.asarray(text[min(self.view.head, array.shape[1] - 1), min(self.pos, array.shape[2] - 1)])
        if array.ndim == 3:
            return np.asarray(text[min(self.pos, array.shape[1] - 1)])
        return np.asarray(array[min(self.pos, array.shape[0] - 1)]) if array.ndim == 2 else array

    def _result(self) -> Array:
        """That row of what the stage has made; for logits and probabilities, the row of the position that is told."""
        value = self.steps[-1].outputs[0]
        if self.stage.kind in ("logits", "probabilities") and self.run.reads_out_last:
            return np.asarray(value.array[self.run.place_of(value, self.pos)])
        return self.row(value)

    def _read_out_token(self) -> Details:
        """The token after which logits and probabilities are told."""
        return {"token": visible(self.run.token(self.run.read_out_at(self.pos)))}

    # -- by kind -----------------------------------------------------------------------------------------------------

    def norm(self) -> Details:
        x = self.row(self.steps[0].inputs[0]).astype(np.float64)
        mean_square = np.square(x).mean()
        return {
            "mean": self.number(x.mean(), 4),
            "variance": self.number(x.var()),
            "square": self.number(mean_square),
            "average": self.number(x.mean()),
            "spread": self.number(x.std()),
            "size": self.number(np.sqrt(mean_square)),
        }

    def rotation(self) -> Details:
        """The angles of the focus token's first pair of numbers, which is the fastest, and of its last."""
        step = angle_in(self.steps)
        if step is None and self.variant == "plain":  # the angles were made elsewhere
            return {}
        made = self.steps[-1].outputs[0] if step is None else step.inputs[0]
        row = np.atleast_1d(self.row(made))
        fast, slow = (self.number(math.degrees(float(angle)), 1) for angle in (row[0], row[-1]))
        return {
            "fast": self.number(row[0]),
            "slow": self.number(row[-1], 4),
            "fast_degrees": fast,
            "slow_degrees": slow,
        }

    def sharing(self) -> Details:
        step = repeat_in(self.steps)
        if step is None:
            return {}
        n_kv = step.inputs[0].shape[1]
        n_sharing = int(np.prod(step.outputs[0].shape)) // int(np.prod(step.inputs[0].shape))
        head = min(self.view.head, n_kv * n_sharing - 1)
        return {
            "n_kv": n_kv,
            "n_sharing": n_sharing,
            "all_heads": n_kv * n_sharing,
            "head": head,
            "kv_head": head // n_sharing,
        }

    def scores(self) -> Details:
        row = self.row(self.steps[-1].outputs[0])
        row = np.where(np.isnan(row), -np.inf, row)
        best = int(row.argmax()) if row.size else 0
        return {"best": visible(self._token(best)), "score": self.number(row[best])}

    def softmax(self) -> Details:
        row = self._shares()
        best = int(np.nan_to_num(row).argmax())
        return {
            "best": visible(self._token(best)),
            "share": self.percent(row[best]),
            "sum": self.number(row.sum()),
        }

    def mix(self) -> Details:
        """The value that the focus token takes most of, at the chosen head."""
        product = self.step("matmul")
        row = self.row(product.inputs[0]) if product else np.zeros(1)
        best = int(np.nan_to_num(row).argmax())
        return {"best": visible(self._token(best)), "share": self.number(row[best])}

    def gradient(self) -> Details:
        """The cell of what is shown of the stage's result that the loss is most sensitive to; a cell that the mask
        hides takes no part."""
        value, grad = self.steps[-1].outputs[0], self._grad()
        if grad is None:
            return {"name": value.name}
        lead = lead_of(value.shape, value.axes, self.view.head, self.run.row)
        shown = np.where(self._masked(value)[lead], 0.0, grad[lead])
        where = np.unravel_index(int(np.abs(np.nan_to_num(shown)).argmax()), shown.shape) if shown.shape else ()
        cell = ", ".join(map(str, (*lead, *map(int, where))))
        named = f"{value.name}[{cell}]" if cell else value.name
        return {"name": named, "slope": self.number(shown[where], 4)}

    def _masked(self, value: Value) -> Array:
        """Which cells of the stage's result are masked: its scores are −∞, or those that it was made from."""
        scores = self.steps[-1].inputs[0].array if self.steps[-1].op == "softmax" else value.array
        return np.asarray(np.isneginf(scores) if scores.dtype.kind == "f" else np.zeros(scores.shape, bool))

    def _grad(self) -> Array | None:
        return self.steps[-1].outputs[0].grad

    def _shares(self) -> Array:
        step = self.step("softmax")
        return self.row(step.outputs[0]) if step else np.ones(1)

    def _token(self, pos: int) -> str:
        return self.run.token(min(pos, len(self.run.tokens) - 1))

    def residual(self) -> Details:
        step = next(step for step in reversed(self.steps) if len(step.inputs) > 1)  # behind it, the layout may change
        before, added = (self.row(value).astype(np.float64) for value in step.inputs[:2])
        after = self.row(step.outputs[0]).astype(np.float64)
        lengths = (float(np.linalg.norm(vector)) for vector in (before, added, after))
        return {name: self.number(length) for name, length in zip(("before", "added", "after"), lengths, strict=True)}

    def router(self) -> Details:
        """The experts that the focus token goes to."""
        n_pos = len(self.run.tokens)
        found = choice_in(self.steps, n_pos)
        if found is None:
            return {"experts": "", "n_experts": ""}
        ours = found.chosen[min(self.run.row, len(found.chosen) - 1), min(self.pos, n_pos - 1)]
        return {"experts": ", ".join(map(str, ours.tolist())), "n_experts": self.integer(found.n_experts)}

    def mlp(self) -> Details:
        activation = next((s for s in self.steps if s.op in ACTIVATIONS and s.outputs), None)
        row = self.row(activation.outputs[0]) if activation else np.zeros(0)
        return {"active": self.integer(int((row > 0).sum())), "function": activation.op if activation else ""}

    def logits(self) -> Details:
        row = self._result()
        best = int(np.nan_to_num(row, nan=-np.inf).argmax())
        return {**self._read_out_token(), "best": visible(self.run.piece(best)), "score": self.number(row[best])}

    def probabilities(self) -> Details:
        row = self._result()
        best = int(np.nan_to_num(row).argmax())
        return {
            **self._read_out_token(),
            "best": visible(self.run.piece(best)),
            "share": self.percent(row[best]),
            "temperature": self.number(self.run.request.temperature),
        }

    def loss(self) -> Details:
        counted = self._counted()
        n = int(counted.outputs[0].array.sum()) if counted else 0
        loss = self.number(float(self.steps[-1].outputs[0].array))
        return {"loss": loss, "counted": n, "n": n, "temperature": self.number(self.run.request.temperature)}

    def _counted(self) -> Step | None:
        """The step that says which positions count, in the loss that lmviz adds."""
        return next((s for s in self.steps if s.outputs and s.outputs[0].name == "counted"), None)


_BY_KIND: dict[str, Callable[[Facts], Details]] = {
    "norm": Facts.norm,
    "final_norm": Facts.norm,
    "rotation": Facts.rotation,
    "sharing": Facts.sharing,
    "scores": Facts.scores,
    "softmax": Facts.softmax,
    "mix": Facts.mix,
    "residual": Facts.residual,
    "router": Facts.router,
    "mlp": Facts.mlp,
    "logits": Facts.logits,
    "probabilities": Facts.probabilities,
    "loss": Facts.loss,
}
