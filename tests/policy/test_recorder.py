"""Recorder: requests, samples found in the log, and records written."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import LemmataError
from core.records import Problem, Proof, Refusal, Usage
from policy.interface import Policy, PolicyUnavailable, PromptRefused, RunStopped, Sampling, user_prompt
from policy.recorder import Call, Recorder
from prover.role import build_proof
from tests.clocks import HANG
from tests.scripted import PROBLEM, Answer, Asked, Scripted, drawn, generated, open_recorder, proof_text, records_of

PROMPT = user_prompt("Prove it.\n## Self Evaluation")


def call_of(policy: Policy, count: int = 1, prompt: str = "", **changes: Any) -> Call[Proof]:
    call = Call(policy, user_prompt(prompt) if prompt else PROMPT, "t@1", Sampling(), Proof, build_proof)
    return replace(call, indices=range(count), **changes)


async def itself(proof: Proof) -> Proof:
    return proof


@contextmanager
def opened(folder: Path, seed: int = 0, problem: Problem = PROBLEM) -> Iterator[Recorder]:
    recorder = open_recorder(folder, seed, problem)
    with closing(recorder.log):
        yield recorder


def ask(folder: Path, call: Call[Proof], seed: int = 0, problem: Problem = PROBLEM) -> list[Proof]:
    with opened(folder, seed, problem) as recorder:
        return asyncio.run(recorder.ask(call, itself))


def test_what_is_in_the_log_is_not_asked_for_again(tmp_path: Path) -> None:
    policy = Scripted()
    first = ask(tmp_path, call_of(policy, 3))
    with opened(tmp_path) as recorder:
        again = asyncio.run(recorder.ask(call_of(policy, 5), itself))
        assert recorder._meters.reused == 3
    assert again[:3] == first
    assert len(policy.asked) == 5
    assert [proof.index for proof in again] == [0, 1, 2, 3, 4]
    assert ask(tmp_path, call_of(policy, 5)) == again
    assert len(policy.asked) == 5


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (8, [7])])
def test_samples_are_asked_for_in_requests_of_the_size_a_server_serves(
    tmp_path: Path, size: int, sizes: list[int]
) -> None:
    policy = Scripted(samples_per_request=size)
    proofs = ask(tmp_path, call_of(policy, 7))
    assert [asked.n for asked in policy.asked] == sizes
    assert [proof.index for proof in proofs] == list(range(7))
    assert len({proof.id for proof in proofs}) == len({proof.seed for proof in proofs}) == 7
    requests = {proof.request for proof in proofs}
    assert len(requests) == len(sizes)
    assert requests <= {proof.id for proof in proofs}


def test_a_request_has_the_seed_of_its_first_sample(tmp_path: Path) -> None:
    policy = Scripted(samples_per_request=2)
    proofs = ask(tmp_path, call_of(policy, 4))
    assert [asked.seed for asked in policy.asked] == [proofs[0].seed, proofs[2].seed]


def test_tokens_of_a_request_are_counted_once(tmp_path: Path) -> None:
    proofs = ask(tmp_path, call_of(Scripted(samples_per_request=3), 6))
    assert [proof.usage for proof in proofs] == [Usage(10, 0, 5), None, None] * 2


def test_a_server_that_gives_fewer_is_asked_for_the_rest(tmp_path: Path) -> None:
    policy = Scripted(samples_per_request=4)

    async def two_at_most(asked: Asked) -> list[str]:
        policy.samples_per_request = 2
        return (await drawn(asked))[:2]

    policy.answer = two_at_most
    proofs = ask(tmp_path, call_of(policy, 7))
    assert [proof.index for proof in proofs] == list(range(7))
    assert [asked.n for asked in policy.asked] == [4, 3, 2, 1]
    assert len({proof.text for proof in proofs}) == 7


async def _refuse(asked: Asked) -> str:
    raise PromptRefused("HTTP 400: the context is full")


def test_a_refusal_is_written_down_and_not_repeated(tmp_path: Path) -> None:
    policy = Scripted(_refuse, samples_per_request=2)
    assert ask(tmp_path, call_of(policy, 4)) == []
    assert len(policy.asked) == 2
    with opened(tmp_path) as recorder:
        _, *refusals = records_of(recorder.log)
        assert asyncio.run(recorder.ask(call_of(policy, 4), itself)) == []
        assert recorder._meters.refusals == 4
    assert len(policy.asked) == 2
    assert all(isinstance(refusal, Refusal) for refusal in refusals)
    assert {(r.role, r.policy, r.error) for r in refusals if isinstance(r, Refusal)} == {
        ("proof", "policy", "HTTP 400: the context is full")
    }
    assert len({refusal.id for refusal in refusals}) == 4


def test_some_are_refused_and_the_others_keep_their_places(tmp_path: Path) -> None:
    async def answer(asked: Asked) -> str:
        return await _refuse(asked) if asked.number == 1 else proof_text("It is so.")

    proofs = ask(tmp_path, call_of(Scripted(answer), 3))
    assert [proof.index for proof in proofs] == [0, 2]


@pytest.mark.parametrize("other", ["parents", "round", "index", "prompt", "root seed", "problem"])
def test_names_and_seeds_depend_on_every_input(tmp_path: Path, other: str) -> None:
    policy = Scripted()
    [base] = ask(tmp_path / _made(tmp_path, "one"), call_of(policy))
    changes = {
        "parents": call_of(policy, parents=("x",)),
        "round": call_of(policy, round=1),
        "index": replace(call_of(policy), indices=[1]),
        "prompt": call_of(policy, prompt="Prove that.\n## Self Evaluation"),
    }
    seed = 1 if other == "root seed" else 0
    problem = Problem(id="other", statement="Prove B.") if other == "problem" else PROBLEM
    folder = tmp_path / _made(tmp_path, "two")
    [changed] = ask(folder, changes.get(other, call_of(policy)), seed, problem)
    assert changed.id != base.id
    assert changed.seed != base.seed
    assert changed.text != base.text


def _made(folder: Path, name: str) -> str:
    (folder / name).mkdir()
    return name


def test_names_do_not_depend_on_policy_sampling_or_order(tmp_path: Path) -> None:
    ids = []
    for number, size in enumerate((1, 3)):
        folder = tmp_path / _made(tmp_path, str(number))
        call = call_of(
            Scripted(name=f"p{size}", samples_per_request=size), 3, sampling=Sampling(temperature=0.1 * size)
        )
        ids.append([(proof.id, proof.seed) for proof in ask(folder, replace(call, indices=[2, 0, 1]))])
    assert ids[0] == ids[1]


def test_results_come_as_soon_as_their_sample_is_there(tmp_path: Path) -> None:
    followed: list[int] = []
    gate = asyncio.Event()

    async def first_blocks(asked: Asked) -> list[str]:
        if asked.number == 0:
            await gate.wait()
        return await drawn(asked)

    async def follow(proof: Proof) -> int:
        followed.append(proof.index)
        if len(followed) == 2:
            gate.set()
        return proof.index

    with opened(tmp_path) as recorder:
        results = asyncio.run(asyncio.wait_for(recorder.ask(call_of(Scripted(first_blocks), 3), follow), HANG))
    assert followed == [1, 2, 0]
    assert results == [0, 1, 2]


def failing(*errors: Exception | None) -> Answer:
    """Raises the first error for the first request and so on; None answers."""

    async def answer(asked: Asked) -> list[str]:
        error = errors[asked.number] if asked.number < len(errors) else None
        if error is not None:
            raise error
        for _ in range(5):
            await asyncio.sleep(0)
        return await drawn(asked)

    return answer


@pytest.mark.parametrize("error", [PolicyUnavailable("down"), RunStopped("budget"), LemmataError("no such model")])
def test_an_error_is_raised_once_all_calls_in_flight_are_written_down(tmp_path: Path, error: Exception) -> None:
    with opened(tmp_path) as recorder:
        with pytest.raises(type(error)):
            asyncio.run(recorder.ask(call_of(Scripted(failing(None, error)), 4), itself))
        assert [proof.index for proof in generated(records_of(recorder.log), Proof)] == [0, 2, 3]
    policy = Scripted()
    assert len(ask(tmp_path, call_of(policy, 4))) == 4
    assert len(policy.asked) == 1


@pytest.mark.parametrize("order", [0, 1])
def test_a_fault_is_not_hidden_by_an_expected_stop(tmp_path: Path, order: int) -> None:
    errors: Sequence[Exception] = [RunStopped("budget"), ValueError("a fault of the code")]
    policy = Scripted(failing(*errors[:: -1 if order else 1]))
    with opened(tmp_path) as recorder, pytest.raises(ValueError, match="a fault of the code"):
        asyncio.run(recorder.ask(call_of(policy, 2), itself))


def test_nothing_asked_for_nothing_sent(tmp_path: Path) -> None:
    policy = Scripted()
    assert ask(tmp_path, call_of(policy, 0)) == []
    assert policy.asked == []


def test_the_record_says_where_it_comes_from(tmp_path: Path) -> None:
    [proof] = ask(tmp_path, call_of(Scripted(name="strong"), parents=("a", "b"), round=2))
    assert (proof.problem_id, proof.parents, proof.round, proof.index) == (PROBLEM.id, ("a", "b"), 2, 0)
    assert (proof.policy, proof.model, proof.template, proof.prompt) == ("strong", "scripted", "t@1", PROMPT.digest)
    assert (proof.request, proof.finish_reason) == (proof.id, "stop")
