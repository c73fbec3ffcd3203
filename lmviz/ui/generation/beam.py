"""Beam search as a tree: what was kept, what was pruned and when, and why the search ended."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from lmviz.generate.beam import BeamNode, BeamSearch
from lmviz.model.checkpoint import Checkpoint
from lmviz.services.services import Services
from lmviz.ui import arithmetic_html, drawing, replay, state, widgets
from lmviz.ui.generation.pictures_types import Node, Tree
from lmviz.ui.generation.several import notes_below
from lmviz.ui.generation.view import GenerationView
from lmviz.ui.move_buttons import MOVES, move_buttons
from lmviz.ui.text import Translator, code, visible

HEIGHT = 420


def beam(services: Services, view: GenerationView) -> None:
    """A step redraws only this part."""
    checkpoint = services.generation.writer(view.model, view.weights)
    live = services.generation.searches(checkpoint, view.first(checkpoint), view.settings(checkpoint, "beam"))
    replay.with_progress(live, view.t, "beam", lambda found: st.fragment(_search)(services, checkpoint, found))


def _search(services: Services, checkpoint: Checkpoint, searches: tuple[BeamSearch, ...]) -> None:
    view = state.view(GenerationView)
    t = view.t
    last = len(searches) - 1
    at = min(view.n, last)
    where = t("generation.beam.at", at=at, last=last)
    labels = {name: t(f"generation.beam.{name}") for name in MOVES}
    move_buttons("generation.beam", labels, at, last, where, lambda to: state.go(n=to, token=None))
    search = searches[at]
    left, right = st.columns([2.6, 1], gap="medium")
    with left:
        drawing.show("generation/tree", _tree(search, checkpoint, view), t, "generation.tree", _clicked)
    with right:
        _words(view, search, checkpoint)
        notes_below(view, services, "beam")


def _clicked(event: drawing.Event) -> None:
    if isinstance(event.get("node"), int):
        node = event["node"]
        state.go(token=None if state.view(GenerationView).token == node else node)


def _tree(search: BeamSearch, checkpoint: Checkpoint, view: GenerationView) -> Tree:
    """Every candidate that was looked at, by step, the best first; the path to the one that is looked at is marked."""
    dead, gone = set(search.dead_ends), {node for node, _ in search.displaced}
    looked = view.token if view.token is not None and 0 <= view.token < len(search.nodes) else search.best[0]
    path = _path(search, looked)
    return {
        "nodes": [_node(node, checkpoint, view.t, node.index in dead, node.index in gone) for node in search.nodes],
        "path": sorted(path),
        "looked": view.token,
        "prompt": visible(checkpoint.tokenizer.decode(search.prompt)),
        "height": widgets.px(HEIGHT),
    }


def _path(search: BeamSearch, index: int) -> set[int]:
    path = set()
    at: int | None = index
    while at is not None:
        path.add(at)
        at = search.nodes[at].parent
    return path


def _node(node: BeamNode, checkpoint: Checkpoint, t: Translator, dead: bool, displaced: bool) -> Node:
    fate = "dead" if dead else "displaced" if displaced else node.fate
    return {
        "index": node.index,
        "parent": node.parent,
        "step": node.step,
        "rank": node.rank,
        "text": "" if node.token is None else visible(checkpoint.tokenizer.piece(node.token)),
        "score": t.number(node.score),
        "fate": fate,
        "title": t(f"generation.fate.{fate}"),
    }


def _words(view: GenerationView, search: BeamSearch, checkpoint: Checkpoint) -> None:
    t = view.t
    if search.step == 0:
        st.markdown(t("generation.beam.hint", n=search.settings.n_beams))
    elif search.ended:
        st.markdown(f"**{t(f'generation.beam.ended.{search.ended}')}**")
    if view.token is not None and 0 < view.token < len(search.nodes):
        _about(view, search, search.nodes[view.token], checkpoint)
    if search.finished:
        _ranked("finished", search.finished, search, checkpoint, t)
        st.caption(t("generation.beam.final", penalty=t.number(search.settings.length_penalty)))
    if not (search.finished and search.ended):
        _ranked("running", search.running, search, checkpoint, t)


def _ranked(kind: str, texts: Sequence[int], search: BeamSearch, checkpoint: Checkpoint, t: Translator) -> None:
    """The texts that are finished, or that go on, with their scores."""
    st.markdown(f"**{t(f'generation.beam.{kind}')}**")
    for place, index in enumerate(texts[: search.settings.n_beams], start=1):
        node = search.nodes[index]
        score = t.number(node.score if node.final is None else node.final)
        whole = visible(checkpoint.tokenizer.decode(search.ids(index)))
        st.markdown(f"{place}. {code(whole)}  {score}")


def _about(view: GenerationView, search: BeamSearch, node: BeamNode, checkpoint: Checkpoint) -> None:
    """One text of the tree, and why it went on or did not."""
    t = view.t
    parent = search.nodes[node.parent or 0]
    whole = visible(checkpoint.tokenizer.decode(search.ids(node.index)))
    added = arithmetic_html.equation(
        t, "{before} + {log_prob}", node.score, 2, before=parent.score, log_prob=node.log_prob
    )
    lines = [code(whole), t("generation.beam.sum", line=added.bold, **added.numbers, rank=node.rank + 1)]
    if node.final is not None:
        penalty = search.settings.length_penalty
        line = arithmetic_html.equation(
            t, "{score} ÷ {n} ^ {penalty}", node.final, 2, score=node.score, n=node.step, penalty=penalty
        )
        lines.append(t("generation.beam.divided", line=line.bold))
    lines.append(t(f"generation.fate.{node.fate}"))
    st.markdown("  \n".join(lines))
