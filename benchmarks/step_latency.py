"""A step of the debugger, from the key press to the painted picture, against an empty fragment's round trip.

    python benchmarks/step_latency.py [--steps 60] [--model NAME_OR_FOLDER ...] [--text TEXT]

All pages take turns in blocks of five key presses, so that a busy machine slows all of them alike. Printed for each
model: median and 95th percentile in milliseconds, and their ratios to the empty fragment's. `--large` adds
a model of GPT-2's 124M shape with random weights.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

from browser import ROOT, chromium, median, quantile, server
from playwright.sync_api import Page

SAMPLES = ["small-ever", "pokemon", "simple-llm", "names", "names-llama", "sentences"]
WARM_UP = 10
BLOCK = 5

# Waits for a trusted key press, then for the marker to change, then for the second frame after that.
CLOCK = """
() => {
  const roots = () => [...document.querySelectorAll('*')].map((element) => element.shadowRoot);
  const shadow = () => (window.__lm ||= roots().find((root) => root && root.querySelector('.lm')));
  window.__marker = () => (document.querySelector('.marker') || {}).textContent
    || (shadow() ? shadow().querySelector('.lm').dataset.seq : undefined);
  window.__press = () => new Promise((done) => {
    const before = window.__marker();
    window.addEventListener('keydown', (event) => {
      const start = event.timeStamp;
      const look = () => window.__marker() === before ? requestAnimationFrame(look)
        : requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
      look();
    }, { once: true, capture: true });
  });
}
"""


def ready(page: Page, address: str) -> None:
    page.goto(address)
    page.evaluate(CLOCK)
    page.wait_for_function("() => window.__marker() !== undefined", timeout=120_000)
    page.wait_for_timeout(1500)


def press(page: Page, key: str) -> float:
    page.evaluate("() => { window.__result = window.__press(); }")
    page.keyboard.press(key)
    elapsed = page.evaluate("() => window.__result")
    page.wait_for_timeout(60)
    return float(elapsed)


def large_model(folder: Path) -> str:
    """A folder with a model of GPT-2's 124M shape, random weights, and the names model's tokenizer."""
    import torch

    sys.path.insert(0, str(ROOT))
    import lmviz
    from lmviz.model.checkpoint import Checkpoint, save
    from lmviz.model.gpt2 import GPT2, GPT2Config

    torch.manual_seed(0)
    tokenizer = lmviz.load(ROOT / "sample_models" / "names").tokenizer
    config = GPT2Config(50257, 1024, 12, 768, 12, 3072)
    save(Checkpoint(GPT2(config), tokenizer, config), folder)
    return str(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--model", action="append")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--by", default="stage", choices=["stage", "line", "op"])
    options = parser.parse_args()
    models = options.model or SAMPLES
    with ExitStack() as stack:
        if options.large:
            os.environ["LMVIZ_MODELS"] = stack.enter_context(tempfile.TemporaryDirectory())
            models = [*models, large_model(Path(os.environ["LMVIZ_MODELS"]))]
        floor = stack.enter_context(server(ROOT / "benchmarks/apps/empty_fragment.py", "--runner.postScriptGC=false"))
        app = stack.enter_context(server(ROOT / "streamlit_app.py"))
        browser = stack.enter_context(chromium())
        pages = {"empty fragment": browser.new_context(viewport={"width": 1280, "height": 720}).new_page()}
        ready(pages["empty fragment"], floor)
        for model in models:
            page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
            ready(page, f"{app}/step_through?{urlencode({'model': model, 'step': 'x', 'by': options.by})}")
            pages[Path(model).name if model not in SAMPLES else model] = page
        times: dict[str, list[float]] = {name: [] for name in pages}
        for start in range(0, options.steps + WARM_UP, BLOCK):
            for name, page in pages.items():
                page.bring_to_front()
                onwards = name == "empty fragment" or start // BLOCK % 2 == 0
                key = "ArrowRight" if onwards else "ArrowLeft"
                times[name] += [press(page, key) for _ in range(BLOCK)]
    base = times["empty fragment"][WARM_UP:]
    print(f"{'page':16} {'median':>9} {'95th':>9}   ratio of medians, of 95th percentiles")
    for name, measured in times.items():
        kept = measured[WARM_UP:]
        middle, late = median(kept), quantile(kept, 0.95)
        ratios = middle / median(base), late / quantile(base, 0.95)
        print(f"{name:16} {middle:6.0f} ms {late:6.0f} ms   {ratios[0]:.2f}  {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
