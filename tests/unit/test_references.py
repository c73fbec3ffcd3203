"""What a link asks for: read, written, and told apart by its type."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmviz.registry.attached import Attached
from lmviz.registry.bug import Healthy, WithBug
from lmviz.registry.edits import CellEdit, HeadOff
from lmviz.registry.folder import Folder
from lmviz.registry.hub import HubModel
from lmviz.registry.kinds import KINDS, read_reference
from lmviz.registry.lesson_step import CheckStep, PairedStep, PitfallStep
from lmviz.registry.puzzle import PuzzleModel
from lmviz.registry.recorded import Recorded
from lmviz.registry.reference import Reference
from lmviz.registry.run import RunModel, RunStep
from lmviz.ui.step_through.view import StepThroughView

WORD = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
ID = st.from_regex(r"[0-9a-f]{4,12}", fullmatch=True)
N = st.integers(0, 99_999)
FOLDERS = st.builds(Folder, st.sampled_from(["names", "/a/b", "~/x y", "./é"]))
HUB = st.builds(HubModel, st.sampled_from(["org/name", "a-b/c.d"]), st.sampled_from(["", "main", "v1.0"]))
BASES = FOLDERS | HUB | st.builds(RunModel, ID, N)
BROKEN = st.builds(WithBug, WORD, BASES) | st.builds(Healthy, WORD, BASES)
CHECKS = WORD.filter(lambda word: word not in (PairedStep.WORD, PitfallStep.WORD))
REFERENCES = st.one_of(
    BASES,
    BROKEN,
    st.builds(RunStep, ID, N, N),
    st.builds(PuzzleModel, st.integers(0, 9), N),
    st.builds(PairedStep, N, N, BROKEN),
    st.builds(PitfallStep, N, N, WORD, st.just("") | WORD),
    st.builds(CheckStep, N, N, CHECKS, BASES | BROKEN),
    st.builds(Attached, st.from_regex(r"[\w.-]{1,12}", fullmatch=True), N),
    st.builds(Recorded, st.from_regex(r"[\w.-]{1,12}", fullmatch=True)),
)


@given(REFERENCES)
def test_what_is_written_is_read_back(reference: Reference) -> None:
    assert read_reference(str(reference)) == reference
    assert hash(read_reference(str(reference))) == hash(reference)


def test_every_kind_is_tried() -> None:
    kinds = {
        Folder,
        RunModel,
        RunStep,
        WithBug,
        Healthy,
        PuzzleModel,
        PairedStep,
        PitfallStep,
        CheckStep,
        Attached,
        Recorded,
        HubModel,
    }
    assert kinds == set(KINDS)


@given(
    st.text(max_size=40) | st.from_regex(r"(runs|bug|cured|puzzle|moment|attached)/[a-z0-9!@./-]{0,30}", fullmatch=True)
)
def test_whatever_stands_in_a_link_is_some_kind_and_stays_as_it_is(written: str) -> None:
    reference = read_reference(written)
    assert isinstance(reference, tuple(KINDS))
    assert read_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "written",
    [
        "pokemon", "runs/../../etc@1", "runs/0f3a", "runs/0f3a@-1", "runs/0f3a@1x", "runs/0f3a!1.2.3", "bug/X@names",
        "bug/no_mask@bug/no_mask@names", "cured/no_mask@puzzle/1-1", "puzzle/1/2", "puzzle/12-1", "moment/x",
        "moment/race!1@names", "moment/all_move!1@puzzle/1-1", "moment/all_move!1@moment/all_move!1@names",
    ],
)  # fmt: skip
def test_what_is_no_other_kind_is_a_folder(written: str) -> None:
    assert read_reference(written) == Folder(written)


def test_a_healthy_model_and_a_broken_one_are_not_the_same() -> None:
    assert WithBug("no_mask", Folder("names")) != Healthy("no_mask", Folder("names"))


@pytest.mark.parametrize(
    ("written", "edits"),
    [
        ('[["cell","a.bias",[3],2.5]]', (CellEdit("a.bias", (3,), 2.5),)),
        ('[["head","blocks.0.attn.z",1]]', (HeadOff("blocks.0.attn.z", 1),)),
        ('[["a.bias",[3],2.5]]', (CellEdit("a.bias", (3,), 2.5),)),  # as links were written once
        ('[["blocks.0.attn.z",[1],0.0]]', (HeadOff("blocks.0.attn.z", 1),)),
        ('[["tok_embed.weight",[0,1],1]]', (CellEdit("tok_embed.weight", (0, 1), 1.0),)),
    ],
)
def test_an_edit_is_what_its_word_says(written: str, edits: tuple[CellEdit | HeadOff, ...]) -> None:
    view, wrong = StepThroughView.parse({"edits": written})
    assert view.edits == edits and not wrong
    assert StepThroughView.parse(view.query()) == (view, ())


@pytest.mark.parametrize(
    "written",
    ['[["cell","a",[3]]]', '[["head","a",[1]]]', '[["head","a",-1]]', '[["cell","a",[-1],1]]', '[["cell",3,[1],1]]',
     "[3]", '[["head","a",1.5]]', '[["cell","a",[1],"x"]]', '[["cell","a",[1],1e39]]', '[["cell","a",[1],NaN]]'],
)  # fmt: skip
def test_an_edit_that_makes_no_sense_is_left_out(written: str) -> None:
    assert StepThroughView.parse({"edits": written})[1] == ("edits",)


def test_references_are_plain_values() -> None:
    for kind in KINDS:
        assert {one.type for one in fields(kind)} <= {"str", "int", "Reference", "WithBug | Healthy"}  # type: ignore[arg-type]
