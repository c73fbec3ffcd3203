"""How near the estimate of a training's memory comes to what torch really holds at its peak.

    python benchmarks/memory_estimate.py

Each configuration trains two steps in a process of its own. Exits with 1 if an estimate is more than 20 % off.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import lmviz
from lmviz.debug.memory.estimate import estimate
from lmviz.debug.memory.trial import Trial, try_out
from lmviz.train.initial import config_of, sizes_of
from lmviz.train.recipe import ModelRecipe
from lmviz.train.texts import SAMPLES

FARTHEST = 0.2
LARGER = {
    "wide": ModelRecipe("gpt2", n_ctx=128, n_layers=4, d_model=256, n_heads=4, d_mlp=1024),
    "deep": ModelRecipe("gpt2", n_ctx=64, n_layers=12, d_model=128, n_heads=8, d_mlp=512, dropout=0.1),
    "long": ModelRecipe("gpt2", n_ctx=512, n_layers=2, d_model=64, n_heads=4, d_mlp=256),
    "plain": ModelRecipe("mini_llm", n_ctx=64, n_layers=2, d_model=128, n_heads=4, d_mlp=256),
}


def trials() -> dict[str, Trial]:
    """The sample models at small and large batches, and some larger models."""
    found = {}
    for folder in sorted(SAMPLES.iterdir()):
        if (folder / "config.json").is_file():
            config = lmviz.load(folder).config
            sizes = sizes_of(config)
            for batch_size in (8, 64):
                found[f"{folder.name} × {batch_size}"] = Trial(sizes, config.d_vocab, batch_size, config.n_ctx)
    for name, model in LARGER.items():
        found[name] = Trial(model, 1000, 8, model.n_ctx)
    return found | {f"{name}, sgd": replace(trial, optimizer="sgd") for name, trial in found.items() if name in LARGER}


def main() -> int:
    farthest = 0.0
    for name, trial in trials().items():
        config = config_of(trial.model, trial.d_vocab)
        estimated = estimate(config, trial.optimizer, trial.batch_size, trial.n_pos).total
        measured = try_out(trial).peak
        ratio = estimated / measured
        farthest = max(farthest, abs(ratio - 1))
        print(f"{name:<22} estimated {estimated:>12,}   measured {measured:>12,}   ratio {ratio:.3f}")
    print(f"farthest from 1: {farthest:.3f} (allowed {FARTHEST})")
    return int(farthest > FARTHEST)


if __name__ == "__main__":
    sys.exit(main())
