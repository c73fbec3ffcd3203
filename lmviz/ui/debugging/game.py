"""Find the bug: a broken model by its seed, its source hidden, a few probes, one answer."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import Any

import streamlit as st

from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.game import FOR_BUG, FOR_PLACE, PROBES, Puzzle, Score, Verdict, counted, judge
from lmviz.debug.game import LEVELS as RULES
from lmviz.registry.folder import Folder
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recording import Recording, Request
from lmviz.services.services import Services
from lmviz.stages.stage import Stage
from lmviz.ui import shell, state, widgets
from lmviz.ui.debugging import words
from lmviz.ui.debugging.lab import show_diff
from lmviz.ui.debugging.view import LARGEST_SEED, LEVELS, DebuggingView
from lmviz.ui.step_through.view import StepThroughView
from lmviz.ui.text import Translator, visible

SCORE, ROUNDS = "debug.score", "debug.rounds"
_INCOMPLETE = "debug.incomplete"  # that an answer was sent with nothing chosen
_FRESH: dict[str, Any] = {"probes": (), "answer": ()}  # of another puzzle


def section(services: Services, view: DebuggingView) -> None:
    t = view.t
    with st.container(horizontal=True, vertical_alignment="center"):
        widgets.segmented_control(
            t("game.level"),
            LEVELS,
            format_func=lambda level: t(f"game.level.{level}"),
            label_visibility="collapsed",
            required=True,
            **state.bound("level", **_FRESH),
        )
        st.number_input(t("game.seed"), 0, LARGEST_SEED, width=widgets.px(190), **state.bound("seed", **_FRESH))
        _score(view)
    st.caption(t(f"game.rules.{view.level}", **_rules(view.level)))
    with st.spinner(t("game.preparing")):
        puzzle = services.game.puzzle(view.seed, view.level)
    now = _round(services, view, puzzle)
    left, right = st.columns([1, 1], gap="large")
    with left:
        _look(services, view, puzzle, now)
    with right:
        if not now.answer:
            _answer(services, view, puzzle, now)
        else:
            _show_answer(services, view, puzzle, now)


@dataclass
class Round:
    """What a player has asked and answered of one puzzle. It is in the address bar too, and so outlives a reload."""

    probes: list[str | int]  # names of checks, and numbers of stages
    answer: tuple[str, ...] = ()  # stage and bug

    def ask(self, probe: str | int) -> None:
        self.probes.append(probe)
        state.go(probes=tuple(self.probes))


def _round(services: Services, view: DebuggingView, puzzle: Puzzle) -> Round:
    """The present round: what the session knows of it, or, after a reload, the address bar."""
    rounds: dict[str, Round] = state.remember(ROUNDS, {})
    key = f"{view.level}-{view.seed}"
    if key not in rounds:
        known = {*PROBES, *(stage.index for stage in _stages(_run(services, puzzle)))}
        probes = [probe for probe in view.probes if probe in known][: RULES[puzzle.level].probes]
        rounds[key] = Round(probes, view.answer)
    return rounds[key]


def _run(services: Services, puzzle: Puzzle) -> Recording:
    """The broken model on the puzzle's text."""
    return services.models.record(Request(PuzzleModel(puzzle.level, puzzle.seed), puzzle.prompt))


def _stages(run: Recording) -> list[Stage]:
    """The stages after which a puzzle can be compared with the healthy model."""
    return [stage for stage in run.navigator.stages if stage.stop >= 0 and stage.kind not in ("probabilities", "loss")]


def _rules(level: int) -> dict[str, int]:
    return {"probes": RULES[level].probes, "place": FOR_PLACE, "bug": FOR_BUG * level}


def score(view: DebuggingView) -> Score:
    """The session's score, or, after a reload, that of the address bar."""
    found: Score = state.remember(SCORE, Score(*view.score))
    return found


def _score(view: DebuggingView) -> None:
    t, found = view.t, score(view)
    st.space("stretch")
    labels = (("score", found.points), ("streak", found.streak), ("found", found.found))
    st.markdown(" · ".join(f"{t(f'game.{name}')} **{number}**" for name, number in labels), width="content")


def _look(services: Services, view: DebuggingView, puzzle: Puzzle, now: Round) -> None:
    """The broken model, and the probes."""
    t = view.t
    st.markdown(t("game.say"))
    st.markdown(f"**{t('game.name', seed=view.seed, level=view.level)}** · {words.code(puzzle.model)}")
    expected = _expects(t, _run(services, puzzle))
    st.markdown(t("game.expects", text=words.code(puzzle.prompt), found=expected))
    place = StepThroughView(lang=t.language, model=PuzzleModel(puzzle.level, puzzle.seed), prompt=puzzle.prompt)
    shell.link(t("game.open"), place)
    for value_text in now.probes:
        st.markdown(f"- {_probed(services, t, puzzle, value_text)}")
    left = RULES[puzzle.level].probes - len(now.probes)
    if not now.answer:
        st.markdown(f"**{t('game.probes', n=left)}**")
        if left > 0:
            _probes(services, view, puzzle, now)


def _expects(t: Translator, run: Recording) -> str:
    """What the broken model takes for the likeliest next tokens."""
    shares = run.trace["readout.probs"].outputs[0].array[0, -1]
    best = sorted(range(len(shares)), key=lambda i: -float(shares[i]))[:3]
    return ", ".join(f"{words.code(run.piece(i))} {t.percent(float(shares[i]))}" for i in best)


def _probes(services: Services, view: DebuggingView, puzzle: Puzzle, now: Round) -> None:
    t, run = view.t, _run(services, puzzle)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.selectbox(t("game.check"), PROBES, format_func=lambda name: t(f"doctor.{name}.title"), key="probe")
        st.button(t("game.ask"), key="game.ask", on_click=lambda: now.ask(widgets.value("probe")))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        widgets.selectbox(
            t("game.glance"),
            [stage.index for stage in _stages(run)],
            format_func=lambda index: words.stage_name(t, run.navigator.stages[index]),
            key="glance",
        )
        st.button(t("game.compare"), key="game.compare", on_click=lambda: now.ask(widgets.value("glance")))


def _probed(services: Services, t: Translator, puzzle: Puzzle, asked: str | int) -> str:
    """What a probe found."""
    if isinstance(asked, str):
        finding = services.game.probe(puzzle, asked)
        sign = {True: ":green[:material/check:]", False: ":orange[:material/close:]", None: ":gray[:material/help:]"}
        title = words.about(t, finding, "title")
        return f"{sign[finding.holds]} **{title}** · {words.measured(t, finding)}"
    found = services.game.compare_stage(puzzle, asked)
    stage = f"**{words.stage_name(t, found.stage)}**"
    if found.largest == 0:
        return t("game.equal", stage=stage)
    if math.isinf(found.largest):
        return t("game.other_shape", stage=stage)
    return t("game.differs", stage=stage, largest=words.value_text(t, found.largest))


def _answer(services: Services, view: DebuggingView, puzzle: Puzzle, now: Round) -> None:
    t = view.t
    places = list(dict.fromkeys(bug.place for bug in BUGS.values() if bug.place != "training"))
    ids = {part: f"{part}.{puzzle.level}.{puzzle.seed}" for part in ("place", "bug")}
    with st.form("game.answer"):
        if state.take(_INCOMPLETE, False):
            st.warning(t("game.incomplete"))
        widgets.selectbox(
            t("game.place"),
            places,
            index=None,
            placeholder=t("game.choose"),
            format_func=lambda kind: t(f"stage.{kind}.title"),
            key=ids["place"],
        )
        widgets.radio(
            t("game.which"),
            puzzle.choices,
            index=None,
            format_func=lambda name: t(f"bug.{name}"),
            key=ids["bug"],
        )
        st.form_submit_button(
            t("game.answer"),
            type="primary",
            icon=":material/gavel:",
            on_click=lambda: _judge(
                services, view, puzzle, now, *(widgets.value(ids[part]) for part in ("place", "bug"))
            ),
        )


def _judge(
    services: Services, view: DebuggingView, puzzle: Puzzle, now: Round, place: str | None, bug: str | None
) -> None:
    """The first answer that names both counts; one that does not is told so."""
    if place is None or bug is None:
        state.keep(_INCOMPLETE, True)
    elif not now.answer:
        now.answer = place, bug
        told = counted(score(view), _verdict(services, puzzle, now))
        state.keep(SCORE, told)
        state.go(answer=now.answer, score=astuple(told))


def _verdict(services: Services, puzzle: Puzzle, now: Round) -> Verdict:
    place, bug = now.answer
    return judge(puzzle, services.game.fair(puzzle), place, bug, len(now.probes))


def _show_answer(services: Services, view: DebuggingView, puzzle: Puzzle, now: Round) -> None:
    """The answer, with the edit and the tell."""
    t, verdict, bug = view.t, _verdict(services, puzzle, now), BUGS[puzzle.bug]
    outcome = {(True, True): "both", (False, True): "bug_only", (True, False): "place_only"}
    key = outcome.get((verdict.place_right, verdict.bug_right), "neither")
    show = st.success if verdict.bug_right else st.info
    show(t(f"game.{key}", points=verdict.points))
    st.markdown(f"## {visible(t(f'bug.{bug.name}')).replace('·', ' ')}")
    fair = [t(f"stage.{kind}.title") for kind in services.game.fair(puzzle)]
    st.markdown(f"{t('game.stages', stages=' · '.join(fair))}  \n{t(f'bug.{bug.name}.tell')}")
    show_diff(services, view, bug, Folder(puzzle.model))
    st.button(
        t("game.next"),
        icon=":material/skip_next:",
        type="primary",
        key="game.next",
        on_click=lambda: state.go(seed=(state.view(DebuggingView).seed + 1) % (LARGEST_SEED + 1), **_FRESH),
    )
