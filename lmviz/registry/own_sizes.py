"""The sizes of a model of one's own, read off its recording: nobody wrote them down."""

from __future__ import annotations

from dataclasses import dataclass

from lmviz.registry.program import OwnRun
from lmviz.stages.navigation import Navigator
from lmviz.trace.step import Value


@dataclass(frozen=True, slots=True)
class OwnSizes:
    """As the records of the architectures have them; 0 for what the recording does not show, and 1 head."""

    d_vocab: int
    n_ctx: int
    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    d_mlp: int


def sizes_of(run: OwnRun, navigator: Navigator) -> OwnSizes:
    """Widths are those of what the stages make."""
    made = {stage.kind: run.trace[stage.stop].outputs for stage in reversed(navigator.stages) if stage.stop >= 0}

    def shape(kind: str) -> tuple[int, ...]:
        outputs: tuple[Value, ...] = made.get(kind, ())  # type: ignore[call-overload]
        return outputs[0].shape if outputs else ()

    pattern, blocks = shape("softmax"), {stage.block_name for stage in navigator.stages if stage.block is not None}
    return OwnSizes(
        d_vocab=(shape("logits") or shape("probabilities") or (len(run.words),))[-1],
        n_ctx=len(run.ids),
        n_layers=len(blocks),
        d_model=(shape("embeddings") or (0,))[-1],
        n_heads=pattern[1] if len(pattern) == 4 else 1,
        d_head=(shape("qkv") or (0,))[-1],
        d_mlp=0,
    )
