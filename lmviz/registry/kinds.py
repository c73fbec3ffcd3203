"""The kinds of models that can be asked for, and the one reader of what a link writes."""

from __future__ import annotations

from lmviz.registry.attached import Attached
from lmviz.registry.bug import Healthy, WithBug
from lmviz.registry.folder import Folder
from lmviz.registry.hub import HubModel
from lmviz.registry.lesson_step import CheckStep, PairedStep, PitfallStep
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recorded import Recorded
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunModel, RunStep

KINDS: tuple[type[Reference], ...] = (
    RunModel,
    RunStep,
    WithBug,
    Healthy,
    PuzzleModel,
    PairedStep,
    PitfallStep,
    CheckStep,
    HubModel,
    Attached,
    Recorded,
    Folder,  # the last: it takes what none of the others is
)


def read_reference(written: str) -> Reference:
    """What a link asks for. Whatever it writes is some kind: what makes no sense is a folder that is not there.

    >>> read_reference("names"), read_reference("runs/0f3a@100"), read_reference("bug/no_mask@names")
    (Folder(name='names'), RunModel(run='0f3a', step=100), WithBug(bug='no_mask', base=Folder(name='names')))
    """
    found = (kind.read(written, read_reference) for kind in KINDS)
    return next(reference for reference in found if reference is not None)
