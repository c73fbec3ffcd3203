"""What a new architecture can do once it is in the list: run in a folder of its own, beside a copy of the package."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import lmviz
from lmviz.debug.bugs.catalogue import BUGS
from lmviz.debug.bugs.models import broken
from lmviz.debug.memory.estimate import estimate
from lmviz.model.checkpoint import save
from lmviz.registry.kinds import read_reference
from lmviz.registry.models import Models
from lmviz.registry.recording import Request
from lmviz.train.__main__ import make
from lmviz.train.counts import n_parameters
from lmviz.train.memory import bytes_to_build, memory_of


def main() -> None:
    torch.set_num_threads(1)
    made = Path("made")
    with open("recipe.toml", "w") as file:
        file.write(
            """
[data]
texts = ["anna", "hanna", "nan"]
[tokenizer]
kind = "characters"
[model]
architecture = "tiny"
n_ctx = 6
n_layers = 2
d_model = 6
n_heads = 3
d_mlp = 10
slope = 0.25
d_head = 5
tied = TIED
[training]
steps = 5
learning_rate = 0.01
""".replace("TIED", sys.argv[1])
        )
    make(Path("recipe.toml"), made)
    checkpoint = lmviz.load(made)
    assert checkpoint.config.slope == 0.25 and checkpoint.config.d_head == 5
    assert "lmviz opens it:" in checkpoint.card.text
    assert not any(tensor.is_meta for tensor in (*checkpoint.model.parameters(), *checkpoint.model.buffers()))
    assert n_parameters(checkpoint.config) == sum(p.numel() for p in checkpoint.model.parameters())

    again = Path("again")
    save(checkpoint, again)
    ids = checkpoint.tokenizer.encode("hanna").ids_tensor
    with torch.no_grad():
        assert torch.equal(lmviz.load(again).model(ids), checkpoint.model(ids))

    built = type(checkpoint.model)(checkpoint.config)
    held = sum(t.nbytes for t in (*built.parameters(), *built.buffers()))
    assert bytes_to_build(checkpoint.config) == held + 2 * 50_000, (bytes_to_build(checkpoint.config), held)
    own = {t.untyped_storage().data_ptr() for t in (*built.parameters(), *built.buffers())}
    kept = {}

    def pack(t):
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    batch = torch.zeros(16, 6, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        built_loss = torch.nn.functional.cross_entropy(built(batch).flatten(0, 1), batch.flatten())
    assert built_loss.isfinite()
    measured = sum(n for place, n in kept.items() if place not in own)
    counted = memory_of(checkpoint.config, "sgd", 16).activations
    assert abs(counted - measured) < 0.2 * measured, (counted, measured)
    formula = next(part.formula for part in estimate(checkpoint.config, "sgd", 16).parts if part.name == "block")
    assert formula == "4BT(2d + 4m + 2Hh + 2h + HT)", formula

    models = Models()
    run = models.record(Request(read_reference(str(made.resolve())), "hanna"))
    assert run.trace["blocks.1.pattern"].outputs[0].shape == (1, 3, 5, 5)
    checks = [check for stage in run.navigator.stages for check in run.checks(stage)]
    assert {check.name for check in checks if not check.holds} == set(), checks
    with torch.no_grad():
        assert not torch.equal(broken(checkpoint, BUGS["no_scale"]).model(ids), checkpoint.model(ids))
    print("done")


if __name__ == "__main__":
    main()
