"""Real zeros of a polynomial with rational coefficients, exactly."""

from collections.abc import Collection
from fractions import Fraction
from itertools import pairwise

from lab.expressions import Number
from lab.limits import Refused

LARGEST_DEGREE = 12

Coefficients = list[Fraction]


def has_real_root(coefficients: Coefficients, besides: Collection[Number]) -> bool:
    """Whether there is a real zero besides the given ones. Sturm's theorem, on what their linear factors leave."""
    if len(coefficients) > LARGEST_DEGREE + 1:
        raise Refused(f"an equation has a degree above {LARGEST_DEGREE}")
    if len(coefficients) == 2:
        return -coefficients[1] / coefficients[0] not in besides
    for root in besides:
        while len(coefficients) > 1 and (quotient := _quotient(coefficients, Fraction(root))) is not None:
            coefficients = quotient
    if len(coefficients) < 2:
        return False
    return _changes(coefficients, below=True) != _changes(coefficients, below=False)


def _quotient(coefficients: Coefficients, root: Fraction) -> Coefficients | None:
    """Horner's division by x - root; None where there is a remainder."""
    found = [coefficients[0]]
    for value in coefficients[1:]:
        found.append(value + root * found[-1])
    return found[:-1] if found[-1] == 0 else None


def _changes(coefficients: Coefficients, *, below: bool) -> int:
    """Sign changes of Sturm's chain at minus infinity, or at plus infinity."""
    signs = [
        leading * (-1 if below and degree % 2 else 1)
        for leading, degree in ((part[0], len(part) - 1) for part in _chain(coefficients))
    ]
    return sum(one * other < 0 for one, other in pairwise(signs))


def _chain(coefficients: Coefficients) -> list[Coefficients]:
    degree = len(coefficients) - 1
    derivative = [value * (degree - index) for index, value in enumerate(coefficients[:-1])]
    chain = [coefficients, derivative]
    while len(chain[-1]) > 1:
        rest = _remainder(chain[-2], chain[-1])
        if not rest:
            break
        chain.append([-value for value in rest])
    return chain


def _remainder(dividend: Coefficients, divisor: Coefficients) -> Coefficients:
    rest = list(dividend)
    while len(rest) >= len(divisor):
        ratio = rest[0] / divisor[0]
        for index, value in enumerate(divisor):
            rest[index] -= ratio * value
        rest.pop(0)
    while rest and rest[0] == 0:
        rest.pop(0)
    return rest
