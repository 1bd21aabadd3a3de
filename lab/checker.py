"""Checker: exact scores of proofs of the lab's theorems, each above 0 with a certificate that the kernel accepts.

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
| not understood | | words that the grammar does not account for |
| unreadable | | outside the language or its limits |

Sound whatever the text: relations are judged by their truth for all values, a verdict against the theorem's truth is a
wrong conclusion, and a score above 0 needs a certificate that the kernel (``lab.kernel``) accepts from the claim alone.
Where it does not, that is a fault of the checker: the proof counts as unreadable with "internal error" in the message,
and the disagreement is logged and counted in ``internal_errors``. ``check`` raises nothing, for any string.
"""

import logging
from collections import Counter
from collections.abc import Callable

from lab.certificate import Certificate
from lab.claims import Claim, Solutions
from lab.defects import CheckResult, Defect, Kind, Place, result_of
from lab.kernel import verify
from lab.kernel_terms import Rejected
from lab.language import read
from lab.ledger import Ledger
from lab.limits import DefectLimit, Refused
from lab.rules.equations import solve
from lab.rules.goals import WHOLE, Outcome, outcome
from lab.rules.reader import proposition_of, walk
from lab.rules.record import Record
from lab.sentences import Sentence
from lab.statements import Unsupported, read_statement
from lab.steps import LEAP, STEP
from lab.theorem import Proposition

DATE = "2026-12-01"  # of the last change of what is accepted; reports that quote scores name it
logger = logging.getLogger(__name__)
internal_errors: Counter[str] = Counter()  # of this process, by message


def check(theorem: Proposition, proof_text: str) -> CheckResult:
    """The score and the defects of a text as a proof or refutation of what the theorem claims."""
    try:
        return result_of(defects_and_certificate(theorem, proof_text)[0])
    except Refused as refusal:
        place = Place(0, refusal.start, max(refusal.start, min(len(proof_text), refusal.start + 1)))
        return CheckResult(0.0, (Defect(Kind.UNREADABLE, place, str(refusal)),))
    except Exception as fault:
        internal_errors[repr(fault)] += 1
        logger.exception("the checker failed on a text")
        return CheckResult(
            0.0, (Defect(Kind.UNREADABLE, Place(0, 0, 0), f"internal error: {fault!r}; report this text"),)
        )


def check_statement(statement: str, proof_text: str) -> CheckResult | Unsupported:
    """The verdict on a proof of a statement in words; Unsupported where the lab cannot decide the statement."""
    proposition = read_statement(statement)
    return proposition if isinstance(proposition, Unsupported) else check(proposition, proof_text)


def certificate_of(theorem: Proposition, proof_text: str) -> Certificate | None:
    """The certificate of a proof that the kernel accepts; None where there is none."""
    try:
        return defects_and_certificate(theorem, proof_text)[1]
    except Refused:
        return None


def defects_and_certificate(theorem: Proposition, proof_text: str) -> tuple[list[Defect], Certificate | None]:
    """The defects of a text, and what it shows where none of them is grave. Raises Refused for what cannot be read."""
    sentences = read(proof_text, (theorem.claim.left, theorem.claim.right))
    end = Place(len(sentences), len(proof_text), len(proof_text))
    claim, truth = theorem.claim, theorem.truth
    ledger = Ledger(proposition_of(claim))
    try:
        if isinstance(claim, Solutions):
            solver = solve(claim, ledger, sentences)
            found = _defects(ledger, solver.record, sentences, truth, lambda: solver.outcome(truth), end)
        else:
            record = walk(ledger, sentences)
            found = _defects(ledger, record, sentences, truth, lambda: outcome(ledger, record, truth), end)
    except DefectLimit:
        return ledger.defects, None
    defects, shown = found
    if shown.conclusion is None:
        return defects, None
    certificate = Certificate(truth, ledger.certified(), shown.conclusion)
    return _agreed(claim, certificate, defects, end)


def _agreed(
    claim: Claim | Solutions, certificate: Certificate, defects: list[Defect], end: Place
) -> tuple[list[Defect], Certificate | None]:
    """The same, if the kernel accepts the certificate; minor gaps are steps of up to ``LEAP`` operations."""
    try:
        verify(claim, certificate, LEAP if defects else STEP)
    except Rejected as disagreement:
        internal_errors[str(disagreement)] += 1
        logger.error("the kernel does not accept a certificate of the checker: %s", disagreement)
        message = f"internal error: the kernel does not accept what the rules found ({disagreement}); report this text"
        return [*defects, Defect(Kind.UNREADABLE, end, message)], None
    return defects, certificate


def _defects(
    ledger: Ledger,
    record: Record,
    sentences: tuple[Sentence, ...],
    truth: bool,
    shown: Callable[[], Outcome],
    end: Place,
) -> tuple[list[Defect], Outcome]:
    """The defects of the steps and of the end: a verdict against the truth, or one that is not reached.

    ``shown`` tells what follows; what a false step fails to reach is no second defect.
    """
    closing = record.ended + [sentence for sentence in record.asserted if sentence.span == sentences[-1].span]
    record.verdicts += [(True, sentence) for sentence in closing if not record.verdicts]
    wrong = [sentence for holds, sentence in record.verdicts if holds != truth]
    if not wrong and not truth:
        wrong = [sentence for sentence in record.asserted if record.verdicts]
    if wrong:
        place = Place(next(i for i, one in enumerate(sentences) if one.span == wrong[0].span), *wrong[0].span)
        wrong_end = Defect(Kind.WRONG_CONCLUSION, place, f"the claim is {'true' if truth else 'false'}")
        return [*ledger.defects, wrong_end], Outcome()
    if any(not defect.minor for defect in ledger.defects):
        return ledger.defects, Outcome()
    if not ledger.steps:
        return [*ledger.defects, Defect(Kind.NOT_ADDRESSING, end, "nothing is shown")], Outcome()
    found = shown()
    return [*ledger.defects, *_unreached(ledger, record, found.lacking, end)], found


def _unreached(ledger: Ledger, record: Record, lacking: str, end: Place) -> list[Defect]:
    """Defects of the end when all steps hold."""
    if lacking and (circles := [*record.circles(), *ledger.restated]):
        return circles
    if lacking == WHOLE:
        return [Defect(Kind.MISSING_CONCLUSION, end, "what is shown does not lead to the claim or its contrary")]
    if lacking:
        return [Defect(Kind.MISSING_CASE, end, f"{lacking} is missing")]
    if not record.verdicts:
        return [Defect(Kind.MISSING_CONCLUSION, end, "the verdict is not stated", minor=True)]
    return []
