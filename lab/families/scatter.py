"""Sums as they are before like terms are collected: the same polynomial has many left sides."""

from collections.abc import Mapping
from random import Random

from lab.algebra import Algebra
from lab.expressions import Expr, Number, add, num, power, scaled, var

PART = 9  # size of the coefficients that a coefficient is split into
SPLITS = ((False, False), (True, False), (False, True), (True, True))
WEIGHTS = (3, 4, 4, 9)  # of each way to split the linear term and the constant


def scattered(rng: Random, algebra: Algebra, expr: Expr) -> Expr:
    """A polynomial in x, often with its linear term and its constant split in two; a square stays in front."""
    values = algebra.value(algebra.terms(expr))
    ((linear, constant),) = rng.choices(SPLITS, WEIGHTS)
    powers = [(exponent, coefficient(algebra, values, exponent)) for exponent in range(_degree(algebra, values), 1, -1)]
    higher = [scaled(value, power(var("x"), exponent)) for exponent, value in powers if value]
    lower = [scaled(part, var("x")) for part in _parts(rng, coefficient(algebra, values, 1), linear)]
    lower += [num(part) for part in _parts(rng, coefficient(algebra, values, 0), constant)]
    if linear or constant:
        rng.shuffle(lower)
    return add(*higher, *lower)


def coefficient(algebra: Algebra, values: Mapping[int, Number], exponent: int) -> Number:
    """The coefficient of a power of x."""
    return values.get(exponent << algebra.slot(("v", "x")), 0)


def _degree(algebra: Algebra, values: Mapping[int, Number]) -> int:
    """The degree in x."""
    return max((algebra.exponents(mono).get(("v", "x"), 0) for mono in values), default=0)


def _parts(rng: Random, value: Number, wanted: bool) -> list[Number]:
    """Two numbers that add up to ``value``, where that is wanted and they are small; else the number, if it is one."""
    found = [one for one in range(-PART, PART + 1) if one and value != one and abs(value - one) <= PART]
    if not wanted or not isinstance(value, int) or not found:
        return [value] if value else []
    one = rng.choice(found)
    return [one, value - one]
