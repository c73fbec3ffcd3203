"""Two Llamas of the shape of SmolLM2-135M in the app, in Chromium, beside an empty page in the same run.

    python benchmarks/real_llama_app.py [--rounds 7] [--steps 60] [--keep FOLDER]

Exits with 1 if a limit is passed:

- the first picture of a text of 64 tokens, which an open model has not read yet, is there after at most twice a plain
  forward and the wait for an empty page;
- a step takes at most 1.3 times an empty fragment's round trip;
- with both open, the server has grown by the weights and 300 MB for each recording at most.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import torch
from browser import ROOT, chromium, median, server_of
from playwright.sync_api import Browser, Page
from real_llama import MOST_HELD, TOKENS, make
from step_latency import BLOCK, CLOCK, WARM_UP, press, ready

sys.path.insert(0, str(ROOT))

import lmviz

LATEST_PICTURE, SLOWEST_STEP = 2.0, 1.3
KINDS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
LETTERS = "abcdefghijklmnopqrstuvwxyz "
MARKER = "() => window.__marker && window.__marker() !== undefined"


def text(seed: int) -> str:
    """So many letters, which are tokens; another text for every seed."""
    return "".join(LETTERS[(7 * i * i + 3 * i + seed) % len(LETTERS)] for i in range(TOKENS - 2)) + "zz"


def memory(pid: int) -> int:
    """Bytes that a process has in memory, without what it only maps."""
    found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    return 1024 * int(found[1]) if found else 0


def wait(browser: Browser, address: str) -> float:
    """Seconds from a visit to the picture."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        page = context.new_page()
        page.add_init_script(f"({CLOCK})()")
        start = time.perf_counter()
        page.goto(address)
        page.wait_for_function(MARKER, timeout=120_000, polling="raf")
        return time.perf_counter() - start


def plain_forward(folder: Path) -> float:
    model = lmviz.load(folder).model
    ids = torch.arange(TOKENS)[None] % len(LETTERS)
    times = []
    with torch.no_grad():
        for _ in range(7):
            start = time.perf_counter()
            model(ids)
            times.append(time.perf_counter() - start)
    return median(times)


def first_pictures(browser: Browser, floor: str, app: str, folder: Path, rounds: int) -> bool:
    """By turns with an empty page."""
    plain = plain_forward(folder)
    empty, pictures = [], []
    for seed in range(rounds):
        empty.append(wait(browser, floor))
        query = urlencode({"model": str(folder), "prompt": text(seed), "step": "x"})
        pictures.append(wait(browser, f"{app}/step_through?{query}"))
    a, b, allowed = median(pictures), median(empty), LATEST_PICTURE * (plain + median(empty))
    print(
        f"{folder.name:<9} first picture after {a:.2f} s; a plain forward takes {plain:.2f} s, an empty page {b:.2f} s"
    )
    print(f"{'':<9} which is {a / (plain + b):.2f} of their sum (allowed {LATEST_PICTURE})")
    return a <= allowed


def steps(pages: dict[str, Page], n: int) -> bool:
    """By turns, some steps of each at once."""
    times: dict[str, list[float]] = {name: [] for name in pages}
    for start in range(0, n + WARM_UP, BLOCK):
        for name, page in pages.items():
            page.bring_to_front()
            onwards = name == "empty" or start // BLOCK % 2 == 0
            times[name] += [press(page, "ArrowRight" if onwards else "ArrowLeft") for _ in range(BLOCK)]
    base = median(times.pop("empty")[WARM_UP:])
    good = True
    for name, found in times.items():
        middle = median(found[WARM_UP:])
        print(f"{name:<9} a step takes {middle:.0f} ms, an empty fragment {base:.0f} ms: {middle / base:.2f}")
        good &= middle <= SLOWEST_STEP * base
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--keep", type=Path, help="where the folders are, or are left")
    asked = parser.parse_args()
    with ExitStack() as stack:
        root = asked.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, dtype in KINDS.items():
            if not (root / name).is_dir():
                make(root / name, dtype)
        os.environ["LMVIZ_MODELS"] = str(root)
        floor, _ = stack.enter_context(
            server_of(ROOT / "benchmarks/apps/empty_fragment.py", "--runner.postScriptGC=false")
        )
        app, pid = stack.enter_context(server_of(ROOT / "streamlit_app.py"))
        browser = stack.enter_context(chromium())
        wait(browser, f"{app}/step_through?model=names-llama")
        before, pages = memory(pid), {"empty": browser.new_page()}
        ready(pages["empty"], floor)
        for name in KINDS:
            page = pages[name] = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
            ready(page, f"{app}/step_through?{urlencode({'model': str(root / name), 'prompt': text(99), 'step': 'x'})}")
        grown = memory(pid) - before
        weights = sum(4 * sum(p.numel() for p in lmviz.load(root / name).model.parameters()) for name in KINDS)
        allowed = weights + len(KINDS) * MOST_HELD
        print(f"two models open: the server has grown by {grown / 1e6:.0f} MB (allowed {allowed / 1e6:.0f})")
        good = [grown <= allowed, steps(pages, asked.steps)]
        good += [first_pictures(browser, floor, app, root / name, asked.rounds) for name in KINDS]
        print(f"after all that the server has grown by {(memory(pid) - before) / 1e6:.0f} MB")
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
