"""Evaluations that are interrupted, reported on while unfinished, or spread over servers of which one fails."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from core.records import Label, Proof, Selection
from core.store import Run
from lab.checker import DATE
from policy.endpoint import PROBE
from tests.command import CommandLine, Served, serving
from tests.evaluation.test_evaluate_command import SMALL, of, problem_file
from tests.fake_server import FakeServer, Reply, json_reply, role_of, well_behaved
from tests.processes import stored

pytestmark = pytest.mark.slow

pytest_plugins = ["tests.lemmata.conftest"]
PARTS = ("attempt-000", "attempt-001", "control")


def all_parts(run: str) -> list[dict[str, dict[str, Any]]]:
    """Records of every part of an evaluation of one policy."""
    return [stored(Path(run) / "policy" / part) for part in PARTS]


def test_an_interrupted_evaluation_ends_like_an_uninterrupted_one(lemmata: CommandLine, served: Served) -> None:
    problems = problem_file(lemmata.folder, 3)
    settings = [f"problems={problems}", "attempts=2", "grading.samples=1", *served.policy(), *SMALL]
    lemmata.ok("evaluate", *settings, "run=whole")
    asked = Counter(role_of(prompt) for prompt in served.prompts if prompt != PROBE.messages[-1].content)
    served.server.requests.clear()
    limits = [f"budget.tokens={tokens}" for tokens in (2_000, 12_000, 30_000)]
    codes = [lemmata("evaluate", *settings, "run=cut", "policy.concurrency=4", limit).code for limit in limits]
    assert codes == [2, 2, 2]
    output = lemmata.ok("evaluate", "report", "run=cut", "out=report", "plots=false").out
    assert "report/report.md" in output
    unfinished = (lemmata.folder / "report" / "report.md").read_text()
    lemmata.ok("evaluate", *settings, "run=cut", "budget.tokens=null")
    assert all_parts("cut") == all_parts("whole")
    again = Counter(role_of(prompt) for prompt in served.prompts if prompt != PROBE.messages[-1].content)
    assert again == asked  # nothing was asked for twice
    lemmata.ok("evaluate", "report", "run=cut", "out=report", "plots=false")
    assert (lemmata.folder / "report" / "report.md").read_text() != unfinished


def test_grades_can_be_added_to_a_finished_evaluation(lemmata: CommandLine, served: Served) -> None:
    problems = problem_file(lemmata.folder, 2)
    settings = [f"problems={problems}", "run=r", *served.policy(), *SMALL]
    lemmata.ok("evaluate", *settings)
    proofs = {proof.id for proof in of("r/policy/attempt-000", Proof)}
    served.server.requests.clear()
    lemmata.ok("evaluate", *settings, "grading.samples=1", "exact=true")
    assert {role_of(prompt) for prompt in served.prompts} == {"grader"}
    assert {proof.id for proof in of("r/policy/attempt-000", Proof)} == proofs
    labels = of("r/policy/attempt-000", Label)
    assert {(label.grader, label.score) for label in labels} == {("exact", None)}  # not a theorem of the lab: unscored
    output = lemmata.ok("evaluate", "report", "run=r", "out=report", "plots=false").out
    assert f"0/0 by exact (the lab's checker of {DATE}), unscored 2" in output


def test_two_servers_of_which_one_fails(lemmata: CommandLine, served: Served) -> None:
    async def failing(body: Mapping[str, Any], server: FakeServer) -> Reply:
        await asyncio.sleep(0)
        return json_reply({"error": {"message": "out of memory"}}, 500)

    problems = problem_file(lemmata.folder, 3)
    lemmata.ok("evaluate", f"problems={problems}", "run=alone", *served.policy(), *SMALL, "attempts=2")
    count = len(served.server.requests)
    with serving(failing) as other, serving(well_behaved) as third:
        both = f"policy.base_url=[{other.url},{third.url}]"
        settings = ["policy=endpoint", both, "policy.model=model-x", "policy.concurrency=4", "attempts=2", *SMALL]
        lemmata.ok("evaluate", f"problems={problems}", "run=pair", *settings)
        assert 0 < len(other.server.requests) < count / 3
        assert len(third.server.requests) == count
    assert all_parts("pair") == all_parts("alone")
    assert len(list(Run.read("pair/policy/attempt-001").records())) > 3
    assert len(of("pair/policy/attempt-001", Selection)) == 3


def test_a_misspelt_second_word(lemmata: CommandLine) -> None:
    message = lemmata.fails("evaluate", "reprot", "run=r")
    assert all(part in message for part in ("evaluate", "'reprot'", "human-grades"))
    assert "out=???" in lemmata.ok("evaluate", "report", "--help").out
    assert "entrants=" in lemmata.ok("evaluate", "--help").out
