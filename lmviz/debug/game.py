"""Find the bug: a puzzle by its seed, probes that cost, an answer that is judged, and a score."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from lmviz.debug.bugs.bug import Bug
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.bugs.difference import distance, value_differences
from lmviz.debug.bugs.models import architecture, broken, why_not
from lmviz.debug.bugs.source import diff_of
from lmviz.debug.doctor import CHECKS, examine
from lmviz.debug.doctor.finding import Finding
from lmviz.debug.subject import subject_of
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.stages.stage import KINDS, Stage
from lmviz.stages.stages import stage_at, stages_of
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace

LARGEST_SEED = 999_999
_N_CHOICES = 5
FOR_PLACE, FOR_BUG = 5, 10  # points; those for the bug once for every level
_FEWEST_TOKENS = 3  # of a puzzle's text
PROBES = tuple(name for name, check in CHECKS.items() if not check.trains)


@dataclass(frozen=True, slots=True)
class Level:
    """How hard: which bugs, how many probes, and whether the step-through shows what must hold."""

    hardest: int
    probes: int
    invariants: bool


LEVELS = {1: Level(1, 6, True), 2: Level(2, 4, True), 3: Level(3, 3, False)}


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A broken model to look into. The same seed and level give everyone the same."""

    seed: int
    level: int
    model: str
    prompt: str
    bug: str
    choices: tuple[str, ...]  # names of bugs, the right one among them, in an order that the seed draws


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an answer was."""

    place_right: bool
    bug_right: bool
    points: int


@dataclass(frozen=True, slots=True)
class Score:
    """Of one session."""

    points: int = 0
    streak: int = 0
    best_streak: int = 0
    found: int = 0
    played: int = 0


def puzzle(seed: int, level: int, models: Mapping[str, Checkpoint]) -> Puzzle:
    """The puzzle with this seed.

    Args:
        models: to choose from, by name, in an order that is always the same.

    Raises:
        UserError: there is no such seed or level.
    """
    if level not in LEVELS or not 0 <= seed <= LARGEST_SEED:
        raise UserError(
            "A puzzle has a number from 0 to {largest} and a level from 1 to {levels}; got {seed} and {level}.",
            largest=LARGEST_SEED,
            levels=len(LEVELS),
            seed=seed,
            level=level,
        )
    drawn = random.Random(f"{seed}/{level}")
    pairs = [(name, bug) for bug in _bugs(level) for name in models if not why_not(bug, models[name])]
    drawn.shuffle(pairs)
    for name, bug in pairs:
        prompt = drawn.choice(models[name].card.prompts or ("",))
        if _shows(models[name], bug, prompt):
            return Puzzle(seed, level, name, prompt, bug.name, _choices(bug, models[name], prompt, level, drawn))
    raise UserError("None of the models at hand can be broken so that it shows: add a sample model.")


def fair_places(checkpoint: Checkpoint, puzzle: Puzzle) -> tuple[str, ...]:
    """The stages that name the bug fairly: those of the lines that it edits, and that of the first other number."""
    bug = BUGS[puzzle.bug]
    a, b = _runs(checkpoint, bug, puzzle.prompt)
    lines = diff_of(bug, architecture(checkpoint))
    found = {*_stages_of_lines(a, {n.number for n in lines if n.mark == "-"})}
    found |= _stages_of_lines(b, {n.number for n in lines if n.mark == "+"})
    if differing := value_differences(a, b, most=1):
        found.add(stage_at(stages_of(a), a[differing[0].address].index).kind)
    return (bug.place, *sorted(found - {bug.place}, key=KINDS.index))


def _stages_of_lines(trace: Trace, numbers: set[int]) -> set[str]:
    """The stages of the steps that some lines of the model's source make."""
    stages = stages_of(trace)
    steps = [s for s in trace if s.span.lines and numbers & set(range(s.span.lines[0], s.span.lines[1] + 1))]
    return {stage_at(stages, step.index).kind for step in steps}


def judge(puzzle: Puzzle, places: Sequence[str], place: str, bug: str, probes_used: int) -> Verdict:
    """Points for the stage, more for the bug, less for each probe; nothing for two wrong answers.

    Args:
        places: the stages that are fair.
    """
    place_right, bug_right = place in places, bug == puzzle.bug
    earned = FOR_PLACE * place_right + FOR_BUG * puzzle.level * bug_right
    return Verdict(place_right, bug_right, max(earned - probes_used, 1) if earned else 0)


def counted(score: Score, verdict: Verdict) -> Score:
    """The score after one more puzzle. A streak is of bugs that were named."""
    streak = score.streak + 1 if verdict.bug_right else 0
    return replace(
        score,
        points=score.points + verdict.points,
        streak=streak,
        best_streak=max(score.best_streak, streak),
        found=score.found + verdict.bug_right,
        played=score.played + 1,
    )


def probe(checkpoint: Checkpoint, puzzle: Puzzle, check: str) -> Finding:
    """One check of the doctor, on the broken model."""
    if check not in PROBES:
        raise UserError("There is no probe called {name}; there are {known}.", name=check, known=", ".join(PROBES))
    (finding,) = examine(subject_of(broken(checkpoint, BUGS[puzzle.bug])), (check,))
    return finding


@dataclass(frozen=True, slots=True)
class StageComparison:
    """A comparison with the healthy model at one stage."""

    stage: Stage
    address: str
    largest: float  # of |A − B| there; 0: no difference so far; infinite: another shape, or no such step


def compare_stage(checkpoint: Checkpoint, puzzle: Puzzle, stage: int) -> StageComparison:
    """How far the broken model is from the healthy one at the end of a stage: the other kind of probe."""
    a, b = _runs(checkpoint, BUGS[puzzle.bug], puzzle.prompt)
    found = next(s for s in stages_of(b) if s.index == stage)
    if found.stop < 0:
        return StageComparison(found, "", 0.0)
    address = b[found.stop].address
    ours, theirs = a.value(address), b.value(address)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return StageComparison(found, address, float("inf"))
    return StageComparison(found, address, float(distance(ours.array, theirs.array).max(initial=0)))


def _bugs(level: int) -> tuple[Bug, ...]:
    """Bugs that a walk through the model can show."""
    hardest = LEVELS[level].hardest
    return tuple(b for b in BUGS.values() if not b.in_loop and not b.retrain and hardest - 1 <= b.level <= hardest)


def _choices(bug: Bug, checkpoint: Checkpoint, prompt: str, level: int, drawn: random.Random) -> tuple[str, ...]:
    """The bug, and others that could have been in its place."""
    others = [b.name for b in _bugs(level) if b is not bug and not why_not(b, checkpoint)]
    drawn.shuffle(others)
    could_be = (name for name in others if _shows(checkpoint, BUGS[name], prompt))
    chosen = [bug.name, *islice(could_be, _N_CHOICES - 1 + level - 1)]
    drawn.shuffle(chosen)
    return tuple(chosen)


def _shows(checkpoint: Checkpoint, bug: Bug, prompt: str) -> bool:
    """Whether the text is long enough to look at, and the bug changes any number of its run."""
    if len(checkpoint.tokenizer.encode(prompt)) < _FEWEST_TOKENS:
        return False
    return bool(value_differences(*_runs(checkpoint, bug, prompt), most=1))


def _runs(checkpoint: Checkpoint, bug: Bug, prompt: str) -> tuple[Trace, Trace]:
    ids = checkpoint.tokenizer.encode(prompt).ids_tensor[:, -checkpoint.config.n_ctx :]
    with torch.no_grad():
        return record(checkpoint.model, ids), record(broken(checkpoint, bug).model, ids)
