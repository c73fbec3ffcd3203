"""Beam search as a tree: at every step the likeliest texts are kept, the others pruned (Graves 2012; Sutskever 2014).

The rules are those of the `transformers` library, whose results it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lmviz.generate.columns import filtered
from lmviz.generate.reading import next_logits
from lmviz.generate.settings import Settings
from lmviz.model.checkpoint import Checkpoint

KEPT = "kept"  # among the best at its step: it is written on
_FINISHED = "finished"  # ends here, among the best
_OUTSCORED = "outscored"  # enough other texts are likelier
_LATE_STOP = "late_stop"  # ends here, but likelier texts fill all the beams
_BEATEN = "beaten"  # ends here, but enough finished texts score higher


@dataclass(frozen=True)
class BeamNode:
    """A text: that of its parent, and one token more. Only the best candidates of a step become nodes."""

    index: int  # in the search's `nodes`
    parent: int | None  # None for the root, which is the prompt
    step: int  # how many new tokens it has
    token: int | None
    log_prob: float  # of its token, given those before, in nats; after the penalties, which may leave no distribution
    score: float  # of all its new tokens: the sum of their log_probs
    rank: int  # among the candidates of its step, the best is 0
    fate: str
    final: float | None = None  # score / step ** length_penalty, for texts that end here


@dataclass(frozen=True)
class BeamSearch:
    """A search, as far as it has come. `_advance` takes it one step further."""

    prompt: tuple[int, ...]
    settings: Settings
    nodes: tuple[BeamNode, ...]  # the root first, then the candidates step by step, the best first
    running: tuple[int, ...]  # the texts that are still written on, the best first
    finished: tuple[int, ...] = ()  # the best that ended, by their final score
    displaced: tuple[tuple[int, int], ...] = ()  # (node, step): was among the finished, until better ones came
    ended: str = ""  # "": goes on; "length", "stop": every candidate ends; "no_better"; "full"; "nothing"

    def ids(self, node: int) -> tuple[int, ...]:
        """The whole text that a node stands for."""
        found, at = [], self.nodes[node]
        while at.parent is not None and at.token is not None:
            found.append(at.token)
            at = self.nodes[at.parent]
        return (*self.prompt, *reversed(found))

    @property
    def step(self) -> int:
        return self.nodes[-1].step

    @property
    def best(self) -> tuple[int, ...]:
        """The texts found, best first; while none has ended, those that are still running."""
        return self.finished or self.running

    @property
    def dead_ends(self) -> tuple[int, ...]:
        """Texts that were kept at one step, and of which nothing was kept at the next."""
        parents = {node.parent for node in self.nodes if node.fate in (KEPT, _FINISHED)}
        return tuple(n.index for n in self.nodes if n.fate == KEPT and n.step < self.step and n.index not in parents)


def beam_searches(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings) -> Iterator[BeamSearch]:
    """The search at every step, from the bare prompt to its end."""
    root = BeamNode(index=0, parent=None, step=0, token=None, log_prob=0.0, score=0.0, rank=0, fate=KEPT)
    search = BeamSearch(tuple(prompt), settings, nodes=(root,), running=(0,))
    yield search
    while not search.ended:
        search = _advance(checkpoint, search)
        yield search


def beam_search(checkpoint: Checkpoint, prompt: Sequence[int], settings: Settings) -> BeamSearch:
    """The whole search; its `best` nodes are the texts that `n_beams` beams find."""
    *_, search = beam_searches(checkpoint, prompt, settings)
    return search


def _advance(checkpoint: Checkpoint, search: BeamSearch) -> BeamSearch:
    """One token further: all continuations of all running texts compete, the best are kept."""
    candidates = _judged(search, _candidates(checkpoint, search))
    if not candidates:
        return replace(search, ended="nothing")
    nodes = (*search.nodes, *candidates)
    ended_here = [node.index for node in candidates if node.fate == _FINISHED]
    ranked = sorted((*search.finished, *ended_here), key=lambda index: -(nodes[index].final or 0.0))
    finished, beaten = ranked[: search.settings.n_beams], ranked[search.settings.n_beams :]
    nodes = tuple(
        replace(node, fate=_BEATEN) if node.index in beaten and node.index in ended_here else node for node in nodes
    )
    displaced = tuple((index, candidates[0].step) for index in beaten if index not in ended_here)
    running = tuple(node.index for node in candidates if node.fate == KEPT)
    grown = BeamSearch(search.prompt, search.settings, nodes, running, tuple(finished), (*search.displaced, *displaced))
    return replace(grown, ended=_reason_to_end(grown))


def _candidates(checkpoint: Checkpoint, search: BeamSearch) -> list[BeamNode]:
    """The best continuations of all running texts: twice as many as beams, or more, so that some don't end."""
    settings = search.settings
    log_probs = _log_probs(checkpoint, [search.ids(index) for index in search.running], settings)  # [beam, d_vocab]
    scores = torch.tensor([search.nodes[index].score for index in search.running])
    totals = (log_probs + scores[:, None]).flatten()
    n_candidates = max(2, 1 + len(settings.stop)) * settings.n_beams
    best = totals.topk(min(n_candidates, int((totals > -torch.inf).sum())))
    found = []
    for rank, (score, place) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
        beam, token = divmod(place, log_probs.shape[-1])
        log_prob = float(log_probs[beam, token])
        index = len(search.nodes) + rank
        found.append(BeamNode(index, search.running[beam], search.step + 1, token, log_prob, score, rank, _OUTSCORED))
    return found


def _log_probs(checkpoint: Checkpoint, rows: Sequence[Sequence[int]], settings: Settings) -> Tensor:
    """ln p of every token after each row, [row, d_vocab], with the penalties for repeating."""
    log_probs = next_logits(checkpoint, rows).log_softmax(-1)
    return torch.stack([filtered(row, ids, settings) for row, ids in zip(log_probs, rows, strict=True)])


def _judged(search: BeamSearch, candidates: Sequence[BeamNode]) -> list[BeamNode]:
    """The candidates with their fates: as many as there are beams go on; those that end must be among the best."""
    settings = search.settings
    judged, n_kept = [], 0
    for node in candidates:
        if node.token in settings.stop or node.step == settings.max_new_tokens:
            final = node.score / node.step**settings.length_penalty
            fate = _FINISHED if node.rank < settings.n_beams else _LATE_STOP
            judged.append(replace(node, fate=fate, final=final))
        elif n_kept < settings.n_beams:
            judged.append(replace(node, fate=KEPT))
            n_kept += 1
        else:
            judged.append(node)
    return judged


def _reason_to_end(search: BeamSearch) -> str:
    settings = search.settings
    if not search.running:
        return "length" if search.step == settings.max_new_tokens else "stop"
    if len(search.finished) < settings.n_beams:
        return ""
    if settings.early_stopping == "first":
        return "full"
    return "" if _can_improve(search) else "no_better"


def _can_improve(search: BeamSearch) -> bool:
    """Whether the best running text, if it lost no more probability, would beat the worst of the finished ones.

    "estimate" takes it at its present length, which can be wrong where longer texts are rewarded; "never" stops only
    where no length at all could help.
    """
    settings = search.settings
    is_longest_best = settings.early_stopping == "never" and settings.length_penalty > 0
    length = float(settings.max_new_tokens if is_longest_best else search.step)
    best_running: float = search.nodes[search.running[0]].score / length**settings.length_penalty
    return best_running > min(search.nodes[index].final or 0.0 for index in search.finished)
