"""Browser session: the app in its own process, and a browser that opens its pages."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.clocks import HANG

ROOT = Path(__file__).parents[2]
# The parts of a page arrive one by one, some after the script has ended: it is complete when its text is stable.
STILL = """() => {
  const text = document.querySelector('[data-testid=stMain]').innerText;
  const now = performance.now();
  if (window.lemmataText !== text || document.querySelector('[data-testid=stSkeleton]')) {
    window.lemmataText = text; window.lemmataSince = now;
  }
  return now - window.lemmataSince > 400;
}"""
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def needed_browser() -> str:
    """Path of Chromium; skips the test where there is none."""
    pytest.importorskip("playwright", reason="needs playwright: pip install '.[dev]'")
    found = which("chromium") or which("google-chrome")
    if found is None:
        pytest.skip("needs Chromium: apt-get install --no-install-recommends chromium")
    return found


@contextmanager
def launched() -> Iterator[Any]:
    """A Chromium during the block; skips the test where there is none."""
    chromium = needed_browser()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def explored(runs: Path, *settings: str) -> Iterator[str]:
    """Runs `lemmata explore` during the block; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lemmata", "explore", f"runs={runs}", f"port={port}", *settings]
    log = runs.parent / f"explore-{port}.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + HANG
        while not answers(address):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(HANG)


def answers(address: str) -> bool:
    """True where a Streamlit server answers at an address."""
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@dataclass
class BrowserSession:
    """Browser page on one app. ``errors``: from the console and the page."""

    page: Any
    address: str
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    strange_requests: list[str] = field(default_factory=list)  # to other servers than the app's

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.strange_requests.append(request.url)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, page: str, **query: str) -> float:
        """Opens a page; returns the seconds until it was complete."""
        start = time.monotonic()
        self.page.goto(f"{self.address}/?{urlencode({'page': page, **query})}")
        self.settle()
        return time.monotonic() - start

    def follow(self, act: Callable[[], object]) -> None:
        """Performs an action that leads to another page, and waits for that page."""
        before = self.text()
        act()
        changed = "before => document.querySelector('[data-testid=stMain]')?.innerText !== before"
        self.page.wait_for_function(changed, arg=before, polling=100, timeout=HANG * 1000)
        self.settle()

    def settle(self) -> None:
        """Waits until the page is complete."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=HANG * 1000)
        self.page.wait_for_function(STILL, polling=100, timeout=HANG * 1000)
        assert self.page.locator("[data-testid=stException]").count() == 0, self.text()

    def text(self) -> str:
        """Text of the page."""
        return self.page.locator("[data-testid=stMain]").inner_text()
