"""Pairwise selection from the command line: best of n in an evaluation, shown, exported, budgeted and reported."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from core.records import Comparison, Selection
from core.store import Run
from tests.command import CommandLine, serving
from tests.evaluation.test_evaluate_command import problem_file
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of, well_behaved

pytest_plugins = ["tests.lemmata.conftest"]
BEST_OF = ["refine.select=pairwise", "refine.proofs=3", "refine.rounds=1", "judge.analyses=3", "judge.reviews=0"]


async def first_position(body: Mapping[str, Any], server: FakeServer) -> Reply:
    """A judge that prefers the proof shown first, and one proof in both orders: the one with the larger name."""
    prompt = "".join(message["content"] for message in body["messages"])
    if role_of(prompt) != "comparer":
        return await well_behaved(body, server)
    first, second = re.findall(r"^Proof (\w+)\.$", prompt, re.MULTILINE)
    best = max(re.findall(r"^Proof (\w+)\.$", prompt, re.MULTILINE))
    consistent = best[0] < "f"  # some pairs are decided, some by position
    letter = ("A" if first == best else "B") if consistent else "A"
    return json_reply(completion(body, [f"{first} or {second}.\nBetter proof: {letter}"] * body.get("n", 1)))


@pytest.mark.slow
def test_best_of_n_in_an_evaluation(lemmata: CommandLine) -> None:
    problems = problem_file(lemmata.folder, 2)
    with serving(first_position) as served:
        command = ["evaluate", f"problems={problems}", *served.policy(), "control.problems=0", *BEST_OF]
        assert lemmata(*command, "run=r", "budget.tokens=2000").code == 2
        lemmata.ok(*command, "run=r", "budget.tokens=null")
        asked = len(served.server.requests)
        lemmata.ok(*command, "run=r")
        assert len(served.server.requests) == asked
    records = list(Run.read(lemmata.folder / "r/policy/attempt-000").records())
    comparisons = [record for record in records if isinstance(record, Comparison)]
    assert {record.rule for record in records if isinstance(record, Selection)} == {"pairwise"}
    assert all(record.usage for record in comparisons)
    lemmata.ok("evaluate", "report", "run=r", "out=report", "plots=false")
    report = (lemmata.folder / "report" / "report.md").read_text()
    assert "## Pairwise selection" in report
    section = report.partition("## Pairwise selection")[2]
    row = next(line for line in section.splitlines() if line.startswith("| r/policy"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    pairs = {frozenset(record.parents) for record in comparisons}
    first = sum(record.score == 1.0 for record in comparisons)
    assert cells[2:4] == [str(len(comparisons)), str(len(pairs))]
    assert cells[5] == f"{100 * first / len(comparisons):.1f} %"
    assert f"| model-x | comparison | {len(comparisons)} | 0.0 % | 0.0 % |" in report
    shown = lemmata.ok("show", "r/policy/attempt-000").out
    assert f"{len(comparisons)} comparisons, 0 with no parseable verdict" in shown
    assert f"prefers {comparisons[0].preferred}" in lemmata.ok("show", "r/policy/attempt-000", comparisons[0].id).out
    lemmata.ok("export", "run=r/policy/attempt-000", "table=comparisons", "out=c.parquet")


def test_the_shipped_models_prompts_compare_nothing(lemmata: CommandLine) -> None:
    message = lemmata.fails("refine", "run=r", "refine.select=pairwise", "policy=endpoint", "prompts=lab",
                            "policy.base_url=http://127.0.0.1:9/v1", "policy.model=m", "problem=Prove it.")  # fmt: skip
    assert "refine.select=pairwise" in message
    assert "prompts=lab" in message


def test_a_follow_up_asks_for_the_letter_alone(lemmata: CommandLine) -> None:
    async def vague(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = "".join(message["content"] for message in body["messages"])
        if role_of(prompt) != "comparer":
            return await well_behaved(body, server)
        asked_again = "Answer with one letter or word alone: A, B or equal." in prompt
        assert not asked_again or body["guided_choice"] == ["A", "B", "equal"]
        return json_reply(completion(body, ["A" if asked_again else "Hard to say."] * body.get("n", 1)))

    with serving(vague) as served:
        lemmata.ok("refine", "problem=Prove it.", "run=r", *served.policy(), *BEST_OF, "verdicts.ask_again=true",
                   "verdicts.constrain=guided_choice", "refine.proofs=2")  # fmt: skip
    lines = [json.loads(line) for path in Run.read("r").log_paths() for line in path.read_text().splitlines()]
    assert {line["score"] for line in lines if line["kind"] == "comparison"} <= {1.0}
