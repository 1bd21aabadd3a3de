"""The claim at numbers: whether its relation fails there, and whether its sides are equal."""

from dataclasses import replace
from typing import TypeGuard

from lab.certificate import Scope
from lab.claims import Claim
from lab.expressions import Expr, Number, is_numeral, substitute, variables
from lab.ledger import Ledger
from lab.sentences import Chain
from lab.sequences import close


def fails_at(ledger: Ledger, point: Scope | None) -> bool:
    """Returns whether the claim is false at some values of all its variables."""
    claim = ledger.claim
    return names_all(point, ledger) and not holds_between(claim, *_sides_at(ledger, point), claim.modulus)


def equal_at(ledger: Ledger, point: Scope) -> bool:
    """Returns whether the sides of the claim are equal at numbers, for a congruence modulo what it is about."""
    equal = replace(ledger.claim, relation="=")
    return not names_all(point, ledger) or holds_between(equal, *_sides_at(ledger, point), equal.modulus)


def names_all(point: Scope | None, ledger: Ledger) -> TypeGuard[Scope]:
    """Returns whether numbers are given for all variables of the claim."""
    return (
        point is not None
        and not any(variables(value) for _, value in point.values)
        and {name for name, _ in point.values} == set(ledger.claim.variables)
    )


def _sides_at(ledger: Ledger, point: Scope) -> tuple[Number, Number]:
    claim = ledger.claim
    sides = (close(substitute(side, dict(point.values)), claim.sequence) for side in (claim.left, claim.right))
    one, other = (ledger.algebra.value(ledger.algebra.terms(side)).get(0, 0) for side in sides)
    return one, other


def holds_between(claim: Claim, left: Number, right: Number, modulus: int) -> bool:
    """Returns whether the claimed relation holds between two numbers."""
    if claim.relation in {">=", ">"}:
        return left > right if claim.relation == ">" else left >= right
    difference = (left - right) % modulus if modulus else left - right
    return (difference == 0) == (claim.relation == "=")


def point_of(heads: tuple[Chain, ...]) -> Scope | None:
    """The assignments ``x = number``; all exact, or one of a whole number modulo another."""
    values: dict[str, Expr] = {}
    for chain in heads:
        if chain.relations != ("=",) or chain.lead or chain.terms[0].op != "var" or not is_numeral(chain.terms[1]):
            return None
        values[chain.terms[0].args[0]] = chain.terms[1]
    moduli = {chain.modulus for chain in heads}
    if len(moduli) != 1 or len(values) != len(heads) or (len(heads) > 1 and moduli != {0}):
        return None
    modulus = moduli.pop()
    if modulus == 1 or (modulus and any(_written_fraction(value) for value in values.values())):
        return None
    return Scope(tuple(values.items()), modulus)


def _written_fraction(value: Expr) -> bool:
    return "div" in {value.op, value.args[0].op if value.op == "neg" else ""}
