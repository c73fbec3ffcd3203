"""First paint of the site's pages, from the disk, in Chromium: `python benchmarks/site.py FOLDER`.

Each page is opened a few times in a new context; the median of the first contentful paint is printed in milliseconds.
Build the folder with `python -m lmviz.site FOLDER` first.
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

TRIES = 5
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_PAINTED = """() => new Promise((done) => new PerformanceObserver((list) => {
  const found = list.getEntriesByName("first-contentful-paint")[0];
  if (found) done(found.startTime);
}).observe({ type: "paint", buffered: true }))"""


def first_paint(browser: Browser, address: str) -> float:
    """Milliseconds until something of a page is seen."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(address, wait_until="commit")
    found = float(page.evaluate(_PAINTED))
    context.close()
    return found


def main(site: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"), args=ARGUMENTS)
        for path in sorted(site.rglob("*.html")):
            times = [first_paint(browser, path.resolve().as_uri()) for _ in range(TRIES)]
            print(f"{statistics.median(times):6.0f} ms  {path.stat().st_size / 1000:8.0f} kB  {path.relative_to(site)}")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
