"""One record for each operation: none lacks a part, and no two speak of the same torch function."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lmviz.trace.capture.torch_functions import torch_function_of
from lmviz.trace.operations import records
from lmviz.trace.operations.operation import Operation, names_of
from lmviz.trace.operations.table import FAMILIES, OPERATIONS, SPELLINGS, _families, by_name
from lmviz.ui.text import LANGUAGES, catalogue


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_operation_has_its_sentence(language: str) -> None:
    described = {key.removeprefix("op.") for key in catalogue(language) if key.startswith("op.")}
    assert set(OPERATIONS) - described == set()
    assert described - set(OPERATIONS) == {"other"}


def test_a_record_without_a_part_cannot_be_made() -> None:
    whole = OPERATIONS["softmax"]
    parts = {name: getattr(whole, name) for name in ("name", "arguments", "axes", "explain", "slopes")}
    assert Operation(**parts).name == "softmax"
    for part in parts:
        with pytest.raises(TypeError, match=part):
            Operation(**{name: value for name, value in parts.items() if name != part})


def test_a_new_file_of_records_is_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else has to name it."""
    source = "from lmviz.trace.operations.table import OPERATIONS as all\nOPERATIONS = (all['softmax'],)\n"
    (tmp_path / "new_family.py").write_text(source)
    monkeypatch.setattr(records, "__path__", [*records.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{records.__name__}.new_family", raising=False)
    found = {family.__name__.rpartition(".")[2]: family for family in _families()}
    assert (OPERATIONS["softmax"],) == found["new_family"].OPERATIONS
    assert found.keys() - {"new_family"} == {family.__name__.rpartition(".")[2] for family in FAMILIES}
    del sys.modules[f"{records.__name__}.new_family"]


def test_two_records_of_one_spelling_are_refused() -> None:
    softmax = OPERATIONS["softmax"]
    with pytest.raises(ValueError, match="'_safe_softmax' is the name of two operations: softmax and other"):
        by_name([softmax, replace(softmax, name="other")])


def test_a_record_names_what_torch_has() -> None:
    """Its name, or one of its spellings, is a function of torch's, and its arguments have names of their own."""
    homes = (torch, torch.Tensor, F, torch.linalg, torch.fft, torch.special, torch.nn.utils.rnn)
    for name, record in OPERATIONS.items():
        spelled = [name, *record.spellings.split()]
        known = {*spelled, *(f"{each}_" for each in spelled), *(f"__{each}__" for each in spelled)}
        known |= {each.partition("_")[2] for each in spelled if each.startswith(("linalg_", "fft_"))}
        known |= {each.removeprefix("functional.") for each in spelled}
        assert any(hasattr(home, each) for home in homes for each in known) or name in _OF_C, name
        arguments = names_of(record.arguments)
        assert len(set(arguments)) == len(arguments), name
        assert "*" not in record.arguments or record.arguments.split()[-1].startswith("*"), name


_OF_C = ("pack_padded_sequence", "pad_packed_sequence", "native_multi_head_attention", "transformer_encoder_layer")


def test_a_function_and_a_method_of_one_name_may_be_two_operations() -> None:
    unfolded, seen = torch_function_of(F.unfold), torch_function_of(torch.Tensor.unfold)
    assert unfolded is not None and seen is not None
    assert (unfolded.name, seen.name) == ("im2col", "unfold")
    assert (unfolded.arguments[1], seen.arguments[1]) == ("kernel_size", "dimension")


def test_a_draw_is_not_taken_for_logic() -> None:
    """`__rand__` is an "and" the other way round; torch.rand is not."""
    drawn, logic = torch_function_of(torch.rand), torch_function_of(torch.Tensor.__rand__)
    assert drawn is not None and logic is not None
    assert (drawn.name, logic.name) == ("rand", "bitwise_and")


def test_every_spelling_leads_to_its_record() -> None:
    for name, record in OPERATIONS.items():
        assert SPELLINGS[name] is record
        assert all(SPELLINGS[spelling] is record for spelling in record.spellings.split())


def test_the_axes_of_a_call_that_no_rule_knows_stay_unnamed() -> None:
    shapes = [((2, 3), ("a", "b"))]
    for record in OPERATIONS.values():
        for given in (shapes, [], shapes * 4):
            after = record.axes.after(given, {}, (2, 3, 4))
            assert len(after) == 3 and all(isinstance(name, str) for name in after), record.name
        before = record.axes.before((2, 3), "nothing", {}, ((5,), ("c",)))
        assert len(before) == 2, record.name
