"""The doctor: checks on any model and on any training, each a pure function that returns what it measured."""

from __future__ import annotations

from collections.abc import Iterator

from lmviz.debug import sources
from lmviz.debug.doctor import blocks, dependence, learning, lessons, numbers, outputs, parts, patterns, scale, texts
from lmviz.debug.doctor.curves import RULES
from lmviz.debug.doctor.finding import Check, Finding, Sure, not_measured
from lmviz.debug.subject import Subject

CHECKS: dict[str, Check] = {
    check.name: check
    for check in (
        Check("finite", numbers.finite, "sure", (sources.GOLDBERG.at("2.2"), sources.NAN_AT_3000)),
        Check("causality", dependence.causality, "sure", (sources.VASWANI.at("3.2.3"),), is_fine=True),
        Check("receptive_field", dependence.receptive_field, "likely", (sources.VIEW_OR_TRANSPOSE,), is_fine=True),
        Check("positions", dependence.positions, "likely", (sources.VASWANI.at("3.5"), sources.HAVIV), is_fine=True),
        Check("texts_apart", dependence.texts_apart, "sure", (sources.MULTIHEAD,), is_fine=True),
        Check("whole_context", dependence.whole_context, "sure", (sources.EMBEDDING, sources.LONGER_CONTEXT)),
        Check("pattern_rows", patterns.pattern_rows, "sure", (sources.VASWANI.at("eq. 1"), sources.SUM_ABOVE_1)),
        Check("sees_itself", patterns.sees_itself, "likely", (sources.VASWANI.at("3.2.3"),)),
        Check("scale", scale.scale, "likely", (sources.VASWANI.at("3.2.1"),), is_fine=True),
        Check("entropy_collapse", patterns.entropy_collapse, "hint", (sources.ZHAI,)),
        Check("saturated_softmax", patterns.saturated_softmax, "hint", (sources.VASWANI.at("3.2.1"),)),
        Check("norm", numbers.norm, "sure", (sources.BA.at("eq. 3"),)),
        Check("stream", blocks.stream, "likely", (sources.HE.at("eq. 1"), sources.XIONG.at("figure 1")), is_fine=True),
        Check("bends", numbers.bends, "likely", (sources.VASWANI.at("eq. 2"),), is_fine=True),
        Check("dead_units", numbers.dead_units, "likely", (sources.MAAS.at("1"),)),
        Check("repeatable", outputs.repeatable, "sure", (sources.SRIVASTAVA.at("4"), sources.SUM_ABOVE_1)),
        Check("double_softmax", outputs.double_softmax, "sure", (sources.TWO_SOFTMAXES,), lessons.UNTRAINED_LESSON),
        Check("tied", outputs.tied, "likely", (sources.PRESS,)),
        Check("registered", parts.registered, "sure", (sources.MODULE_LIST,)),
        Check("ids_in_range", texts.ids_in_range, "sure", (sources.OUT_OF_RANGE,)),
        Check("length_in_context", texts.text_lengths, "likely", (sources.TOO_LONG,)),
        Check(
            "targets_shifted", lessons.targets_shifted, "sure", (sources.RADFORD.at("eq. 1"),), lessons.UNTRAINED_LESSON
        ),
        Check("padding", lessons.padding, "sure", (sources.CROSS_ENTROPY,), lessons.UNTRAINED_LESSON),
        Check(
            "cross_entropy",
            lessons.cross_entropy,
            "sure",
            (sources.CROSS_ENTROPY, sources.GOODFELLOW.at("6.2.2.3")),
            lessons.UNTRAINED_LESSON,
        ),
        Check("gradients_afresh", lessons.gradients_afresh, "sure", (sources.ZERO_GRAD,), lessons.STILL, trains=True),
        Check("all_move", lessons.all_move, "sure", (sources.OPTIMIZERS,), lessons.MOVING, trains=True),
        Check(
            "first_loss",
            learning.untrained_loss,
            "likely",
            (sources.KARPATHY.at("2"),),
            learning.UNTRAINED,
            trains=True,
        ),
        Check("one_batch", learning.one_batch, "likely", (sources.KARPATHY.at("2"),), learning.MEMORISING, trains=True),
        Check(
            "gradients_reach", learning.gradients_reach, "sure", (sources.RUMELHART,), learning.MEANINGLESS, trains=True
        ),
        Check("layers", learning.layers, "likely", (sources.BENGIO_SLOPES,), learning.MEANINGLESS, trains=True),
    )
}


def examine(subject: Subject, checks: tuple[str, ...] = tuple(CHECKS)) -> Iterator[Finding]:
    """The findings one by one, as they are made. A check that a model breaks says so, and the others go on."""
    for name in checks:
        if CHECKS[name].trains and subject.is_quantised:
            yield not_measured(name, "quantised")
            continue
        try:
            found = CHECKS[name].run(subject)
        except Exception as error:  # of any kind: a model of one's own may raise what it likes
            found = Finding(name, None, why_not="does_not_run", details={"error": f"{type(error).__name__}: {error}"})
        fails = found.holds is False or found.why_not == "does_not_run"
        is_hidden = fails and CHECKS[name].is_fine and subject.is_quantised
        yield not_measured(name, "quantised") if is_hidden else found


def how_sure(finding: Finding) -> Sure:
    """How sure one can be of what a check, or a rule on curves, found."""
    return finding.sure or (CHECKS.get(finding.check) or RULES[finding.check]).sure


def is_alarm(finding: Finding) -> bool:
    """Whether something is wrong, certainly or likely. A hint is a question: what it found may be meant."""
    return finding.holds is False and how_sure(finding) != "hint"


__all__ = ["CHECKS", "Check", "Finding", "examine", "how_sure", "is_alarm", "not_measured"]
