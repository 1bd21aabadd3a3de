"""Settings and messages of commands about servers: parameters, budgets, copies, progress, unusable answers."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.command import CommandLine, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of, streaming
from tests.scripted import analysis_text, proof_text

REFINE = ("refine", "refine.proofs=2", "refine.rounds=1", "run=run")


@pytest.fixture
def problems(tmp_path: Path) -> str:
    """A table of three problems."""
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(json.dumps({"statement": f"Prove {number}."}) + "\n" for number in range(3)))
    return f"problems={path}"


def test_parameters_are_left_out_and_own_keys_need_no_plus(lemmata: CommandLine, problems: str) -> None:
    with serving(streaming) as served:
        lemmata.ok(
            *REFINE, problems, *served.policy(), "sampling.temperature=null", "verifier.temperature=0.6",
            "policy.send_seed=false", "policy.extra_body.top_k=20", "policy.extra_body.x={y: [1]}",
        )  # fmt: skip
        by_role = {role_of(body["messages"][0]["content"]): body for body in served.server.requests}
    assert "temperature" not in by_role["prover"]
    assert by_role["verifier"]["temperature"] == 0.6
    for body in by_role.values():
        assert (body["top_k"], body["x"]) == (20, {"y": [1]})
        assert "seed" not in body
    with serving(streaming) as served:
        lemmata.ok(*REFINE[:-1], "run=other", problems, *served.policy(), "policy.extra_body={min_p: 0.1}")
        assert all(body["min_p"] == 0.1 for body in served.server.requests)


async def _priced(body: Mapping[str, Any], server: FakeServer) -> Reply:
    value = completion(body, [proof_text(str(body.get("seed")))] * body.get("n", 1))
    return json_reply(value | {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}})


def test_a_cost_budget_that_cannot_be_kept_is_refused_at_the_start(lemmata: CommandLine, problems: str) -> None:
    with serving(streaming) as served:
        message = lemmata.fails(*REFINE, problems, *served.policy(), "budget.cost=5")
        assert re.search(r"budget\.cost=5 .*policy\.prices\.prompt", message)
        assert len(served.server.requests) == 1
        assert not any(role_of(prompt) == "prover" for prompt in served.prompts)
        # The run holds nothing yet, so that the prices may be added; and a cost that the server states is as good.
        lemmata.ok(*REFINE, problems, *served.policy(), "budget.cost=5", "policy.prices.completion=1")
    with serving(_priced) as served:
        output = lemmata(*REFINE[:-1], "run=priced", problems, *served.policy(), "budget.cost=1")
        assert output.code == 2
        assert "the cost budget of 1 is used up" in output.err
    assert "models in this process" in lemmata.fails(*REFINE, "run=local", "budget.cost=1")


def test_identical_answers_of_one_request_count_once_and_the_server_is_asked_for_one(
    lemmata: CommandLine, problems: str
) -> None:
    async def repeating(body: Mapping[str, Any], server: FakeServer) -> Reply:
        """The text follows from prompt and seed alone, so that all samples of a request are the same."""
        prompt = body["messages"][0]["content"]
        words = f"Seed {body['seed']}: " + "every step holds, and each of them was checked twice. " * 2
        text = proof_text(words) if role_of(prompt) == "prover" else analysis_text(1, words)
        return json_reply(completion(body, [text] * body.get("n", 1)))

    with serving(repeating) as served:
        output = lemmata.ok(*REFINE, problems, *served.policy(), "policy.concurrency=1")
        sizes = [body.get("n", 1) for body in served.server.requests]
    assert output.err.count("2 of 2 answers of one request are identical") == 1
    assert sizes[0] == 2
    assert set(sizes[1:]) == {1}
    # The two proofs of the first request are one; its four analyses, one a request, are distinct.
    assert "all 4 distinct verdicts are 1" in output.out or "8 distinct verdicts" in output.out


def test_progress_has_total_and_share_of_usable_answers(lemmata: CommandLine, problems: str, tmp_path: Path) -> None:
    with serving(streaming) as served:
        output = lemmata.ok(*REFINE, problems, *served.policy())
    assert re.search(r"end: problems 3/3, .*usable 100%", output.err)
    metrics = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert metrics[-1]["total"] == 3
    assert metrics[-1]["usable"] > 0
    assert metrics[-1]["unusable"] == 0


@pytest.mark.parametrize("stop", [False, True])
def test_a_run_without_usable_answers_says_why(lemmata: CommandLine, problems: str, *, stop: bool) -> None:
    async def thinking(body: Mapping[str, Any], server: FakeServer) -> Reply:
        value = completion(body, [""] * body.get("n", 1))
        for choice in value["choices"]:
            choice["message"]["reasoning_content"] = "Everything."
        return json_reply(value)

    with serving(thinking) as served:
        settings = ("unusable.after=5", f"unusable.stop={stop}", "refine.rounds=3", "policy.concurrency=1")
        output = lemmata(*REFINE, problems, *served.policy(), *settings)
        requests = len(served.server.requests)
    assert re.search(r"none of the first 6 answers can be used; 6: .*everything is in the reasoning field", output.err)
    assert "sampling.max_tokens" in output.err
    assert output.code == (2 if stop else 0) or not stop
    assert (requests <= 5) == stop
