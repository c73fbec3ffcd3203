"""The public API: the names that the README promises, and that they go on meaning the same."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import lmviz
from tests.conftest import ROOT


def test_the_api_walks_from_a_folder_to_the_arithmetic_of_a_cell() -> None:
    checkpoint = lmviz.load(ROOT / "sample_models/small-ever")
    tokens = checkpoint.tokenizer.encode("Clem")
    assert (tokens.ids, tokens.pieces, tokens.offsets) == ((0,), ("Clem",), ((0, 4),))
    trace = lmviz.record(checkpoint.model, tokens.ids_tensor)
    step = trace["blocks.0.attn.pattern"]
    assert step is trace[step.index] and step in trace[:] and step in list(trace)
    why = lmviz.explain(step, (0, 0, 0, 0))
    assert why.formula and why.terms and why.value == 1.0
    edited = lmviz.record(checkpoint.model, tokens.ids_tensor, edits={"blocks.0.attn.z": lambda z: z * 0})
    assert not np.array_equal(edited["logits"].outputs[0].array, trace["logits"].outputs[0].array)
    backward = lmviz.record(checkpoint.model, tokens.ids_tensor, backward=lambda logits: logits[0, 0, 1])
    assert backward["blocks.0.attn.z"].outputs[0].grad is not None


@pytest.mark.parametrize("name", lmviz.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(lmviz, name) is getattr(lmviz, name)


@pytest.mark.slow
def test_explain_stays_a_function_whatever_is_imported() -> None:
    code = "import lmviz, lmviz.explain.backward; lmviz.load; lmviz.record; assert callable(lmviz.explain)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        lmviz.nonsense  # noqa: B018


def test_the_reference_has_every_public_name_and_no_other(root: Path) -> None:
    listed = re.findall(r"^::: (.+)$", (root / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(path.rpartition(".")[2] for path in listed) == sorted(lmviz.__all__)
    for path in listed:
        home, _, name = path.rpartition(".")
        assert getattr(import_module(home), name) is getattr(lmviz, name)
