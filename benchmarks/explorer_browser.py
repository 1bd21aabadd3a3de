"""Seconds until each page of the explorer is complete in a browser, and processor seconds of browser and server.

    python -m benchmarks.explorer_run runs/large
    python -m benchmarks.explorer_browser runs/large --times 5 --cold

The app runs in its own process. A page is complete when its script has ended and its text has not changed for 0.4
seconds, which are subtracted. Each page is opened by its address in a new tab with the whole run indexed (medians),
then by a click on a link to it. "main" are processor seconds of the tab's main thread, "server" those of the app: they
do not depend on what else the machine does. With ``--cold`` each page is also opened in an app that was just started,
with nothing indexed: time of the first text, since the page updates by itself. The browser has a profile of its own
and keeps Streamlit's scripts compiled, as the browser of a user does.
"""

import argparse
import math
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, Page, sync_playwright

from benchmarks.explorer_pages import queries

# Time of the last change of the text, in milliseconds of the page's clock, which starts when it is loaded.
SAME_SINCE = """() => {
  if (!document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]')) return 0;
  const text = document.querySelector('[data-testid=stMain]')?.innerText ?? '';
  const now = performance.now();
  if (window.benchmarkText !== text) { window.benchmarkText = text; window.benchmarkSince = now; }
  return text && now - window.benchmarkSince > 400 ? window.benchmarkSince : 0;
}"""
# Clicks the first link of the menu after changing its address; returns the time.
CLICK = """query => {
  window.benchmarkText = document.querySelector('[data-testid=stMain]').innerText;
  window.benchmarkSince = Infinity;
  const link = document.querySelector('.lm-menu a');
  link.setAttribute('href', './?' + query);
  link.click();
  return performance.now();
}"""
HAS_TEXT = "() => document.querySelector('[data-testid=stMain]')?.innerText.trim()"
MAX_WAIT = 120_000  # milliseconds
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Opened:
    """Seconds of opening a page: until it is complete, of the browser's main thread, and of the server."""

    wall: float
    main: float
    server: float


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--cold", action="store_true")
    options = parser.parse_args()
    run = options.run.resolve()
    pages = queries(run)
    with sync_playwright() as playwright, TemporaryDirectory() as profile:
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print("             in a new tab            by a click             cold")
        print("page         wall   main   server    wall   main   server   (seconds)")
        cold = {name: _cold(browser, run, query) for name, query in pages.items()} if options.cold else {}
        with _explored(run) as (address, server):
            _opened(browser, address, server, pages["label"])  # indexes all of the run
            for name, query in pages.items():
                elsewhere = pages["lab" if name != "lab" else ""]
                found = [
                    [_opened(browser, address, server, query) for _ in range(options.times)],
                    [_clicked(browser, address, server, elsewhere, query) for _ in range(options.times)],
                ]
                columns = "    ".join(_medians(part) for part in found)
                print(f"{name or 'runs':12} {columns}  {cold.get(name, math.nan):5.2f}", flush=True)
        browser.close()


def _medians(part: Sequence[Opened]) -> str:
    names = ("wall", "main", "server")
    return "  ".join(f"{statistics.median(getattr(one, name) for one in part):5.2f}" for name in names)


def _cold(browser: BrowserContext, run: Path, query: Mapping[str, str]) -> float:
    """Seconds until the first text of a page of an app that was just started."""
    with _explored(run) as (address, _):
        page = browser.new_page()
        start = time.monotonic()
        page.goto(f"{address}/?{urlencode(query)}")
        page.wait_for_function(HAS_TEXT, polling=50, timeout=MAX_WAIT)
        spent = time.monotonic() - start
        page.close()
        return spent


class _Processor:
    """Processor seconds that the main thread of a tab and the server have used."""

    def __init__(self, page: Page, server: int) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._server = server
        self._start = self._now()

    def spent(self) -> tuple[float, float]:
        """Seconds of main thread and server since the beginning."""
        main, server = self._now()
        return main - self._start[0], server - self._start[1]

    def _now(self) -> tuple[float, float]:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        main = next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")
        return main, _seconds_of_tree(self._server)


def _seconds_of_tree(pid: int) -> float:
    """Processor seconds of a process and of those that it started."""
    fields = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
    waiting, total = [pid], 0
    while waiting:
        one = waiting.pop()
        total += int(fields[one][11]) + int(fields[one][12]) if one in fields else 0
        waiting += [child for child, values in fields.items() if int(values[1]) == one]
    return total / TICK


def _opened(browser: BrowserContext, address: str, server: int, query: Mapping[str, str]) -> Opened:
    """A page in a new tab, until the last change of its text."""
    page = browser.new_page()
    processor = _Processor(page, server)
    page.goto(f"{address}/?{urlencode(query)}")
    since = page.wait_for_function(SAME_SINCE, polling=50, timeout=MAX_WAIT).json_value()
    found = Opened(since / 1000, *processor.spent())
    page.close()
    return found


def _clicked(
    browser: BrowserContext, address: str, server: int, start: Mapping[str, str], query: Mapping[str, str]
) -> Opened:
    """A page after a click on a link to it on page ``start``, until the last change of its text."""
    page = browser.new_page()
    page.goto(f"{address}/?{urlencode(start)}")
    page.wait_for_selector(".lm-menu a", timeout=MAX_WAIT)
    page.wait_for_function(SAME_SINCE, polling=50, timeout=MAX_WAIT)
    processor = _Processor(page, server)
    clicked = page.evaluate(CLICK, urlencode(query))
    since = page.wait_for_function(SAME_SINCE, polling=50, timeout=MAX_WAIT).json_value()
    found = Opened((since - clicked) / 1000, *processor.spent())
    page.close()
    return found


@contextmanager
def _explored(run: Path) -> Iterator[tuple[str, int]]:
    """Runs `lemmata explore` during the block; yields its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "lemmata", "explore", f"runs={run.parent}", f"port={port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _listens(port):
            if process.poll() is not None:
                raise RuntimeError("the explorer did not start; run `lemmata explore` to see why")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    return True


if __name__ == "__main__":
    main()
