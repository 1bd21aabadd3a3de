"""The command line with tools: a run over a server, killed and resumed, and what is shown of its calls."""

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from core.records import from_json
from lemmata.run_totals import Totals, tool_lines
from tests.command import CommandLine, Served, serving
from tests.processes import assert_same, new_job, server_process, stored
from tests.tools import sandboxes
from tests.tools.toolboxes import PythonCalling

TOOLS = ("tools=[python]", "interpreter.kernels=2", "interpreter.output=500")
SMALL = ("refine.proofs=1", "refine.rounds=1", "judge.analyses=1", "judge.reviews=0", "judge.acceptance.min_verdicts=1")


@pytest.mark.slow
def test_roles_compute_and_the_run_shows_their_calls(lemmata: CommandLine, tmp_path: Path) -> None:
    sandboxes.require()
    run = tmp_path / "run"
    with serving(PythonCalling()) as served:
        output = lemmata.ok("refine", "problem=Prove A.", f"run={run}", *TOOLS, *SMALL, *served.policy())
        before = len(served.server.requests)
        lemmata.ok("refine", "problem=Prove A.", f"run={run}", *TOOLS, *SMALL, *served.policy())
        assert len(served.server.requests) == before
    records = stored(run)
    outputs = [record for record in records.values() if record["kind"] == "tool_output"]
    roles = {record["role"] for record in outputs}
    assert roles == {"proof", "analysis"}
    assert {record["text"].strip() for record in outputs if record["status"] == "ok"} == {"", "42"}
    assert {record["status"] for record in outputs} == {"ok", "error"}
    assert "tool calls (3.0 for each proof, 3.0 for each analysis)" in output.out
    shown = lemmata.ok("show", str(run), outputs[1]["id"]).out
    assert "print(n + 1)" in shown
    assert "\n42" in shown
    problem = next(record for record in records.values() if record["kind"] == "problem")
    tree = lemmata.ok("show", str(run), problem["id"]).out
    assert tree.count("tool output") == len(outputs)
    assert "python error" in tree
    table = tmp_path / "outputs.parquet"
    lemmata.ok("export", f"run={run}", "table=tool_outputs", f"out={table}")
    assert table.stat().st_size > 0


@pytest.mark.slow
def test_a_run_with_tools_that_is_killed_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    sandboxes.require()
    settings = (*TOOLS, *SMALL, "policy.concurrency=2")
    with server_process(tmp_path / "server.log", "--tools") as server:
        (tmp_path / "calm").mkdir()
        expected = new_job(tmp_path / "calm", 1, *settings).complete(server.url)
        job, moments = new_job(tmp_path, 1, *settings), random.Random(3)
        for _ in range(3):
            held = len(stored(job.run)) if job.run.exists() else 0
            with job.start(server.url) as running:
                running.wait_until(lambda least=held: job.run.exists() and len(stored(job.run)) > least)
                time.sleep(moments.uniform(0.0, 0.3))
                running.kill()
        assert_same(job.complete(server.url), expected)
    kinds = Counter(record["kind"] for record in expected.values())
    assert (kinds["tool_turn"], kinds["tool_output"]) == (6, 6)


def test_tools_without_a_sandbox_end_the_command_before_a_call(
    lemmata: CommandLine, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.sandbox._fault", lambda *_: "switched off")
    message = lemmata.fails("refine", "problem=Prove A.", "tools=[python]", *served.policy())
    assert "does not run without a sandbox" in message
    assert served.server.requests == []


def test_an_environment_without_the_kernel_is_named(lemmata: CommandLine, served: Served) -> None:
    message = lemmata.fails(
        "refine", "problem=Prove A.", "tools=[python]", "interpreter.python=/nonexistent/python", *served.policy()
    )
    assert "/nonexistent/python does not start" in message
    assert "interpreter.python" in message


@pytest.mark.parametrize(
    "setting", ["tools=[bash]", "tool_use.context=forget", "tool_use.turns=0", "interpreter.memory=0"]
)
def test_settings_of_tools_are_checked(lemmata: CommandLine, served: Served, setting: str) -> None:
    assert setting.partition("=")[0] in lemmata.fails("refine", "problem=Prove A.", setting, *served.policy())


def test_totals_count_calls_by_role_and_by_their_end() -> None:
    totals = Totals()
    fields = {"problem_id": "p", "answer_id": "a", "role": "analysis", "index": 0, "call_id": "c", "tool": "python"}
    for number, status in enumerate(["ok", "ok", "timeout"]):
        value = {"id": str(number), "parents": ["t"], "arguments": "{}", "status": status, "text": "", "seconds": 1.25}
        totals.add(from_json({"kind": "tool_output", "created": "", **fields, **value}))
    assert tool_lines(totals) == ["3 tool calls (3.0 for each analysis): 2 ok, 1 timeout; 3.8 s"]
    assert tool_lines(Totals()) == []
