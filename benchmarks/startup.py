"""From `streamlit run` to the first paint, against a hello-world app in the same run.

    python benchmarks/startup.py [--rounds 7] [--after 10]

The apps take turns; the first round, whose files are not yet in memory, is dropped. Printed: medians in seconds of the
time from starting the server until something of the app is painted, and until it is ready; and their ratios. Both
are when the browser itself painted them (Element Timing API): whoever asks it from outside is answered when it has
nothing else to do. With `--after`, a visitor comes so many seconds after the server is up, and the time counts from the
visit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from browser import ROOT, chromium, free_port, median, wait_until_up
from playwright.sync_api import Browser

APPS = {
    "hello world": (ROOT / "benchmarks/apps/hello.py", ".stMarkdown p", ".stMarkdown p"),
    "lmviz": (ROOT / "streamlit_app.py", ".lm-first", ".st-key-first_choice_5 p"),
}
PAINTED = """(markers) => {
  window.painted = {};
  const mark = () => markers.forEach((marker, i) => {
    const found = document.querySelector(marker);
    if (found && !found.hasAttribute("elementtiming")) found.setAttribute("elementtiming", `marker ${i}`);
  });
  new MutationObserver(mark).observe(document, { childList: true, subtree: true });
  new PerformanceObserver((list) => list.getEntries().forEach((one) => {
    painted[one.identifier] ??= performance.timeOrigin + one.renderTime;
  })).observe({ type: "element", buffered: true });
}"""


def start(browser: Browser, app: Path, painted: str, ready: str, after: float) -> tuple[float, float]:
    """Seconds from the server's start, or from a later visit, to the first paint of the app, and until it is ready."""
    port = free_port()
    began = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(app), f"--server.port={port}", "--server.headless=true"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process)
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        page = context.new_page()
        if after:
            time.sleep(after)
            began = time.time()
        markers = [*dict.fromkeys((painted, ready))]
        page.add_init_script(f"({PAINTED})({json.dumps(markers)})")
        page.goto(f"http://127.0.0.1:{port}", wait_until="commit")
        page.wait_for_function("(n) => Object.keys(painted).length === n", arg=len(markers), timeout=120_000)
        times = [page.evaluate(f"painted['marker {i}']") / 1000 - began for i in range(len(markers))]
        context.close()
        return times[0], times[-1]
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--after", type=float, default=0.0)
    asked = parser.parse_args()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in APPS}
    with chromium() as browser:
        for _ in range(asked.rounds + 1):
            for name, (app, painted, ready) in APPS.items():
                times[name].append(start(browser, app, painted, ready, asked.after))
    base = median([first for first, _ in times["hello world"][1:]])
    print(f"{'app':12} {'first paint':>12} {'ready':>9}   ratio of first paints, ratio of ready to hello world")
    for name, measured in times.items():
        first, ready = (median([pair[i] for pair in measured[1:]]) for i in (0, 1))
        print(f"{name:12} {first:10.2f} s {ready:7.2f} s   {first / base:.2f}  {ready / base:.2f}")


if __name__ == "__main__":
    main()
