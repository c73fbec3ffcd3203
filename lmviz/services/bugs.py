"""The bug lab: broken models beside healthy ones, where they differ, and what the doctor says of them."""

from __future__ import annotations

from dataclasses import replace

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.difference import Difference, first_difference, gradient_difference, value_differences
from lmviz.debug.bugs.models import why_not
from lmviz.debug.bugs.training import PairedTraining, TrainingDifference, train_pair
from lmviz.debug.bugs.verdict import verdict
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.threads import one_thread
from lmviz.model.checkpoint import Checkpoint
from lmviz.registry.bug import Healthy, WithBug, healthy_twin
from lmviz.registry.lesson_step import PairedStep
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.registry.reference import Reference
from lmviz.services.places import FindingPlace, place_in


class BugLab:
    """Shared by all sessions; safe to use from several threads."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._differences, self._verdicts = models.cache(64), models.cache(64)
        self._pairs, self._training_differences = models.cache(32), models.cache(32)

    def why_not(self, bug: Bug, model: Reference) -> str:
        return why_not(bug, self._models.checkpoint(model))

    def difference(self, bug: Bug, model: Reference, prompt: str) -> Difference | None:
        """The first step at which the broken model is not as the healthy one, on this prompt."""
        key = (bug.name, self._models.checkpoint(model).model, prompt)
        return self._differences.get(key, lambda: self._difference(bug, model, prompt))

    def _difference(self, bug: Bug, model: Reference, prompt: str) -> Difference | None:
        two = (healthy_twin(bug, model), WithBug(bug.name, model))
        a, b = (self._models.record(Request(one, prompt)).trace for one in two)
        return first_difference(a, b)

    def train_pair(self, bug: Bug, model: Reference) -> PairedTraining:
        """Two trainings from the same weights, without and with the bug."""
        base = self._models.checkpoint(model)
        return self._pairs.get((bug.name, base.model), lambda: _train_pair(base, bug))

    def first_training_difference(self, bug: Bug, model: Reference) -> FindingPlace | None:
        """The first training step in which the recordings of the two trainings differ, and where."""
        difference = self.train_pair(bug, model).difference
        if difference is None:
            return None
        key = (bug.name, model, self._models.checkpoint(model).model)
        return self._training_differences.get(key, lambda: self._place_of(bug, model, difference))

    def _place_of(self, bug: Bug, model: Reference, difference: TrainingDifference) -> FindingPlace | None:
        for step in (difference.step, difference.step + 1):  # what a step leaves in the weights is seen in the next
            a, b = (PairedStep(step, 0, trained) for trained in (Healthy(bug.name, model), WithBug(bug.name, model)))
            ours, theirs = (self._models.record(Request(one, "")) for one in (a, b))
            if found := next(iter(value_differences(ours.trace, theirs.trace, most=1)), None):
                return place_in(ours, FindingPlace(a, "", found.address, found.cell, step=step, b_model=b))
            if found := gradient_difference(ours.trace, theirs.trace):
                place = FindingPlace(a, "", found.address, found.cell, gradient=True, step=step, b_model=b)
                if found.address in ours.trace.weights and difference.what == "gradient":
                    place = replace(place, where=difference.where, cell=difference.cell)
                return place_in(ours, place)
        return None

    def verdict(self, bug: Bug, model: Reference) -> tuple[Finding, ...]:
        """What the doctor says of the broken model."""

        def made() -> tuple[Finding, ...]:
            with one_thread():
                return verdict(base, bug)

        base = self._models.checkpoint(model)
        return self._verdicts.get((bug.name, base.model), made)


def _train_pair(base: Checkpoint, bug: Bug) -> PairedTraining:
    with one_thread():
        return train_pair(base, bug)
