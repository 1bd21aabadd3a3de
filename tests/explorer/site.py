"""The app in a process of its own, and a browser that looks at it."""

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

ROOT = Path(__file__).parents[2]
# The parts of a page come one by one, some after the script has ended: it is all there when its text stays the same.
STILL = """() => {
  const text = document.querySelector('[data-testid=stMain]').innerText;
  const now = performance.now();
  if (window.lemmataText !== text || document.querySelector('[data-testid=stSkeleton]')) {
    window.lemmataText = text; window.lemmataSince = now;
  }
  return now - window.lemmataSince > 400;
}"""
LONGEST = 60.0  # seconds; only ever reached by a hang
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def needed_browser() -> str:
    """Chromium's path; skips where there is none."""
    pytest.importorskip("playwright", reason="needs playwright: pip install '.[dev]'")
    found = which("chromium")
    if found is None:
        pytest.skip("needs Debian's chromium: apt-get install --no-install-recommends chromium")
    return found


@contextmanager
def explored(runs: Path, *settings: str) -> Iterator[str]:
    """`lemmata explore` while the block runs; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lemmata", "explore", f"runs={runs}", f"port={port}", *settings]
    said = runs.parent / f"explore-{port}.log"
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + LONGEST
        while not _answers(address):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(LONGEST)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


@dataclass
class Looking:
    """A browser at one app. ``errors`` are what its console and its pages said was wrong."""

    page: Any
    address: str
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._dialog)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def go(self, page: str, **query: str) -> float:
        """Open a page; the seconds until all of it stood there."""
        start = time.monotonic()
        self.page.goto(f"{self.address}/?{urlencode({'page': page, **query})}")
        self.settle()
        return time.monotonic() - start

    def turn(self, act: Callable[[], object]) -> None:
        """Do what leads to another page, and wait for it."""
        before = self.text()
        act()
        changed = "before => document.querySelector('[data-testid=stMain]')?.innerText !== before"
        self.page.wait_for_function(changed, arg=before, timeout=LONGEST * 1000)
        self.settle()

    def settle(self) -> None:
        """Wait until the app has shown all it has."""
        self.page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=LONGEST * 1000)
        self.page.wait_for_function(STILL, polling=100, timeout=LONGEST * 1000)
        assert self.page.locator("[data-testid=stException]").count() == 0, self.text()

    def text(self) -> str:
        """What the page says."""
        return self.page.locator("[data-testid=stMain]").inner_text()
