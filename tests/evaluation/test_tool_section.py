"""Tool calls in a report: read from the log of a run, by the kind of answer that they were made for."""

from contextlib import closing
from pathlib import Path

from core.document import Heading, Table
from core.records import Proof, ToolOutput, ToolTurn, Usage
from core.store import Run
from evaluation.folders import Part
from evaluation.gather import ReportData
from evaluation.graded_proofs import read_part
from evaluation.sections import cost_section, tool_section
from tests.scripted import PROBLEM

COMMON = {
    "problem_id": PROBLEM.id, "round": 0, "policy": "policy", "model": "m", "template": "t", "prompt": "p", "seed": 1,
    "finish_reason": "stop", "request": "r", "seconds": 1.0, "created": "now",
}  # fmt: skip


def output(number: int, status: str) -> ToolOutput:
    return ToolOutput(
        id=f"o{number}", problem_id=PROBLEM.id, parents=("turn",), answer_id="proof", role="proof", index=number,
        call_id="c", tool="python", arguments="{}", status=status, text="", seconds=0.5, created="now",
    )  # fmt: skip


def test_calls_and_their_tokens_are_in_the_report(tmp_path: Path) -> None:
    call = {"id": "c", "name": "python", "arguments": "{}"}
    turn = ToolTurn(
        **COMMON, id="turn", parents=(), index=0, text="", usage=Usage(100, 0, 20), answer_id="proof", role="proof",
        calls=(call, call, call),
    )  # fmt: skip
    proof = Proof(**COMMON, id="proof", parents=(), index=0, text="## Solution\nIt is.", usage=Usage(50, 0, 10))
    with Run.start(tmp_path / "run", "refine", {}) as run, closing(run.log(PROBLEM)) as log:
        log.append([turn, output(0, "ok"), output(1, "ok"), output(2, "timeout"), proof])
    data = ReportData(())
    for outcome, _ in read_part(Part(Run.read(tmp_path / "run"), "model", 0)):
        data.outcomes.append(outcome)
        data.entrants = [outcome.entrant]
    heading, table = tool_section(data)
    assert heading == Heading("Tool calls")
    assert isinstance(table, Table)
    assert [list(row)[2:] for row in table.rows] == [["proof", 1, 3.0, 2, 0, 1, 0, 0]]
    [_, costs] = cost_section(data)
    assert isinstance(costs, Table)
    assert [list(row)[2:6] for row in costs.rows] == [["proving", 150, 0, 30]]


def test_a_run_without_tools_has_no_such_section() -> None:
    assert tool_section(ReportData(())) == []
