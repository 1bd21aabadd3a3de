"""Acceptance as the run used it, and outcomes against the truth with the reason of each wrong one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.records import Proof, Record
from core.store import Run
from explorer.index import LogIndex
from explorer.metrics import problem_metrics, proof_metrics, review_validity
from explorer.outcomes import (
    FALSE_CRITIC,
    FEW,
    OUTVOTED,
    REFUTED,
    SILENT,
    TIE,
    ProofOutcome,
    all_analyses,
    candidates,
    confusion,
    false_accepts,
    outcome,
)
from explorer.runs import RunIndex
from tests.explorer.judged_runs import RULE, judged_run, told
from tests.records import PROBLEM, PROOF, label, review, selection
from tests.scripted import proof_text

RIGHT, WRONG = label("l", "human", 1.0), label("l", "human", 0.0)


ALL_BUT_ONE = [told("a", 1.0), told("b", 1.0), told("c", 1.0), told("d", 0.0)]


def outcomes(log: LogIndex, *, chosen: bool = True) -> list[ProofOutcome]:
    return [found for proof in candidates(log, chosen=chosen) if (found := outcome(log, proof))]


def test_the_mean_is_that_of_the_run_after_its_review_filter(tmp_path: Path) -> None:
    log = judged_run(tmp_path, PROOF, *ALL_BUT_ONE, review("r", 0.5, "d"), selection("y"), WRONG)
    [proof] = proof_metrics(log)
    assert (proof.mean, proof.accepted, proof.selected) == (1.0, True, True)
    assert proof.decision is not None
    assert [(one.judged.analysis_id, one.exclusion) for one in proof.decision.excluded] == [("d", "refuted")]
    assert proof.over_accepted
    assert problem_metrics(log).over_accepted
    assert review_validity(log, log.by_id["d"]) == "refuted"
    confirming = judged_run(tmp_path / "b", PROOF, *ALL_BUT_ONE, review("r", 0.75, "d"))
    assert review_validity(confirming, confirming.by_id["d"]) == "confirmed"  # by the run's confirm_at, 0.75
    assert not proof_metrics(confirming)[0].accepted


@pytest.mark.parametrize(
    ("records", "rule", "reasons"),
    [
        ([*ALL_BUT_ONE[:3], WRONG], {}, (SILENT,)),
        ([*ALL_BUT_ONE, review("r", 0.0, "d"), WRONG], {}, (REFUTED,)),
        ([*ALL_BUT_ONE, WRONG], {"rule": "mean", "use_reviews": "ignore"}, (OUTVOTED,)),
        ([told("a", 1.0), told("b", None), told("c", None), WRONG], {"min_verdicts": 1}, (SILENT, FEW)),
        ([*ALL_BUT_ONE, RIGHT], {}, (FALSE_CRITIC,)),
        ([*ALL_BUT_ONE[:2], RIGHT], {}, (FEW,)),
    ],
)
def test_a_wrong_decision_has_its_reason(
    tmp_path: Path, records: list[Record], rule: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    [found] = outcomes(judged_run(tmp_path, PROOF, *records, rule=RULE | rule), chosen=False)
    assert found.kind == ("false accept" if WRONG in records else "false reject")
    assert found.reasons == reasons
    assert found.source == "people"


def test_a_tie_that_the_self_score_broke(tmp_path: Path) -> None:
    boaster = replace(PROOF, id="z", self_score=1.0)
    both = [told(f"{name}{number}", 1.0, name) for name in ("y", "z") for number in range(3)]
    right, wrong = RIGHT, replace(WRONG, id="m", proof_id="z")
    [found] = outcomes(judged_run(tmp_path, PROOF, boaster, *both, selection("z"), right, wrong))
    assert (found.metrics.row.id, found.kind) == ("z", "false accept")
    assert TIE in found.reasons


def test_the_exact_checker_tells_where_no_person_does(tmp_path: Path) -> None:
    statement = "Prove or refute: x^2 + 2x + 5 >= 1 for all real x."
    right = "Complete the square: x^2 + 2x + 5 = (x + 1)^2 + 4.\nSquares are nonnegative, so x^2 + 2x + 5 >= 4 >= 1.\n"
    wrong = "So the claim is false.\n"
    proofs = [replace(PROOF, id=name, text=proof_text(text, "1")) for name, text in (("y", right), ("z", wrong))]
    judged = [told(f"{name}{number}", 1.0, name) for name in ("y", "z") for number in range(3)]
    log = judged_run(tmp_path, *proofs, *judged, problem=replace(PROBLEM, statement=statement))
    found = {one.metrics.row.id: (one.source, one.right) for one in outcomes(log, chosen=False)}
    assert found["z"] == ("exact checker", False)
    assert found["y"][0] == "exact checker"
    assert confusion(outcomes(log, chosen=False))["false accept"] >= 1
    assert outcomes(log) == []  # the search has not ended: nothing is chosen


def test_false_accepts_fall_with_the_number_of_judges(tmp_path: Path) -> None:
    second: Proof = replace(PROOF, id="z")
    critics = [told("a", 1.0), told("b", 0.0), told("c", 1.0)]
    silent = [told(f"z{number}", 1.0, "z") for number in range(3)]
    labels = [WRONG, replace(RIGHT, id="m", proof_id="z")]
    log = judged_run(tmp_path, PROOF, second, *critics, *silent, *labels)
    cases = [(found.right, all_analyses(found)) for found in outcomes(log, chosen=False)]
    assert log.rule.acceptance is not None
    rates = [false_accepts(cases, log.rule.acceptance, n) for n in (1, 2, 3, 4)]
    assert rates == [(1, 1, 1, 1), (0, 1, 1, 1), (0, 1, 1, 1), (0, 0, 0, 0)]


def test_a_run_whose_rule_cannot_be_read_says_so(tmp_path: Path) -> None:
    with Run.start(tmp_path / "run", "refine", {"judge": {"acceptance": {"rule": "none"}}}) as run:
        run.log(PROBLEM).close()
    index = RunIndex(tmp_path / "run")
    index.refresh()
    assert "judge.acceptance" in index.rule_error


def test_a_search_that_has_not_ended_has_accepted_nothing(tmp_path: Path) -> None:
    log = judged_run(tmp_path, PROOF, *ALL_BUT_ONE[:3])
    assert proof_metrics(log)[0].accepted  # by the rule
    assert not problem_metrics(log).accepted
