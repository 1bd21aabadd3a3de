"""Factors of an equation: sums one of which is 0, taken apart and multiplied, and what x is by a linear one."""

from fractions import Fraction
from typing import NamedTuple

from lab.algebra import Terms
from lab.expressions import Expr, Number, holds_variable
from lab.steps import times


class Factor(NamedTuple):
    """A factor that may be 0: whether x may be read off it, and whether it says itself what x is.

    ``unsigned``: the same for its opposite.
    """

    terms: Terms
    unsigned: Terms
    ready: bool
    says: bool
    square: bool = False
    power: int = 1


def factors_of(terms: Terms) -> list[tuple[Terms, int]]:
    """The factors of a product, and how often each stands there; of any other sum, itself."""
    if len(terms) != 1:
        return [(terms, 1)]
    atoms = [(atom, exponent) for atom, exponent in terms[0][1] if atom[0] != "n" and exponent > 0]
    return [(atom[1] if atom[0] == "s" else ((1, ((atom, 1),)),), times) for atom, times in atoms] or [(terms, 1)]


def is_gathered(left: Terms, right: Terms) -> bool:
    """Returns whether all terms with a variable stand on the left and all numbers on the right."""
    return bool(left) and not any(map(is_numeric, left)) and all(map(is_numeric, right))


def is_numeric(term: tuple) -> bool:
    """Returns whether a term has no letter."""
    return all(atom[0] == "n" for atom, _ in term[1])


def is_value(left: Expr, right: Expr) -> bool:
    """Returns whether an equation says what x is."""
    return left.op == "var" and not holds_variable(right)


def unsigned(terms: Terms) -> Terms:
    """The same for a sum and its opposite."""
    if len(terms) == 1:
        return ((-1, terms[0][1]),)
    return min(tuple(sorted(terms)), tuple(sorted((-sign, parts) for sign, parts in terms)))


def nonzero(values: dict[int, Number]) -> dict[int, Number]:
    """The coefficients other than 0."""
    return {mono: number for mono, number in values.items() if number}


def repeated(factors: list[Factor]) -> Terms:
    """The product of factors, each as often as it stands there."""
    return product([factor.terms for factor in factors for _ in range(factor.power)])


def product(factors: list[Terms]) -> Terms:
    """The factors as one product that is not multiplied out."""
    if len(factors) == 1:
        return factors[0]
    sign, parts = 1, ()
    for terms in factors:
        single = len(terms) == 1
        sign *= terms[0][0] if single else 1
        parts = times(parts, terms[0][1] if single else ((("s", tuple(sorted(terms))), 1),))
    return ((sign, parts),)


def solution(left: Expr, right: Expr) -> Number | None:
    """The number of ``x = number``, written either way."""
    if right.op == "var":
        left, right = right, left
    sign = 1
    if right.op == "neg":
        sign, right = -1, right.args[0]
    if left.op != "var":
        return None
    if right.op == "num":
        return sign * right.args[0]
    if right.op == "div" and right.args[0].op == "num":
        return sign * Fraction(right.args[0].args[0], right.args[1].args[0])
    return None
