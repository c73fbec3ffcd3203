"""A real server and a real browser. A missing browser is a failure in CI, and elsewhere a skip that says why."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def server(root: Path) -> Iterator[str]:
    """The app on a free port."""
    with serving(root) as address:
        yield address


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """A server of one's own, that nobody has visited yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(root / "streamlit_app.py"), f"--server.port={port}"]
    command += ["--server.headless=true", "--server.address=127.0.0.1", "--server.fileWatcherType=none"]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).read()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(path).exists():
        reason = f"there is no browser at {path}: install chromium, or set CHROMIUM to its path"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    flags = [
        "--disable-gpu",
        "--disable-background-networking",
        "--process-per-site",
        # no network; a route would switch the cache off
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


class Profiles:
    """A profile of the browser for each language, which stays and remembers nothing but the app's code.

    A new one would read and translate that again, which is half of what opening a page costs.
    """

    def __init__(self, browser: Browser, server: str) -> None:
        self._browser, self._server = browser, server
        self._kept: dict[str, tuple[BrowserContext, Page]] = {}

    def new(self, locale: str, is_phone: bool = False) -> BrowserContext:
        """A profile that nobody has used."""
        return self._browser.new_context(
            viewport={"width": 1280, "height": 720}, locale=locale, is_mobile=is_phone, has_touch=is_phone
        )

    def kept(self, locale: str) -> BrowserContext:
        """The one that stays. A page that is always open keeps its process."""
        if locale not in self._kept:
            context = self.new(locale)
            page = context.new_page()
            page.goto(f"{self._server}/_stcore/health")
            self._kept[locale] = context, page
        return self._kept[locale][0]

    def keeps(self, context: BrowserContext) -> bool:
        return any(context is one for one, _ in self._kept.values())

    def forget(self) -> None:
        """Nothing of one test is left for the next."""
        for context, first in self._kept.values():
            for page in context.pages:
                if page is not first:
                    page.close()
            context.clear_cookies()
            context.clear_permissions()
            first.evaluate("localStorage.clear()")

    def close(self) -> None:
        for context, _ in self._kept.values():
            context.close()


@pytest.fixture(scope="session")
def profiles(server: str, browser: Browser) -> Iterator[Profiles]:
    found = Profiles(browser, server)
    yield found
    found.close()


@pytest.fixture
def visit(server: str, profiles: Profiles) -> Iterator[Callable[..., Page]]:
    """Opens a page of the app, the step-through or the one `at` a path, for another visitor each time.

    At the end no page may have raised an error, or asked another host for anything.
    """
    contexts: list[BrowserContext] = []
    own = (server, server.replace("http", "ws"), "data:", "blob:", "about:")
    errors: list[str] = []

    def open_at(
        at: str = "step_through",
        width: int = 1280,
        height: int = 720,
        dark: bool = False,
        locale: str = "en-GB",
        phone: bool = False,
        **query: str,
    ) -> Page:
        """A `phone` is touched, and has no mouse and no keys."""
        kept = profiles.kept(locale)
        contexts.append(profiles.new(locale, phone) if phone or kept in contexts else kept)
        page = contexts[-1].new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(own) else errors.append(f"asked {asked.url}"))
        page.goto(f"{server}/{at}?{urlencode(query)}")
        drawn = {"step_through": ".lm[data-step]", "": ".lm-first"}.get(at, ".lm:visible")
        expect(page.locator(drawn).first).to_be_visible(timeout=60_000)
        idle(page)
        return page

    yield open_at
    for context in contexts:
        if not profiles.keeps(context):
            context.close()
    profiles.forget()
    assert not errors, errors


def idle(page: Page) -> None:
    """Wait until the app has stopped running and what it sent has been drawn."""
    at_work = '.stApp:not([data-test-script-state="notRunning"]), [data-stale="true"]'
    page.wait_for_function("(at_work) => !document.querySelector(at_work)", arg=at_work)
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def until(page: Page, holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds that several parts of a page must agree on."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        page.wait_for_timeout(100)


def swipe(page: Page, x: float, y: float, across: float = 0, down: float = 0) -> None:
    """A finger's way from a place, in small moves."""
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]})

    touch("touchStart", (x, y))
    for i in range(1, 11):
        touch("touchMove", (x + across * i / 10, y + down * i / 10))
        page.wait_for_timeout(16)
    touch("touchEnd")
    page.wait_for_timeout(400)
    idle(page)


def press(page: Page, key: str) -> None:
    """Press a key and wait for the step that it leads to."""
    before = page.locator(".lm").get_attribute("data-answered")
    page.keyboard.press(key)
    expect(page.locator(".lm")).not_to_have_attribute("data-answered", before or "")
    idle(page)
