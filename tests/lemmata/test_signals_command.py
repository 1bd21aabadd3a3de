"""``lemmata cotrain recipe=signals`` as a user calls it, at smoke size: to its end, resumed, and reported."""

import json

import pytest

pytest.importorskip("torch")

from core.rubric import SCORES
from rl.recipe.signals import ARMS, LOOPS, WINNER
from tests.command import CommandLine

pytestmark = [pytest.mark.trains, pytest.mark.slow]

SMALL = [
    *("measure.problems=2", "measure.samples=1", "measure.analyses=1", "on_policy_proofs.problems=2"),
    *("train.stages.rl.groups=1", "train.stages.rl.samples=2", "train.stages.rl.max_resamples=0"),
    *("signals.tokens=1500", "signals.loop_tokens=1500", "pass_rates.problems=2"),
]


def test_the_arms_run_to_their_end_resume_and_are_reported(lemmata: CommandLine) -> None:
    run = lemmata.folder / "run"
    command = ["cotrain", "recipe=signals_smoke", f"run={run}", *SMALL]
    lemmata.ok(*command)
    at = run / "steps"
    choice = json.loads((at / WINNER / "winner.json").read_text())
    assert choice["chosen"] in ARMS
    assert choice["validation"].keys() == {*ARMS}
    sampled = at / "signal-self-examples/sampled.jsonl"
    assert {json.loads(line)["label"] for line in sampled.read_text().splitlines()} <= {*SCORES}
    examples = (at / "signal-self-examples/table.jsonl").read_bytes()
    assert b"defects of the proof" not in examples

    # A step that was killed while it sampled goes on, and writes the same table.
    lines = sampled.read_text()
    sampled.write_text(lines[: len(lines) // 2])
    for name in ("done", "table.jsonl", "imitation.json"):
        (at / "signal-self-examples" / name).unlink()
    lemmata.ok(*command)
    assert (sampled.read_text(), (at / "signal-self-examples/table.jsonl").read_bytes()) == (lines, examples)

    lemmata.ok("report", str(run))
    found = json.loads((run / "report/estimates.json").read_text())["runs"][0]["signals"]
    assert found["arms"].keys() == {"base", *ARMS}
    assert found["loops"].keys() == {"base", *LOOPS}
    assert all(found["arms"][arm]["tokens"] > 0 for arm in ARMS)
    assert found["arms"]["base"]["tokens"] is None
    text = (run / "report/report.md").read_text()
    assert "## Verifier signals" in text
    assert f"{choice['chosen']} (chosen)" in text.replace("\\", "")
