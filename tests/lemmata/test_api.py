"""The Python interface: the same loop as the commands, from plain arguments to typed results."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import lemmata
from core.store import Run
from policy.interface import Policy
from tests.command import Served, serving
from tests.scripted import Scripted, analysis_text, by_role, proof_text

pytestmark = pytest.mark.slow

ODD = "Prove that the sum of two odd integers is even."
LIGHT = {"refine.proofs": 1, "refine.rounds": 1}
IDENTITY = "Prove that (x + 1)^2 = x^2 + 2*x + 1 for all real x."
INEQUALITY = "Prove or refute: x^2 + 6x + 11 >= 2 for all real x."


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_refine_with_a_server() -> None:
    with serving() as served:
        result = lemmata.refine(ODD, policy=served.url, model="model-x", config=LIGHT)
    assert result.problem.statement == ODD
    assert result.accepted == ("; accepted by " in result.reason)
    assert result.proof
    assert (result.rounds, result.run) == (1, None)
    assert {analysis.proof_id for analysis in result.analyses} == {proof.id for proof in result.proofs}
    assert list(Path.cwd().iterdir()) == []


def test_a_run_folder_resumes_and_can_be_read() -> None:
    with serving() as served:
        first = lemmata.refine(ODD, policy=served.url, model="model-x", config=LIGHT, run="r")
        asked = len(served.prompts)
        assert lemmata.refine(ODD, policy=served.url, model="model-x", config=LIGHT, run="r") == first
        assert len(served.prompts) == asked
    loaded = lemmata.load_run("r")
    assert (loaded.command, loaded.folder) == ("refine", Path("r"))
    assert loaded.settings["refine"]["rounds"] == 1
    assert list(loaded.results()) == [first]
    assert len(list(loaded.records())) == len(first.records)


def test_several_problems_in_order() -> None:
    statements = [f"Prove that {number} + 1 > {number}." for number in range(5)]
    with serving() as served:
        results = lemmata.refine_many(statements, policy=served.url, model="model-x", config=LIGHT)
    assert [result.problem.statement for result in results] == statements


def test_a_policy_object_is_used_and_not_closed() -> None:
    policy = Scripted(by_role(prover=proof_text("A.", 0.5)))
    result = lemmata.refine(ODD, policy=policy, config=LIGHT)
    assert result.chosen
    assert (result.proof, result.chosen.self_score) == ("A.", 0.5)
    assert not getattr(policy, "closed", False)


def test_inside_an_event_loop() -> None:
    policy: Policy = Scripted(by_role())

    async def both() -> tuple[lemmata.Result, lemmata.Result]:
        return lemmata.refine(ODD, policy=policy, config=LIGHT), await lemmata.arefine(ODD, policy=policy, config=LIGHT)

    first, second = asyncio.run(both())
    assert first.proof == second.proof


def test_verify_a_given_proof() -> None:
    judge = Scripted(by_role(verifier=analysis_text(1)))
    verification = lemmata.verify(ODD, "2a + 1 + 2b + 1 = 2(a + b + 1).", policy=judge, config={"judge.analyses": 5})
    assert all("2(a + b + 1)" in asked.text for asked in judge.asked)
    assert verification.accepted
    assert (verification.score, verification.tally.verdicts, len(verification.analyses)) == (1.0, 5, 5)


def test_check_is_exact() -> None:
    proof = "(x + 1)^2 = x^2 + x + x + 1 = x^2 + 2*x + 1. The claim is true."
    assert lemmata.check(IDENTITY, proof).score == 1.0
    wrong = lemmata.check(IDENTITY, proof.replace("2*x", "3*x"))
    assert wrong.score == 0.0
    assert wrong.defects
    with pytest.raises(lemmata.LemmataError, match="cannot decide this statement"):
        lemmata.check(ODD, "2a + 2b is even.")


def test_the_shipped_model_as_an_engine() -> None:
    with lemmata.Engine("shipped") as engine:
        [[first, second]] = engine.generate(["Prove that 1 = 1."], n=2, max_tokens=4, seed=1)
        assert first.finish_reason == second.finish_reason == "length"
        config = {**LIGHT, "judge.analyses": 3, "sampling.max_tokens": 40}
        result = lemmata.refine(INEQUALITY, policy=engine, config=config, run="r")
    assert len(result.proofs) == 1
    assert Run.read("r").manifest["config"]["prompts"] == "lab"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"policy": "http://localhost:1/v1"}, "model=NAME"),
        ({"policy": "no-such-folder"}, "neither a preset .*shipped.* nor a folder"),
        ({"policy": {"model": "m"}}, "policy.kind=None"),
        ({"policy": {"kind": "endpoint", "base_url": "http://localhost:1/v1"}}, "policy.model is not set"),
        ({"config": {"refine.roundz": 2}}, "refine.roundz: there is no such setting"),
        ({"config": {"rounds": 2}}, "rounds: there is no such setting"),
        ({"config": {"refine.rounds": 0}}, "refine.rounds=0"),
        ({"config": {"refine": "heavy"}}, "refine=heavy: no such preset; known: light, paper, sequential, tiny"),
    ],
)
def test_wrong_arguments_name_the_key(arguments: dict, message: str) -> None:
    with pytest.raises(lemmata.LemmataError, match=message):
        lemmata.refine(ODD, **arguments)
    assert list(Path.cwd().iterdir()) == []


def test_a_used_up_budget_is_an_error_that_resumes(served: Served) -> None:
    def call(tokens: int | None) -> lemmata.Result:
        config = {**LIGHT, "budget.tokens": tokens}
        return lemmata.refine(ODD, policy=served.url, model="model-x", config=config, run="r")

    with pytest.raises(lemmata.LemmataError, match="token budget of 1 is used up"):
        call(1)
    assert call(None).proof


def test_importing_lemmata_loads_nothing_heavy() -> None:
    code = (
        "import sys, lemmata; lemmata.load_run; dir(lemmata); "
        "print(sorted({'torch', 'transformers', 'openai', 'hydra', 'streamlit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_documented() -> None:
    for name in lemmata.__all__:
        assert getattr(lemmata, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'refien'"):
        lemmata.refien  # noqa: B018
