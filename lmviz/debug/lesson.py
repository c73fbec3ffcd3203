"""A short training on one batch, in which a check of the doctor looks for something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from lmviz.debug import plain_loop
from lmviz.debug.lesson_step import LessonStep, check_step, one_by_one, step_of_training
from lmviz.debug.subject import SMALL, Subject
from lmviz.errors import UserError


@dataclass(frozen=True, slots=True)
class Lesson:
    """Which weights it starts from, what they learn, and how fast. Its steps can be opened."""

    std: float  # of the new weights that it starts from; 0: the model's own
    texts: Literal["own", "true", "any"] = "own"  # as the subject's loop makes them, as they should be, or meaningless
    most: int = 1000  # texts in the batch
    rate: float = 0.01
    trains: bool = True  # False: nothing is learned, and dropout is off
    repeats: bool = False  # every step draws the same dropout

    def model(self, subject: Subject, seed: int = 0) -> nn.Module:
        """The model that it starts from, always the same for a seed."""
        model = subject.fresh(self.std, seed) if self.std else subject.pupil()
        return model.train(self.trains)

    def batch(self, subject: Subject) -> tuple[Tensor, Tensor]:
        """Inputs and targets, both [text, pos]."""
        match self.texts:
            case "own":
                inputs, targets = subject.pairs
            case "true":
                inputs, targets = subject.true_pairs
            case _:
                inputs, targets = subject.any_pairs
        return inputs[: self.most], targets[: self.most]

    def training(self, subject: Subject, model: nn.Module, steps: int) -> Iterator[float]:
        """The losses, as the model learns in place."""
        return one_by_one(self._losses(subject, model, steps), self.repeats)

    def _losses(self, subject: Subject, model: nn.Module, steps: int) -> Iterator[float]:
        """A loop of one's own may want the model as it is, or only its logits: what works is kept."""
        batch = self.batch(subject)
        if subject.loop is not plain_loop:
            losses = subject.loop.train(model, *batch, steps, self.rate)
            try:
                first = next(losses)
            except Exception:  # of any kind, since it is not our code; below it is raised again, if it comes again
                pass
            else:
                yield first
                yield from losses
                return
        subject.reading.attach(model)
        yield from subject.loop.train(model, *batch, steps, self.rate)

    def step(self, subject: Subject, step: int) -> LessonStep:
        """The lesson just before one of its steps."""
        check_step(step)
        if self.trains and not subject.is_small:
            raise UserError(
                "A step of this check can be opened of models of {limit} weights at most; this one has {found}.",
                limit=SMALL,
                found=subject.n_parameters,
            )
        model, batch = self.model(subject), self.batch(subject)
        if not self.trains:
            return LessonStep(step, model, *batch, subject.loop.Loss)
        return step_of_training(model, self._losses(subject, model, step), batch, subject.loop.Loss, step, self.repeats)
