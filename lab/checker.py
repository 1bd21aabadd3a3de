"""The checker: exact verdicts of proofs of the lab's theorems.

| score | when |
|---|---|
| 1 | no defect: every relation true and small enough, the conclusion reached and stated |
| 0.5 | all that is said is true and the conclusion is reached, with one or two minor defects |
| 0 | anything else |

| defect | minor | fatal |
|---|---|---|
| invalid step | | a relation that is false for some values; a wrong assumption |
| gap | more than ``STEP`` operations in a step, up to ``LEAP`` | more, or an inequality that no squares show |
| missing case | | a residue, a base case, a solution left out |
| unsupported citation | on a step up to ``LEAP`` | on a larger one |
| wrong conclusion | | the verdict is not the truth, or there are two |
| missing conclusion | reached, but "The claim is true" (or false) is not said | not reached |
| circular | | the claim in one step, or assumed |
| not addressing | | no relation at all |
| unreadable | | outside the language or its limits |

Sound whatever the text: relations are judged by their truth for all values, and a verdict against the theorem's truth
is a wrong conclusion. ``check`` raises nothing, for any string.
"""

from collections.abc import Callable

from lab.claims import Solutions
from lab.defects import Defect, Kind, Place, Verdict, verdict
from lab.language import read
from lab.ledger import Ledger
from lab.limits import Refused
from lab.rules.equations import solve
from lab.rules.goals import WHOLE, missing
from lab.rules.reader import Record, walk
from lab.sentences import Sentence
from lab.theorem import Proposition


def check(theorem: Proposition, proof_text: str) -> Verdict:
    """The verdict of a text as a proof or refutation of what the theorem claims; it needs no derivation of its own."""
    try:
        return verdict(_defects(theorem, read(proof_text), len(proof_text)))
    except Refused as refusal:
        place = Place(0, refusal.start, max(refusal.start, min(len(proof_text), refusal.start + 1)))
        return Verdict(0.0, (Defect(Kind.UNREADABLE, place, str(refusal)),))


def _defects(theorem: Proposition, sentences: tuple[Sentence, ...], length: int) -> list[Defect]:
    end = Place(len(sentences), length, length)
    claim, truth = theorem.claim, theorem.truth
    if isinstance(claim, Solutions):
        solver = solve(claim, sentences)
        return _all(solver.ledger, solver.record, sentences, truth, lambda: solver.missing(truth), end)
    ledger = Ledger(claim)
    record = walk(ledger, sentences)
    return _all(ledger, record, sentences, truth, lambda: missing(ledger, record, truth), end)


def _all(
    ledger: Ledger,
    record: Record,
    sentences: tuple[Sentence, ...],
    truth: bool,
    gap: Callable[[], str],
    end: Place,
) -> list[Defect]:
    """The defects of the steps and of the end: a verdict against the truth, or one that is not reached.

    ``gap`` tells what is missing for the verdict; what a false step fails to reach is no second defect.
    """
    wrong = [sentence for said, sentence in record.verdicts if said != truth]
    if wrong:
        place = Place(sentences.index(wrong[0]), *wrong[0].span)
        wrong_end = Defect(Kind.WRONG_CONCLUSION, place, f"the claim is {'true' if truth else 'false'}")
        return [*ledger.defects, wrong_end]
    if any(not defect.minor for defect in ledger.defects):
        return ledger.defects
    return [*ledger.defects, *_unreached(ledger, record, gap, end)]


def _unreached(ledger: Ledger, record: Record, gap: Callable[[], str], end: Place) -> list[Defect]:
    """What the end lacks when all steps hold."""
    if not ledger.steps:
        return [Defect(Kind.NOT_ADDRESSING, end, "nothing is shown")]
    lacking = gap()
    if lacking == WHOLE:
        return [Defect(Kind.MISSING_CONCLUSION, end, "what is shown does not lead to the claim or its contrary")]
    if lacking:
        return [Defect(Kind.MISSING_CASE, end, f"{lacking} is missing")]
    if not record.verdicts:
        return [Defect(Kind.MISSING_CONCLUSION, end, "the verdict is not stated", minor=True)]
    return []
