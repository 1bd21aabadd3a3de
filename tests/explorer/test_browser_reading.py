"""Reading in a browser: quotations linked both ways, a pane that stays, long texts, copies, phones, print."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.clocks import HANG
from tests.explorer.browser_session import BrowserSession, explored, launched
from tests.explorer.judged_runs import judged_run, told
from tests.records import PROBLEM, PROOF

pytestmark = pytest.mark.browser

STEPS = "\n\n".join(f"Step {n}: the number \\(x_{{{n}}}\\) is even, so it is \\(2y_{{{n}}}\\)." for n in range(80))
LONG = "\n\n".join(
    f"Step {n}: let \\(x_{{{n}}} = \\frac{{a_{{{n}}}}}{{b}}\\) be as above, then it holds." for n in range(4500)
)
CODE = json.dumps({"code": "print(1)\nprint('<img src=x onerror=alert(1)>')"})
TRACE = [
    {"kind": "tool_turn", "id": "turn", "problem_id": "p", "parents": [], "answer_id": "y", "role": "proof",
     "text": "I compute.", "calls": [{"id": "c1", "name": "python", "arguments": CODE},
                                     {"id": "c2", "name": "read", "arguments": '{"path": "a.txt"}'}]},
    {"kind": "tool_output", "id": "out1", "problem_id": "p", "parents": ["turn"], "answer_id": "y", "role": "proof",
     "call_id": "c1", "tool": "python", "arguments": CODE, "status": "ok", "seconds": 0.5,
     "text": "1\n<script>alert(2)</script> $x$"},
    {"kind": "tool_output", "id": "out2", "problem_id": "p", "parents": ["turn"], "answer_id": "y", "role": "proof",
     "call_id": "c2", "tool": "read", "arguments": "", "status": "timeout", "seconds": 5.0, "text": ""},
    {"kind": "context_change", "id": "gone", "problem_id": "p", "parents": [], "answer_id": "y", "role": "proof",
     "dropped": ["turn"], "tokens_before": 900, "tokens_after": 300},
    {"kind": "cell_of_a_later_version", "id": "cell", "problem_id": "p", "answer_id": "a", "code": "1 + 1",
     "output": "1 + 1 is 2"},
]  # fmt: skip
COPY = """() => {
  const root = document.querySelector('.st-key-text-proof p'), range = new Range();
  range.selectNodeContents(root);
  getSelection().removeAllRanges(); getSelection().addRange(range);
  const event = new ClipboardEvent('copy', { clipboardData: new DataTransfer(), bubbles: true, cancelable: true });
  root.dispatchEvent(event);
  const text = event.clipboardData.getData('text/plain');
  getSelection().removeAllRanges();
  return text;
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserSession]:
    folder = tmp_path_factory.mktemp("reading") / "runs"
    proof = replace(PROOF, text=f"## Solution\n{STEPS}\n## Self Evaluation\nFine.")
    quotes = [
        replace(
            told(name, score), text=f'I stop at "the number $x_{{60}}$ is even, so it is" since it is odd. ({name})'
        )
        for name, score in (("a", 0.0), ("b", 0.5), ("c", 0.0))
    ]
    steps = STEPS.split("\n\n")
    steps[60] = steps[60].replace("even", "odd")
    del steps[70]
    refined = replace(PROOF, id="z", round=1, parents=("y", "a", "d"), text="\n\n".join([*steps, "A new last remark."]))
    long = replace(PROOF, id="long", text=f"## Solution\n{LONG}\n## Self Evaluation\nFine.")
    assert len(LONG) > 300_000
    judged_run(folder, proof, *quotes, told("d", 1.0), refined, long, problem=replace(PROBLEM, reference="By \\(x\\)."))
    with (folder / "run" / "problems" / "p.jsonl").open("a") as log:
        log.writelines(json.dumps(record, separators=(",", ":")) + "\n" for record in TRACE)
    with launched() as chromium, explored(folder) as address:
        yield BrowserSession(chromium.new_page(viewport={"width": 1360, "height": 800}), address)


def test_quoted_passages_are_tinted_and_linked_both_ways(browser: BrowserSession) -> None:
    browser.go("proof", run="run", problem="p", proof="y")
    note = browser.page.get_by_role("button", name="3 of 4 judges stopped here")
    note.wait_for(timeout=HANG * 1000)
    tinted = browser.page.evaluate("[...CSS.highlights.get('lemmata-stop')].map(range => range.toString())")
    assert len(tinted) == 1
    assert tinted[0].startswith("the number")
    main = browser.page.locator("[data-testid=stMain]")
    assert main.evaluate("element => element.scrollTop") == 0
    place = browser.page.evaluate(
        "() => { const ranges = [...CSS.highlights.get('lemmata-found')];"
        " const box = ranges.find((one) => one.getClientRects().length).getClientRects()[0];"
        " return [box.left + 5, box.top + 5]; }"
    )
    browser.page.mouse.click(*place)  # the quotation in the analysis leads to the proof
    browser.page.wait_for_function(
        "document.querySelector('[data-testid=stMain]').scrollTop > 500", polling=100, timeout=HANG * 1000
    )
    note.click()  # and the note to the analysis
    browser.page.wait_for_url("**analysis=**", timeout=HANG * 1000)
    browser.settle()
    assert browser.page.locator("details[open]", has_text="I stop at").count() == 1
    assert browser.errors == []


def test_tool_calls_are_cells_of_text(browser: BrowserSession) -> None:
    browser.go("proof", run="run", problem="p", proof="y")
    browser.page.get_by_role("tab", name="Trace").click()
    browser.page.get_by_text("2 tool calls").wait_for(timeout=HANG * 1000)
    code, output = browser.page.locator(".lm-code"), browser.page.locator(".lm-output")
    assert code.all_inner_texts() == ["print(1)\nprint('<img src=x onerror=alert(1)>')", '{\n  "path": "a.txt"\n}']
    assert output.all_inner_texts() == ["1\n<script>alert(2)</script> $x$", "(no output)"]
    assert browser.page.locator("[data-testid=stMain] img").count() == 0
    assert browser.page.locator(".lm-badge", has_text="timeout").count() == 1
    browser.go("proof", run="run", problem="p", proof="y", analysis="a")
    browser.page.locator("summary", has_text="Tool calls").click()
    browser.page.get_by_text("1 + 1 is 2").wait_for(timeout=HANG * 1000)
    browser.go("record", run="run", id="turn")
    assert '"kind": "tool_turn"' in browser.text()
    assert browser.page.get_by_role("link", name="Read the proof").count() == 1
    assert (browser.dialogs, browser.errors) == ([], [])


IN_VIEW = (
    "((top) => 0 < top && top < innerHeight)(document.querySelector('[data-lemmata-here]').getBoundingClientRect().top)"
)
MARKED = "name => [...(CSS.highlights.get(name) ?? [])].map((range) => range.toString())"


def test_changes_are_shown_by_paragraph_with_formulas_set_and_their_complaint(browser: BrowserSession) -> None:
    browser.go("diff", run="run", problem="p", proof="z")
    changes = browser.page.locator("[class*=st-key-change-]")
    assert changes.count() == 3
    assert changes.first.locator(".katex").count() == 5
    assert "I stop at" in changes.first.inner_text()
    assert "No critique names this passage" in changes.nth(1).inner_text()
    browser.page.wait_for_function(
        "CSS.highlights.get('lemmata-plus')?.size === 5 && CSS.highlights.get('lemmata-minus').size > 5",
        polling=100,
        timeout=HANG * 1000,
    )
    assert browser.page.evaluate(MARKED, "lemmata-plus") == ["odd,", "A", "new", "last", "remark."]
    assert browser.page.evaluate(MARKED, "lemmata-minus")[0] == "even,"
    folded = browser.page.locator("[data-testid=stExpander]", has_text="60 unchanged paragraphs")
    assert folded.locator(".katex").count() == 0
    folded.locator("summary").click()
    folded.locator(".katex").first.wait_for(timeout=HANG * 1000)
    browser.page.keyboard.press("n")
    browser.page.keyboard.press("n")
    browser.page.get_by_text("change 2 of 3").wait_for(timeout=HANG * 1000)
    here = browser.page.locator("[data-lemmata-here]")
    assert "Step 70" in here.inner_text()
    browser.page.wait_for_function(IN_VIEW, polling=100, timeout=HANG * 1000)  # it is scrolled to
    browser.page.keyboard.press("p")
    browser.page.get_by_text("change 1 of 3").wait_for(timeout=HANG * 1000)
    assert browser.errors == []


def test_the_pane_stays_beside_the_proof_and_scrolls_on_its_own(browser: BrowserSession) -> None:
    browser.go("proof", run="run", problem="p", proof="y")
    browser.page.locator("[data-testid=stMain]").evaluate("element => element.scrollTo(0, 1200)")
    pane = browser.page.locator("[data-testid=stColumn]:has(.st-key-pane)")
    box = pane.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 100
    assert box["y"] + box["height"] <= 800
    assert pane.get_by_role("tab").all_inner_texts() == ["Analyses", "Why not accepted?", "Reference"]


def test_a_long_text_is_drawn_as_it_is_read(browser: BrowserSession) -> None:
    browser.go("proof", run="run", problem="p", proof="long")
    count = "document.querySelectorAll('.st-key-text-proof *').length"
    first = browser.page.evaluate(count)
    assert 1_000 < first < 40_000
    main = browser.page.locator("[data-testid=stMain]")
    main.evaluate("element => element.scrollTo(0, element.scrollHeight)")
    browser.page.wait_for_function(f"{count} > {first} + 1000", polling=100, timeout=HANG * 1000)
    assert browser.page.get_by_role("button", name="Show all").count() == 1


def test_a_copied_formula_is_its_tex_once(browser: BrowserSession) -> None:
    browser.go("proof", run="run", problem="p", proof="y")
    assert browser.page.evaluate(COPY) == "Step 0: the number $x_{0}$ is even, so it is $2y_{0}$."


def test_a_phone_and_a_wide_screen_use_their_width(browser: BrowserSession) -> None:
    for width, low, high in ((390, 340, 390), (1920, 800, 1100)):
        browser.page.set_viewport_size({"width": width, "height": 800})
        browser.go("proof", run="run", problem="p", proof="y")
        box = browser.page.locator(".st-key-text-proof").bounding_box()
        assert box is not None
        assert low <= box["width"] <= high, (width, box)
        assert browser.page.evaluate("document.documentElement.scrollWidth") <= width
    browser.page.set_viewport_size({"width": 1360, "height": 800})


def test_print_has_all_of_the_proof(browser: BrowserSession) -> None:
    browser.go("proof", run="run", problem="p", proof="y")
    browser.page.emulate_media(media="print")
    shown = browser.page.evaluate(
        "() => [document.body.scrollHeight, document.querySelector('.st-key-text-proof').scrollHeight]"
    )
    browser.page.emulate_media(media="screen")
    assert shown[0] > shown[1] > 3000


CONTRAST = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const node of document.querySelectorAll('[data-testid=stMain] *, [data-testid=stSidebar] *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    const skipped = '.lm-hist span, button[disabled], .katex-mathml, [data-testid=stIconMaterial]';
    if (!own || !node.checkVisibility() || node.closest(skipped)) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) low.push([node.textContent.slice(0, 30), node.className, ratio.toFixed(2)]);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_what_is_behind(browser: BrowserSession, scheme: str) -> None:
    browser.page.emulate_media(color_scheme=scheme)
    for page, query in (
        ("", {}),
        ("run", {}),
        ("proof", {"problem": "p", "proof": "y"}),
        ("label", {"labeler": "Ada"}),
    ):
        browser.go(page, **({"run": "run"} if page else {}), **query)
        assert browser.page.evaluate(CONTRAST) == [], page
    browser.page.emulate_media(color_scheme="light")
