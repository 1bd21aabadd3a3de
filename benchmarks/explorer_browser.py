"""Seconds until each page of the explorer is complete in a browser.

    python -m benchmarks.explorer_run runs/large
    python -m benchmarks.explorer_browser runs/large

The app runs in its own process. A page is complete when its script has ended and its text has not changed for 0.4
seconds, which are subtracted. Each page is opened by its address in a new tab: first with nothing indexed (time of the
first text, since the page updates by itself), then with the whole run indexed (median and maximum of five). The last
two columns are for a click on a link to the page. The browser has a profile of its own and keeps Streamlit's scripts
compiled, as the browser of a user does.
"""

import argparse
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from playwright.sync_api import BrowserContext, sync_playwright

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
TIMES = 5
MAX_WAIT = 60_000  # milliseconds


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run.resolve()
    pages = queries(run)
    with sync_playwright() as playwright, TemporaryDirectory() as profile:
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print("             opened                        by a click")
        print("page         cold     median   max         median   max       (seconds; all but cold indexed)")
        cold = {name: _cold(browser, run, query) for name, query in pages.items()}
        with _explored(run) as address:
            _seconds(browser, address, pages["label"])  # indexes all of the run
            for name, query in pages.items():
                warm = [_seconds(browser, address, query) for _ in range(TIMES)]
                elsewhere = pages["lab" if name != "lab" else ""]
                clicked = [_clicked(browser, address, elsewhere, query) for _ in range(TIMES)]
                found = cold[name], statistics.median(warm), max(warm), statistics.median(clicked), max(clicked)
                print(f"{name or 'runs':12} {'     '.join(f'{seconds:.2f}' for seconds in found)}", flush=True)
        browser.close()


def _cold(browser: BrowserContext, run: Path, query: Mapping[str, str]) -> float:
    """Seconds until the first text of a page of an app that was just started."""
    with _explored(run) as address:
        page = browser.new_page()
        start = time.monotonic()
        page.goto(f"{address}/?{urlencode(query)}")
        page.wait_for_function(HAS_TEXT, polling=50, timeout=MAX_WAIT)
        spent = time.monotonic() - start
        page.close()
        return spent


def _seconds(browser: BrowserContext, address: str, query: Mapping[str, str]) -> float:
    """Seconds from opening a page to the last change of its text."""
    page = browser.new_page()
    page.goto(f"{address}/?{urlencode(query)}")
    since = page.wait_for_function(SAME_SINCE, polling=50, timeout=MAX_WAIT).json_value()
    page.close()
    return since / 1000


def _clicked(browser: BrowserContext, address: str, start: Mapping[str, str], query: Mapping[str, str]) -> float:
    """Seconds from a click on page ``start`` on a link to another to the last change of the text."""
    page = browser.new_page()
    page.goto(f"{address}/?{urlencode(start)}")
    page.wait_for_function(SAME_SINCE, polling=50, timeout=MAX_WAIT)
    clicked = page.evaluate(CLICK, urlencode(query))
    since = page.wait_for_function(SAME_SINCE, polling=50, timeout=MAX_WAIT).json_value()
    page.close()
    return (since - clicked) / 1000


@contextmanager
def _explored(run: Path) -> Iterator[str]:
    """Runs `lemmata explore` during the block; yields its address."""
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
        yield f"http://127.0.0.1:{port}"
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
