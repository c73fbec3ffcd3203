"""How often the doctor is right: alarms on healthy models and loops, and faults that it finds by the right name.

    python benchmarks/doctor.py

Each of the zoo in `tests/zoo` is examined once: models and loops in the habits of many, half of them with one fault.
Exits with 1 if a certain alarm is false, if more than 1 in 40 likely ones are, or if fewer than 36 of 40 faults are
found.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch

from tests.zoo.catalogue import ENTRIES
from tests.zoo.score import Score, score


def main() -> int:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torch's own, about the models
    first, later = [e for e in ENTRIES if not e.later], [e for e in ENTRIES if e.later]
    print(f"{'written':<22}{'healthy':>8}{'false, certain':>16}{'false, likely':>15}{'broken':>8}{'found':>7}")
    for name, entries in (("before the checks", first), ("after the checks", later), ("all", [*first, *later])):
        found = score(entries)
        print(
            f"{name:<22}{found.n_healthy:>8}{len(found.false_sure):>16}{len(found.false_likely):>15}{found.n_broken:>8}{found.found:>7}"
        )
    for words, names in (
        ("certain, and false", found.false_sure),
        ("likely, and false", found.false_likely),
        ("missed", found.missed),
    ):
        print(f"{words}: {', '.join(names) or 'none'}")
    return int(not is_good(found))


def is_good(found: Score) -> bool:
    few_false = not found.false_sure and len(found.false_likely) <= found.n_healthy / 40
    return few_false and found.found >= 0.9 * found.n_broken


if __name__ == "__main__":
    sys.exit(main())
