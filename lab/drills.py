"""Drills: what a proof and its analysis turn on, in its place, more often than whole ones have it.

In whole proofs nearly every line is right, and an analysis ends at the first grave defect, so that one who judges them
does well to copy what stands there instead of working it out. In drills in judging that fails half of the time.

A small model that has learnt to add in exercises by themselves does not add in proofs: what it knows of one kind of
prompt it does not use in another. So sums too are learnt in their place.
"""

import re
from dataclasses import replace
from itertools import takewhile
from random import Random
from typing import NamedTuple

from lab.analyses import OPENING, judged_lines, write_analysis
from lab.checker import check
from lab.claims import Solutions
from lab.complaints import END, complaint_of
from lab.defects import Kind
from lab.expressions import num, render, signed_terms
from lab.pairs import pair
from lab.planting.edits import body_parts, slip, with_part
from lab.planting.endings import unfinished
from lab.planting.foreign import (
    another_equation,
    another_theorem,
    neighbor,
    neighboring_equation,
    other_side,
)
from lab.planting.slips import miscopied
from lab.sentences import Chain, Derivation, Sentence
from lab.theorem import Theorem
from lab.walkthrough import items
from lab.writer import closing, is_written_sum, written_sums

MISMATCHES = (another_theorem, another_equation, neighbor, neighboring_equation, other_side, miscopied, unfinished)
_JUDGED = {Kind.INVALID_STEP, Kind.WRONG_CONCLUSION, Kind.MISSING_CASE}
_CONTRARY = {"<": ">", "<=": ">", ">": "<", ">=": "<"}


class Drill(NamedTuple):
    """A proof, and what is to be learnt of the answer about it; ``given`` and ``rest`` stand before and after that."""

    proof: str
    judged: str
    given: str = ""
    rest: str = ""


def drill(theorem: Theorem, seed: int) -> Drill:
    """A derivation of which one line is to be judged, in the place that it has in a whole analysis."""
    rng = Random(f"drill {theorem.id} {seed}")
    sentences = theorem.steps.sentences
    place = rng.randrange(len(sentences))
    line = _perhaps_wrong(rng, theorem, sentences[place])
    proof = Derivation((*sentences[:place], line, *sentences[place + 1 :])).text
    analysis = write_analysis(theorem, proof, seed=seed)
    start, end = (_start(analysis, number) for number in (place + 1, place + 2))
    if start == len(analysis):  # the proof starts from something else than the claim: the analysis ends with that
        start = len(f"{OPENING}\n")
    return Drill(proof, analysis[start:end], analysis[:start], analysis[end:])


def match(theorem: Theorem, seed: int) -> Drill:
    """A derivation, half of the time of something else or unfinished, and what an analysis says first: whether claim
    and proof fit, and of an equation whether the first relation follows from it.
    """
    rng = Random(f"match {theorem.id} {seed}")
    proof = theorem.derivation
    if rng.random() < 0.5:
        edits = (op(rng, theorem, theorem.steps.sentences) for op in rng.sample(MISMATCHES, len(MISMATCHES)))
        proof = next((edit.text for edit in edits if edit), proof)
    given, analysis = f"{OPENING}\n", write_analysis(theorem, proof, seed=seed).removeprefix(f"{OPENING}\n")
    sums = sum(1 for _ in takewhile(is_written_sum, theorem.steps.sentences))
    end = _start(analysis, sums + 2 if isinstance(theorem.claim, Solutions) else 1)
    return Drill(proof, analysis[:end], given, analysis[end:])


def compared(theorem: Theorem, seed: int) -> Drill:
    """The terms of a claim and the same with slips in half of them, a line each, and all pairs of them compared."""
    rng = Random(f"compared {theorem.id} {seed}")
    terms = [term for side in (theorem.claim.left, theorem.claim.right) for term in signed_terms(side)]
    others = [(slip(rng, term) if rng.random() < 0.5 else None) or term for term in terms]
    written = [[render(term) for term in side] for side in (terms, others)]
    texts = "\n".join(", ".join(side) for side in written)
    return Drill(texts, "; ".join(map(pair, *written)) + ".")


def sheet(theorem: Theorem, seed: int) -> Drill:
    """A derivation each of whose lines is changed half of the time, and the judgments of all, one after the other."""
    rng = Random(f"sheet {theorem.id} {seed}")
    lines = tuple(_perhaps_wrong(rng, theorem, sentence) for sentence in theorem.steps.sentences)
    proof = Derivation(lines).text
    defects = [defect for defect in check(theorem, proof).defects if defect.kind in _JUDGED]
    complaints = [complaint_of(proof, defect) for defect in defects]
    judged = judged_lines(rng, items(theorem, proof), [one for one in complaints if one.line != END])
    return Drill(proof, "\n".join(judged))


def sum_drill(theorem: Theorem, seed: int) -> Drill | None:
    """The total of a sum that a derivation writes out, in its place; None where there is none."""
    proof = theorem.derivation
    totals = list(written_sums(theorem.steps))
    if not totals:
        return None
    numbers, sign, total = Random(f"sum {theorem.id} {seed}").choice(totals).partition(" = ")
    start = proof.index(numbers + sign) + len(numbers + sign)
    return Drill(proof, total, proof[:start], proof[start + len(total) :])


def _start(analysis: str, line: int) -> int:
    """The place where the judgment of a line begins; the end of an analysis that does not come to it."""
    found = re.search(rf"^Line {line}\b", analysis, re.MULTILINE)
    return found.start() if found else len(analysis)


def _perhaps_wrong(rng: Random, theorem: Theorem, sentence: Sentence) -> Sentence:
    """A sentence of a derivation, changed half of the time."""
    wrong = rng.random() < 0.5
    if sentence is theorem.steps.sentences[-1]:
        return closing(rng, theorem.truth != wrong)
    return (_slipped(rng, sentence) if wrong else None) or sentence


def _slipped(rng: Random, sentence: Sentence) -> Sentence | None:
    """With another sign in place of < or >, or a slip in an expression; None where there is nothing to change."""
    places = body_parts(sentence)
    if not places:
        return None
    part = rng.choice(places)
    chain = sentence.parts[part]
    assert isinstance(chain, Chain)
    signs = [place for place, sign in enumerate(chain.relations) if sign in _CONTRARY]
    if signs and rng.random() < 0.5:
        place = rng.choice(signs)
        relations = (*chain.relations[:place], _CONTRARY[chain.relations[place]], *chain.relations[place + 1 :])
        return with_part(sentence, part, replace(chain, relations=relations))
    place = rng.randrange(len(chain.terms))
    term = slip(rng, chain.terms[place]) or num(rng.choice((-1, 1)))  # there is no slip in 0
    return with_part(sentence, part, replace(chain, terms=(*chain.terms[:place], term, *chain.terms[place + 1 :])))
