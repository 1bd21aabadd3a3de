"""Fit of a sentence to the claim: what is said of all values covers its domain, and what is said in passing is so."""

import re
from collections.abc import Iterator

from lab.claims import Claim
from lab.defects import Kind
from lab.ledger import Ledger
from lab.moves import Move, Reading
from lab.rules.points import fails_at, point_of
from lab.rules.remarks import fault
from lab.sentences import Chain, Sentence

_RESIDUES = re.compile(r"\bcongruent to\b|\bis never\b")


def fits_claim(ledger: Ledger, reading: Reading, sentence: Sentence, *, solving: bool = False) -> bool:
    """Returns whether "for all" names variables, those of the claim over its whole domain.

    Also: what phrases say in passing is so, nothing is divided by 0, and a claim that is stated to fail at some values
    does. ``solving``: the proof solves an equation.
    """
    claim = ledger.claim
    message = next(filter(None, (fault(ledger, remark, solving=solving) for remark in reading.remarks)), "")
    verdict = reading.move not in {Move.RELATE, Move.CITE, Move.ASSUME, Move.COMMENT} or reading.asserts_claim
    if message:
        pass
    elif any(chain.terms[0].op != "var" for chain in reading.scope):
        message = 'after "for all" stand variables alone, or one with its first value such as n >= 1'
    elif not _covers(claim, reading, verdict=verdict):
        message = f'"for all" must name the variables of the claim and its whole domain: {_domain_words(claim)}'
    elif any(not ledger.algebra.value(ledger.key(chain.terms[0])) for chain in _dividing(reading)):
        message = "nothing is divided by 0"
    elif reading.move is Move.CLAIM_FALSE and reading.heads and not fails_at(ledger, point_of(reading.heads)):
        message = "the claim does not fail at these values"
    if message:
        ledger.defect(Kind.NOT_UNDERSTOOD, sentence.span, message)
    return not message


def _dividing(reading: Reading) -> Iterator[Chain]:
    """The expressions that are named in passing, but for residues."""
    residues = [chain for remark in reading.remarks if _RESIDUES.search(remark.words) for chain in remark.chains]
    return (chain for chain in reading.passed if not any(chain is one for one in residues))


def _covers(claim: Claim, reading: Reading, *, verdict: bool) -> bool:
    """Returns whether what stands after "for all" is the claim's domain; other variables than its are for relations."""
    first, bounds = claim.domain.first, reading.bounds
    for chain in reading.scope:
        low = chain.terms[1] if chain.relations else None
        within = low is None or (
            first is not None and low.op in {"num", "neg"} and (low.op == "neg" or low.args[0] <= first)
        )
        if (verdict and chain.terms[0].args[0] not in claim.variables) or not within:
            return False
    whole = claim.domain.integer or not bounds & {"integer", "integers", "whole"}
    return whole and (not bounds & {"positive", "natural"} or (first is not None and first >= 1))


def _domain_words(claim: Claim) -> str:
    names = ", ".join(claim.variables)
    if claim.domain.first is not None:
        return f"for all {names} >= {claim.domain.first}"
    return f"for all {'integers' if claim.domain.integer else 'real'} {names}"
