"""Training steps that belong to no run, opened by name: of a check, of a bug's race, of a pitfall."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmviz.benches.cache import Cache
from lmviz.benches.run import Request, Run, tokens_of_row
from lmviz.debug.bugs.catalogue import bug_named
from lmviz.debug.bugs.models import loop_of, why_not
from lmviz.debug.bugs.training import race_moment
from lmviz.debug.doctor import CHECKS
from lmviz.debug.moment import Moment
from lmviz.debug.patient import Patient, patient_of
from lmviz.debug.pitfalls.catalogue import PITFALLS
from lmviz.debug.pitfalls.run import moment_before
from lmviz.debug.threads import one_thread
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.train.data import Windows

if TYPE_CHECKING:
    from lmviz.workbench import Workbench

RACE, PITFALL = "race", "pitfall"
_NAME = re.compile(r"moment/([a-z_]{1,40})!(\d{1,6})(?:\.(\d{1,6}))?@(.+)")
_BUG = re.compile(r"(?:bug|cured)/([a-z0-9_]{1,40})@(.+)")


@dataclass(frozen=True, slots=True)
class Name:
    """What a training step is called.

    >>> str(Name("race", 2, "bug/climbs@names")), Name.read("moment/race!2.5@bug/climbs@names").row
    ('moment/race!2.0@bug/climbs@names', 5)
    """

    lesson: str  # "race", "pitfall", or a check
    step: int
    of: str  # the model that is checked; "bug/…@…" or "cured/…@…" for a race; "rate_too_high" or "rate_too_high/rate"
    row: int = 0  # which text of the batch is followed

    def __str__(self) -> str:
        return f"moment/{self.lesson}!{self.step}.{self.row}@{self.of}"

    @classmethod
    def read(cls, written: str) -> Name:
        found = _NAME.fullmatch(written)
        if found is None or found[4].startswith(("moment/", "puzzle/")):
            raise UserError("There is no folder {folder}.", folder=written)
        return cls(found[1], int(found[2]), found[4], int(found[3] or 0))


@dataclass(frozen=True, eq=False)
class Opened:
    """A training step, and its model as a checkpoint."""

    moment: Moment
    checkpoint: Checkpoint

    @property
    def batch(self) -> Windows:
        return Windows(self.moment.inputs, self.moment.targets)


class Moments:
    """Training steps by name, the last few kept."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._opened = Cache(16)

    def opened(self, name: Name) -> Opened:
        return self._opened.get((name.lesson, name.step, name.of), lambda: self._open(name))

    def prompt(self, name: Name) -> str:
        opened = self.opened(name)
        return tokens_of_row(opened.checkpoint, opened.moment.inputs, name.row).text

    def run(self, request: Request) -> Run:
        """The walk through a training step, as one text of its batch sees it."""
        name = Name.read(request.model)
        opened = self.opened(name)
        key = (name.lesson, name.step, name.of, id(opened))
        return self._bench.batch_run(request, key, opened.checkpoint, opened.batch, name.row, opened.moment.record)

    def patient(self, model: str) -> Patient:
        """A model as the doctor sees it, with the training loop that its name says it has."""
        found = _BUG.fullmatch(model)
        bug = bug_named(found[1]) if found and model.startswith("bug/") else None
        return patient_of(self._bench.checkpoint(model), loop=loop_of(bug))

    def _open(self, name: Name) -> Opened:
        with one_thread():
            if name.lesson == PITFALL:
                return self._of_pitfall(name)
            if name.lesson == RACE:
                return self._of_race(name)
            return self._of_check(name)

    def _of_pitfall(self, name: Name) -> Opened:
        pitfall, _, cure = name.of.partition("/")
        found = PITFALLS.get(pitfall)
        setups = {"": found.sick, **dict(found.cures)} if found is not None else {}
        if cure not in setups:
            raise UserError(
                "There is no pitfall called {name}; there are {known}.", name=name.of, known=", ".join(PITFALLS)
            )
        moment, tokenizer, card = moment_before(setups[cure], name.step)
        return Opened(moment, Checkpoint(moment.model, tokenizer, moment.model.cfg, card))  # type: ignore[arg-type]

    def _of_race(self, name: Name) -> Opened:
        found = _BUG.fullmatch(name.of)
        if found is None:
            raise UserError("There is no folder {folder}.", folder=str(name))
        base = self._bench.checkpoint(found[2])
        bug = bug_named(found[1])
        if why_not(bug, base):
            raise UserError("There is no folder {folder}.", folder=str(name))
        return _opened(race_moment(base, bug if name.of.startswith("bug/") else None, name.step), base)

    def _of_check(self, name: Name) -> Opened:
        check = CHECKS.get(name.lesson)
        if check is None or check.lesson is None:
            raise UserError("There is no folder {folder}.", folder=str(name))
        return _opened(check.lesson.moment(self.patient(name.of), name.step), self._bench.checkpoint(name.of))


def _opened(moment: Moment, base: Checkpoint) -> Opened:
    return Opened(moment, Checkpoint(moment.model, base.tokenizer, base.config, base.card))
