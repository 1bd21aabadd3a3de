"""Tool calls in the loop: over a real server, recorded turn by turn, resumed and replayed without running again."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from core.log import ProblemLog
from core.records import ContextChange, ContextSummary, Proof, Record, Refusal, ToolOutput, ToolTurn
from policy.interface import Policy, Sampling, ToolCall, user_prompt
from policy.meters import Meters
from policy.recorder import Call, Recorder
from policy.tool_loop import SUMMARIZE, USED_UP, Toolbox
from prover.role import build_proof
from tests.fake_server import Behavior, FakeServer, json_reply
from tests.policy.rig import rig
from tests.scripted import PROBLEM, comparables, records_of, throttled
from tests.tools.toolboxes import Calling, Counting, call_of, use
from tools.toolbox import living_codes

PROMPT = user_prompt("Prove it.\n## Self Evaluation")
TIMES = ("seconds", "created")


async def itself(proof: Proof) -> Proof:
    return proof


@dataclass
class Outcome:
    """Result of a call: its proofs, the records, the requests, and the counters."""

    proofs: list[Proof]
    records: list[Record]
    requests: list[dict[str, Any]]
    meters: Meters

    def of(self, kind: type) -> list[Any]:
        """The records of a kind."""
        return [record for record in self.records if isinstance(record, kind)]


async def _ask(folder: Path, policy: Policy, toolbox: Toolbox, count: int, meters: Meters) -> list[Proof]:
    log = ProblemLog(folder / f"{PROBLEM.id}.jsonl")
    with closing(log):
        if PROBLEM.id not in log:
            log.append([PROBLEM])
        recorder = Recorder(PROBLEM, log, 0, meters, toolbox=toolbox)
        call = Call(policy, PROMPT, "t@1", Sampling(), Proof, build_proof, indices=range(count))
        return await recorder.ask(call, itself)


def ask(folder: Path, behavior: Behavior, toolbox: Toolbox, count: int = 1, **settings: Any) -> Outcome:
    """Proofs with tools over a server that behaves so."""

    async def run() -> Outcome:
        async with rig(behavior, **settings) as served:
            proofs = await _ask(folder, served.throttle, toolbox, count, served.meters)
            log = ProblemLog(folder / f"{PROBLEM.id}.jsonl")
            with closing(log):
                return Outcome(proofs, records_of(log), served.server.requests, served.meters)

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_calls_run_and_their_outputs_go_back_to_the_model(tmp_path: Path, stream: bool) -> None:
    toolbox = Counting()
    outcome = ask(tmp_path, Calling(turns=2, calls=2, stream=stream), toolbox)
    codes = [json.dumps({"code": f"step {turn}.{place}"}) for turn in range(2) for place in range(2)]
    assert [arguments for _, arguments in toolbox.ran] == codes
    first, second, last = outcome.requests
    assert [tool["function"]["name"] for tool in first["tools"]] == ["python"]
    assert first["tool_choice"] == "auto"
    assert [message["role"] for message in last["messages"]] == ["user", *["assistant", "tool", "tool"] * 2]
    assistant, tool = second["messages"][1:3]
    assert assistant["reasoning_content"] == "I think. (0)"  # kept within the loop
    assert [call["id"] for call in assistant["tool_calls"]] == ["c0-0", "c0-1"]
    assert (tool["tool_call_id"], tool["content"]) == ("c0-0", f"output of {codes[0]}")
    assert f"output of {codes[-1]}".replace('"', "") in outcome.proofs[0].text.replace('"', "")
    assert len({request["seed"] for request in outcome.requests}) == 3
    assert toolbox.ended == [outcome.proofs[0].id]


def test_every_call_and_output_is_a_record_with_its_parents(tmp_path: Path) -> None:
    outcome = ask(tmp_path, Calling(turns=2), Counting())
    [proof], turns, outputs = outcome.proofs, outcome.of(ToolTurn), outcome.of(ToolOutput)
    assert {record.answer_id for record in (*turns, *outputs)} == {proof.id}
    assert {record.role for record in (*turns, *outputs)} == {"proof"}
    assert [turn.parents for turn in turns] == [(), (outputs[0].id,)]
    assert [output.parents for output in outputs] == [(turn.id,) for turn in turns]
    assert [turn.text for turn in turns] == ["Turn 0.", "Turn 1."]
    assert all(turn.usage is not None for turn in turns)
    assert outcome.meters.tool_calls == 2
    total = sum(record.usage.total_tokens for record in (*turns, proof) if record.usage)
    assert total == outcome.meters.usage.total_tokens


def test_a_run_resumes_after_any_record_without_asking_or_running_again(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    behavior = Calling(turns=2, calls=2)
    whole = ask(tmp_path / "whole", behavior, Counting(), count=2)
    lines = (tmp_path / "whole" / f"{PROBLEM.id}.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + 2 * (2 * 3 + 1)
    for kept in range(1, len(lines) + 1):
        folder = tmp_path / f"first {kept}"
        folder.mkdir()
        (folder / f"{PROBLEM.id}.jsonl").write_bytes(b"".join(lines[:kept]))
        toolbox = Counting()
        outcome = ask(folder, behavior, toolbox, count=2)
        held = [json.loads(line)["kind"] for line in lines[:kept]]
        assert len(toolbox.ran) == 8 - held.count("tool_output")
        assert len(outcome.requests) == 6 - held.count("tool_turn") - held.count("proof")
        assert comparables(outcome.records, *TIMES) == comparables(whole.records, *TIMES)


def test_earlier_outputs_are_given_to_a_tool_that_must_make_its_variables_again(tmp_path: Path) -> None:
    ask(tmp_path, Calling(turns=2), Counting())
    path = tmp_path / f"{PROBLEM.id}.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:4]))  # up to the second turn's calls
    toolbox = Counting()
    ask(tmp_path, Calling(turns=2), toolbox)
    assert toolbox.earlier == [['output of {"code": "step 0.0"}']]


def test_a_replayed_run_runs_no_code(tmp_path: Path) -> None:
    from core.store import Run  # noqa: PLC0415
    from policy.replay import Replay, ReplayConfig  # noqa: PLC0415

    recorded, again = tmp_path / "recorded", tmp_path / "again"
    again.mkdir()
    with Run.start(recorded, "prove", {}) as run:
        run.log(PROBLEM).close()
    whole = ask(recorded / "problems", Calling(turns=2, calls=2), Counting(), count=2)
    toolbox = Counting()
    replay = throttled(Replay("fake", ReplayConfig(str(recorded), 4)), 4)
    asyncio.run(_ask(again, replay, toolbox, 2, Meters()))
    assert toolbox.ran == []
    with closing(ProblemLog(again / f"{PROBLEM.id}.jsonl")) as log:
        assert comparables(records_of(log), *TIMES) == comparables(whole.records, *TIMES)


@pytest.mark.parametrize(
    ("limit", "turns"),
    [({"turns": 3}, 3), ({"seconds": 2.0}, 2), ({"tokens": 1}, 1)],
    ids=["turns", "seconds", "tokens"],
)
def test_at_the_end_of_a_budget_the_model_is_told_to_answer(tmp_path: Path, limit: dict[str, Any], turns: int) -> None:
    outcome = ask(tmp_path, Calling(turns=99), Counting(use(**limit)))
    *earlier, last = outcome.requests
    assert len(earlier) == turns == len(outcome.of(ToolTurn))
    assert [request["tool_choice"] for request in outcome.requests] == ["auto"] * turns + ["none"]
    assert USED_UP in last["messages"][-1]["content"]
    assert all(USED_UP not in message["content"] for request in earlier for message in request["messages"])
    assert outcome.proofs[0].body is not None


def test_a_model_that_calls_when_it_must_answer_has_no_proof_and_runs_nothing(tmp_path: Path) -> None:
    toolbox = Counting(use(turns=1))
    outcome = ask(tmp_path, Calling(stubborn=True), toolbox)
    assert len(toolbox.ran) == 1
    assert outcome.proofs[0].body is None


@pytest.mark.parametrize("status", ["error", "timeout", "died", "refused"])
def test_a_failure_of_a_tool_is_told_to_the_model_and_is_no_score(tmp_path: Path, status: str) -> None:
    outcome = ask(tmp_path, Calling(turns=1), Counting(status=status))
    [output] = outcome.of(ToolOutput)
    assert output.status == status
    told = outcome.requests[-1]["messages"][-1]["content"]
    assert "output of" in told
    assert ("all variables are lost" in told) == (status in ("timeout", "died"))
    assert outcome.proofs[0].body is not None
    assert outcome.meters.parse_failures == 0


def test_codes_since_the_variables_were_lost_are_those_that_ran() -> None:
    def output(status: str, code: str, tool: str = "python") -> ToolOutput:
        return ToolOutput(
            id=code, problem_id="p", parents=(), answer_id="a", role="proof", index=0, call_id=code, tool=tool,
            arguments=json.dumps({"code": code}), status=status, text="", seconds=0.0, created="",
        )  # fmt: skip

    assert living_codes([output("ok", "a"), output("error", "b"), output("refused", "c")]) == ["a", "b"]
    assert living_codes([output("ok", "a"), output("timeout", "b"), output("ok", "c")]) == ["c"]
    assert living_codes([output("ok", "a"), output("died", "b")]) == []


def test_a_server_that_refuses_a_prompt_midway_leaves_the_turns_and_a_refusal(tmp_path: Path) -> None:
    calling = Calling(turns=3)

    async def refuse(body: Any, server: FakeServer) -> Any:
        if len(body["messages"]) > 3:
            return json_reply({"error": {"message": "flagged by moderation"}}, 400)
        return await calling(body, server)

    outcome = ask(tmp_path, refuse, Counting())
    assert outcome.proofs == []
    assert len(outcome.of(ToolTurn)) == 2
    assert "moderation" in outcome.of(Refusal)[0].error


# The context.


def test_a_full_context_is_cut_by_the_policy_and_what_was_dropped_stays_on_record(tmp_path: Path) -> None:
    config = use(context="discard_all", context_tokens=1500, turns=20)
    outcome = ask(tmp_path, Calling(turns=4), Counting(config, size=3000))
    changes = outcome.of(ContextChange)
    assert changes
    turns = {turn.id for turn in outcome.of(ToolTurn)}
    assert all(change.dropped and set(change.dropped) <= turns for change in changes)
    assert all(change.tokens_after < change.tokens_before for change in changes)
    lengths = [len(request["messages"]) for request in outcome.requests]
    assert 1 in lengths[1:]  # the prompt alone
    assert max(lengths) == 3


def test_a_context_error_of_the_server_applies_the_policy_too(tmp_path: Path) -> None:
    calling = Calling(turns=3)

    async def short(body: Any, server: FakeServer) -> Any:
        if sum(len(message["content"]) for message in body["messages"]) > 1200:
            message = (
                "This model's maximum context length is 400 tokens. However, your messages resulted in 500 tokens."
            )
            return json_reply({"error": {"message": message, "code": "context_length_exceeded"}}, 400)
        return await calling(body, server)

    outcome = ask(tmp_path, short, Counting(use(context="discard_75", turns=4), size=500))
    assert outcome.of(ContextChange)
    assert outcome.of(Refusal) == []
    assert outcome.proofs[0].body is not None
    (tmp_path / "none").mkdir()
    assert ask(tmp_path / "none", short, Counting(use(context="none"), size=500)).of(Refusal)


def test_a_summary_by_the_model_takes_the_place_of_the_turns(tmp_path: Path) -> None:
    calling = Calling(turns=3)

    async def summing(body: Any, server: FakeServer) -> Any:
        if body["messages"][-1]["content"] == SUMMARIZE:
            reply = await calling({**body, "tool_choice": "none"}, server)
            assert isinstance(reply, tuple)
            value = json.loads(reply[2])
            value["choices"][0]["message"]["content"] = "Found: step 0 gives 42."
            return json_reply(value)
        return await calling(body, server)

    toolbox = Counting(use(context="summary", context_tokens=1500, turns=20), size=3000)
    outcome = ask(tmp_path, summing, toolbox)
    [summary, *_] = outcome.of(ContextSummary)
    assert summary.text == "Found: step 0 gives 42."
    assert outcome.of(ContextChange)[0].parents == (summary.id,)
    request = next(r for r in outcome.requests if r["messages"][-1]["content"] == SUMMARIZE)
    assert all("reasoning_content" not in message for message in request["messages"])  # a new user message has come
    after = [r for r in outcome.requests if "Found: step 0" in r["messages"][0]["content"]]
    assert after
    assert after[0]["messages"][0]["content"].startswith(PROMPT.messages[0].content)
    # The same from every state of the log.
    lines = (tmp_path / f"{PROBLEM.id}.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        folder = tmp_path / str(kept)
        folder.mkdir()
        (folder / f"{PROBLEM.id}.jsonl").write_bytes(b"".join(lines[:kept]))
        resumed = ask(folder, summing, replace(toolbox, ran=[]))
        assert comparables(resumed.records, *TIMES) == comparables(outcome.records, *TIMES)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([{"id": "a", "function": {"name": "python", "arguments": '{"code": "1"}'}}], [("a", '{"code": "1"}')]),
        ([{"function": {"name": "python", "arguments": {"code": "1"}}}], [("call_0", '{"code": "1"}')]),
        ([call_of("a", "not json"), call_of("b", "")], [("a", "not json"), ("b", "")]),
    ],
)
def test_calls_are_read_in_the_forms_that_servers_send(
    tmp_path: Path, calls: Sequence[Any], expected: list[tuple[str, str]]
) -> None:
    calling = Calling(turns=1)

    async def send(body: Any, server: FakeServer) -> Any:
        reply = await calling(body, server)
        value = json.loads(reply[2]) if isinstance(reply, tuple) else {}
        if value["choices"][0]["finish_reason"] == "tool_calls":
            value["choices"][0]["message"]["tool_calls"] = calls
        return json_reply(value)

    turn = ask(tmp_path, send, Counting()).of(ToolTurn)[0]
    assert [(call["id"], call["arguments"]) for call in turn.calls] == expected
    assert [ToolCall(**call).name for call in turn.calls] == ["python"] * len(calls)
