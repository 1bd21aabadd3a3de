"""The app as people see it: every page, deep links, labels by keyboard, hostile texts, damaged runs, large runs."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from benchmarks.explorer_run import write_run
from core.log import read_log
from core.records import Label, Proof, Review
from core.store import Run
from rl.tasks.tables import read_cases
from tests.explorer.site import FLAGS, Looking, explored, needed_browser
from tests.records import PROBLEM, PROOF, analysis, label, review, run_of

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
HOSTILE = replace(PROOF, id="hostile", text=f"## Solution\n{TRAPS}\n## Self Evaluation\n{TRAPS}", reasoning=TRAPS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explorer") / "runs"
    write_run(folder / "search", 3)
    statement = "<script>alert(4)</script> Prove \\(1+1=2\\)."
    problem = replace(PROBLEM, name="<b>trap</b>", statement=statement, reference=TRAPS, guidelines=TRAPS)
    bad = replace(analysis("a", 0.0, "hostile"), text=TRAPS)
    said = replace(label("l", "human", 6 / 7, 6, 7), proof_id="hostile", author="<i>Eve</i>", reason=TRAPS)
    run_of(folder / "small", [problem, HOSTILE, bad, replace(review("r", 1.0, "a"), text=TRAPS), said])
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
    tries = [{"problem": n % 2, "reward": n / 3, "parts": {"proof": 1.0}, "answers": [TRAPS]} for n in range(4)]
    (run.folder / "rollouts" / "000001.jsonl").write_text("".join(json.dumps(one) + "\n" for one in tries))
    return folder


@pytest.fixture(scope="module")
def looking(runs: Path) -> Iterator[Looking]:
    chromium = needed_browser()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with explored(runs, "author=Ada") as address, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield Looking(browser.new_page(viewport={"width": 1360, "height": 2400}), address)
        browser.close()


@pytest.fixture(autouse=True)
def quiet(looking: Looking) -> Iterator[None]:
    """No test may leave an error on the console or open a dialog."""
    looking.errors.clear()
    looking.dialogs.clear()
    yield
    assert looking.errors == []
    assert looking.dialogs == []


def first(runs: Path, name: str, kind: type[R], **fields: object) -> R:
    """The first record of a run that fits."""
    for path in sorted((runs / name / "problems").glob("*.jsonl")):
        for record in read_log(path):
            if isinstance(record, kind) and all(getattr(record, key) == value for key, value in fields.items()):
                return record
    raise AssertionError(f"no {kind.__name__} with {fields}")


def test_every_page_shows_what_it_is_for(looking: Looking, runs: Path) -> None:
    proof = first(runs, "search", Proof, round=1)
    where = {"run": "search", "problem": proof.problem_id}
    expected = {
        ("",): ["search", "small/run", "training", "rl step 29"],
        ("run", ("run", "search")): ["3", "60", "720"],
        ("matrix",): ["identities-000"],
        ("compare", ("left", "search"), ("right", "search")): ["3", "sign test p"],
        ("problem", *where.items()): ["Attempts", "Lineage", "Chosen"],
        ("proof", *where.items(), ("proof", proof.id)): ["Analyses", "Review", "What changed"],
        ("lineage", *where.items(), ("proof", proof.id)): ["from the first proof", "Step by step"],
        ("diff", *where.items(), ("proof", proof.id)): ["The critique that it was shown"],
        ("training", ("run", "training")): ["Reward and its parts", "Best", "Worst", "Masked"],
        ("lab",): ["exact algebra", "Statement"],
        ("label", ("run", "search")): ["60 wait", "complete and rigorous"],
        ("agreement", ("run", "small/run")): ["D_mv", "<i>Eve</i>"],
        ("record", ("run", "search"), ("id", proof.id)): ['"kind": "proof"', proof.id],
    }
    for (page, *query), words in expected.items():
        looking.go(page, **dict(query))
        said = looking.text().lower()
        for word in words:
            assert word.lower() in said, (page, word, said[:600])


def test_the_tab_has_its_sign(looking: Looking) -> None:
    looking.go("lab")
    drawn = """async () => { const sign = new Image(); sign.src = document.querySelector('link[rel*=icon]').href;
    await sign.decode(); return sign.src; }"""
    assert looking.page.evaluate(drawn).startswith("data:image/svg+xml")


def test_every_record_has_an_address(looking: Looking, runs: Path) -> None:
    log = min((runs / "search" / "problems").glob("*.jsonl"))
    for record in {record.kind: record for record in read_log(log)}.values():
        looking.go("record", run="search", id=record.id)
        assert f'"id": "{record.id}"' in looking.text()
    judged = first(runs, "search", Review)
    looking.turn(looking.page.get_by_text("Read the problem").click)
    assert "Attempts" in looking.text()
    looking.go("record", run="search", id=judged.id)
    looking.turn(looking.page.get_by_text("Read it below its analysis").click)
    opened = looking.page.locator("details[open]", has_text=judged.analysis_id[:8])
    assert opened.count() == 1


def test_a_click_turns_the_page_without_loading_the_app_anew(looking: Looking) -> None:
    looking.go("run", run="search")
    looking.page.evaluate("window.sameDocument = true")
    looking.turn(looking.page.locator(".lm-menu a", has_text="Laboratory").click)
    assert looking.page.url.endswith("/?page=lab")
    assert "The checker decides" in looking.text()
    looking.turn(looking.page.go_back)
    assert "run=search" in looking.page.url
    assert looking.text().startswith("Runs")
    assert "search" in looking.text()
    assert looking.page.evaluate("window.sameDocument")
    with looking.page.context.expect_page() as opened:  # a modified click is the browser's
        looking.page.locator(".lm-menu a", has_text="Training").click(modifiers=["Control"])
    opened.value.close()
    assert "run=search" in looking.page.url


def test_what_models_write_is_never_more_than_text_and_mathematics(looking: Looking, runs: Path) -> None:
    where = {"run": "small/run", "problem": "p"}
    for page in ("problem", "proof", "label", "record"):
        looking.go(page, **where, proof="hostile", id="hostile")
        closed = looking.page.locator("[data-testid=stMain] details:not([open]) > summary")
        while closed.count():
            closed.first.click()
            looking.settle()
        main = looking.page.locator("[data-testid=stMain]")
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
    looking.go("proof", **where, proof="hostile", id="hostile")
    said = looking.text().replace("\u2060", "")
    for words in ("<script>alert(\"script\")</script>", "[a link](javascript:alert(2))", ":red[colored]", ":smile:",
                  ":material/bolt:", "&lt;i&gt;", "It costs $5 and $6.", "me@example.org", "<i>Eve</i>"):  # fmt: skip
        assert words in said, words
    tab = looking.page.locator("[role=tabpanel]").first
    assert tab.locator(".katex-display").count() == 2
    assert tab.locator("li .katex-display").count() == 1
    assert tab.locator(".katex-display .tag").count() == 1


def test_a_label_is_made_by_keyboard_and_found_in_the_export(looking: Looking, runs: Path, tmp_path: Path) -> None:
    looking.go("label", run="search")
    looking.page.get_by_label("Reason").fill("keyboard alone")
    looking.page.keyboard.press("Enter")
    looking.settle()
    looking.page.locator("h1").click()
    for key, left in (("3", 59), ("1", 58)):
        looking.page.keyboard.press(key)
        looking.page.get_by_text(f"{left} wait").wait_for(timeout=20_000)
        looking.settle()
    labels = [
        record
        for path in (runs / "search" / "problems").glob("*.jsonl")
        for record in read_log(path)
        if isinstance(record, Label)
    ]
    assert sorted((found.author, found.score) for found in labels) == [("Ada", 0.0), ("Ada", 1.0)]
    assert "keyboard alone" in {found.reason for found in labels}
    looking.go("agreement", run="search")
    with looking.page.expect_download() as download:
        looking.page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "d_v.jsonl")
    cases = read_cases(str(tmp_path / "d_v.jsonl"), ["label"]).rows
    assert sorted(case.label or 0.0 for case in cases) == [0.0, 1.0]


def test_damage_is_said_on_the_page(looking: Looking, runs: Path) -> None:
    newer = runs / "newer"
    newer.mkdir()
    (newer / "run.yaml").write_text("schema: 99\nlemmata: 9.9.9\n")
    run_of(runs / "torn", [PROBLEM, PROOF, analysis("a", 1.0)])
    log = runs / "torn" / "run" / "problems" / "p.jsonl"
    with log.open("ab") as file:
        file.write(b'{"kind": "analysis", "id": "half')
    time.sleep(4.5)  # the list of runs is looked up anew every four seconds
    looking.go("run", run="newer")
    assert "schema version 99" in looking.text()
    looking.go("problem", run="torn/run", problem="p")
    assert "the last line is torn" in looking.text()
    assert "Attempts" in looking.text()
    looking.go("proof", run="torn/run", problem="p", proof="nothing")
    assert "holds no proof 'nothing'" in looking.text()
    looking.go("run", run="../../etc")
    assert "there is no run" in looking.text()
    log.unlink()
    looking.go("problem", run="torn/run", problem="p")
    assert "missing" in looking.text() or "no problem" in looking.text()


def test_a_proof_in_the_laboratory_is_colored_step_by_step(looking: Looking) -> None:
    proof = "Complete the square: x^2 - 8x + 18 = (x - 4)^2 + 3.\nTherefore the claim is true."
    looking.go("lab", statement="Prove or refute: x^2 - 8x + 18 >= 1 for all real x.", proof=proof)
    assert looking.page.locator(".lm-steps .fault").count() == 1
    assert "invalid step" in looking.text()


def test_nobody_labels_where_the_explorer_is_read_only(runs: Path, looking: Looking) -> None:
    with explored(runs, "read_only=true") as address:
        reader = Looking(looking.page.context.browser.new_page(), address)
        reader.go("label", run="search")
        assert "read-only" in reader.text()
        assert reader.page.locator("[data-testid=stMain] button").count() == 0
        reader.page.close()
