"""Labeled proofs: derivations with planted defects, labeled by the checker.

| kind of defect | planted by |
|---|---|
| invalid step | a slip, mostly carried on; a slip that cancels one or two steps later; a solution too many |
| gap | the steps between left out; much worked out at once |
| missing case | a residue, base case or solution left out; a wrong base case; division by what can be 0 |
| unsupported citation | a step, or a fact that was not needed, cited instead of shown |
| wrong conclusion | the contrary of what was shown; a whole text that argues for the contrary |
| missing conclusion | no verdict; the last steps left out; the problem miscopied; a foreign proof |
| circular | the claim in one step; an induction that assumes its step |
| not addressing | a verdict without any step |
| unreadable | words that stand for steps; a quotient that can be 0/0; a text cut off |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from lab.checker import check
from lab.complaints import END, complained_kind, line_of
from lab.defects import CheckResult, Kind
from lab.limits import Refused
from lab.planting import citations, contrary, division, endings, foreign, omissions, slips
from lab.planting.edits import Edit, written
from lab.planting.variations import vary
from lab.planting.ways import Op, way_of
from lab.theorem import Theorem

LABELS = (0.0, 0.5, 1.0)
MAX_KINDS = 6
MAX_TRIES = 8


@dataclass(frozen=True, slots=True)
class LabeledProof:
    """A proof with the checker's verdict of it; ``planted`` is the kind that was wanted, None for a right proof.

    ``source``: the right proof that it was planted in, with nothing to fault.
    """

    text: str
    verdict: CheckResult
    planted: Kind | None
    source: str
    how: str = ""

    @property
    def label(self) -> float:
        """The checker's score."""
        return self.verdict.score


OPS: dict[Kind, tuple[Op, ...]] = {
    Kind.INVALID_STEP: (
        slips.careless_slip,
        slips.careless_slip,
        slips.canceling_slip,
        slips.extra_solution,
    ),
    Kind.GAP: (omissions.skipped_work,),
    Kind.MISSING_CASE: (
        omissions.dropped_case,
        omissions.wrong_base,
        division.zero_division,
        foreign.another_equation,
        foreign.neighboring_equation,
    ),
    Kind.UNSUPPORTED_CITATION: (citations.citation,),
    Kind.WRONG_CONCLUSION: (endings.wrong_verdict, contrary.contrary),
    Kind.MISSING_CONCLUSION: (
        endings.no_verdict,
        endings.unfinished,
        slips.miscopied,
        foreign.another_theorem,
        foreign.neighbor,
        foreign.other_side,
    ),
    Kind.CIRCULAR: (endings.circular,),
    Kind.NOT_ADDRESSING: (endings.nothing,),
    Kind.UNREADABLE: (endings.foreign_words, endings.cut_off, division.zero_division),
    Kind.NOT_UNDERSTOOD: (endings.foreign_words,),
}
# How often each kind is drawn for a label: what provers do, not all kinds alike.
WEIGHTS: dict[float, dict[Kind, int]] = {
    0.0: {
        Kind.INVALID_STEP: 10,
        Kind.GAP: 2,
        Kind.MISSING_CASE: 7,
        Kind.UNSUPPORTED_CITATION: 1,
        Kind.WRONG_CONCLUSION: 8,
        Kind.MISSING_CONCLUSION: 14,
        Kind.CIRCULAR: 1,
        Kind.NOT_ADDRESSING: 1,
        Kind.UNREADABLE: 2,
    },
    0.5: {Kind.GAP: 6, Kind.UNSUPPORTED_CITATION: 3, Kind.MISSING_CONCLUSION: 2},
}


def plant(theorem: Theorem, seed: int, kind: Kind | None = None) -> LabeledProof | None:
    """A proof of the theorem with a planted defect; None where no place for one of this kind was found."""
    rng = Random(f"plant {theorem.id} {seed} {kind}")
    kinds = [kind] if kind else [other for other in OPS if other is not Kind.NOT_UNDERSTOOD]
    for _ in range(MAX_TRIES):
        found = _planted(rng, theorem, kinds, [1] * len(kinds), LABELS[:2])
        if found is None or any(defect.kind is found.planted for defect in found.verdict.defects):
            return found
    return None


def labeled_proof(theorem: Theorem, seed: int, mixture: Sequence[float] = (1, 1, 1)) -> LabeledProof:
    """A proof with a label drawn from 0, 0.5 and 1, in these mixture (as far as the theorem allows it)."""
    rng = Random(f"proof {theorem.id} {seed}")
    (label,) = rng.choices(LABELS, mixture)
    for wanted in (label, 0.0) if label < 1 else ():
        weights = WEIGHTS[wanted]
        found = _planted(rng, theorem, list(weights), list(weights.values()), (wanted,))
        if found is not None:
            return found
    return right_proof(rng, theorem)


def right_proof(rng: Random, theorem: Theorem) -> LabeledProof:
    """The derivation in other words, or with steps joined, as far as the checker has nothing against it."""
    for _ in range(4):
        text = written(vary(rng, theorem.steps.sentences), 0).text
        verdict = check(theorem, text)
        if not verdict.defects:
            return LabeledProof(text, verdict, None, text)
    return LabeledProof(theorem.derivation, check(theorem, theorem.derivation), None, theorem.derivation)


def _planted(
    rng: Random, theorem: Theorem, kinds: Sequence[Kind], weights: Sequence[int], labels: Sequence[float]
) -> LabeledProof | None:
    """Draws kinds, and places for each, until the checker finds that defect there and gives a wanted label."""
    for _ in range(MAX_KINDS):
        (kind,) = rng.choices(kinds, weights)
        for _ in range(MAX_TRIES):
            found = _tried(rng, theorem, kind)
            if found is not None and found.label in labels:
                return found
    return None


def _tried(rng: Random, theorem: Theorem, kind: Kind) -> LabeledProof | None:
    """One try at one place; None where there is no such place, or what was planted is no such defect."""
    op = rng.choice(OPS[kind])
    sentences = vary(rng, theorem.steps.sentences)
    try:
        edit = op(rng, theorem, sentences)
    except Refused:  # a changed number led out of the checker's limits
        return None
    if edit is None or not edit.text.strip():
        return None
    verdict = check(theorem, edit.text)
    if not _found(edit, verdict, kind):
        return None
    right = written(sentences, 0).text
    source = theorem.derivation if check(theorem, right).defects else right
    return LabeledProof(edit.text, verdict, kind, source, way_of(op))


def _found(edit: Edit, verdict: CheckResult, kind: Kind) -> bool:
    """Returns whether the checker faults the planted place for this kind; a text cut off may be faulted at its end."""
    wanted = complained_kind(kind)
    places = {edit.line, END} if wanted is Kind.UNREADABLE else {edit.line}
    return any(
        complained_kind(defect.kind) is wanted and line_of(edit.text, defect) in places for defect in verdict.defects
    )
