"""Finding in a browser: the tree of runs, live pages, an evaluation, order and search in the address, curves."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.store import Run
from tests.clocks import HANG
from tests.explorer.browser_session import BrowserSession, explored, launched
from tests.explorer.evaluation_runs import evaluation_run
from tests.explorer.judged_runs import RULE, told
from tests.records import PROBLEM, PROOF, run_of, selection

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finding") / "runs"
    evaluation_run(folder / "contest")
    proofs = [replace(PROOF, id=f"y{n}", text=f"## Solution\n{'a' * n} chromatic number {n}") for n in range(3)]
    other = replace(PROBLEM, id="q", name="two", statement="Prove B.")
    run_of(folder / "plain", [PROBLEM, *proofs, *(told(f"a{n}", n / 2, f"y{n}") for n in range(3))], [other])
    for name, offset in (("first", 0.0), ("second", 0.25)):
        Run.start(folder / name, "train", {"stages": {"rl": {"steps": 60}}, "stage": ["rl"]}).__exit__()
        lines = [
            {"step": step, "stage": "rl", "reward": step / 100 + offset, "loss": 1 / step, "validation/length": 250.0}
            for step in range(1, 31)
        ]
        (folder / name / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "first" / "rollouts").mkdir()
    rollout = [{"problem": 0, "reward": 1.0, "prompt": "Prove <b>it</b>.", "answers": ["So."]}]
    (folder / "first" / "rollouts" / "000001.jsonl").write_text(json.dumps(rollout[0]) + "\n")
    return folder


@pytest.fixture(scope="module")
def browser(runs: Path) -> Iterator[BrowserSession]:
    with launched() as chromium, explored(runs) as address:
        yield BrowserSession(chromium.new_page(viewport={"width": 1360, "height": 1600}), address)


@pytest.fixture(autouse=True)
def quiet(browser: BrowserSession) -> Iterator[None]:
    browser.errors.clear()
    yield
    assert browser.errors == []


def cells(browser: BrowserSession, column: int) -> list[str]:
    """Texts of a column of the page's last table."""
    rows = browser.page.locator(".lm-table").last.locator("tbody tr")
    return [rows.nth(n).locator("td").nth(column).inner_text().strip() for n in range(rows.count())]


def waits_for(browser: BrowserSession, words: str) -> None:
    """Waits until the page has these words, without any action."""
    browser.page.wait_for_function(
        "words => document.querySelector('[data-testid=stMain]').innerText.includes(words)",
        arg=words, polling=100, timeout=HANG * 1000,
    )  # fmt: skip


def test_the_tree_opens_by_its_address_and_a_run_moves_by_itself(browser: BrowserSession, runs: Path) -> None:
    with Run.start(runs / "live", "refine", {"judge": {"acceptance": RULE}}) as run, closing(run.log(PROBLEM)) as log:
        browser.go("")
        assert cells(browser, 0)[0].endswith("live")  # the running one is first
        assert "0 of 1 finished" in cells(browser, 5)[0]
        assert sum("attempt-000" in name for name in cells(browser, 0)) == 0
        browser.follow(browser.page.get_by_label("show what is below contest").click)
        assert sum("attempt-000" in name for name in cells(browser, 0)) == 2
        assert "contest" in browser.page.url
        assert any("6 of 6 finished, 1 accepted" in words for words in cells(browser, 5))
        log.append([PROOF, selection("y")])
        waits_for(browser, "1 of 1 finished, 1 accepted")
        browser.go("run", run="live")
        waits_for(browser, "● running")
        log.append([replace(PROOF, id="z", round=1)])
        browser.page.wait_for_function(
            "[...document.querySelectorAll('.lm-fact')].some((one) => one.innerText.trim() === '2\\nPROOFS')",
            polling=100,
            timeout=HANG * 1000,
        )
        facts = browser.page.locator(".lm-facts").inner_text()
    assert "1\nACCEPTED" in facts
    browser.go("")
    waits_for(browser, "1 of 1 finished, 1 accepted")


def test_an_evaluation_has_its_leaderboard_and_every_cell_leads_to_its_proof(browser: BrowserSession) -> None:
    browser.go("run", run="contest")
    text = browser.text()
    for words in ("Leaderboard", "contest/large", "40/42", "12 of 12", "Problems and entrants"):
        assert words in text, (words, text)
    row = browser.page.locator("tr", has_text="PB-Basic-10")
    squares = row.locator(".lm-dot")
    assert squares.count() == 4
    browser.follow(squares.last.click)
    assert "run=contest%2Fsmall%2Fattempt-001" in browser.page.url
    assert "proof=small12" in browser.page.url
    assert "PB-Basic-10: proof" in browser.page.locator("h1").inner_text().replace("\u2060", "")


def test_tables_sort_and_filter_in_the_address_and_next_follows_the_list(browser: BrowserSession) -> None:
    browser.go("problem", run="plain/run", problem="p")
    assert cells(browser, 0) == ["y0", "y1", "y2"]
    browser.follow(browser.page.locator("th a", has_text="judges' mean").click)
    assert cells(browser, 0) == ["y2", "y1", "y0"]
    assert "sort=-judges-mean" in browser.page.url
    browser.follow(browser.page.locator(".lm-table a", has_text="y2").click)
    browser.follow(browser.page.locator(".lm-neighbors a", has_text="next").click)
    assert "proof=y1" in browser.page.url
    assert "2 of 3" in browser.text()
    browser.follow(browser.page.go_back)
    browser.follow(browser.page.go_back)
    assert cells(browser, 0) == ["y2", "y1", "y0"]
    browser.follow(browser.page.go_back)
    assert cells(browser, 0) == ["y0", "y1", "y2"]
    browser.go("problem", run="plain/run", problem="p", judged="0.5_1", words="number 1")
    assert cells(browser, 0) == ["y1"]


def test_words_are_found_in_texts_and_lead_to_them(browser: BrowserSession) -> None:
    browser.go("search", run="plain/run", words="Chromatic number 2")
    assert "1 text of 1 problem" in browser.text()
    assert browser.page.locator(".lm-hit mark").inner_text() == "chromatic number 2"
    browser.follow(browser.page.locator(".lm-hit a").click)
    assert "proof=y2" in browser.page.url
    browser.go("run", run="plain/run", find="prove b")
    assert cells(browser, 0) == ["two"]


def tooltip(browser: BrowserSession, plot: Any) -> str:
    """Text of the tooltip over the middle of a plot."""
    box = plot.bounding_box()
    browser.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    browser.page.mouse.move(box["x"] + box["width"] / 2 + 2, box["y"] + 62)
    tip = browser.page.locator("#vg-tooltip-element.visible")
    tip.wait_for(timeout=HANG * 1000)
    return str(tip.inner_text())


def test_curves_have_values_under_the_pointer_and_runs_lie_over_each_other(browser: BrowserSession) -> None:
    browser.go("training", run="first", window="1")
    assert "Unfinished, rl step 30 of 60, reward 0.3. It died: no process trains here" in browser.text()
    plots = browser.page.locator("[data-testid=stVegaLiteChart]")
    plots.first.locator("canvas, svg").first.wait_for(timeout=HANG * 1000)
    assert plots.count() == 3  # reward, loss, and the length of the validation by itself
    words = tooltip(browser, plots.first)
    assert "reward" in words
    assert "0.1" in words
    browser.go("training", run="first", beside="second", window="1", log="1")
    plots.first.locator("canvas, svg").first.wait_for(timeout=HANG * 1000)
    words = tooltip(browser, plots.first)
    assert "first" in words
    assert "second" in words
    assert "NaN" not in words
    assert browser.page.get_by_text("Log axis").count() == 1
    browser.page.locator("[data-testid=stExpander]", has_text="Problem").locator("summary").first.click()
    waits_for(browser, "Prove <b>it</b>.")
