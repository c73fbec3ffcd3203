"""`lmviz convert`: weights in a pickle become an ordinary folder, and nothing in them is run."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

import lmviz
from lmviz.attach.convert_command import main
from lmviz.model import files
from tests.conftest import ROOT

TEXT = "to be, or not to be: that is the question"
ABOUT = {"n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 12, "vocab_size": len(set(TEXT)), "dropout": 0.0}


def nano(folder: Path, bias: bool, before: str = "") -> tuple[Path, dict[str, Tensor]]:
    """A checkpoint as nanoGPT's train.py saves one, with weights from N(0, 1)."""
    torch.manual_seed(0)
    d, v = ABOUT["n_embd"], ABOUT["vocab_size"]
    shapes = {"wte.weight": (v, d), "wpe.weight": (ABOUT["block_size"], d), "ln_f.weight": (d,), "ln_f.bias": (d,)}
    for layer in range(2):
        for name, shape in {
            "ln_1": (d,), "ln_2": (d,), "attn.c_attn": (3 * d, d), "attn.c_proj": (d, d),
            "mlp.c_fc": (4 * d, d), "mlp.c_proj": (d, 4 * d),
        }.items():  # fmt: skip
            shapes |= {f"h.{layer}.{name}.weight": shape, f"h.{layer}.{name}.bias": shape[:1]}
    tensors = {f"transformer.{name}": torch.randn(shape) for name, shape in shapes.items()}
    if not bias:
        tensors = {name: t for name, t in tensors.items() if not name.endswith("bias")}
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"]
    path = folder / "ckpt.pt"
    torch.save(
        {
            "model": {before + name: tensor for name, tensor in tensors.items()},
            "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.95)}]},
            "model_args": {**ABOUT, "bias": bias},
            "iter_num": 10,
            "best_val_loss": torch.tensor(1.5),
            "config": {"dataset": "play"},
        },
        path,
    )
    return path, tensors


def forward(tensors: dict[str, Tensor], ids: Tensor) -> Tensor:
    """nanoGPT's own arithmetic, written again from its definition."""

    def of(name: str) -> tuple[Tensor, Tensor | None]:
        return tensors[f"transformer.{name}.weight"], tensors.get(f"transformer.{name}.bias")

    d, n_head = ABOUT["n_embd"], ABOUT["n_head"]
    n = ids.shape[1]
    x = tensors["transformer.wte.weight"][ids] + tensors["transformer.wpe.weight"][:n]
    for layer in range(2):
        y = F.layer_norm(x, (d,), *of(f"h.{layer}.ln_1"))
        q, k, v = F.linear(y, *of(f"h.{layer}.attn.c_attn")).split(d, dim=2)
        q, k, v = (part.view(1, n, n_head, d // n_head).transpose(1, 2) for part in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(1, n, d)
        x = x + F.linear(y, *of(f"h.{layer}.attn.c_proj"))
        y = F.layer_norm(x, (d,), *of(f"h.{layer}.ln_2"))
        x = x + F.linear(F.gelu(F.linear(y, *of(f"h.{layer}.mlp.c_fc"))), *of(f"h.{layer}.mlp.c_proj"))
    return F.linear(F.layer_norm(x, (d,), *of("ln_f")), tensors["lm_head.weight"])


@pytest.mark.parametrize(("bias", "before"), [(True, ""), (False, "_orig_mod."), (True, "module._orig_mod.")])
def test_a_checkpoint_of_nanogpt_gives_the_logits_that_it_gave(tmp_path: Path, bias: bool, before: str) -> None:
    path, tensors = nano(tmp_path, bias, before)
    (tmp_path / "input.txt").write_text(TEXT)
    assert main([str(path), str(tmp_path / "out"), "--text", str(tmp_path / "input.txt"), "--yes"]) == 0
    checkpoint = lmviz.load(tmp_path / "out", torch.float64)
    tokens = checkpoint.tokenizer.encode("not to be")
    letters = sorted(set(TEXT))
    assert list(tokens.ids) == [letters.index(letter) for letter in "not to be"]
    with torch.no_grad():
        theirs = forward({name: tensor.double() for name, tensor in tensors.items()}, tokens.ids_tensor)
        torch.testing.assert_close(checkpoint.model(tokens.ids_tensor), theirs, rtol=0, atol=1e-9)


def test_old_weights_beside_their_config_become_safetensors(tmp_path: Path) -> None:
    sample = ROOT / "sample_models" / "simple-llm"
    checkpoint = lmviz.load(sample)
    for name in ("config.json", "tokenizer.json", "README.md"):
        (tmp_path / name).write_bytes((sample / name).read_bytes())

    torch.save(load_file(sample / "model.safetensors"), tmp_path / "pytorch_model.bin")
    assert main([str(tmp_path / "pytorch_model.bin"), str(tmp_path / "out"), "--yes"]) == 0
    opened = lmviz.load(tmp_path / "out")
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        assert torch.equal(opened.model(ids), checkpoint.model(ids))
    assert opened.card.title == checkpoint.card.title


class Runs:
    """What a pickle could do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch was_run",)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"model": Runs()}, "could run any code"),
        ([1, 2], "must hold a dictionary"),
        ({"model_args": {"n_layer": 2}, "model": {}}, "n_head in model_args must be a whole number"),
        ({"model_args": {**ABOUT, "n_layer": True}, "model": {}}, "n_layer in model_args must be"),
        ({"model_args": ABOUT, "model": {}}, "no tensors in it"),
        (
            {"model_args": ABOUT, "model": {"transformer.wte.weight": torch.ones(3, 3)}},
            "config.json says 2 layers",
        ),
        ({"a": torch.ones(2)}, r"no file config\.json"),
    ],
    ids=range(7),
)
def test_what_is_no_model_is_a_sentence_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], content: Any, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(content, tmp_path / "x.pt")
    (tmp_path / "t.txt").write_text(TEXT)
    assert main(["x.pt", "out", "--text", "t.txt", "--yes"]) == 2
    assert re.search(sentence, capsys.readouterr().err)
    assert not (tmp_path / "out").exists() and not (tmp_path / "was_run").exists()


@pytest.mark.parametrize("damage", ["", "text", "cut"])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str) -> None:
    path, _ = nano(tmp_path, True)
    whole = path.read_bytes()
    path.write_bytes({"": b"", "text": b"hello", "cut": whole[: len(whole) // 2]}[damage])
    assert main([str(path), str(tmp_path / "out"), "--yes"]) == 2
    said = capsys.readouterr().err
    assert "is no file that torch.save wrote" in said or damage == "text"
    assert not re.search(r"wrote: \d+\.$", said.strip())  # a bare number, which torch raised, tells nobody anything
    assert main([str(tmp_path / "gone.pt"), str(tmp_path / "out"), "--yes"]) == 2


@pytest.mark.nightly
def test_it_asks_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = nano(tmp_path, True)
    (tmp_path / "t.txt").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    asked = [path.name, "out", "--text", "t.txt"]

    def answer(said: str) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(said))
        return main(asked)

    assert answer("n\n") == 1
    assert "Write it?" in capsys.readouterr().out
    assert answer("") == 2
    assert "--yes" in capsys.readouterr().err
    command, environment = [sys.executable, "-m", "lmviz", "convert", *asked], {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(command, env=environment, input="y\n", capture_output=True, text=True).returncode == 0
    assert json.loads((tmp_path / "out" / "config.json").read_text())["n_layer"] == 2
    assert answer("n\n") == 1
    assert "This replaces config.json" in capsys.readouterr().out


def test_without_a_way_to_cut_texts_it_says_what_to_give(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, _ = nano(tmp_path, True)
    assert main([str(path), str(tmp_path / "out"), "--yes"]) == 2
    assert "--text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("file", "file is no folder"),
        ("file/sub", "file is no folder"),
        ("a" * 300, "too long"),
        ("a\0b", "no name has such"),
        ("full", r"model\.safetensors in it is a folder"),
        ("link", "link is a link that leads nowhere"),
        ("link/sub", "link is a link that leads nowhere"),
        ("round", "round is a link that leads nowhere"),
    ],
)
def test_a_place_that_cannot_be_written_is_a_sentence_and_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str, sentence: str
) -> None:
    path, _ = nano(tmp_path, True)
    monkeypatch.chdir(tmp_path)
    Path("t.txt").write_text(TEXT)
    Path("file").write_text("mine")
    (tmp_path / "full" / "model.safetensors").mkdir(parents=True)
    Path("full/config.json").write_text("mine")
    Path("link").symlink_to("unplugged/models")
    Path("round").symlink_to("round")
    assert main([path.name, place, "--text", "t.txt"]) == 2  # before it asks
    said = capsys.readouterr()
    assert re.search(sentence, said.err) and len(said.err.splitlines()) == 1 and not said.out
    assert Path("file").read_text() == Path("full/config.json").read_text() == "mine"
    assert Path("link").is_symlink() and not Path("unplugged").exists()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="files are told by what only Linux has")
def test_a_disk_that_fills_up_and_an_input_that_is_closed_are_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = nano(tmp_path, True)
    (tmp_path / "t.txt").write_text(TEXT)
    asked = [str(path), str(tmp_path / "out"), "--text", str(tmp_path / "t.txt")]
    monkeypatch.setattr(sys, "stdin", None)
    assert main(asked) == 2
    assert "Nobody is there" in capsys.readouterr().err
    whole = files.put

    def put(descriptor: int, content: bytes) -> None:
        if "out" in os.readlink(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        whole(descriptor, content)

    monkeypatch.setattr(files, "put", put)
    assert main([*asked, "--yes"]) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())
