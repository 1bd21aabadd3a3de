"""Drills in judging: right judgements, of lines, sums and verdicts that are wrong about half of the time."""

import re

import pytest

from lab import check, families, generate
from lab.analyses import CLOSING, OPENING, parse_analysis
from lab.complaints import line_of
from lab.drills import drill

SUM = re.compile(r"^[A-Z][a-z ]* (-?[0-9/]+ [-+] [0-9/]+ = -?[0-9/]+)\.$", re.MULTILINE)
VERDICT = re.compile(r"claim is (true|false)\.$")


@pytest.mark.parametrize("family", families())
def test_what_is_called_wrong_the_checker_faults(family: str) -> None:
    for level in (1, 2, 3, 4):
        for seed in range(8):
            theorem = generate(family, level, seed, "train")
            lines, judged = drill(theorem, seed)
            faulty = {line_of(lines, defect) for defect in check(theorem, lines).defects}
            complaints = parse_analysis(f"{OPENING}\n{judged}\n{CLOSING}\n\\boxed{{0}}").complaints
            assert {complaint.line for complaint in complaints} <= faulty
            verdict = VERDICT.search(lines)
            if verdict and (verdict[1] == "true") != theorem.truth:
                assert complaints[-1].line == lines.count("\n") + 1


@pytest.mark.parametrize("family", ["equations", "inequalities"])
def test_sums_and_verdicts_are_wrong_about_half_of_the_time(family: str) -> None:
    sums, wrong_sums, verdicts, wrong_verdicts = 0, 0, 0, 0
    for seed in range(300):
        theorem = generate(family, 2, seed, "train")
        lines, judged = drill(theorem, seed)
        for total in SUM.findall(lines):
            sums += 1
            wrong_sums += f": {total}." not in judged
        if verdict := VERDICT.search(lines):
            verdicts += 1
            wrong_verdicts += (verdict[1] == "true") != theorem.truth
    assert 0.4 < wrong_sums / sums < 0.6
    assert 0.4 < wrong_verdicts / verdicts < 0.6


@pytest.mark.parametrize("family", families())
def test_lines_are_wrong_about_as_often_as_right(family: str) -> None:
    lines, wrong = 0, 0
    for seed in range(100):
        theorem = generate(family, 2, seed, "train")
        text, judged = drill(theorem, seed)
        lines += text.count("\n") + 1
        wrong += len(
            {complaint.line for complaint in parse_analysis(f"{OPENING}\n{judged}\n{CLOSING}\n\\boxed{{0}}").complaints}
        )
    assert 0.3 < wrong / lines < 0.6


def test_a_drill_depends_on_its_seed_alone() -> None:
    theorem = generate("inequalities", 3, 5, "train")
    assert drill(theorem, 1) == drill(theorem, 1)
    assert len({drill(theorem, seed) for seed in range(8)}) > 4
