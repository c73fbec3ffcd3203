"""What is computed while somebody looks: kept, paused, told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from lmviz.errors import UserError
from lmviz.services import live
from lmviz.services.live import Live


def test_all_snapshots_come_in_order() -> None:
    counted = Live(iter(range(50)), total=50)
    assert counted.look()[0] == 0
    assert counted.finish() == tuple(range(50))
    assert counted.is_done and counted.progress == 1


def test_of_many_some_are_kept_the_first_and_the_last_among_them() -> None:
    found = Live(iter(range(1000)), total=1000, keep=10).finish()
    assert found[0] == 0 and found[-1] == 999
    assert len(found) == 11 and found[1] == 100


def test_looking_shows_what_there_is_so_far() -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[int]:
        yield 1
        go_on.wait()
        yield 2

    counted = Live(slowly(), total=2)
    assert counted.look() == (1,)
    assert not counted.is_done
    go_on.set()
    assert counted.finish() == (1, 2)


def test_with_nobody_looking_it_pauses_and_the_next_look_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PAUSES_AFTER", 0.0)  # a look is worth one step
    counted = Live(iter(range(5)), total=5)
    for n_looks in range(1, 6):
        counted.look()
        assert counted._thread is not None
        counted._thread.join()
        assert counted.progress == n_looks / 5
    assert counted.finish() == (0, 1, 2, 3, 4)


def test_what_it_raises_reaches_whoever_looks() -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise UserError("The text must have a sentence of two words or more.")

    with pytest.raises(UserError, match="two words"):
        Live(fails(), total=2).finish()


def test_two_take_turns_and_never_run_at_once() -> None:
    inside: list[int] = []

    def alone(name: int) -> Iterator[int]:
        for _ in range(100):
            inside.append(name)
            time.sleep(0.0005)
            assert inside == [name]
            inside.clear()
            yield name

    one, other = Live(alone(1), total=100), Live(alone(2), total=100)
    one.look(), other.look()
    assert len(one.finish()) == len(other.finish()) == 100


def test_it_can_be_paused_at_once_and_goes_on_when_somebody_looks() -> None:
    asked = []

    def counting() -> Iterator[int]:
        for n in range(10_000):
            asked.append(n)
            time.sleep(0.001)
            yield n

    counted = Live(counting(), total=10_000)
    counted.look()
    there = counted.pause()
    n_asked = len(asked)
    time.sleep(0.05)
    assert len(asked) == n_asked < 10_000
    assert counted.pause() == there
    assert not counted.is_done
    counted.look()
    while len(asked) == n_asked:
        time.sleep(0.001)
    counted.pause()
