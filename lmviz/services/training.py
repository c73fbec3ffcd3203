"""Trainings: what a recipe comes to, and single steps with all their numbers."""

from __future__ import annotations

from lmviz.errors import UserError
from lmviz.registry.models import Models
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunStep
from lmviz.train.gradient_check import Checked, check_gradient, random_cells
from lmviz.train.opened import OpenedStep
from lmviz.train.plan import Plan, cut, plan_of
from lmviz.train.recipe import Recipe
from lmviz.train.time_travel import BeforeStep

_CORPORA_KEPT = 8
_STEPS_KEPT = 6  # training steps that are open
_CELLS_CHECKED = 16


class Training:
    """Shared by all sessions; safe to use from several threads. The runs themselves are in `Models.runs`."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._corpora = models.cache(_CORPORA_KEPT)
        self._opened, self._checked = models.cache(_STEPS_KEPT), models.cache(_STEPS_KEPT)

    def plan(self, recipe: Recipe, start: Reference | None = None) -> Plan:
        """What a recipe comes to, from the cache if only the sizes have changed.

        Args:
            start: the model that the training would start from, whose tokenizer it takes over.
        """
        tokenizer = self._models.checkpoint(start).tokenizer if start else None
        decisive = (recipe.data, recipe.tokenizer, recipe.model.n_ctx, recipe.training.seed, tokenizer)
        return plan_of(recipe, self._corpora.get(decisive, lambda: cut(recipe, tokenizer)))

    def train(self, recipe: Recipe, name: str = "", start: Reference | None = None, owner: str = "") -> str:
        """Start a run, of `owner` as far as that is known; returns its id.

        Raises:
            UserError: the recipe cannot be followed, or needs more memory than a training may have.
        """
        runs = self._models.runs
        self.plan(recipe, start).check(runs.limits.memory)
        start_from = self._models.checkpoint(start) if start else None
        return runs.start(recipe, name, start_from, owner, is_watched=True)

    def opened(self, run: str, step: int) -> OpenedStep:
        """One training step with all its numbers, from its batch to its new weights."""
        return self._opened.get((run, step), lambda: self._models.runs.open_step(run, step))

    def before(self, run: str, step: int) -> BeforeStep:
        """A run just before one of its training steps."""
        return RunStep(run, step).before(self._models)

    def checked_gradient(self, run: str, step: int) -> tuple[Checked, ...]:
        """The slope of a training step's loss at some cells of every weight, by autograd and by finite differences."""
        if self._models.runs.get(run).recipe.quantisation.rounds:
            raise UserError(
                "Rounded weights give a loss with stairs, whose slope cannot be measured: here the gradient passes "
                "straight through the rounding."
            )
        before = self.before(run, step)
        cells = random_cells(before.model, _CELLS_CHECKED, seed=step)
        return self._checked.get((run, step), lambda: check_gradient(before.model, before.batch, cells))
