"""Hypotheses of an induction: the claim at k, as it is named, written, or with its terms moved."""

from itertools import product

from lab.algebra import Terms
from lab.claims import Claim
from lab.defects import Defect, Kind, Place
from lab.expressions import Expr, shifted, sub, var, variables
from lab.graph import EVERYWHERE
from lab.ledger import Ledger
from lab.moves import Reading
from lab.rules.record import Record
from lab.rules.remarks import SHIFTS
from lab.sentences import Chain, Sentence
from lab.steps import STEP, work


def assume(ledger: Ledger, record: Record, reading: Reading, sentence: Sentence) -> None:
    """An induction hypothesis: it must be the claim at k (or at k and k + 1 for a rule of order two)."""
    record.scope, claim, ledger.last = EVERYWHERE, ledger.claim, None
    order = claim.sequence.order if claim.sequence else 1
    if claim.relation != "=" or claim.domain.first is None:
        message = "nothing is assumed but the claim for some k, in an induction"
        ledger.defect(Kind.INVALID_STEP, sentence.span, message)
        return
    found = [instance_named(ledger, chain) for chain in reading.heads]
    found += [instance_written(ledger, chain) for chain in reading.body if chain not in reading.heads]
    named = [chain.terms[0].args[0] for chain in reading.bound if chain.terms[0].op == "var"]
    if not found:  # "Assume the claim for some k >= 1"
        found = [(named[0], 0) if named and "claim" in reading.words else None]
    for instance in found:
        if instance is None:
            ledger.defect(Kind.INVALID_STEP, sentence.span, "what is assumed is not the claim for some k")
            continue
        name, shift = instance
        if strange := _strange_names(reading, name):
            message = f"this hypothesis is about {name}, not about {', '.join(strange)}"
            ledger.defect(Kind.INVALID_STEP, sentence.span, message)
            continue
        if not all(_begins(claim, bound, name, shift) for bound in reading.bound):
            message = "this hypothesis leaves out values from the first on, or names another variable"
            ledger.defect(Kind.MISSING_CASE, sentence.span, message)
            continue
        if shift >= order:
            ledger.defect(Kind.CIRCULAR, sentence.span, "this assumes what the induction step has to show")
            continue
        if reading.everywhere:
            ledger.defect(Kind.CIRCULAR, sentence.span, "this assumes the claim for all values")
            continue
        record.assumed.setdefault(name, set()).add(shift)
        if name in claim.variables:
            place = Place(ledger.sentence, *sentence.span)
            record.own.append(Defect(Kind.CIRCULAR, place, "this supposes the claim itself"))
        ledger.suppose(name, shift, *claim.at(shifted(name, shift)))
        _write_hypothesis(ledger, reading, claim.at(shifted(name, shift)))


def _strange_names(reading: Reading, name: str) -> list[str]:
    """Other variables of congruences: a term that vanishes by the modulus may name anything."""
    terms = [term for chain in reading.body if chain.modulus for term in chain.terms]
    return sorted(set().union(*map(variables, terms)) - {name})


def _begins(claim: Claim, bound: Chain, name: str, shift: int) -> bool:
    """Returns whether a hypothesis "for some k >= 2" about k + shift is one from the first value of the claim on."""
    if bound.terms[0] != var(name) or not bound.relations:
        return bound.terms[0] == var(name)
    low = bound.terms[1]
    return low.op == "neg" or (low.op == "num" and low.args[0] + shift <= (claim.domain.first or 0))


def _write_hypothesis(ledger: Ledger, reading: Reading, supposed: tuple[Expr, Expr]) -> None:
    """Leads from the claim at k to a hypothesis that is written otherwise."""
    for chain in reading.body:
        if chain.modulus and len(chain.terms) == 2 and {*map(ledger.key, chain.terms)} != {*map(ledger.key, supposed)}:
            ledger.suppose_moved(supposed, *chain.terms)
        if ledger.key(chain.terms[0]) == ledger.key(supposed[0]) and ledger.key(chain.terms[-1]) != ledger.key(
            supposed[1]
        ):
            ledger.rewrite(supposed[1], chain.terms[-1])


def instance_named(ledger: Ledger, chain: Chain) -> tuple[str, int] | None:
    """Assume the claim for n = k."""
    if chain.modulus or chain.lead:
        return None
    if chain.relations == ("=",) and chain.terms[0] == var(ledger.claim.variables[0]):
        return _shift_of(ledger, chain.terms[1])
    return _shift_of(ledger, chain.terms[0]) if not chain.relations else None


def _shift_of(ledger: Ledger, argument: Expr) -> tuple[str, int] | None:
    for name in variables(argument):
        for shift in SHIFTS:
            if ledger.key(argument) == ledger.key(shifted(name, shift)):
                return name, shift
    return None


def instance_written(ledger: Ledger, chain: Chain) -> tuple[str, int] | None:
    """Assume S(k) = k^2 and the like."""
    claim = ledger.claim
    if chain.relations != ("=",) or chain.modulus != claim.modulus or chain.lead:
        return None
    written = sorted(ledger.key(term) for term in chain.terms)
    names = sorted({name for term in chain.terms for name in variables(term)})
    pairs: dict[tuple[str, int], list[Terms]] = {}
    for place in product(names, SHIFTS):
        pairs[place] = sorted(ledger.key(side) for side in claim.at(shifted(*place)))
        if written == pairs[place] or _is_same_congruence(ledger, chain, *place):
            return place
    # The nearest index: modulo 4 the claim about 9^(k + 1) is a small step from that about 9^k.
    sizes = {place: size for place, pair in pairs.items() if (size := _work_between(ledger, written, pair)) is not None}
    return min(sizes, key=lambda place: sizes[place], default=None)


def _is_same_congruence(ledger: Ledger, chain: Chain, name: str, shift: int) -> bool:
    """Returns whether a congruence is the claim at an index with terms moved: 3^k = 1 mod 2 for 3^k - 1 = 0 mod 2."""
    algebra, sides = ledger.algebra, ledger.claim.at(shifted(name, shift))
    moved = [algebra.terms(sub(*pair)) for pair in (chain.terms[:2], sides, reversed(sides))]
    return bool(chain.modulus) and len(chain.terms) == 2 and any(algebra.same_value(moved[0], one) for one in moved[1:])


def _work_between(ledger: Ledger, written: list[Terms], pair: list[Terms]) -> int | None:
    """The size of a permitted step where one side is that of the claim, and the other close to it: k for k - 1 + 1."""
    same = [side for side in written if side in pair]
    if len(same) != 1:
        return None
    (one,), (other,) = ([side for side in sides if side != same[0]] for sides in (written, pair))
    size = work(ledger.algebra, one, other, ledger.claim.modulus)
    return size if size is not None and size <= STEP else None
