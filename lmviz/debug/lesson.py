"""A short training on one batch, in which a check of the doctor looks for something."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from lmviz.debug.moment import Moment, check_step, moment_of, one_by_one
from lmviz.debug.patient import SMALL, Patient
from lmviz.errors import UserError


@dataclass(frozen=True, slots=True)
class Lesson:
    """Which weights it starts from, what they learn, and how fast. Its steps can be opened."""

    std: float  # of the new weights that it starts from; 0: the model's own
    texts: Literal["own", "true", "any"] = "own"  # as the patient's loop makes them, as they should be, or meaningless
    most: int = 1000  # texts in the batch
    rate: float = 0.01
    trains: bool = True  # False: nothing is learned, and dropout is off

    def model(self, patient: Patient) -> nn.Module:
        model = patient.fresh(self.std) if self.std else copy.deepcopy(patient.model).requires_grad_()
        return model.train(self.trains)

    def batch(self, patient: Patient) -> tuple[Tensor, Tensor]:
        """Inputs and targets, both [text, pos]."""
        match self.texts:
            case "own":
                inputs, targets = patient.pairs
            case "true":
                inputs, targets = patient.true_pairs
            case _:
                inputs, targets = patient.any_pairs
        return inputs[: self.most], targets[: self.most]

    def training(self, patient: Patient, model: nn.Module, steps: int) -> Iterator[float]:
        """The losses, as the model learns in place."""
        return one_by_one(patient.loop.train(model, *self.batch(patient), steps, self.rate))

    def moment(self, patient: Patient, step: int) -> Moment:
        """The lesson just before one of its steps."""
        check_step(step)
        if self.trains and not patient.is_small:
            raise UserError(
                "A step of this check can be opened of models of {limit} weights at most; this one has {found}.",
                limit=SMALL,
                found=patient.n_parameters,
            )
        model, batch = self.model(patient), self.batch(patient)
        if not self.trains:
            return Moment(step, model, *batch, patient.loop.Loss)
        training = patient.loop.train(model, *batch, step, self.rate)
        return moment_of(model, training, batch, patient.loop.Loss, step)
