"""What a visitor of the quantisation is looking at."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lmviz.quantise.scheme import Scheme
from lmviz.registry.reference import Reference
from lmviz.ui.parts import model_part
from lmviz.ui.place import Place, choice, flag, part, real, whole

SECTIONS = ("weight", "model", "calibration", "aware")
FORMATS = ("fp32", "fp16", "bf16", "int8", "int4")
INTEGERS = ("int8", "int4")
GRANULARITIES = ("tensor", "channel", "group")
GROUPS = (8, 16, 32, 64, 128)
TEMPERATURES = (0.0, 2.0)  # from, to
RATES = (0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01)
TEXT_LIMIT = 4000  # characters of a text in the address bar


def _cell(written: str) -> tuple[int, int]:
    row, col = json.loads(written)
    if not all(type(i) is int and 0 <= i < 2**31 for i in (row, col)):
        raise ValueError(written)
    return row, col


def _text(written: str) -> str:
    return written[:TEXT_LIMIT]


@dataclass(frozen=True)
class QuantisationView(Place):
    """One visitor's place in the quantisation."""

    section: str = part("weight", choice(*SECTIONS))
    model: Reference = model_part("names")
    weight: str = part("", str)  # a matrix by name; empty: the first of the first block
    cell: tuple[int, int] = part((0, 0), _cell)  # the number that is worked out
    format: str = part("int4", choice(*FORMATS))
    symmetric: bool = part(True, flag)
    granularity: str = part("tensor", choice(*GRANULARITIES))
    group: int = part(32, lambda written: GROUPS[GROUPS.index(int(written))])
    keep: float = part(1.0, real(0.05, 1))
    text: str = part("", _text)  # to measure on; empty: the model's own
    logit: tuple[int, int] | None = part(None, _cell)  # of the picture of logits: the one that is worked out
    prompt: str | None = part(None, _text)  # what models write on; None: the model's own first prompt
    seed: int = part(0, whole(0, 9999))
    temperature: float = part(1.0, real(*TEMPERATURES))
    calibration: str = part("", _text)  # empty: the first texts that the model learned from
    outer: float = part(1.0, real(0.05, 1))  # the share of the measured range that activations keep
    steps: int = part(100, whole(20, 300))  # of quantisation-aware training
    rate: float = part(0.001, lambda written: RATES[RATES.index(float(written))])
    trains: bool = part(False, flag)
    run: str = part("", str)  # a training of the training page that is looked at instead

    @property
    def scheme(self) -> Scheme:
        return self.scheme_of(self.format)

    def scheme_of(self, format: str) -> Scheme:
        """The scheme with the visitor's choices, in a format."""
        if format not in INTEGERS:
            return Scheme(format)
        return Scheme(
            format, self.symmetric, self.granularity, self.group if self.granularity == "group" else 32, self.keep
        )
