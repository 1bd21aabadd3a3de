"""Labeling in a browser by keyboard: every label is for the proof that its labeler saw, with two labelers at once."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.labels import read_with_labels
from core.log import read_log
from core.records import Label, StatementReport, Withdrawal
from core.store import Run
from rl.tasks.tables import read_cases
from tests.clocks import HANG
from tests.explorer.browser_session import BrowserSession, explored, launched
from tests.records import PROBLEM, PROOF, analysis, review, run_of

pytestmark = pytest.mark.browser

LONG = "\n\n".join(f"Step {number}: let \\(x_{{{number}}} < y\\), so it holds." for number in range(60))
TEXT = f"## Solution\n{LONG}\n## Self Evaluation\nFine."
# Keys that come as soon as a new proof is shown. By a timer: a page that another window covers has no animation frames.
PRESS_AT_ONCE = """async (key) => {
  const mark = () => document.querySelector('[data-lemmata-item]')?.dataset.lemmataItem;
  const before = mark(), press = () => document.body.dispatchEvent(
    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true, composed: true}));
  const moment = () => new Promise((next) => setTimeout(next, 15));
  press();
  const limit = performance.now() + 60000;
  while (mark() === before) {
    if (performance.now() > limit) throw new Error(`no other proof after ${key}: ${document.body.innerText}`);
    await moment();
  }
  const since = performance.now();
  while (performance.now() - since < 350) { press(); await moment(); }
  return mark();
}"""


class Labeler(BrowserSession):
    """A person who labels by keyboard."""

    def open(self, name: str, **query: str) -> None:
        """Opens the label page of the run under a name."""
        self.go("label", run="run", labeler=name, **query)
        self.ready()

    def ready(self) -> str:
        """Waits until keys act; returns the id of the proof or analysis that the page shows."""
        self.page.locator(".bar[data-armed=true]").wait_for(timeout=HANG * 1000)
        shown = self.page.locator("[data-lemmata-item]")
        return str(shown.get_attribute("data-lemmata-item")) if shown.count() else ""

    def press(self, key: str) -> str:
        """Presses a key that leads to another item, and returns that item."""
        here = self.ready()
        self.page.keyboard.press(key)
        self.page.wait_for_function(
            "item => document.querySelector('[data-lemmata-item]')?.dataset.lemmataItem !== item",
            arg=here,
            polling=100,
            timeout=HANG * 1000,
        )
        return self.ready()

    def status(self) -> str:
        return self.page.locator(".bar [data-part=status]").inner_text()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of twelve proofs of two problems, with analyses of the first."""
    folder = tmp_path_factory.mktemp("labels") / "runs"
    made = [
        replace(PROOF, id=f"p{number:02}", text=f"## Solution\n{LONG}\n## Self Evaluation\nFine.")
        for number in range(8)
    ]
    judged = [analysis("a", 0.0, "p00"), analysis("b", 1.0, "p00"), review("r", 0.0, "a"), review("s", 1.0, "a")]
    other = replace(PROBLEM, id="q", name="two", statement="Prove B.", reference="By B.", guidelines="4 points.")
    more = [replace(PROOF, id=f"q{number:02}", problem_id="q") for number in range(4)]
    run_of(folder, [PROBLEM, *made, *judged], [other, *more])
    return folder


@pytest.fixture(scope="module")
def app(runs: Path) -> Iterator[tuple[str, Any]]:
    with launched() as browser, explored(runs) as address:
        yield address, browser


@pytest.fixture
def people(app: tuple[str, Any], runs: Path) -> Iterator[tuple[Labeler, Labeler]]:
    """Two people, each with a browser profile of their own, and no labels yet."""
    for path in (runs / "run" / "labels").glob("*.jsonl"):
        path.unlink()
    address, browser = app
    both = [Labeler(browser.new_context(viewport={"width": 1360, "height": 800}).new_page(), address) for _ in range(2)]
    yield both[0], both[1]
    for one in both:
        assert one.errors == []
        one.page.context.close()


@pytest.fixture
def ada(people: tuple[Labeler, Labeler]) -> Labeler:
    return people[0]


def labels(runs: Path, author: str = "Ada") -> list[tuple[str, float | None]]:
    """Labels in effect by one person, as (id, score), in the order of writing within each problem."""
    return [(label.analysis_id or label.proof_id, label.score) for label in records(runs) if label.author == author]


def records(runs: Path) -> list[Label]:
    logs = sorted((runs / "run" / "problems").glob("*.jsonl"))
    return [record for log in logs for record in read_with_labels(log) if isinstance(record, Label)]


def on_file(runs: Path, kind: type) -> int:
    return sum(
        isinstance(record, kind) for path in (runs / "run" / "labels").glob("*.jsonl") for record in read_log(path)
    )


def test_two_people_label_at_once_by_keyboard_and_each_label_is_for_what_its_labeler_saw(
    people: tuple[Labeler, Labeler], runs: Path
) -> None:
    given: dict[str, list[tuple[str, float]]] = {"Ada": [], "Emmy": []}
    scores = {"0": 0.0, "5": 0.5, "1": 1.0}
    for person, name in zip(people, given, strict=True):
        person.go("label", run="run")
        person.page.keyboard.press("Tab")
        while person.page.evaluate("document.activeElement.getAttribute('aria-label')") != "Your name":
            person.page.keyboard.press("Tab")
        person.page.keyboard.type(name)
        person.page.keyboard.press("Enter")
        assert person.ready()
        person.page.keyboard.press("Tab")
        person.page.evaluate("document.activeElement.blur()")
    with Run.start(runs / "run", "refine", {}):  # the run is on meanwhile
        for keys in ("05", "11", "50", "15", "01"):
            seen = [person.ready() for person in people]
            for person, key in zip(people, keys, strict=True):
                person.page.keyboard.press(key)
            for person, name, item, key in zip(people, given, seen, keys, strict=True):
                given[name].append((item, scores[key]))
                person.page.wait_for_function(
                    "item => document.querySelector('[data-lemmata-item]')?.dataset.lemmataItem !== item",
                    arg=item,
                    polling=100,
                    timeout=HANG * 1000,
                )
    for person, name in zip(people, given, strict=True):
        person.ready()
        assert sorted(labels(runs, name)) == sorted(given[name])
        assert len({item for item, _ in given[name]}) == 5
        assert f"as {name} · 5 of 12 labeled · 7 left" in person.status()


def test_label_it_opens_that_proof_whether_it_is_labeled_or_not(ada: Labeler, runs: Path) -> None:
    first = ada.open("Ada") or ada.ready()
    ada.press("1")
    for proof in ("p05", first):  # far down the queue; labeled already, so in no queue
        ada.go("proof", run="run", problem="p" if proof.startswith("p") else "q", proof=proof, labeler="Ada")
        ada.follow(ada.page.get_by_role("link", name="Label it").click)
        assert ada.ready() == proof
        ada.press("0")
    assert sorted(labels(runs)) == sorted([(first, 1.0), ("p05", 0.0), (first, 0.0)])


def test_a_held_key_labels_once(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    item = ada.ready()
    ada.page.keyboard.down("1")
    for _ in range(30):
        ada.page.keyboard.down("1")  # what a held key sends
        ada.page.wait_for_timeout(60)
    ada.page.keyboard.up("1")
    ada.ready()
    assert labels(runs) == [(item, 1.0)]


def test_no_key_acts_in_the_first_half_second_of_a_new_proof(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    item = ada.ready()
    following = ada.page.evaluate(PRESS_AT_ONCE, "1")
    assert labels(runs) == [(item, 1.0)]
    assert ada.ready() == following
    ada.press("0")
    assert sorted(labels(runs)) == sorted([(item, 1.0), (following, 0.0)])


LOSE_ONE = """() => {
  const send = WebSocket.prototype.send;
  window.lost = 0;
  WebSocket.prototype.send = function (data) { if (window.lost++) send.call(this, data); };
}"""


def test_an_action_that_is_lost_on_the_way_is_sent_again_and_counts_once(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    item = ada.ready()
    ada.page.evaluate(LOSE_ONE)
    following = ada.press("1")
    assert following != item
    assert ada.page.evaluate("window.lost") > 1
    ada.page.wait_for_timeout(5000)  # longer than until it would be sent again
    assert ada.ready() == following
    assert "saved 1" in ada.status()
    assert labels(runs) == [(item, 1.0)]


LOSE_ALL = """() => {
  const send = WebSocket.prototype.send;
  window.lost = 0;
  window.restore = () => { WebSocket.prototype.send = send; };
  WebSocket.prototype.send = () => { window.lost += 1; };
  document.querySelector('[data-testid=stApp]').dataset.testScriptState = 'running';
}"""


def test_no_action_is_sent_again_while_the_page_is_at_work(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    item = ada.ready()
    ada.page.evaluate(LOSE_ALL)
    ada.page.keyboard.press("1")
    ada.page.wait_for_timeout(9000)  # longer than until it would be sent a second and a third time
    assert ada.page.evaluate("window.lost") == 1
    ada.page.evaluate("restore(); document.querySelector('[data-testid=stApp]').dataset.testScriptState = 'notRunning'")
    ada.page.wait_for_function(
        "item => document.querySelector('[data-lemmata-item]')?.dataset.lemmataItem !== item",
        arg=item, polling=100, timeout=HANG * 1000,
    )  # fmt: skip
    ada.ready()
    assert labels(runs) == [(item, 1.0)]


def test_digits_typed_in_a_field_are_no_labels_and_the_reason_stays_with_its_proof(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    item = ada.ready()
    ada.page.keyboard.press("r")
    ada.page.keyboard.type("1 gap in step 50")
    ada.page.keyboard.press("Tab")  # focus leaves the field, nothing else is pressed
    assert labels(runs) == []
    other = ada.press("ArrowRight")
    assert ada.page.get_by_label("Reason").input_value() == ""
    ada.page.keyboard.press("r")
    ada.page.keyboard.type("0 doubts")
    ada.page.keyboard.press("Enter")
    ada.press("1")
    ada.go("label", run="run", labeler="Ada", problem=item[0], proof=item)  # after a reload, too
    assert ada.ready() == item
    assert ada.page.get_by_label("Reason").input_value() == "1 gap in step 50"
    ada.press("5")
    reasons = {label.proof_id: (label.score, label.reason) for label in records(runs)}
    assert reasons == {other: (1.0, "0 doubts"), item: (0.5, "1 gap in step 50")}


def test_own_labels_are_listed_opened_changed_and_undone(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    item = ada.ready()
    second = ada.press("1")
    ada.press("0")
    ada.follow(ada.page.get_by_role("link", name="My labels").click)
    assert ada.page.locator(".lm-table tbody tr").count() == 2
    row = ada.page.locator(".lm-table tr", has_text=item[:10])
    ada.follow(row.get_by_role("link", name="open and change").click)
    assert ada.ready() == item
    assert ada.page.locator(".score[aria-pressed=true]").get_attribute("data-score") == "1"
    ada.press("5")
    assert sorted(labels(runs)) == sorted([(item, 1.0), (item, 0.5), (second, 0.0)])
    ada.page.keyboard.press("u")
    ada.page.get_by_text("withdrew ½").wait_for(timeout=HANG * 1000)
    assert ada.ready() == item
    assert ada.page.locator(".score[aria-pressed=true]").get_attribute("data-score") == "1"  # the earlier one is back
    assert sorted(labels(runs)) == sorted([(item, 1.0), (second, 0.0)])
    assert (on_file(runs, Label), on_file(runs, Withdrawal)) == (3, 1)


def test_arrows_move_skipping_leaves_for_later_and_a_question_mark_shows_the_keys(ada: Labeler, runs: Path) -> None:
    ada.open("Ada")
    first = ada.ready()
    second = ada.press("ArrowRight")
    assert ada.press("ArrowLeft") == first
    assert ada.press("s") == second
    ada.page.keyboard.press("?")
    assert "withdraw your last label" in ada.page.get_by_role("dialog", name="Keys").inner_text()
    ada.page.keyboard.press("1")  # while the keys are shown none acts
    ada.page.keyboard.press("?")
    assert ada.page.get_by_role("dialog", name="Keys").count() == 0
    seen = [second]
    while ada.ready() != first:  # skipped ones come last
        seen.append(ada.press("1"))
    assert len(labels(runs)) == 11
    ada.page.keyboard.press("1")
    ada.page.get_by_text("Nothing waits for Ada").wait_for(timeout=HANG * 1000)
    ada.ready()
    ada.page.keyboard.press("u")
    ada.page.get_by_text("withdrew 1").wait_for(timeout=HANG * 1000)
    assert ada.ready() == first
    assert len(labels(runs)) == 11


def test_a_new_proof_opens_at_its_top(ada: Labeler) -> None:
    ada.open("Ada", problem="p", proof="p03")
    main = ada.page.locator("[data-testid=stMain]")
    ada.page.keyboard.press("End")
    main.evaluate("element => element.scrollTo(0, 1500)")
    assert main.evaluate("element => element.scrollTop") > 1000
    following = ada.press("1")
    assert following != "p03"
    assert main.evaluate("element => element.scrollTop") == 0


def test_name_blind_mode_and_kind_survive_pages_and_reloads(ada: Labeler, runs: Path) -> None:
    ada.open("Ada", what="analysis", blind="0")
    item = ada.ready()
    assert item == "a"
    for name in ("Agreement and export", "My labels", "Label"):
        ada.follow(ada.page.get_by_role("link", name=name, exact=True).click)
        assert "labeler=Ada" in ada.page.url
    ada.ready()
    ada.page.reload()
    ada.settle()
    assert ada.ready() == "a"
    assert ada.page.get_by_label("Your name").input_value() == "Ada"
    ada.press("5")
    assert labels(runs) == [("a", 0.5)]
    assert [label.proof_id for label in records(runs)] == ["p00"]
    ada.page.get_by_text("Proofs", exact=True).click()
    ada.page.locator(".bar .score", has_text="complete and rigorous").wait_for(timeout=HANG * 1000)
    assert "what=" not in ada.page.url
    ada.follow(ada.page.go_back)
    ada.page.locator(".bar .score", has_text="its issues are real").wait_for(timeout=HANG * 1000)


SELECT = """() => {
  const texts = document.createTreeWalker(document.querySelector('.st-key-labeled-item'), NodeFilter.SHOW_TEXT);
  let node; while (!(node = texts.nextNode()).data.startsWith('Step 7')) {}
  const range = new Range(); range.setStart(node, 0);
  let end = node; while (!end.data.includes('so it holds')) end = texts.nextNode();
  range.setEnd(end, end.data.indexOf('holds') + 5);
  getSelection().removeAllRanges(); getSelection().addRange(range);
}"""


def test_a_label_points_at_a_marked_passage(ada: Labeler, runs: Path) -> None:
    ada.open("Ada", problem="p", proof="p03")
    ada.page.evaluate(SELECT)
    ada.page.keyboard.press("m")
    assert "Step 7" in ada.page.locator(".bar [data-part=passage]").inner_text()
    assert ada.page.evaluate("CSS.highlights.get('lemmata-label').size") == 1
    ada.press("5")
    [label] = records(runs)
    expected = r"Step 7: let \(x_{7} < y\), so it holds."
    assert (label.proof_id, label.passage) == ("p03", expected)
    body = replace(PROOF, text=TEXT).body
    assert body is not None
    assert body[label.passage_start : label.passage_end] == expected
    ada.open("Ada", problem="p", proof="p03")
    tinted = ada.page.evaluate("[...CSS.highlights.get('lemmata-label')][0].toString()")
    assert tinted.startswith("Step 7")
    assert tinted.rstrip(".").endswith("holds")


def test_a_reported_statement_is_on_record_and_off_the_queue(ada: Labeler, runs: Path, tmp_path: Path) -> None:
    ada.open("Ada", problem="q", proof="q01")
    ada.press("1")
    ada.open("Ada", problem="q", proof="q01")
    ada.page.get_by_role("tab", name="Report").click()
    ada.page.get_by_label("Fault of the statement").fill("it is false")
    ada.page.get_by_role("button", name="Report this statement").click()
    ada.page.get_by_text("Withdraw my report").wait_for(timeout=HANG * 1000)
    assert on_file(runs, StatementReport) == 1
    ada.page.locator(".bar", has_text="8 left").wait_for(timeout=HANG * 1000)
    ada.go("agreement", run="run", labeler="Ada")
    assert "1 of reported statements" in ada.text()
    ada.open("Ada", problem="q", proof="q01")
    ada.page.get_by_role("tab", name="Report").click()
    ada.page.get_by_text("Withdraw my report").click()
    ada.page.locator(".bar", has_text="11 left").wait_for(timeout=HANG * 1000)
    ada.go("agreement", run="run", labeler="Ada")
    with ada.page.expect_download() as download:
        ada.page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "d_v.jsonl")
    [case] = read_cases(str(tmp_path / "d_v.jsonl"), ["label"]).rows
    assert case.label == 1.0
    row = json.loads((tmp_path / "d_v.jsonl").read_text())
    assert (row["problem"], row["proof_id"], row["labelers"]) == ("two", "q01", ["Ada"])


def test_nobody_labels_without_a_name(ada: Labeler, runs: Path) -> None:
    ada.go("label", run="run")
    ada.page.keyboard.press("1")
    assert "Enter your name" in ada.text()
    assert ada.page.locator(".bar").count() == 0
    assert labels(runs) == []
