"""The app in a browser: every page, deep links, labels by keyboard, hostile texts, damaged runs, large runs."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from core.log import read_log
from core.records import Proof, Review
from core.store import Run
from lab.synthetic_run import write_run
from tests.clocks import HANG
from tests.explorer.browser_session import BrowserSession, explored, launched
from tests.explorer.judged_runs import judged_run, told
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of, selection

pytestmark = pytest.mark.browser

R = TypeVar("R")
TRAPS = r"""# A proof of \(x<y\)
<script>alert("script")</script> <img src=x onerror=alert(1)> <b>bold?</b>
[a link](javascript:alert(2)) ![picture](http://127.0.0.1:9/x.png) http://example.org www.example.org me@example.org
:red[colored] :material/bolt: :smile: &lt;i&gt; &#58;smile&#58; [^1]: note
It costs $5 and $6.
\[ \begin{aligned} a &= b \\[4mm] c &= d \end{aligned} \tag{7} \]
1. In a list
   \[ \href{javascript:alert(3)}{x} + \sum_{i=1}^n i \]
"""
NAME = "<b>trap</b> *a* $x$ :smile: [b](http://example.org) ![i](http://127.0.0.1:9/i.png) a -> b"
HOSTILE = replace(PROOF, id="hostile", text=f"## Solution\n{TRAPS}\n## Self Evaluation\n{TRAPS}", reasoning=TRAPS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explorer") / "runs"
    write_run(folder / "search", 3)
    statement = "<script>alert(4)</script> Prove \\(1+1=2\\)."
    problem = replace(PROBLEM, name=NAME, statement=statement, reference=TRAPS, guidelines=TRAPS)
    bad = replace(analysis("a", 0.0, "hostile"), text=TRAPS)
    graded = replace(label("l", "human", 6 / 7, 6, 7), proof_id="hostile", author="<i>Eve</i>", reason=TRAPS)
    run_of(folder / "small", [problem, HOSTILE, bad, replace(review("r", 1.0, "a"), text=TRAPS), graded])
    verdicts = [told("a", 1.0), told("b", 1.0), told("c", 1.0), told("d", 0.0), review("refuting", 0.5, "d")]
    judged_run(folder / "filtered", PROOF, *verdicts, selection("y"), label("wrong", "human", 0.0))
    damaged(folder)
    with Run.start(folder / "training", "train", {"role": "prover"}) as run:
        (run.folder / "rollouts").mkdir()
    for step in range(1, 30):
        line = {
            "step": step,
            "stage": "rl",
            "reward": step / 30,
            "reward/proof": 0.5,
            "group_reward_std": 0.1,
            "kl": 0.01,
        }
        with (run.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({**line, "off_policy_masked": 0.0}) + "\n")
    trajectories = [{"problem": n % 2, "reward": n / 3, "parts": {"proof": 1.0}, "answers": [TRAPS]} for n in range(4)]
    (run.folder / "rollouts" / "000001.jsonl").write_text("".join(json.dumps(one) + "\n" for one in trajectories))
    return folder


def damaged(folder: Path) -> None:
    """A run of a later version, and one whose last line is torn: there before the explorer first lists its runs."""
    (folder / "newer").mkdir()
    (folder / "newer" / "run.yaml").write_text("schema: 99\nlemmata: 9.9.9\n")
    run_of(folder / "torn", [PROBLEM, PROOF, analysis("a", 1.0)])
    with (folder / "torn" / "run" / "problems" / "p.jsonl").open("ab") as file:
        file.write(b'{"kind": "analysis", "id": "half')


@pytest.fixture(scope="module")
def browser(runs: Path) -> Iterator[BrowserSession]:
    with launched() as browser, explored(runs, "author=Ada") as address:
        yield BrowserSession(browser.new_page(viewport={"width": 1360, "height": 2400}), address)


@pytest.fixture(autouse=True)
def quiet(browser: BrowserSession) -> Iterator[None]:
    """Asserts after each test that the console has no error and no dialog was opened."""
    browser.errors.clear()
    browser.dialogs.clear()
    yield
    assert browser.errors == []
    assert browser.dialogs == []
    assert browser.strange_requests == []


def first(runs: Path, name: str, kind: type[R], **fields: object) -> R:
    """First record of a run with these fields."""
    for path in sorted((runs / name / "problems").glob("*.jsonl")):
        for record in read_log(path):
            if isinstance(record, kind) and all(getattr(record, key) == value for key, value in fields.items()):
                return record
    raise AssertionError(f"no {kind.__name__} with {fields}")


def test_every_page_shows_what_it_is_for(browser: BrowserSession, runs: Path) -> None:
    proof = first(runs, "search", Proof, round=1)
    where = {"run": "search", "problem": proof.problem_id}
    expected = {
        ("",): ["search", "small/run", "training", "rl step 29"],
        ("run", ("run", "search")): ["3", "60", "720"],
        ("search", ("run", "search"), ("words", "therefore")): ["proof", "texts of"],
        ("outcomes", ("run", "search")): ["exact checker", "accepted"],
        ("matrix", ("runs", "search")): ["identities-000"],
        ("compare", ("left", "search"), ("right", "search")): ["3", "sign test p"],
        ("problem", *where.items()): ["Proofs", "Lineage", "Chosen"],
        ("proof", *where.items(), ("proof", proof.id)): ["Analyses", "Review", "Changes and their critiques"],
        ("lineage", *where.items(), ("proof", proof.id)): ["lineage of proofs", "Step by step"],
        ("diff", *where.items(), ("proof", proof.id)): ["Changes and their critiques", "before", "after"],
        ("training", ("run", "training")): ["Parts of the reward", "Best", "Worst", "Masked"],
        ("lab",): ["exact algebra", "Statement"],
        ("label", ("run", "search")): ["Blind", "Statement", "My labels"],
        ("labels", ("run", "small/run"), ("labeler", "<i>Eve</i>")): ["open and change"],
        ("agreement", ("run", "small/run")): ["D_mv", "<i>Eve</i>"],
        ("record", ("run", "search"), ("id", proof.id)): ['"kind": "proof"', proof.id],
    }
    for (page, *query), words in expected.items():
        browser.go(page, **dict(query))
        text = browser.text().lower()
        for word in words:
            assert word.lower() in text, (page, word, text[:600])


def test_filters_are_in_the_address(browser: BrowserSession) -> None:
    browser.go("run", run="search", find="identities")
    assert browser.page.get_by_label("Find a problem").input_value() == "identities"
    rows = browser.page.locator(".lm-table tbody tr")
    assert rows.count() == 1
    browser.page.get_by_text("No verdict", exact=True).click()
    browser.page.wait_for_url("**show=unjudged**", timeout=HANG * 1000)
    browser.settle()
    assert rows.count() == 0
    browser.follow(browser.page.go_back)
    assert rows.count() == 1


def test_the_tab_has_its_icon(browser: BrowserSession) -> None:
    browser.go("lab")
    drawn = """async () => { const sign = new Image(); sign.src = document.querySelector('link[rel*=icon]').href;
    await sign.decode(); return sign.src; }"""
    assert browser.page.evaluate(drawn).startswith("data:image/svg+xml")


def test_every_record_has_an_address(browser: BrowserSession, runs: Path) -> None:
    log = min((runs / "search" / "problems").glob("*.jsonl"))
    for record in {record.kind: record for record in read_log(log)}.values():
        browser.go("record", run="search", id=record.id)
        assert f'"id": "{record.id}"' in browser.text()
    judged = first(runs, "search", Review)
    browser.follow(browser.page.get_by_text("Read the problem").click)
    assert "Proofs" in browser.text()
    browser.go("record", run="search", id=judged.id)
    browser.follow(browser.page.get_by_text("Read it below its analysis").click)
    opened = browser.page.locator("details[open]", has_text=judged.analysis_id[:8])
    assert opened.count() == 1


def test_a_click_opens_a_page_without_reloading_the_app(browser: BrowserSession) -> None:
    browser.go("run", run="search")
    browser.page.evaluate("window.sameDocument = true")
    browser.follow(browser.page.get_by_role("link", name="Lab", exact=True).click)
    assert browser.page.url.endswith("/?page=lab")
    assert "exact algebra" in browser.text()
    browser.follow(browser.page.go_back)
    assert "run=search" in browser.page.url
    assert browser.text().startswith("Runs")
    assert "search" in browser.text()
    assert browser.page.evaluate("window.sameDocument")
    with browser.page.context.expect_page() as opened:  # the browser handles a modified click
        browser.page.locator(".lm-menu a", has_text="Training").click(modifiers=["Control"])
    opened.value.close()
    assert "run=search" in browser.page.url


def test_texts_by_models_are_only_text_and_mathematics(browser: BrowserSession, runs: Path) -> None:
    where = {"run": "small/run", "problem": "p"}
    for page in ("problem", "proof", "label", "record"):
        browser.go(page, **where, proof="hostile", id="hostile")
        closed = browser.page.locator("[data-testid=stMain] details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()
            browser.settle()
        main = browser.page.locator("[data-testid=stMain]")
        for active in (
            "script",
            "img",
            "b >> text=bold?",
            "a[href^='javascript']",
            "a[href*='example.org']",
            "span >> text='colored'",
        ):
            assert main.locator(active).count() == 0, (page, active)
        assert main.locator(".katex-error").count() == 0
    browser.go("proof", **where, proof="hostile", id="hostile")
    assert browser.page.locator("h1").inner_text().replace("\u2060", "") == f"{NAME}: proof"
    text = browser.text()
    browser.page.get_by_role("tab", name="Labels").click()
    browser.page.get_by_text("<i>Eve</i>").first.wait_for(timeout=HANG * 1000)
    text = (text + browser.text()).replace("\u2060", "")
    for words in ("<script>alert(\"script\")</script>", "[a link](javascript:alert(2))", ":red[colored]", ":smile:",
                  ":material/bolt:", "&lt;i&gt;", "It costs $5 and $6.", "me@example.org", "<i>Eve</i>"):  # fmt: skip
        assert words in text, words
    tab = browser.page.locator("[role=tabpanel]").first
    assert tab.locator(".katex-display").count() == 2
    assert tab.locator("li .katex-display").count() == 1
    assert tab.locator(".katex-display .tag").count() == 1


def test_a_proof_says_why_it_was_accepted_as_the_run_decided(browser: BrowserSession) -> None:
    browser.go("proof", run="filtered/run", problem="p", proof="y")
    browser.page.get_by_role("tab", name="Why accepted?").click()
    browser.page.locator(".lm-verdict").wait_for(timeout=HANG * 1000)
    text = browser.text()
    for words in ("struck out: refuted", "Mean 1 of 3 that count", "of all readable ones 0.75",
                  "Rule unanimous", "accepted by unanimous: all 3 distinct verdicts", "Chosen: best"):  # fmt: skip
        assert words in text, (words, text)
    badges = browser.page.locator(".lm-verdict").inner_text().split()
    assert badges == ["accepted", "chosen", "self-score", "0.5"]
    assert browser.page.locator(".lm-table s").count() == 1
    browser.go("outcomes", run="filtered/run")
    row = browser.page.locator(".lm-table tr", has_text="the right critic was refuted")
    assert row.count() == 1
    assert "people" in row.inner_text()
    assert browser.page.locator(".lm-table").first.inner_text().split() == [
        *("RIGHT", "WRONG", "accepted", "0", "1", "rejected", "0", "0"),
    ]  # fmt: skip
    assert "Wrong proofs accepted" in browser.text()


def test_a_damaged_run_has_a_message_on_its_page(browser: BrowserSession, runs: Path) -> None:
    browser.go("run", run="newer")
    assert "schema version 99" in browser.text()
    browser.go("problem", run="torn/run", problem="p")
    assert "the last line is incomplete" in browser.text()
    assert "Proofs" in browser.text()
    browser.go("proof", run="torn/run", problem="p", proof="nothing")
    assert "'nothing'" in browser.text()
    browser.go("run", run="../../etc")
    assert "there is no run" in browser.text()
    (runs / "torn" / "run" / "problems" / "p.jsonl").unlink()
    browser.go("problem", run="torn/run", problem="p")
    assert "missing" in browser.text() or "no problem" in browser.text()


def test_a_proof_on_the_lab_page_is_colored_step_by_step(browser: BrowserSession) -> None:
    proof = "Complete the square: x^2 - 8x + 18 = (x - 4)^2 + 3.\nTherefore the claim is true."
    browser.go("lab", statement="Prove or refute: x^2 - 8x + 18 >= 1 for all real x.", proof=proof)
    assert browser.page.locator(".lm-steps .fault").count() == 1
    assert "invalid step" in browser.text()


def test_a_read_only_explorer_has_no_buttons(runs: Path, browser: BrowserSession) -> None:
    with explored(runs, "read_only=true") as address:
        reader = BrowserSession(browser.page.context.browser.new_page(), address)
        reader.go("label", run="search")
        assert "read-only" in reader.text()
        assert reader.page.locator("[data-testid=stMain] button").count() == 0
        reader.page.close()
