"""Drills: right judgments of lines, sums and verdicts that are wrong about half of the time; sums in their place."""

import re
from collections import Counter
from fractions import Fraction

import pytest

from lab import check, families, generate
from lab.analyses import CLOSING, OPENING, parse_analysis, write_analysis
from lab.complaints import Complaint, line_of
from lab.drills import compared, drill, match, sheet, sum_drill
from lab.pairs import pair

SUM = re.compile(r"^[A-Z][a-z ]* (-?[0-9/]+ [-+] [0-9/]+ = -?[0-9/]+)\.$", re.MULTILINE)
VERDICT = re.compile(r"claim is (true|false)\.$")


def complaints(judged: str) -> tuple[Complaint, ...]:
    return parse_analysis(f"{OPENING}\n{judged}\n{CLOSING}\n\\boxed{{0}}").complaints


@pytest.mark.parametrize("family", families())
def test_a_drill_is_an_analysis_of_its_proof_in_three_parts(family: str) -> None:
    asked, wrong = 0, 0
    for level in (1, 2, 3):
        for seed in range(40):
            theorem = generate(family, level, seed, "train")
            found = drill(theorem, seed)
            assert found.given + found.judged + found.rest == write_analysis(theorem, found.proof, seed=seed)
            assert not complaints(found.given.removeprefix(OPENING).strip())
            asked += 1
            wrong += CLOSING in found.judged
    assert 0.3 < wrong / asked < 0.7


@pytest.mark.parametrize("family", ["inequalities", "equations", "identities"])
def test_half_of_the_proofs_to_match_are_of_something_else(family: str) -> None:
    asked, ended = 0, 0
    for seed in range(60):
        theorem = generate(family, 1, seed, "train")
        found = match(theorem, seed)
        assert found.given + found.judged + found.rest == write_analysis(theorem, found.proof, seed=seed)
        assert found.judged.startswith("Claim and proof give ")
        asked += 1
        foreign = check(theorem, found.proof).score < 1
        ended += foreign
        if foreign:
            assert ": other" in found.judged or ": other" in found.rest
    assert 0.3 < ended / asked < 0.7


def test_half_of_the_pairs_of_terms_differ() -> None:
    words: Counter[str] = Counter()
    for seed in range(40):
        found = compared(generate("identities", 1, seed, "train"), seed)
        one, other = (line.split(", ") for line in found.proof.split("\n"))
        assert found.judged == "; ".join(pair(*both) for both in zip(one, other, strict=True)) + "."
        words.update(found.judged.replace(".", "").replace(";", "").split())
    assert 0.35 < words["other"] / (words["other"] + words["same"]) < 0.6


@pytest.mark.parametrize("family", families())
def test_what_a_sheet_calls_wrong_the_checker_faults(family: str) -> None:
    for level in (1, 2, 3, 4):
        for seed in range(8):
            theorem = generate(family, level, seed, "train")
            found = sheet(theorem, seed)
            faulty = {line_of(found.proof, defect) for defect in check(theorem, found.proof).defects}
            assert {complaint.line for complaint in complaints(found.judged)} <= faulty
            verdict = VERDICT.search(found.proof)
            if verdict and (verdict[1] == "true") != theorem.truth:
                assert complaints(found.judged)[-1].line == found.proof.count("\n") + 1


@pytest.mark.parametrize("family", ["equations", "inequalities"])
def test_sums_and_verdicts_of_sheets_are_wrong_about_half_of_the_time(family: str) -> None:
    sums, wrong_sums, verdicts, wrong_verdicts = 0, 0, 0, 0
    for seed in range(150):
        theorem = generate(family, 2, seed, "train")
        found = sheet(theorem, seed)
        for total in SUM.findall(found.proof):
            sums += 1
            wrong_sums += f": {total} is " in found.judged  # a complaint quotes it
        if verdict := VERDICT.search(found.proof):
            verdicts += 1
            wrong_verdicts += (verdict[1] == "true") != theorem.truth
    assert 0.3 < wrong_sums / sums < 0.6
    assert 0.4 < wrong_verdicts / verdicts < 0.6


def test_a_sum_drill_is_a_sum_in_its_derivation() -> None:
    for seed in range(60):
        theorem = generate("equations", 1, seed, "train")
        found = sum_drill(theorem, seed)
        assert found is not None
        assert found.given + found.judged + found.rest == theorem.derivation
        numbers = re.findall(r"(-?) ?([0-9]+)", found.given.rpartition("\n")[2].rpartition(". ")[2])
        assert sum(Fraction(sign + number) for sign, number in numbers) == Fraction(found.judged.rstrip("."))
    assert sum_drill(generate("divisibility", 1, 1, "train"), 1) is None


def test_drills_depend_on_their_seed_alone() -> None:
    theorem = generate("inequalities", 3, 5, "train")
    for made in (drill, match, sheet):
        assert made(theorem, 1) == made(theorem, 1)
        assert len({made(theorem, seed) for seed in range(12)}) > 4
    long = generate("equations", 1, 1, "train")
    assert sum_drill(long, 1) == sum_drill(long, 1)
    assert len({sum_drill(long, seed) for seed in range(12)}) > 1
