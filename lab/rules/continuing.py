"""Relations that go on from what was reached: "this is at least 4", "so this equals x^2"."""

import re
from collections.abc import Iterator

from lab.algebra import NO_VALUES
from lab.certificate import Scope
from lab.expressions import sub
from lab.facts import Last
from lab.ledger import Ledger
from lab.moves import Reading
from lab.ordering import holds_everywhere
from lab.relations_in_words import THIS
from lab.rules.record import Record
from lab.sentences import Chain
from lab.steps import STEP, work

_THIS_IS = re.compile(r"\b(?:this|it|that|which) (?:is|equals|becomes|gives|simplifies to|reduces to)$")


def continued(ledger: Ledger, record: Record, reading: Reading, scope: Scope) -> Iterator[Chain]:
    """The relations of a sentence; of "this is A = B", after an expression that is A in a small step, = A = B. With
    words, "this" may be what an earlier sentence ended in."""
    for chain in reading.body:
        meant = any(remark.following is chain and remark.words == THIS for remark in reading.remarks)
        if chain.lead and meant and not _fits(ledger, ledger.last, chain):
            ledger.last = next((one for one in reversed(record.lasts) if _fits(ledger, one, chain)), ledger.last)
        last = ledger.last
        named = any(remark.following is chain and _THIS_IS.search(remark.words) for remark in reading.remarks)
        if named and last is not None and not chain.lead and last.scope == scope and chain.modulus == last.modulus:
            one, other = ledger.key(last.expr, scope), ledger.key(chain.terms[0], scope)
            size = work(ledger.algebra, one, other, last.modulus)
            if one != other and size is not None and size <= STEP:
                relations, spans = chain.relations, chain.spans
                yield Chain(chain.terms, relations, "=", chain.modulus, spans)
                continue
        yield chain


def _fits(ledger: Ledger, last: Last | None, chain: Chain) -> bool:
    """Returns whether a relation that goes on from what was reached is true of it."""
    if last is None or last.scope.values or last.modulus != chain.modulus or chain.lead not in {"=", ">", ">="}:
        return False
    if chain.lead == "=":
        one, other = ledger.key(last.expr), ledger.key(chain.terms[0])
        return ledger.algebra.same_value(one, other, last.modulus)
    return holds_everywhere(ledger.algebra, sub(last.expr, chain.terms[0]), NO_VALUES, chain.lead == ">")
