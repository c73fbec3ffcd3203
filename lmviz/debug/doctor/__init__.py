"""The doctor: checks on any model and on any training, each a pure function that returns what it measured."""

from __future__ import annotations

from collections.abc import Iterator

from lmviz.debug.doctor import learning, lessons, numbers, outputs, patterns, sight, texts
from lmviz.debug.doctor.finding import Check, Finding, not_measured
from lmviz.debug.patient import Patient

CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Check("finite", numbers.finite, "sure", "Goldberg 1991, 2.2; nanoGPT #215"),
        Check("causality", sight.causality, "sure", "Vaswani et al. 2017, 3.2.3"),
        Check("receptive_field", sight.receptive_field, "likely", "SeekDeeper #9"),
        Check("positions", sight.positions, "sure", "Vaswani et al. 2017, 3.5"),
        Check("whole_context", sight.whole_context, "sure", "LLMs-from-scratch #175"),
        Check("pattern_rows", patterns.pattern_rows, "sure", "Vaswani et al. 2017, eq. 1; pytorch #42929"),
        Check("scale", patterns.scale, "likely", "Vaswani et al. 2017, 3.2.1"),
        Check("entropy_collapse", patterns.entropy_collapse, "hint", "Zhai et al. 2023"),
        Check("saturated_softmax", patterns.saturated_softmax, "hint", "Vaswani et al. 2017, 3.2.1"),
        Check("norm", numbers.norm, "sure", "Ba et al. 2016, eq. 3"),
        Check("stream", numbers.stream, "likely", "He et al. 2016, eq. 1"),
        Check("bends", numbers.bends, "likely", "Vaswani et al. 2017, eq. 2"),
        Check("dead_units", numbers.dead_units, "likely", "Maas et al. 2013, 1"),
        Check("repeatable", outputs.repeatable, "sure", "Srivastava et al. 2014, 4; pytorch #42929"),
        Check("double_softmax", outputs.double_softmax, "sure", "SciCo #2; llama-from-scratch #5"),
        Check("tied", outputs.tied, "likely", "Press & Wolf 2017"),
        Check("ids_in_range", texts.ids_in_range, "sure", "LLMs-from-scratch #175"),
        Check("length_in_context", texts.text_lengths, "likely", "TransformerLens #842"),
        Check("targets_shifted", lessons.targets_shifted, "sure", "Radford et al. 2019, eq. 1"),
        Check("padding", lessons.padding, "sure", "torch.nn.functional.cross_entropy"),
        Check("gradients_afresh", lessons.gradients_afresh, "sure", "torch.optim.Optimizer.zero_grad", trains=True),
        Check("all_move", lessons.all_move, "sure", "torch.optim", trains=True),
        Check("first_loss", learning.untrained_loss, "likely", "Karpathy 2019", trains=True),
        Check("one_batch", learning.one_batch, "likely", "Karpathy 2019", trains=True),
        Check("gradients_reach", learning.gradients_reach, "sure", "Rumelhart et al. 1986", trains=True),
        Check("layers", learning.layers, "likely", "Bengio et al. 1994", trains=True),
    )
}


def examine(patient: Patient, checks: tuple[str, ...] = tuple(CHECKS)) -> Iterator[Finding]:
    """The findings one by one, as they are made. A check that a model breaks says so, and the others go on."""
    for name in checks:
        try:
            yield CHECKS[name].run(patient)
        except (RuntimeError, IndexError, ValueError, TypeError, AttributeError, KeyError, AssertionError) as error:
            yield Finding(name, None, why_not="does_not_run", details={"error": f"{type(error).__name__}: {error}"})


__all__ = ["CHECKS", "Check", "Finding", "examine", "not_measured"]
