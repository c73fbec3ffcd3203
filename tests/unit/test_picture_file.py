"""A tensor's picture as a file: it has the numbers, the names and the link, and draws what it was given."""

from __future__ import annotations

import struct
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import lmviz
from lmviz.attach.picture import picture
from lmviz.errors import UserError
from lmviz.trace.step import Value
from lmviz.ui.picture_file import HIGH, MASKED, SHARE, drawn, saved


def texts(content: bytes) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(content).iter() if one.tag.endswith("}text")]


@pytest.fixture(scope="module")
def masked() -> Value:
    scores = torch.tensor([[[[1.5, -0.25], [-3.0, 0.0]]]])
    trace = lmviz.record(lambda x: x.masked_fill(torch.tensor([[False, True], [False, False]]), -torch.inf), scores)
    return trace[-1].outputs[0]


@pytest.mark.slow
def test_a_picture_has_every_number_the_labels_and_where_it_is_from(masked: Value, tmp_path: Path) -> None:
    chart = drawn(masked, (0, 0), lambda axis, i: '</script>"\\'[i:] + "é", "Scores", "http://x/?a=1&b=<")
    found = texts(saved(chart, "svg"))
    assert any(one.endswith("http://x/?a=1&b=<") for one in found)
    assert {"1.50", "−3.00", "−∞", "Scores", "3.00", '</script>"\\é', '/script>"\\é'} <= set(found)
    assert found.count("0.00") == 2 and found.count("−3.00") == 2  # in a cell, and in the legend
    assert MASKED in saved(chart, "svg").decode() and chart.to_dict()


def test_a_share_has_the_scale_of_shares_and_signed_numbers_theirs(tmp_path: Path) -> None:
    trace = lmviz.record(lambda x: torch.softmax(x, -1), torch.tensor([[0.0, 50.0]]))
    value = trace[0].outputs[0]
    signed = drawn(value, (), lambda axis, i: str(i)).to_json()
    assert HIGH in signed and SHARE not in signed
    checkpoint = lmviz.load("small-ever")
    run = lmviz.record(checkpoint.model, checkpoint.tokenizer.encode("Clem").ids_tensor)
    pattern = run["blocks.0.attn.pattern"].outputs[0]
    assert SHARE in drawn(pattern, (0, 0), lambda axis, i: str(i)).to_json()


@pytest.mark.slow
def test_a_png_is_as_fine_as_print_needs_and_a_large_tensor_says_what_is_cut(tmp_path: Path) -> None:
    value = lmviz.record(lambda x: x + 1, torch.arange(200.0).reshape(1, 200))[0].outputs[0]
    content = picture(value, tmp_path / "wide.png").read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    assert content.startswith(b"\x89PNG") and width > 128 * 9 * 2 and height > 50
    assert any("1 × 128 of 1 × 200" in one for one in texts(picture(value, tmp_path / "wide.svg").read_bytes()))


def test_a_picture_speaks_french_with_a_comma_and_narrow_spaces(tmp_path: Path) -> None:
    value = lmviz.record(lambda x: x + 0.5, torch.full((1, 1, 2, 1300), 1500.0))[0].outputs[0]
    said = texts(picture(value, tmp_path / "large.svg", lang="fr").read_bytes())
    assert any(one.endswith("axe 0, axe 0 · 2 × 128 sur 2 × 1\u202f300") for one in said)
    assert {"1\u202f500,50", "−1\u202f500,50", "0,00"} <= set(said)  # the legend
    with pytest.raises(UserError, match="must be one of en, fr"):
        picture(value, tmp_path / "large.svg", lang="de")


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(), (3,), (1, 1), (2, 3, 4, 2)])
def test_a_tensor_of_any_number_of_axes_is_drawn(shape: tuple[int, ...], tmp_path: Path) -> None:
    value = lmviz.record(lambda x: x * 2, torch.ones(shape))[0].outputs[0]
    assert np.prod(shape[-2:]) <= texts(picture(value, tmp_path / "it.svg").read_bytes()).count("2.00") + 1


def test_what_cannot_be_drawn_is_a_sentence(masked: Value, tmp_path: Path) -> None:
    empty = lmviz.record(lambda x: x + 1, torch.ones(0, 3))[0].outputs[0]
    for wrong in (
        lambda: picture(masked, tmp_path / "it.pdf"),
        lambda: picture(masked, tmp_path / "not" / "it.svg"),
        lambda: picture(masked, tmp_path / "it.svg", lead=(0, 7)),
        lambda: picture(masked, tmp_path / "it.svg", lead=(0,)),
        lambda: picture(empty, tmp_path / "it.svg"),
    ):
        with pytest.raises(UserError):
            wrong()
    assert not list(tmp_path.iterdir())


def test_what_only_a_browser_draws_is_said(tmp_path: Path) -> None:
    trace = lmviz.record(lambda x: x + 1, torch.zeros(2, 2))
    for other in (trace, trace[0], "blocks.0"):
        with pytest.raises(UserError, match=r"one tensor.*whole model.*to_html"):
            picture(other, tmp_path / "whole.svg")  # type: ignore[arg-type]
    assert not [*tmp_path.iterdir()]
