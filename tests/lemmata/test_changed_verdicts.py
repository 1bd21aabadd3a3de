"""Verdicts of the same proofs without a tool and with it: compared by ``show --beside`` and in the report."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.statistics import IntervalConfig
from evaluation.verdict_changes import JudgedTwice, change_lines, compare
from tests.command import CommandLine, serving
from tests.fake_server import PHRASE, FakeServer, Reply, completion, json_reply
from tests.tools.toolboxes import call_of

CLAIM = "Prove or refute: (x + 1)^2 = x^2 + 2x + {number} for all real x."
ROWS = [
    (1, "Left side: (x + 1)^2 = x^2 + 2x + 1.\nThe claim is true."),
    (3, "Left side: (x + 1)^2 = x^2 + 2x + 3.\nThe claim is true."),
    (4, "Left side: (x + 1)^2 = x^2 + 2x + 4.\nThe claim is true."),
]


async def calculating(body: Mapping[str, Any], server: FakeServer) -> Reply:
    """A verifier that accepts everything, or what its calculator confirms."""
    last = body["messages"][-1]
    if body.get("tools") and last["role"] == "user":
        proof = next(text for _, text in ROWS if text.split("\n")[0] in last["content"])
        value = completion(body, [""], finish_reason="tool_calls")
        value["choices"][0]["message"]["tool_calls"] = [call_of("c", json.dumps({"text": proof}), "calculator")]
        return json_reply(value)
    score = 1 if last["role"] == "user" or last["content"].startswith("0\n") else 0
    return json_reply(completion(body, [f"Here is my evaluation of the solution:\n{PHRASE} \\boxed{{{score}}}"]))


def test_show_names_the_verdicts_that_a_tool_changes(lemmata: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "proofs.jsonl"
    rows = [{"problem": CLAIM.replace("{number}", str(number)), "proof": proof} for number, proof in ROWS]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small = ("judge.analyses=1", "judge.reviews=0", "judge.acceptance.min_verdicts=1")
    with serving(calculating) as served:
        for name, tools in (("plain", "tools=[]"), ("tools", "tools=[calculator]")):
            settings = (f"source={table}", f"run={tmp_path / name}", tools, *small, *served.policy())
            lemmata.ok("verify", *settings)
    shown = lemmata.ok("show", str(tmp_path / "plain"), "--beside", str(tmp_path / "tools")).out
    assert "3 proofs judged in both; 2 verdicts changed; the truth of 3 is known" in shown
    assert "2 proofs accepted, then rejected: right" in shown
    assert "0.667" in shown  # the gain
    assert "3 tool calls" in lemmata.ok("show", str(tmp_path / "tools")).out
    assert "no proof was judged in both" in lemmata.fails(
        "show", str(tmp_path / "plain"), "--beside", str(other_run(lemmata, tmp_path))
    )


def other_run(lemmata: CommandLine, folder: Path) -> Path:
    """A run over other proofs."""
    table = folder / "other.jsonl"
    table.write_text(json.dumps({"problem": "Prove A.", "proof": "B."}) + "\n")
    with serving(calculating) as served:
        lemmata.ok("verify", f"source={table}", f"run={folder / 'other'}", "judge.reviews=0", *served.policy())
    return folder / "other"


@pytest.mark.parametrize(
    ("first", "second", "correct", "kind"),
    [
        (True, False, False, "accepted, then rejected: right"),
        (True, False, True, "accepted, then rejected: wrong"),
        (False, True, True, "rejected, then accepted: right"),
        (False, True, None, "rejected, then accepted; the truth is unknown"),
        (True, True, False, ""),
    ],
)
def test_a_change_is_right_by_the_truth(first: bool, second: bool, correct: bool | None, kind: str) -> None:
    assert JudgedTwice("p", "problem", "c", first, second, correct).kind == kind


def test_the_gain_is_paired_by_cluster_and_leaves_out_unknown_truths() -> None:
    pairs = [JudgedTwice(str(n), "p", n, True, n % 2 == 0, n % 4 == 0) for n in range(40)]
    pairs.append(JudgedTwice("u", "p", "u", True, False, None))
    found = compare(pairs, IntervalConfig())
    assert (found.first.value, found.second.value, found.gain.value) == (0.25, 0.75, 0.5)
    assert found.gain.low is not None
    assert found.gain.low < 0.5
    lines = change_lines(found, "a", "b", "exact")
    assert "41 proofs judged in both; 21 verdicts changed; the truth of 40 is known (exact)" in lines
