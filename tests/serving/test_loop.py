"""``lemmata refine`` and ``prove`` against ``lemmata serve`` through policy=endpoint, end to end."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.records import Analysis, Generated, Proof, Refusal, Selection
from core.store import Run
from tests.command import CommandLine
from tests.serving.rig import CONTEXT, NAME, Server


@pytest.fixture
def lemmata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Runs commands in an empty folder, on a wide terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return CommandLine(tmp_path, capsys)


def policy(server: Server, **more: Any) -> list[str]:
    """Returns the settings that make the server the policy of a command."""
    settings = {"base_url": server.url, "model": NAME, "retry.first_wait": 0.05, **more}
    return ["policy=endpoint", *(f"policy.{key}={value}" for key, value in settings.items()), "sampling.max_tokens=150"]


def generated(folder: str) -> list[Any]:
    """Returns the records that models wrote in a run."""
    return [record for record in Run.read(folder).records() if isinstance(record, Generated)]


def test_refine_twice(lemmata: CommandLine, server: Server) -> None:
    # Noise never ends by itself; with a stop string it counts as an answer and is judged.
    command = ["refine", "problem=Prove that 1 + 1 = 2.", *policy(server), "sampling.stop=[A,E,I,O,U,a,e,i,o,u]"]
    command += [
        "refine.rounds=2",
        "judge.analyses=3",
        "+policy.extra_body.chat_template_kwargs.enable_thinking=false",
    ]
    first = lemmata(*command, "run=first")
    assert first.code == 3  # nothing could be judged
    assert "1 finished" in first.out
    written = generated("first")
    assert len([record for record in written if isinstance(record, Proof)]) >= 4
    assert [record for record in written if isinstance(record, Analysis)]
    assert {record.model for record in written} == {NAME}
    assert {record.finish_reason for record in written} <= {"length", "stop"}
    one = next(record for record in written if record.usage)
    assert one.usage.prompt_tokens > 1000
    assert sum(record.usage.cached_tokens for record in written if record.usage) > 1000  # one prompt, several samples
    [selection] = [record for record in Run.read("first").records() if isinstance(record, Selection)]
    assert not selection.accepted
    # Every seed is sent along, so that another run of the same settings writes the same.
    assert lemmata(*command, "run=second").code == 3
    assert {record.id: record.text for record in generated("second")} == {record.id: record.text for record in written}


def test_reasoning_is_separate(lemmata: CommandLine, server: Server) -> None:
    lemmata.ok("prove", "problem=Prove A.", "proofs=3", "run=r", *policy(server))
    written = generated("r")
    assert len(written) == 3
    assert all(record.reasoning for record in written)
    assert sum(record.usage.reasoning_tokens for record in written if record.usage) > 300


def test_a_problem_beyond_the_context_is_a_refusal(lemmata: CommandLine, server: Server) -> None:
    rows = [{"problem": "Prove A."}, {"problem": "Prove B. " + "x" * CONTEXT}]
    Path("p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lemmata("prove", "problems=p.jsonl", "run=r", *policy(server))
    [refusal] = [record for record in Run.read("r").records() if isinstance(record, Refusal)]
    assert f"the context of this model is {CONTEXT} tokens" in refusal.error
    assert len(generated("r")) == 1


def test_an_unknown_model_ends_the_run_with_the_servers_message(lemmata: CommandLine, server: Server) -> None:
    output = lemmata.fails("prove", "problem=Prove A.", "run=r", *policy(server, model="gpt"))
    assert "model 'gpt' is not served here; use 'tiny'" in output
