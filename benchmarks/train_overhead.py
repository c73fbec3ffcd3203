"""Steps per second of a run in its own process, store and checkpoints included, against the model's bare loop.

    python benchmarks/train_overhead.py [--model pokemon ...] [--seconds 20] [--page] [--clicks 40] [--first 5]

Both processes are there all the time, equally polite and with one thread; they take turns, each stopped while the
other computes, so that a busy machine slows both alike. The bare loop is what a tutorial writes: batch, loss, backward,
clipping if the recipe has it, a step of torch's optimiser as it comes, and the loss as a number.

With `--page`, Chromium looks at the run on the training page during the run's turns, and at nothing during the bare
loop's. With `--clicks`, the step-through is walked with the keyboard, from the key press to the painted picture, while
the run goes on and while it is stopped, in turns. With `--first`, Train is pressed so often beside a warm trainer, and
the time to the first loss on the page is taken.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
SLICE = 3.0  # seconds; long enough for what a run does a few times a second
NICENESS = 10


def bare_loop(model: str, n_steps: Synchronized[int]) -> None:
    import torch

    from lmviz.train.data import batches_of, read_corpus
    from lmviz.train.initial import new_model
    from lmviz.train.loop import loss_of
    from lmviz.train.texts import preset

    torch.set_num_threads(1)
    os.nice(NICENESS)
    recipe = preset(model)
    corpus = read_corpus(recipe, ROOT)
    network = new_model(recipe.model, corpus.tokenizer.d_vocab, recipe.training.seed)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.training.optimizer]
    optimizer = kind(network.parameters(), lr=recipe.training.learning_rate)
    for batch in batches_of(corpus.train, recipe.training):
        optimizer.zero_grad()
        loss = loss_of(network(batch.inputs), batch.targets)
        loss.backward()
        if recipe.training.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.training.clip)
        optimizer.step()
        loss.item()
        n_steps.value += 1


@contextmanager
def bare(model: str) -> Iterator[tuple[int, Callable[[], int]]]:
    """The process of the bare loop, and how many steps it has made."""
    context = multiprocessing.get_context("spawn")
    n_steps = context.Value("q", 0, lock=False)
    process = context.Process(target=bare_loop, args=(model, n_steps), daemon=True)
    process.start()
    try:
        yield int(process.pid or 0), lambda: int(n_steps.value)
    finally:
        process.kill()
        process.join()


@contextmanager
def run(model: str) -> Iterator[tuple[int, Callable[[], int], str, str]]:
    """The process of a run without end, how many steps the store knows of, the run's id and its folder."""
    from lmviz.train.runs import Runs
    from lmviz.train.texts import preset

    recipe = preset(model)
    endless = replace(recipe, training=replace(recipe.training, steps=10**7))
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(folder)
        name = runs.start(endless)
        while not runs.get(name).step:
            time.sleep(0.01)
        with runs._database.reading() as db:
            pid = db.execute("SELECT pid FROM workers WHERE run = ?", (name,)).fetchone()[0]
        try:
            yield int(pid), lambda: runs.get(name).step, name, folder
        finally:
            os.kill(pid, signal.SIGCONT)
            runs.close()


@contextmanager
def watched(folder: str) -> Iterator[tuple[str, Any]]:
    """A server whose trainings are those of the folder, and a Chromium at its side."""
    from browser import chromium, server

    os.environ["LMVIZ_RUNS"] = folder
    with server(ROOT / "streamlit_app.py") as address, chromium() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
        yield address, page


def looking(page: Any, address: str, name: str) -> Callable[[int], None]:
    """What happens before each turn: the page is open while the run trains, and closed while the bare loop does."""

    def prepare(side: int) -> None:
        if side == 0:
            page.goto("about:blank")
            return
        page.goto(f"{address}/training?run={name}")
        page.wait_for_selector("[data-testid=stVegaLiteChart] svg", timeout=120_000)
        page.wait_for_timeout(1500)

    return prepare


def clicks(page: Any, address: str, trainer: int, n_clicks: int) -> tuple[list[float], list[float]]:
    """Milliseconds from a key press to the painted step, with the run stopped, and with the run going on."""
    from step_latency import press, ready

    os.kill(trainer, signal.SIGSTOP)
    ready(page, f"{address}/?model=names&step=x")
    times: tuple[list[float], list[float]] = ([], [])
    for block in range(2 * max(1, n_clicks // 5)):
        is_training = block % 2 == 1
        os.kill(trainer, signal.SIGCONT if is_training else signal.SIGSTOP)
        time.sleep(0.3)
        key = "ArrowRight" if block // 2 % 2 == 0 else "ArrowLeft"
        times[is_training].extend([press(page, key) for _ in range(6)][1:])
    os.kill(trainer, signal.SIGCONT)
    return times


FIRST_LOSS = """() => new Promise((done) => {
  const began = performance.now();
  document.querySelector(".st-key-go button").click();
  const look = () => {
    const loss = document.querySelector(".lt-facts b");
    if (loss && /\\d/.test(loss.textContent)) done(performance.now() - began);
    else requestAnimationFrame(look);
  };
  look();
})"""


def first_losses(times: int) -> list[float]:
    """Milliseconds from the press of Train to a loss on the page, a trainer being warm and free."""
    from lmviz.train.runs import Runs

    found = []
    with tempfile.TemporaryDirectory() as folder, watched(folder) as (address, page):
        runs = Runs(folder)
        for _ in range(times):
            page.goto(f"{address}/training")
            page.wait_for_selector(".st-key-go button", timeout=120_000)
            while not is_free(runs):
                time.sleep(0.05)
            page.wait_for_timeout(500)
            found.append(float(page.evaluate(FIRST_LOSS)))
            while runs.all()[0].state in ("queued", "running"):
                time.sleep(0.1)
    return found


def is_free(runs: Any) -> bool:
    with runs._database.reading() as db:
        return db.execute("SELECT 1 FROM workers WHERE run IS NULL").fetchone() is not None


def in_turns(
    sides: list[tuple[int, Callable[[], int]]], seconds: float, prepare: Callable[[int], None] = lambda side: None
) -> list[float]:
    """Steps per second of each process, from turns of a few seconds: A B B A and so on."""
    spent, made = [0.0, 0.0], [0, 0]
    for pid, _ in sides:
        os.kill(pid, signal.SIGSTOP)
    turn = 0
    while min(spent) < seconds:
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            pid, count = sides[side]
            prepare(side)
            before, began = count(), time.perf_counter()
            os.kill(pid, signal.SIGCONT)
            time.sleep(SLICE)
            while turn and side and count() == before:  # the store hears of a run's steps a few times a second
                time.sleep(0.002)
            os.kill(pid, signal.SIGSTOP)
            spent[side] += time.perf_counter() - began
            made[side] += count() - before
        turn += 1
    return [steps / time for steps, time in zip(made, spent, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="texts and recipe: pokemon, names, ...")
    parser.add_argument("--seconds", type=float, default=20.0, help="of computing, for each side")
    parser.add_argument("--page", action="store_true", help="with the training page open in Chromium")
    parser.add_argument("--clicks", type=int, default=0, help="steps of the step-through, with and without the run")
    parser.add_argument("--first", type=int, default=0, help="presses of Train, to the first loss on the page")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that whatever was started here ends too
    if options.first:
        print(f"from Train to the first loss on the page: {median(first_losses(options.first)):.0f} ms")
    print(f"{'model':12} {'bare loop':>12} {'run':>12}   ratio")
    for model in options.model or ["pokemon", "names"]:
        with ExitStack() as stack:
            loop = stack.enter_context(bare(model))
            pid, count, name, folder = stack.enter_context(run(model))
            while not loop[1]():
                time.sleep(0.1)
            prepare: Callable[[int], None] = lambda side: None  # noqa: E731
            if options.page or options.clicks:
                address, page = stack.enter_context(watched(folder))
                prepare = looking(page, address, name) if options.page else prepare
            rates = in_turns([loop, (pid, count)], options.seconds, prepare)
            print(f"{model:12} {rates[0]:10.1f}/s {rates[1]:10.1f}/s   {rates[1] / rates[0]:.3f}")
            if options.clicks:
                os.kill(loop[0], signal.SIGSTOP)
                alone, beside = clicks(page, address, pid, options.clicks)
                told = f"{median(alone):.0f} ms alone, {median(beside):.0f} ms beside the run"
                print(f"{'':12} a step of the step-through: {told}   ratio {median(beside) / median(alone):.2f}")


if __name__ == "__main__":
    main()
