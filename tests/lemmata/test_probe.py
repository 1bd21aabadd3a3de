"""``lemmata probe`` against servers with one fault each: what it counts, and what it advises."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.command import CommandLine, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of, well_behaved

PROBE = ["probe", "problem=Prove that 2 + 2 = 4.", "run=r"]


def with_fault(role: str, **choice: Any) -> Any:
    """A server whose answers in one role have a fault."""

    async def behave(body: Mapping[str, Any], server: FakeServer) -> Reply:
        prompt = "".join(message["content"] for message in body["messages"])
        if role_of(prompt) != role:
            return await well_behaved(body, server)
        return json_reply(completion(body, [f"{choice.get('text', 'No.')}"] * body.get("n", 1), **choice))

    return behave


def row(output: str, role: str) -> list[str]:
    """The cells of a role's row."""
    return next(line.split() for line in output.splitlines() if line.startswith(f"{role} "))


def test_a_server_without_faults(lemmata: CommandLine) -> None:
    with serving() as served:
        output = lemmata.ok(*PROBE, *served.policy()).out
        asked = len(served.prompts)
        assert lemmata.ok(*PROBE, *served.policy()).out == output  # it resumes
        assert len(served.prompts) == asked
    for role in ("prover", "verifier", "meta_verifier"):
        assert row(output, role)[:8] == [role, "10", "100", "%", "0", "%", "100", "%"]
    assert "Nothing to change." in output


@pytest.mark.parametrize(
    ("behavior", "role", "hint", "code"),
    [
        (with_fault("prover", finish_reason="length"), "prover", "prover.max_tokens", 3),
        (with_fault("verifier"), "verifier", "docs/guides/prompts.md", 3),
        (with_fault("verifier", finish_reason="length"), "verifier", "verifier.max_tokens", 3),
    ],
    ids=["proofs cut off", "no verdict", "analyses cut off"],
)
def test_a_fault_has_a_hint(lemmata: CommandLine, behavior: Any, role: str, hint: str, code: int) -> None:
    with serving(behavior) as served:
        output = lemmata(*PROBE, *served.policy())
    assert output.code == code
    assert row(output.out, role)[2:4] == ["0", "%"]
    hints = [line for line in output.out.splitlines() if line.startswith(f"{role}: ")]
    assert any(hint in line for line in hints)


def test_a_server_that_repeats_itself(lemmata: CommandLine) -> None:
    async def same(body: Mapping[str, Any], server: FakeServer) -> Reply:
        return await well_behaved({**body, "seed": 1, "n": 1}, server)

    with serving(same) as served:
        output = lemmata(*PROBE, *served.policy()).out
    assert "verifier: 1 of 10 samples are distinct" in output
