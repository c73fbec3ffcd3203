"""Random numbers of a seed are the same whoever else draws."""

from __future__ import annotations

import threading

import torch

from lmviz.random_state import seeded


def drawn(seed: int) -> list[float]:
    with seeded(seed):
        return [float(torch.randn(())) for _ in range(200)]


def test_a_seed_gives_the_same_numbers_and_leaves_the_stream_as_it_was() -> None:
    torch.manual_seed(5)
    undisturbed = torch.randn(3).tolist()
    torch.manual_seed(5)
    assert drawn(1) == drawn(1) != drawn(2)
    assert torch.randn(3).tolist() == undisturbed


def test_threads_do_not_draw_from_each_others_seeds() -> None:
    expected = {seed: drawn(seed) for seed in range(4)}
    found: dict[int, list[list[float]]] = {seed: [] for seed in expected}

    def work(seed: int) -> None:
        for _ in range(10):
            found[seed].append(drawn(seed))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == expected[seed] for seed, ones in found.items() for one in ones)


def test_a_seed_may_be_set_inside_another() -> None:
    with seeded(1):
        first = torch.randn(2).tolist()
        with seeded(2):
            torch.randn(5)
        rest = torch.randn(2).tolist()
    with seeded(1):
        assert torch.randn(2).tolist() == first and torch.randn(2).tolist() == rest
