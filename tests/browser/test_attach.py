"""`lmviz model.py` in a real browser: open, edit the file, and land on the first number that differs."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.attached import LOSS, MODEL
from tests.browser.conftest import idle, press
from tests.conftest import ROOT

RUN_AGAIN = 60_000  # milliseconds: a saved file is run in a process of its own, which imports torch


@pytest.fixture
def attached(tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """A page on a file of one's own, opened at the link that the command prints."""
    (tmp_path / "model.py").write_text(MODEL + LOSS, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "lmviz", "model.py", "--port", str(port), "--no-browser"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    link = next(found[1] for line in process.stdout if (found := re.match(r"Open (http\S+)", line)))
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    try:
        page = context.new_page()
        page.goto(link)
        expect(page.locator(".lm[data-step]").first).to_be_visible(timeout=60_000)
        idle(page)
        yield page
    finally:
        context.close()
        process.terminate()
        process.wait()
        process.stdout.close()


def test_edit_and_continue(attached: Page, tmp_path: Path) -> None:
    page, file = attached, tmp_path / "model.py"
    expect(page.get_by_text("ids [1, 4]")).to_be_visible()
    press(page, "ArrowRight")
    expect(page.locator(".lm .code")).to_contain_text("x = self.embed(ids)")
    file.write_text(file.read_text().replace("torch.relu", "torch.tanh"), encoding="utf-8")
    expect(page.get_by_text("first number that is not as before")).to_be_visible(timeout=RUN_AGAIN)
    expect(page.locator(".lm .lit").first).to_contain_text("torch.tanh")
    expect(page.locator("figure .mark")).to_have_text(["A", "B", "A − B"])
    expect(page).to_have_url(re.compile(r"step=hidden"))
    file.write_text(file.read_text().replace("Linear(16, 12)", "Linear(17, 12)"), encoding="utf-8")
    expect(page.get_by_text("4x16 and 17x12").first).to_be_visible(timeout=RUN_AGAIN)
    expect(page.locator(".lm .lit").first).to_contain_text("self.second(hidden)")
    file.write_text(file.read_text().replace("def forward", "def forward("), encoding="utf-8")
    expect(page.get_by_text("is no Python as it stands")).to_be_visible(timeout=RUN_AGAIN)
    expect(page.locator(".lm .lit").first).to_contain_text("self.second(hidden)")
