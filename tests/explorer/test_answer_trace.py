"""Traces of answers: turns with tool calls, outputs and changes of the context, as records of a run."""

from pathlib import Path
from typing import Any

from core.records import ContextChange, ToolOutput, ToolTurn
from explorer.index import LogIndex
from explorer.trace import calls_of, cell_of, read_trace, trace_rows
from tests.records import COMMON, PROBLEM, PROOF, analysis, run_of

CODE = '{"code": "print(1)\\nprint(2)"}'
OF: dict[str, Any] = {"problem_id": "p", "answer_id": "y", "role": "proof", "created": "then"}


def test_the_records_of_a_tool_loop_are_the_trace_of_their_answer(tmp_path: Path) -> None:
    calls = ({"id": "c", "name": "python", "arguments": CODE}, {"id": "d", "name": "python", "arguments": "no json"})
    turn = ToolTurn(**{**COMMON, "text": "I compute."}, id="turn", parents=(), answer_id="y", role="proof", calls=calls)
    output = ToolOutput(**OF, id="out", parents=("turn",), index=0, call_id="c", tool="python", arguments=CODE,
                        status="error", text="1\nNameError", seconds=0.25)  # fmt: skip
    change = ContextChange(**OF, id="change", parents=(), context_policy="discard_all", dropped=("turn",),
                           tokens_before=900, tokens_after=300)  # fmt: skip
    run_of(tmp_path, [PROBLEM, turn, output, change, PROOF, analysis("a", 1.0)])
    log = LogIndex(tmp_path / "run" / "problems" / "p.jsonl")
    log.refresh()
    assert log.messages == []
    cells = list(read_trace(log, "y"))
    assert [(cell.kind, cell.code, cell.text, cell.tool, cell.status) for cell in cells] == [
        ("tool turn", ("print(1)\nprint(2)", "no json"), "I compute.", "", ""),
        ("tool output", (), "1\nNameError", "python", "error"),
        ("context change", (), "", "", ""),
    ]
    assert calls_of(cells) == 2
    assert cells[1].seconds == 0.25
    assert cells[2].details == {"context_policy": "discard_all", "dropped": ["turn"], "tokens_before": 900,
                                "tokens_after": 300}  # fmt: skip
    assert trace_rows(log, "a") == []


def test_a_cell_of_an_unknown_kind_is_read_by_its_fields() -> None:
    cell = cell_of({"kind": "cell", "id": "x", "answer_id": "y", "code": "1 + 1", "output": 2})
    assert (cell.code, cell.text, cell.tool) == (("1 + 1",), "2", "tool")
    search = cell_of({"kind": "call", "id": "x", "answer_id": "y", "arguments": '{"query": "primes"}'})
    assert search.code == ('{\n  "query": "primes"\n}',)
