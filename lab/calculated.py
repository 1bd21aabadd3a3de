"""Analyses with the calculator: the text that a verifier sends to it, and the analysis that uses its results.

Where all relations of a line have the difference 0, the line needs no working; another difference is the working of a
relation that should hold always. A line of an equation to be solved or of an inequality of variables, whose difference
decides nothing by itself, keeps the workings of an analysis without the calculator.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from random import Random

from lab.analyses import compose, right_complaints
from lab.calculator import NOT_READ, NOTHING, calculate
from lab.checker import check
from lab.claims import Solutions
from lab.complaints import END, Complaint
from lab.defects import CheckResult
from lab.theorem import Proposition
from lab.walkthrough import JudgedPassage, items

_LETTER = re.compile("[a-zA-Z]")
_INEQUALITY = re.compile(r"[<>]|!=|\bmod\b")


def calculated_analysis(theorem: Proposition, proof: str, verdict: CheckResult | None = None, seed: int = 0) -> str:
    """A correct analysis of a proof whose lines were sent to the calculator, in wording that varies with the seed."""
    verdict = verdict or check(theorem, proof)
    complaints = right_complaints(proof, verdict)
    passages = _with_results(theorem, proof, items(theorem, proof), complaints)
    return compose(Random(f"analysis {seed}"), passages, complaints, verdict.score)


def _with_results(
    theorem: Proposition, proof: str, passages: Sequence[JudgedPassage], complaints: Sequence[Complaint]
) -> list[JudgedPassage]:
    lines, results = proof.split("\n"), calculate(proof).split("\n")
    found: list[JudgedPassage] = []
    for number, group in groupby(passages, lambda passage: passage.line):
        own = list(group)
        if number == END or len(results) != len(lines) or results[number - 1] in (NOTHING, NOT_READ):
            found += own
            continue
        result = results[number - 1]
        is_zero = all(value == "0" for value in result.split(", "))
        is_open = _LETTER.search(result) and _INEQUALITY.search(lines[number - 1])
        if not is_zero and (is_open or isinstance(theorem.claim, Solutions)):
            found += own
            continue
        # One passage for the line; the quote of a complaint about it, so that this comes in its place.
        quote = next((one.quote for one in complaints if one.line == number), own[0].quote)
        found.append(replace(own[0], working="0" if is_zero else result, quote=quote))
    return found
