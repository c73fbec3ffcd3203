"""How findings and their numbers are said."""

from __future__ import annotations

import math

from lmviz.debug.doctor.finding import Finding
from lmviz.stages.stage import Stage
from lmviz.ui.text import Translator, visible

_SHARES = frozenset(
    ("falls", "stays_down", "generalises", "is_done", "dead_units", "saturated_softmax", "known_tokens",
     "targets_shifted")
)  # fmt: skip


def value_text(t: Translator, value: float, share: bool = False) -> str:
    """A measured number: a count as one, a share in percent, else with as many digits as tell something."""
    if share and math.isfinite(value):
        return t.percent(value)
    if math.isfinite(value) and float(value).is_integer() and abs(value) < 1e9:
        return t.integer(int(value))
    if 10_000 <= abs(value) < 1e12:
        return t.integer(round(value))
    if 0.001 <= abs(value) < 1e6 and abs(value - round(value, 2)) < 0.0005:  # 1.000 would read as a thousand
        return t.number(value, 0 if abs(value - round(value)) < 0.0005 else 2)
    return t.number(value, 3 if abs(value) >= 0.001 else 1)


def rate(t: Translator, value: float) -> str:
    """A learning rate without a power of ten: 0.0000001, 0.001, 3."""
    plain = f"{value:.12f}".rstrip("0").rstrip(".")
    return t.localised(plain)


def measured(t: Translator, finding: Finding) -> str:
    """What a check measured, in a sentence; or why it could not."""
    if finding.holds is None:
        return t(f"doctor.why_not.{finding.why_not}")
    share = finding.check in _SHARES
    details = {name: _detail(t, value) for name, value in finding.details.items()}
    numbers = {"measured": value_text(t, finding.measured, share), "limit": value_text(t, finding.limit, share)}
    general, why = f"doctor.{finding.check}.measured", finding.details.get("why", "")
    keys = (f"doctor.{finding.check}.fine",) if finding.holds else (f"{general}.{why}",)
    key = next((key for key in keys if t.has(key)), general)
    return t(key, **(details | numbers))


def about(t: Translator, finding: Finding, what: str) -> str:
    """Another of a check's sentences: its title, what it means, how to mend it, when it is a false alarm."""
    general = f"doctor.{finding.check}.{what}"
    keys = (f"{general}.{finding.details.get('why', '')}", general)  # some can say more exactly what is wrong
    key = next((key for key in keys if t.has(key)), "")
    return t(key, **{name: _detail(t, value) for name, value in finding.details.items()}) if key else ""


def stage_name(t: Translator, stage: Stage) -> str:
    name = t(f"stage.{stage.kind}.title")
    return t("debug.block", stage=name, block=stage.block_name) if stage.block_name else name


def code(words: object) -> str:
    """Text from outside as Markdown that shows it and means nothing else."""
    return f"`{visible(str(words)).replace('`', 'ˋ')}`"


def _detail(t: Translator, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return code(value)
    return value_text(t, value)
