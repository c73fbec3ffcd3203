"""The doctor: of a model, of a run of the store, of a log; and where the step-through shows what it found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from lmviz.debug.doctor import CHECKS, examine
from lmviz.debug.doctor.curves import diagnose
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.doctor.history import Counted, History, Points
from lmviz.debug.doctor.lessons import WANTED_TOKENS
from lmviz.debug.doctor.log import Log, judged
from lmviz.debug.doctor.outputs import sampling
from lmviz.debug.logs.column_roles import ColumnRole, column_roles
from lmviz.debug.logs.columns import Sheet
from lmviz.debug.logs.own_process import read_in_own_process
from lmviz.debug.logs.roles import Role
from lmviz.debug.threads import one_thread
from lmviz.errors import UserError
from lmviz.generate.settings import Settings
from lmviz.registry.lesson_step import CheckStep, PitfallStep, examined
from lmviz.registry.models import Models
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recording import Request
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunModel, RunStep
from lmviz.services.generation import Generation
from lmviz.services.places import FindingPlace, place_in
from lmviz.train.time_travel import MOST_REPLAYED

POINTS = 2000  # of a curve
_NEW_TOKENS = 24


@dataclass(frozen=True, eq=False)
class Examined:
    """A model, what it read, and what the doctor found."""

    findings: tuple[Finding, ...]
    prompt: str  # opens the walk in which the findings' addresses are


@dataclass(frozen=True)
class SampledText:
    """A text that was drawn, and what the doctor says of how."""

    text: str
    finding: Finding


class Doctor:
    """Shared by all sessions; safe to use from several threads."""

    def __init__(self, models: Models, generation: Generation) -> None:
        self._models, self._generation = models, generation
        self._examined, self._places = models.cache(24), models.cache(256)
        self._sheets, self._logs = models.cache(4), models.cache(8)  # of logs that were pasted

    def examine(self, model: Reference) -> Examined:
        """What the doctor says of a model.

        Raises:
            UserError: it is a puzzle, which must not be given away.
        """
        if isinstance(model, PuzzleModel):
            raise UserError("This model is a puzzle: the doctor answers there, one probe at a time.")
        checkpoint = self._models.checkpoint(model)
        return self._examined.get((model, checkpoint.model), lambda: self._examine(model))

    def _examine(self, model: Reference) -> Examined:
        tokenizer = self._models.checkpoint(model).tokenizer
        with one_thread():
            subject = examined(model, self._models)
            return Examined(tuple(examine(subject)), tokenizer.decode(subject.ids[0].tolist()))

    def place_of(self, model: Reference, prompt: str, finding: Finding) -> FindingPlace | None:
        """Where the step-through shows what the doctor found in a model; None if there is no such place.

        Args:
            prompt: what the subject reads where the finding says nothing else.
        """
        try:
            key = (model, model.version(self._models), prompt, finding.check, finding.where, finding.measured)
            return self._places.get(key, lambda: self._find_place(model, prompt, finding))
        except UserError:  # a model too large to make the step again, or texts that don't come back from their ids
            return None

    def _find_place(self, model: Reference, prompt: str, finding: Finding) -> FindingPlace | None:
        if not finding.where:
            return None
        if finding.step and CHECKS[finding.check].lesson is not None:
            made = CheckStep(finding.step, 0, finding.check, model)
            if finding.where == WANTED_TOKENS and finding.cell:
                n_pos = made.batch(self._models).inputs.shape[1]
                made = replace(made, row=finding.cell[0] // n_pos)
            place = FindingPlace(made, "", finding.where, finding.cell or (), finding.gradient, finding.step)
            if finding.where == "loss":  # there in every step: no need to make it before somebody looks
                return place
            return place_in(self._models.record(Request(made, "")), place)
        read, beside = (self._text(model, ids) for ids in (finding.ids, finding.beside))
        place = FindingPlace(
            model, read or prompt, finding.where, finding.cell or (), finding.gradient, b_prompt=beside
        )
        return place_in(self._models.record(Request(model, place.prompt)), place)

    def _text(self, model: Reference, ids: tuple[int, ...]) -> str:
        """The text that a model reads as these ids; empty if none is."""
        tokenizer = self._models.checkpoint(model).tokenizer
        text = tokenizer.decode(list(ids)) if ids else ""
        return text if tokenizer.encode(text).ids == ids else ""

    def place_in_run(self, run: str, finding: Finding) -> FindingPlace | None:
        """The training step of a run that a finding on its curves is about, or the nearest that can be opened."""
        if not finding.step:
            return None
        saved = [stop.step for stop in self._models.runs.stops(run)]
        failed = self._models.runs.get(run).details.get("step")
        if not saved:
            return None
        near = [finding.step] if finding.step == failed else [_openable(finding.step, one) for one in saved]
        step = min(near, key=lambda one: abs(one - finding.step))
        return FindingPlace(RunStep(run, step), "", "loss", gradient=finding.gradient, step=step)

    def place_in_pitfall(self, pitfall: str, finding: Finding, last: int) -> FindingPlace:
        """The training step of a pitfall that a finding is about; the last one, where it is about all of them."""
        step = finding.step or last
        where = finding.where if finding.where in ("loss", "tokenizer") else "loss"
        return FindingPlace(PitfallStep(step, 0, pitfall), "", where, gradient=finding.gradient, step=step)

    def sample_text(self, model: Reference, temperature: float, top_k: int) -> SampledText:
        """What a model writes on from its first prompt, and whether the settings leave it a choice."""
        checkpoint, prompt = self._models.checkpoint(model), self._models.first_prompt(model)
        room = checkpoint.config.n_ctx - len(
            checkpoint.tokenizer.encode(prompt)
        )  # past it, small models lose the thread
        n_tokens = max(4, min(_NEW_TOKENS, room))
        settings = Settings(temperature=temperature, top_k=top_k, max_new_tokens=n_tokens)
        written = self._generation.writing(checkpoint, prompt, settings).first(n_tokens)
        logits = torch.from_numpy(
            self._models.record(Request(model, prompt)).trace["logits"].outputs[0].array[0, -1].copy()
        )
        finding = sampling(settings, logits, written.new_ids)
        return SampledText(checkpoint.tokenizer.decode(written.ids), finding)

    def last_model(self, run: str) -> RunModel | None:
        """A run's model as it was last saved; None if it has saved none yet."""
        stops = self._models.runs.stops(run)
        return RunModel(run, stops[-1].step) if stops else None

    def history(self, run: str) -> History:
        """The curves of a run of the store."""
        runs = self._models.runs

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

    def columns(self, log: str, roles: Mapping[str, Role]) -> tuple[ColumnRole, ...]:
        """Every name in a log that someone pasted, and what it is taken for.

        Raises:
            UserError: it is too long.
        """
        return column_roles(self._read_log(log), roles)

    def log(self, log: str, d_vocab: int | None, roles: Mapping[str, Role]) -> Log:
        """The history in a log, read with the roles that a reader has chosen.

        Raises:
            UserError: no column in it is a loss.
        """
        key = (log, d_vocab, tuple(sorted(roles.items())))
        return self._logs.get(key, lambda: judged(self._read_log(log), d_vocab, roles))

    def _read_log(self, log: str) -> Sheet:
        return self._sheets.get(log, lambda: read_in_own_process(log))


def _true_loss(history: History, measured: Points) -> float | None:
    """The loss of a run on its texts: as it was measured at its end, else the lower of its last batches' and of that on
    new texts, since dropout makes the former too high."""
    if measured:
        return measured[-1][1]
    if not history.finite:
        return None
    return min([history.end, *(loss for _, loss in history.held_out[-1:] if math.isfinite(loss))])


def _openable(step: int, saved: int) -> int:
    """The step nearest to one that can be opened from a checkpoint."""
    return min(max(step, saved + 1), saved + 1 + MOST_REPLAYED)
