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

from lab.claims import Solutions
from lab.defects import Defect, Kind, Place, Verdict, verdict
from lab.language import read
from lab.ledger import Ledger
from lab.limits import Refused
from lab.rules.equations import solve
from lab.rules.goals import proved, refuted
from lab.rules.reader import Record, walk
from lab.sentences import Sentence
from lab.theorem import Theorem


def check(theorem: Theorem, proof_text: str) -> Verdict:
    """The verdict of a text as a proof or refutation of the theorem's claim."""
    try:
        return verdict(_defects(theorem, read(proof_text), len(proof_text)))
    except Refused as refusal:
        place = Place(0, refusal.start, max(refusal.start, min(len(proof_text), refusal.start + 1)))
        return Verdict(0.0, (Defect(Kind.UNREADABLE, place, str(refusal)),))


def _defects(theorem: Theorem, sentences: tuple[Sentence, ...], length: int) -> list[Defect]:
    end = Place(len(sentences), length, length)
    claim = theorem.claim
    if isinstance(claim, Solutions):
        solver = solve(claim, sentences)
        missing = "" if solver.refuted() != theorem.truth and (not theorem.truth or solver.solved is not None) else "-"
        return solver.ledger.defects + _conclusion(solver.ledger, solver.record, sentences, theorem.truth, missing, end)
    ledger = Ledger(claim)
    record = walk(ledger, sentences)
    missing = proved(ledger, record) if theorem.truth else "" if refuted(ledger, record) else "-"
    return ledger.defects + _conclusion(ledger, record, sentences, theorem.truth, missing, end)


def _conclusion(
    ledger: Ledger, record: Record, sentences: tuple[Sentence, ...], truth: bool, missing: str, end: Place
) -> list[Defect]:
    """The defects of the end: a verdict against the truth, one that is not reached (``missing`` says what), or none."""
    wrong = [sentence for said, sentence in record.verdicts if said != truth]
    if wrong:
        place = Place(sentences.index(wrong[0]), *wrong[0].span)
        return [Defect(Kind.WRONG_CONCLUSION, place, f"the claim is {'true' if truth else 'false'}")]
    found = []
    if any(not defect.minor for defect in ledger.defects):
        pass  # what a false step fails to reach is no second defect
    elif not ledger.steps:
        found.append(Defect(Kind.NOT_ADDRESSING, end, "nothing is shown"))
    elif missing == "-":
        message = "what is shown does not lead to the claim or its contrary"
        found.append(Defect(Kind.MISSING_CONCLUSION, end, message))
    elif missing:
        found.append(Defect(Kind.MISSING_CASE, end, f"{missing} is missing"))
    elif not record.verdicts:
        found.append(Defect(Kind.MISSING_CONCLUSION, end, "the verdict is not stated", minor=True))
    return found
