"""What the debugging page can do: pitfalls that are run, a doctor for any model, broken models, puzzles."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TypeVar

import torch

from lmviz.benches.cache import Cache
from lmviz.benches.moments import PITFALL, RACE, Moments, Name
from lmviz.benches.names import BROKEN, moment_name, training_step_name
from lmviz.benches.places import Seen, seen_at
from lmviz.benches.run import Request, Run
from lmviz.benches.turns import Turns, Waiting, in_silence
from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.catalogue import bug_named
from lmviz.debug.bugs.difference import Difference, first_difference, gradient_difference, value_differences
from lmviz.debug.bugs.models import broken, healthy, why_not
from lmviz.debug.bugs.training import Parting, Race, race
from lmviz.debug.bugs.verdict import verdict
from lmviz.debug.doctor import CHECKS, examine
from lmviz.debug.doctor.curves import diagnose
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.doctor.history import Counted, History, Points
from lmviz.debug.doctor.lessons import WANTED
from lmviz.debug.doctor.log import Log, judged
from lmviz.debug.doctor.outputs import sampling
from lmviz.debug.game import Glance, Puzzle, fair_places, glance, probe, puzzle
from lmviz.debug.logs.columns import Sheet
from lmviz.debug.logs.reader import read_sheet
from lmviz.debug.logs.roles import Role
from lmviz.debug.logs.taken import Taken, taken
from lmviz.debug.memory.trial import Outcome, Trial, try_out
from lmviz.debug.pitfalls.run import Result, result_of
from lmviz.debug.pitfalls.setup import Setup
from lmviz.debug.threads import one_thread
from lmviz.errors import UserError
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint
from lmviz.train.loop import Snapshot
from lmviz.train.time_travel import MOST_REPLAYED
from lmviz.workbench import Workbench

BUG, CURED, PUZZLE = "bug", "cured", "puzzle"
_BROKEN = re.compile(rf"({BUG}|{CURED})/([a-z0-9_]{{1,40}})@(.+)")
_PUZZLE = re.compile(rf"{PUZZLE}/(\d)-(\d{{1,6}})")
POINTS = 2000  # of a curve
NEW_TOKENS = 24

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Examined:
    """A model, what it read, and what the doctor found."""

    findings: tuple[Finding, ...]
    prompt: str  # opens the walk in which the findings' addresses are


@dataclass(frozen=True)
class Drawn:
    """A text that was drawn, and what the doctor says of how."""

    text: str
    finding: Finding


class Debugging:
    """Shared by all sessions, safe to use from several threads."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._models, self._examined, self._verdicts = Cache(24), Cache(24), Cache(64)
        self._differences, self._races, self._partings = Cache(64), Cache(32), Cache(32)
        self._results, self._outcomes = Cache(32), Cache(64)
        self._sheets, self._logs = Cache(4), Cache(8)  # of logs that were pasted
        self._puzzles, self._probes, self._places = Cache(256), Cache(256), Cache(256)
        self._turns = Turns()  # of trainings that sessions wait for: each takes a core, or a gigabyte

    # -- models with a bug in them -----------------------------------------------------------------------------------

    def checkpoint(self, name: str) -> Checkpoint:
        """`bug/NAME@MODEL`, the healthy `cured/NAME@MODEL` it is compared with, `puzzle/LEVEL-SEED`, or `moment/…`."""
        if name.startswith("moment/"):
            return self.moments.opened(Name.read(name)).checkpoint
        if hidden := self.hidden(name):
            return self.checkpoint(bug_name(hidden.bug, hidden.model))
        kind, bug, model = parts_of(name)
        make, base = broken if kind == BUG else healthy, self._bench.checkpoint(model)
        return self._models.get((name, base.model), lambda: _quietly(lambda: make(base, bug_named(bug))))

    def hidden(self, name: str) -> Puzzle | None:
        """The puzzle that a model's name stands for."""
        found = _PUZZLE.fullmatch(name)
        return None if found is None else self.puzzle(int(found[2]), int(found[1]))

    def prompt(self, name: str) -> str:
        """The text of a puzzle, or of a moment; empty for other models."""
        if name.startswith("moment/"):
            return self.moments.prompt(Name.read(name))
        hidden = self.hidden(name)
        return hidden.prompt if hidden is not None else ""

    @cached_property
    def moments(self) -> Moments:
        return Moments(self._bench)

    def moment_run(self, request: Request) -> Run:
        """The walk through a training step that belongs to no run."""
        return self.moments.run(request)

    def why_not(self, bug: Bug, model: str) -> str:
        return why_not(bug, self._bench.checkpoint(model))

    def difference(self, bug: Bug, model: str, prompt: str) -> Difference | None:
        """The first step at which the broken model is not as the healthy one, on this prompt."""
        return self._differences.get((bug.name, model, prompt), lambda: self._difference(bug, model, prompt))

    def _difference(self, bug: Bug, model: str, prompt: str) -> Difference | None:
        names = (healthy_name(bug, model), bug_name(bug.name, model))
        a, b = (self._bench.run(Request(name, prompt)).trace for name in names)
        return first_difference(a, b)

    def race(self, bug: Bug, model: str) -> Race:
        """Two trainings from the same weights, without and with the bug."""
        base = self._bench.checkpoint(model)
        return self._races.get((bug.name, base.model), lambda: _quietly(lambda: race(base, bug)))

    def parted(self, bug: Bug, model: str) -> Seen | None:
        """The first training step in which the recordings of the two trainings differ, and where."""
        parting = self.race(bug, model).parting
        if parting is None:
            return None
        return self._partings.get((bug.name, model), lambda: self._parted(bug, model, parting))

    def _parted(self, bug: Bug, model: str, parting: Parting) -> Seen | None:
        for step in (parting.step, parting.step + 1):  # what a step leaves in the weights is seen in the next
            a, b = (str(Name(RACE, step, f"{kind}/{bug.name}@{model}")) for kind in (CURED, BUG))
            ours, theirs = (self._bench.run(Request(name, "")) for name in (a, b))
            if found := next(iter(value_differences(ours.trace, theirs.trace, most=1)), None):
                return seen_at(ours, Seen(a, "", found.address, found.cell, step=step, b_model=b))
            if found := gradient_difference(ours.trace, theirs.trace):
                place = Seen(a, "", found.address, found.cell, gradient=True, step=step, b_model=b)
                if found.address in ours.trace.weights and parting.what == "gradient":
                    place = replace(place, where=parting.where, cell=parting.cell)
                return seen_at(ours, place)
        return None

    def verdict(self, bug: Bug, model: str) -> tuple[Finding, ...]:
        return self._verdicts.get(
            (bug.name, model), lambda: _quietly(lambda: verdict(self._bench.checkpoint(model), bug))
        )

    # -- the doctor --------------------------------------------------------------------------------------------------

    def examine(self, model: str) -> Examined:
        """What the doctor says of a model.

        Raises:
            UserError: it is a puzzle, which must not be given away.
        """
        if self.hidden(model):
            raise UserError("This model is a puzzle: the doctor answers there, one probe at a time.")
        checkpoint = self._bench.checkpoint(model)
        return self._examined.get((model, checkpoint.model), lambda: _quietly(lambda: self._examine(model)))

    def _examine(self, model: str) -> Examined:
        patient = self.moments.patient(model)
        tokenizer = self._bench.checkpoint(model).tokenizer
        return Examined(tuple(examine(patient)), tokenizer.decode(patient.ids[0].tolist()))

    def seen(self, model: str, prompt: str, finding: Finding) -> Seen | None:
        """Where the step-through shows what the doctor found in a model; None if there is no such place.

        Args:
            prompt: what the patient reads where the finding says nothing else.
        """
        try:
            key = (model, prompt, finding.check, finding.where, finding.measured)
            return self._places.get(key, lambda: self._seen(model, prompt, finding))
        except UserError:  # a model too large to make the step again, or texts that don't come back from their ids
            return None

    def _seen(self, model: str, prompt: str, finding: Finding) -> Seen | None:
        if not finding.where:
            return None
        if finding.step and CHECKS[finding.check].lesson is not None:
            name = Name(finding.check, finding.step, model)
            if finding.where == WANTED and finding.cell:
                n_pos = self.moments.opened(name).batch.inputs.shape[1]
                name = replace(name, row=finding.cell[0] // n_pos)
            place = Seen(str(name), "", finding.where, finding.cell or (), finding.gradient, finding.step)
            if finding.where == "loss":  # there in every step: no need to make it before somebody looks
                return place
            return seen_at(self._bench.run(Request(str(name), "")), place)
        read, beside = (self._text(model, ids) for ids in (finding.ids, finding.beside))
        place = Seen(model, read or prompt, finding.where, finding.cell or (), finding.gradient, b_prompt=beside)
        return seen_at(self._bench.run(Request(model, place.prompt)), place)

    def _text(self, model: str, ids: tuple[int, ...]) -> str:
        """The text that a model reads as these ids; empty if none is."""
        tokenizer = self._bench.checkpoint(model).tokenizer
        text = tokenizer.decode(list(ids)) if ids else ""
        return text if tokenizer.encode(text).ids == ids else ""

    def seen_in_run(self, run: str, finding: Finding) -> Seen | None:
        """The training step of a run that a finding on its curves is about, or the nearest that can be opened."""
        if not finding.step:
            return None
        saved = [stop.step for stop in self._bench.runs.stops(run)]
        failed = self._bench.runs.get(run).details.get("step")
        if not saved:
            return None
        near = [finding.step] if finding.step == failed else [_openable(finding.step, one) for one in saved]
        step = min(near, key=lambda one: abs(one - finding.step))
        return Seen(training_step_name(run, step), "", "loss", gradient=finding.gradient, step=step)

    def seen_in_pitfall(self, pitfall: str, finding: Finding, last: int) -> Seen:
        """The training step of a pitfall that a finding is about; the last one, where it is about all of them."""
        step = finding.step or last
        where = finding.where if finding.where in ("loss", "tokenizer") else "loss"
        return Seen(str(Name(PITFALL, step, pitfall)), "", where, gradient=finding.gradient, step=step)

    def drawn(self, model: str, temperature: float, top_k: int) -> Drawn:
        """What a model writes on from its first prompt, and whether the settings leave it a choice."""
        checkpoint, prompt = self._bench.checkpoint(model), self._bench.first_prompt(model)
        room = checkpoint.config.n_ctx - len(
            checkpoint.tokenizer.encode(prompt)
        )  # past it, small models lose the thread
        n_tokens = max(4, min(NEW_TOKENS, room))
        settings = Settings(temperature=temperature, top_k=top_k, max_new_tokens=n_tokens)
        written = self._bench.writing(checkpoint, prompt, settings).first(n_tokens)
        logits = torch.from_numpy(
            self._bench.run(Request(model, prompt)).trace["logits"].outputs[0].array[0, -1].copy()
        )
        finding = sampling(settings, logits, written.new_ids)
        return Drawn(checkpoint.tokenizer.decode(written.ids), finding)

    def last_model(self, run: str) -> str:
        """The name of a run's model as it was last saved; empty if it has saved none yet."""
        stops = self._bench.runs.stops(run)
        return moment_name(run, stops[-1].step) if stops else ""

    def history(self, run: str) -> History:
        """The curves of a run of the store."""
        runs = self._bench.runs

        def points(metric: str) -> tuple[tuple[int, float], ...]:
            found = runs.series(run, metric, POINTS)
            return tuple((int(step), float(number)) for step, number in zip(found.steps, found.numbers, strict=True))

        measured, found = runs.metrics(run), runs.get(run)
        ratios: dict[int, float] = {}
        for metric in measured:
            if "update_ratio" in metric:
                for step, ratio in points(metric):
                    ratios[step] = max(ratio, ratios.get(step, 0.0))
        history = History(
            losses=points("loss"),
            held_out=points("held_out_loss") if "held_out_loss" in measured else (),
            grad_norms=points("grad_norm") if "grad_norm" in measured else (),
            update_ratios=tuple(sorted(ratios.items())),
            d_vocab=found.facts.get("d_vocab"),
        )
        if found.is_active or "baselines" not in found.facts:  # what still learns is not compared with counting
            return history
        counted = Counted(*(found.facts["baselines"][name] for name in ("uniform", "unigram", "bigram")))
        on_all = points("measured_loss")[-1:] if "measured_loss" in measured else ()
        return replace(history, counted=counted, true_loss=_true_loss(history, on_all))

    def diagnose(self, history: History) -> tuple[Finding, ...]:
        return diagnose(history)

    def columns(self, log: str, roles: Mapping[str, Role]) -> tuple[Taken, ...]:
        """Every name in a log that someone pasted, and what it is taken for.

        Raises:
            UserError: it is too long.
        """
        return taken(self._sheet(log), roles)

    def log(self, log: str, d_vocab: int | None, roles: Mapping[str, Role]) -> Log:
        """The history in a log, read with the roles that a reader has chosen.

        Raises:
            UserError: no column in it is a loss.
        """
        key = (log, d_vocab, tuple(sorted(roles.items())))
        return self._logs.get(key, lambda: judged(self._sheet(log), d_vocab, roles))

    def _sheet(self, log: str) -> Sheet:
        return self._sheets.get(log, lambda: read_sheet(log))

    # -- pitfalls ----------------------------------------------------------------------------------------------------

    def has_run(self, setup: Setup) -> bool:
        return setup in self._results

    def result(
        self, setup: Setup, watch: Callable[[Snapshot], None] = lambda snapshot: None, waiting: Waiting = in_silence
    ) -> Result:
        """A training of a pitfall, run once, when its turn has come; `watch` sees its steps.

        If `watch` raises, because nobody looks any more, the training ends there.
        """
        if setup in self._results:
            return self._results.get(setup, lambda: _quietly(lambda: result_of(setup, watch)))
        with self._turns.turn(waiting):
            return self._results.get(setup, lambda: _quietly(lambda: result_of(setup, watch)))

    def try_out(self, trial: Trial, waiting: Waiting = in_silence) -> Outcome:
        """A trial in a process of its own, made once, when its turn has come."""
        if trial in self._outcomes:
            return self._outcomes.get(trial, lambda: try_out(trial))
        with self._turns.turn(waiting):
            return self._outcomes.get(trial, lambda: try_out(trial))

    # -- the game ----------------------------------------------------------------------------------------------------

    def puzzle(self, seed: int, level: int) -> Puzzle:
        return self._puzzles.get((seed, level), lambda: puzzle(seed, level, self._models_at_hand()))

    def fair(self, asked: Puzzle) -> tuple[str, ...]:
        """The stages that are a right answer."""
        checkpoint = self._bench.checkpoint(asked.model)
        return self._probes.get((asked, "fair"), lambda: fair_places(checkpoint, asked))

    def probe(self, asked: Puzzle, check: str) -> Finding:
        checkpoint = self._bench.checkpoint(asked.model)
        return self._probes.get((asked, check), lambda: probe(checkpoint, asked, check))

    def glance(self, asked: Puzzle, stage: int) -> Glance:
        checkpoint = self._bench.checkpoint(asked.model)
        return self._probes.get((asked, stage), lambda: glance(checkpoint, asked, stage))

    def _models_at_hand(self) -> dict[str, Checkpoint]:
        return {name: self._bench.checkpoint(name) for name in self._bench.models()}


def _true_loss(history: History, measured: Points) -> float | None:
    """The loss of a run on its texts: as it was measured at its end, else the lower of its last batches' and of that on
    new texts, since dropout makes the former too high."""
    if measured:
        return measured[-1][1]
    if not history.finite:
        return None
    return min([history.end, *(loss for _, loss in history.held_out[-1:] if math.isfinite(loss))])


def bug_name(bug: str, model: str) -> str:
    return f"{BUG}/{bug}@{model}"


def healthy_name(bug: Bug, model: str) -> str:
    """The model that a broken one is compared with: the model itself, unless the bug is in how it was trained."""
    return f"{CURED}/{bug.name}@{model}" if bug.retrain or bug.needs_dropout else model


def puzzle_name(asked: Puzzle) -> str:
    return f"{PUZZLE}/{asked.level}-{asked.seed}"


@lru_cache(maxsize=256)
def parts_of(name: str) -> tuple[str, str, str]:
    """Kind, bug and model of a name."""
    found = _BROKEN.fullmatch(name)
    if found is None or found[3].startswith(BROKEN):
        raise UserError("There is no folder {folder}.", folder=name)
    return found[1], found[2], found[3]


def _quietly(make: Callable[[], T]) -> T:
    """What is made, on one thread."""
    with one_thread():
        return make()


def _openable(step: int, saved: int) -> int:
    """The step nearest to one that can be opened from a checkpoint."""
    return min(max(step, saved + 1), saved + 1 + MOST_REPLAYED)
