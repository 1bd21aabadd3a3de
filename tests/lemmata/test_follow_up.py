"""A judge that gives no readable verdict is asked for it alone, once; copies are never scored."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.records import Analysis, FollowUp, Proof, Record, Unscored
from core.store import Run
from tests.command import CommandLine, serving
from tests.fake_server import FakeServer, Reply, completion, json_reply, role_of
from tests.scripted import analysis_text, proof_text

UNREADABLE = "Here is my evaluation of the solution:\nThe induction starts at 2 and covers every case that matters."
STATEMENT = "Prove that the sum of two odd integers is even."
NOTHING_JUDGED = 3
LONG = " ".join(f"word{number}" for number in range(60))


@dataclass
class Judge:
    """Server whose verifier writes ``analysis`` and answers the follow-up by ``short``; each is made of the seed."""

    analysis: Callable[[int], str] = lambda seed: f"{UNREADABLE} ({seed})"
    short: Callable[[int], str] = lambda seed: "0.5"
    proof: Callable[[int], str] = lambda seed: proof_text(f"It is so, by case {seed}.")
    refused: bool = False
    follow_ups: list[Mapping[str, Any]] = field(default_factory=list)

    async def __call__(self, body: Mapping[str, Any], server: FakeServer) -> Reply:
        messages, seed = body["messages"], body["seed"]
        if len(messages) == 3:
            self.follow_ups.append(body)
            if self.refused:
                return 400, {}, b'{"error": {"message": "no assistant messages"}}'
            return json_reply(completion(body, [self.short(seed)]))
        role = role_of(messages[0]["content"])
        text = self.proof if role == "prover" else self.analysis
        return json_reply(completion(body, [text(seed + j) for j in range(body.get("n", 1))]))


@dataclass(frozen=True)
class Outcome:
    """The records of a run, its judge with the follow-ups, and the number of requests."""

    records: tuple[Record, ...]
    judge: Judge
    requests: int

    def of(self, kind: type) -> list[Any]:
        """The records of a kind."""
        return [record for record in self.records if isinstance(record, kind)]


def verify(lemmata: CommandLine, judge: Judge, *settings: str, code: int | None = None) -> Outcome:
    with serving(judge) as served:
        policy = [*served.policy(), "policy.samples_per_request=1"]
        if not Path("p").exists():
            lemmata.ok("prove", f"problem={STATEMENT}", "proofs=1", "run=p", *policy)
        before = len(served.server.requests)
        output = lemmata("verify", "source=p", "run=v", "judge.analyses=3", "judge.reviews=0",
                         "judge.acceptance.min_verdicts=3", *policy, *settings)  # fmt: skip
        requests = len(served.server.requests) - before
    outcome = Outcome(tuple(Run.read("v").records()), judge, requests)
    judged = any(one.score is not None for one in outcome.of(Analysis))
    assert output.code == (code or (0 if judged else NOTHING_JUDGED)), output.everything
    return outcome


def test_each_unreadable_answer_is_followed_by_one_question(lemmata: CommandLine) -> None:
    outcome = verify(lemmata, Judge(), "verdicts.ask_again=true")
    analyses, follow_ups = outcome.of(Analysis), outcome.of(FollowUp)
    assert [(one.score, one.fault) for one in analyses] == [(0.5, None)] * 3
    assert {one.parents for one in follow_ups} == {(one.id,) for one in analyses}
    assert [one.text for one in follow_ups] == ["0.5"] * 3
    assert all(one.usage is not None and one.usage.completion_tokens == 0 for one in follow_ups)
    assert all(one.text.startswith(UNREADABLE) for one in analyses)
    for body in outcome.judge.follow_ups:
        _, answer, question = body["messages"]
        assert answer["role"] == "assistant"
        assert answer["content"].startswith(UNREADABLE)
        assert question["content"].endswith("one number alone: 0, 0.5 or 1.")
        assert body["max_tokens"] == 512
        assert "structured_outputs" not in body


def test_without_the_setting_nothing_is_asked(lemmata: CommandLine) -> None:
    outcome = verify(lemmata, Judge())
    assert not outcome.judge.follow_ups
    assert [one.score for one in outcome.of(Analysis)] == [None] * 3


def test_a_readable_answer_is_not_followed_up(lemmata: CommandLine) -> None:
    outcome = verify(lemmata, Judge(lambda seed: analysis_text(1, f"Step {seed}.")), "verdicts.ask_again=true")
    assert not outcome.judge.follow_ups
    assert not outcome.of(Unscored)


@pytest.mark.parametrize(
    ("short", "score"),
    [("1", 1.0), ("**0.5**", 0.5), ("\\boxed{0}", 0.0), ("Final score: 1.", 1.0), ('{"score": "0.5"}', 0.5),
     ('{"score": 1}', 1.0), ("0.", 0.0), ("<think>hm 1</think>0", 0.0), ("0 or 1", None), ("2", None), ("", None),
     ("I can't say.", None)],
)  # fmt: skip
def test_short_answers(lemmata: CommandLine, short: str, score: float | None) -> None:
    outcome = verify(lemmata, Judge(short=lambda seed: short), "verdicts.ask_again=true")
    analyses = outcome.of(Analysis)
    assert [one.score for one in analyses] == [score] * 3
    assert len(outcome.judge.follow_ups) == 3
    if score is None:
        assert all("no sentence names" in one.fault and "asked again" in one.fault for one in analyses)


@pytest.mark.parametrize(
    ("name", "value"),
    [("structured_outputs", {"choice": ["0", "0.5", "1"]}), ("guided_choice", ["0", "0.5", "1"]),
     ("response_format", None)],
)  # fmt: skip
def test_the_server_limits_the_short_answer(lemmata: CommandLine, name: str, value: Any) -> None:
    outcome = verify(lemmata, Judge(), "verdicts.ask_again=true", f"verdicts.constrain={name}")
    for body in outcome.judge.follow_ups:
        assert body[name] == value if value else json.dumps(body[name]).count('["0", "0.5", "1"]') == 1


def test_a_resumed_run_asks_only_what_is_missing(lemmata: CommandLine) -> None:
    asking = ["verdicts.ask_again=true", "policy.samples_per_request=8"]
    stopped = verify(lemmata, Judge(), *asking, "budget.tokens=1", code=2)
    assert len(stopped.of(Unscored)) == 3  # one request for all three; then the budget is used up
    assert not stopped.of(Analysis)
    assert not stopped.judge.follow_ups
    resumed = verify(lemmata, Judge(), *asking)
    assert len(resumed.judge.follow_ups) == resumed.requests == 3  # the analyses themselves are in the log
    assert [one.score for one in resumed.of(Analysis)] == [0.5] * 3
    assert [one.text for one in resumed.of(Analysis)] == [one.record["text"] for one in stopped.of(Unscored)]
    assert sum(one.usage is not None for one in resumed.of(Analysis)) == 1
    assert all(one.usage is not None for one in resumed.of(FollowUp))
    assert verify(lemmata, Judge(), *asking).requests == 0


def test_a_refused_follow_up_leaves_the_answer_unparseable(lemmata: CommandLine) -> None:
    outcome = verify(lemmata, Judge(refused=True), "verdicts.ask_again=true")
    assert [one.score for one in outcome.of(Analysis)] == [None] * 3
    assert all("refused" in one.fault for one in outcome.of(Analysis))


def test_own_patterns_by_setting(lemmata: CommandLine) -> None:
    judge = Judge(lambda seed: f"Case {seed} holds. [[0.5]]")
    outcome = verify(lemmata, judge, "verdicts.patterns=['[[{score}]]']")
    assert [one.score for one in outcome.of(Analysis)] == [0.5] * 3
    message = lemmata.fails("verify", "source=p", "run=w", "verdicts.patterns=['score']")
    assert "verdicts.patterns" in message
    assert "{score}" in message


def test_an_analysis_that_repeats_its_instructions_has_no_score(lemmata: CommandLine) -> None:
    rules = Path(__file__).parents[2].joinpath("core/prompts/proof_verification.txt").read_text().split("Problem:")[0]
    outcome = verify(lemmata, Judge(lambda seed: f"{rules}\n{analysis_text(1)} {seed}"), "verdicts.ask_again=true")
    assert all(one.score is None and one.fault.startswith("copy: ") for one in outcome.of(Analysis))
    assert not outcome.judge.follow_ups


def test_a_proof_that_repeats_its_instructions_is_no_proof(lemmata: CommandLine) -> None:
    rules = Path(__file__).parents[2].joinpath("core/prompts/proof_generation.txt").read_text().split("Problem:")[0]
    outcome = verify(lemmata, Judge(proof=lambda seed: proof_text(rules)))
    assert not outcome.of(Analysis)
    (proof,) = outcome.of(Proof)
    assert proof.body is None
    assert proof.self_score is None
    assert any(fault.startswith("copy: ") for fault in proof.faults)


def test_the_same_text_for_different_problems_is_no_proof(lemmata: CommandLine) -> None:
    rows = [json.dumps({"problem": f"Prove that {number} + {number} is even."}) for number in range(4)]
    Path("problems.jsonl").write_text("\n".join(rows))
    with serving(Judge(proof=lambda seed: proof_text(LONG))) as served:
        lemmata.ok("prove", "problems=problems.jsonl", "proofs=1", "run=p", *served.policy(), "policy.concurrency=1")
    proofs = [record for record in Run.read("p").records() if isinstance(record, Proof)]
    copied = [proof for proof in proofs if proof.body is None]
    assert len(proofs) == 4
    assert len(copied) == 3  # the first one could not be known for a copy when it was written
    assert all("another problem" in proof.faults[-1] and proof.self_score is None for proof in copied)


def test_the_same_analysis_for_different_problems_has_no_score(lemmata: CommandLine) -> None:
    rows = [json.dumps({"problem": f"Prove that {number} + {number} is even."}) for number in range(3)]
    Path("problems.jsonl").write_text("\n".join(rows))
    judge = Judge(lambda seed: analysis_text(1, LONG))
    with serving(judge) as served:
        settings = [*served.policy(), "policy.concurrency=1"]
        lemmata.ok("prove", "problems=problems.jsonl", "proofs=1", "run=p", *settings)
        lemmata("verify", "source=p", "run=v", "judge.analyses=2", "judge.reviews=0",
                "judge.acceptance.min_verdicts=2", *settings)  # fmt: skip
    analyses = [record for record in Run.read("v").records() if isinstance(record, Analysis)]
    by_problem = {
        one.problem_id: [other.score for other in analyses if other.problem_id == one.problem_id] for one in analyses
    }
    assert sorted(map(str, by_problem.values())) == ["[1.0, 1.0]", "[None, None]", "[None, None]"]
