"""Comparison of verifier signals: its plan at equal tokens, verify-and-refine, the loop, and the command to its end."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from lab.prompts import templates
from rl.judge import Judges
from rl.recipe.chains import NO_ROOM, Verified, verify_refine_chains
from rl.recipe.context import RecipeContext
from rl.recipe.plan import plan
from rl.recipe.signals import ARMS, LOOPS, WINNER
from rl.recipe.step_types import Imitate, MeasureVerifier, PassRates, SelectVerifier
from rl.report.signals import signal_estimates
from rl.task import Answer
from rl.tasks.build import make_task
from rl.tasks.judged import critique_of
from rl.tasks.lab import case_of, informed_prompt
from tests.rl.settings import data_config, judges_config
from tests.rl.test_recipe_collect import SAYS, VERIFY, Scripted, Silent, in_order, solution
from tests.rl.test_recipe_plan import settings

STATEMENT = "Prove or refute: 1 + 1 = 2."


def steps() -> dict[str, Any]:
    return {step.name: step for step in plan(settings("signals"))}


def test_arms_start_from_one_checkpoint_learn_from_one_table_and_have_equal_tokens() -> None:
    found = steps()
    score, meta, alone, both = (found[arm] for arm in ARMS)
    budget = settings("signals").signals
    assert budget is not None
    assert {arm.budget for arm in (score, meta, alone, both)} == {budget.tokens}
    assert {arm.start for arm in (score, meta, alone)} == {"base"}
    assert both.start == "signal-both-self"
    assert found["signal-both-self"].start == "base"
    assert found["signal-both-self"].budget == budget.tokens // 2
    assert both.spent == ("signal-both-self-examples", "signal-both-self")
    assert (
        score.tables
        == meta.tables
        == both.tables
        == {"proofs": "signal-proofs", "problem_numbers": "signal-score-problems"}
    )
    assert (score.judges, meta.judges) == ({}, both.judges)
    imitations = [step for step in found.values() if isinstance(step, Imitate)]
    assert [step.train for step in imitations] == [score, score]
    assert [step for step in found.values() if isinstance(step, PassRates) and step.train.name == "signal-score"]


def test_the_winner_judges_the_prover_in_the_loop() -> None:
    found = steps()
    assert found[WINNER] == SelectVerifier(WINNER, ARMS, "base")
    assert {step.model for step in found.values() if isinstance(step, MeasureVerifier)} == {"base", *ARMS}
    loop, control = (found[name] for name in LOOPS)
    assert loop.judges == control.judges == {"verifier": WINNER}
    assert (loop.data, control.data) == ({"refine_by": "verifier"}, {"rounds": 1})
    assert loop.budget == control.budget
    without = {step.name for step in plan(settings("signals", "signals.loop=null"))}
    assert not {*LOOPS} & without


def test_a_budget_is_less_what_earlier_steps_have_computed(tmp_path: Path) -> None:
    context = RecipeContext(settings("signals", "signals.tokens=1000"), tmp_path)
    both = steps()["signal-both"]
    both = replace(both, budget=1000)
    assert context.training(both).stages.rl.token_budget == 1000
    for name, file, text in (
        ("signal-both-self-examples", "imitation.json", '{"tokens": 150}'),
        (
            "signal-both-self",
            "metrics.jsonl",
            '{"step": 1, "computed_tokens": 300}\n{"step": 2, "computed_tokens": 50}\n',
        ),
    ):
        context.at(name).mkdir(parents=True)
        (context.at(name) / file).write_text(text)
    assert context.training(both).stages.rl.token_budget == 500


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ((1.0, 0.5, 0.0, 0.0), "2"),
        ((1.0, 0.5), "1"),
        ((1.0, 1.0), None),
        ((None, 1.0), None),
        ((), None),
        ((None, 0.5), "1"),
    ],
)
def test_the_lowest_issue_is_the_critique(scores: tuple[float | None, ...], chosen: str | None) -> None:
    assert critique_of([(str(place), score) for place, score in enumerate(scores)]) == chosen


def refined(prover: Any, verifier: Any, rounds: int = 3) -> list[Verified]:
    (chain,) = verify_refine_chains(prover, verifier, templates(), [STATEMENT], rounds, 2)
    return chain


def test_a_proof_is_refined_by_the_verifier_until_it_accepts() -> None:
    first, issue = templates().proof(STATEMENT), SAYS % ("Line 1: it is a wrong step.", "0")
    again = templates().refinement(STATEMENT, [("Weak.", [issue])])
    prover = Scripted(lambda prompt, number, draw: {first: solution("Weak."), again: solution("Strong.")}[prompt])
    right = SAYS % ("It is so.", "1")
    verifier = Scripted(lambda prompt, number, draw: issue if "Weak." in prompt and number else right)
    chain = refined(prover, verifier)
    assert [(one.scores, one.accepted) for one in chain] == [((1.0, 0.0), False), ((1.0, 1.0), True)]
    assert chain[0].verifier_tokens == len(issue) + len(right)
    assert [prompt for prompt, _, _ in prover.asked] == [first, again]


def test_without_proof_or_issue_a_new_proof_is_asked_for() -> None:
    first = templates().proof(STATEMENT)
    prover = Scripted(lambda prompt, number, draw: ["", solution("Weak."), solution("Other.")][draw])
    chain = refined(prover, in_order("nothing readable", "nothing either"))
    assert [one.scores for one in chain] == [(), (None, None), (None, None)]
    assert [prompt for prompt, _, _ in prover.asked] == [first] * 3
    assert refined(Silent(), Silent()) == [Verified(NO_ROOM)]


def test_a_prover_in_the_loop_is_asked_to_refine_by_the_verifiers_analysis() -> None:
    issue, right = SAYS % ("Line 1: it is a wrong step.", "0"), SAYS % ("It is so.", "1")
    verifier = Scripted(lambda prompt, number, draw: issue if "Weak." in prompt else right)
    data = data_config(families=("inequalities",), levels=(1,), rounds=2, refine_by="verifier")
    judges = Judges(judges_config(analyses=2), verifier)
    task = make_task("prover", data, templates(), "train", 0, judges)
    weak, strong, none = (Answer(text) for text in (solution("Weak.", "1"), solution("Strong.", "0"), "no proof"))
    found = task.follow_ups([(0, [weak]), (0, [strong]), (0, [none]), (0, [weak, weak])])
    assert found[0] is not None
    assert "Line 1: it is a wrong step." in found[0]
    assert found[1:] == [None, None, None]
    own = make_task("prover", replace(data, refine_by="self_evaluation"), templates(), "train", 0, judges)
    assert own.follow_ups([(0, [strong])]) != [None]


@pytest.mark.parametrize("number", range(4))
def test_a_reference_follows_the_prompt_that_is_trained_on(number: int) -> None:
    case = case_of(VERIFY.item(number))
    assert case.theorem is not None
    prompt = templates().verification(case.statement, case.proof)
    shown = {name: informed_prompt(templates(), case, name) for name in ("derivation", "defects")}
    assert all(text.startswith(prompt) for text in shown.values())
    assert shown["derivation"].endswith(case.theorem.derivation)
    assert (shown["defects"].splitlines()[-1] == "None.") == (case.label == 1)


def row(case: int, label: float, score: float | None, planted: str = "") -> dict[str, Any]:
    at = {"family": "inequalities", "level": 1, "seed": case, "split": "test"}
    return {**at, "case": case, "label": label, "score": score, "quality": 1.0, "tokens": 3, "planted": planted}


def test_false_accepts_are_of_all_analyses_and_by_kind(tmp_path: Path) -> None:
    verdicts: Mapping[int, tuple[float, tuple[float | None, ...], str]] = {
        0: (0.0, (1.0, 1.0), "another theorem"),
        1: (0.0, (1.0, 0.0), "neighbor"),
        2: (0.5, (1.0, 1.0), "careless slip"),
        3: (0.0, (1.0, None), "unfinished"),
        4: (1.0, (1.0, 0.0), ""),
        5: (1.0, (1.0, 1.0), ""),
    }
    rows = [row(case, label, score, how) for case, (label, scores, how) in verdicts.items() for score in scores]
    proof = {"truth": 1.0, "self_score": 1.0, "format": True, "tokens": 5}
    weak = {**proof, "truth": 0.0, "scores": [0.0], "accepted": False, "verifier_tokens": 7}
    strong = {**proof, "scores": [1.0], "accepted": True, "verifier_tokens": 7}
    chains = [{**row(case, 0, 0), "chain": 0, "rounds": found} for case, found in enumerate(([weak, strong], [weak]))]
    at = tmp_path / "steps" / "verifier-test-base"
    at.mkdir(parents=True)
    for name, lines in (("verifier", rows), ("verifier-real", rows), ("verify-refine", chains)):
        (at / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = settings("signals").signals
    assert config is not None
    found = signal_estimates(tmp_path, config)["arms"]["base"]
    accepts = {kind: (one.value, one.n) for kind, one in found["false_accepts"].items()}
    assert accepts == {"foreign": (0.5, 2), "planted": (1.0, 1), "unfinished": (0.0, 1), "all": (0.5, 4)}
    assert found["false_rejects"].value == 0.5
    assert (found["first"].value, found["refined"].value, found["gain"].value) == (0.0, 0.5, 0.5)
    assert (found["precision"].value, found["precision"].n) == (1.0, 1)
    assert (found["rounds"], found["chain_tokens"]) == (1.5, 18.0)
