"""Real zeros of a polynomial with rational coefficients, exactly."""

from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import pairwise
from math import gcd, lcm

from lab.expressions import Number
from lab.limits import Refused

LARGEST_DEGREE = 12
LARGEST_BOUND = 1 << 128  # of the zeros of an equation that is solved here

Coefficients = list[Fraction]


def has_real_root(coefficients: Coefficients, besides: Collection[Number]) -> bool:
    """Returns whether there is a real zero besides the given ones. Sturm's theorem, without their linear factors."""
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


def rational_roots(coefficients: Sequence[Number]) -> frozenset[Number]:
    """All rational zeros of a polynomial of degree one at least, the highest coefficient first.

    With x = y / lead it has the leading coefficient 1, so that its rational zeros are whole numbers; they are told
    apart by Sturm's theorem at numbers and a half. Raises Refused for a large degree or large numbers.
    """
    if len(coefficients) > LARGEST_DEGREE + 1:
        raise Refused(f"an equation has a degree above {LARGEST_DEGREE}")
    common = lcm(*(Fraction(value).denominator for value in coefficients))
    lead, *rest = (int(value * common) for value in coefficients)
    monic = [Fraction(1), *(Fraction(value * lead**power) for power, value in enumerate(rest))]
    bound = 1 + int(max(abs(value) for value in monic))
    if bound > LARGEST_BOUND:
        raise Refused("the numbers of an equation are too large")
    found = (Fraction(root, lead) for root in _whole_roots(monic, bound))
    return frozenset(int(root) if root.denominator == 1 else root for root in found)


def _whole_roots(monic: Coefficients, bound: int) -> list[int]:
    """The whole zeros between -bound and bound, by halving as long as there is a real one."""
    chain = [_whole(part) for part in _chain(monic)]
    found, waiting = [], [(-bound, bound)]
    while waiting:
        low, high = waiting.pop()
        if _changes_at(chain, 2 * low - 1) == _changes_at(chain, 2 * high + 1):
            continue
        if low < high:
            middle = (low + high) // 2
            waiting += [(low, middle), (middle + 1, high)]
        elif _at_half(chain[0], 2 * low) == 0:
            found.append(low)
    return found


def _whole(coefficients: Coefficients) -> list[int]:
    """A positive multiple with whole coefficients."""
    common = lcm(*(value.denominator for value in coefficients))
    values = [int(value * common) for value in coefficients]
    shared = gcd(*values)
    return [value // shared for value in values]


def _changes_at(chain: list[list[int]], twice: int) -> int:
    """Sign changes of Sturm's chain at half of a number."""
    values = [value for part in chain if (value := _at_half(part, twice))]
    return sum((one < 0) != (other < 0) for one, other in pairwise(values))


def _at_half(coefficients: list[int], twice: int) -> int:
    """The value at half of a number, times a power of two: Horner's rule."""
    total = 0
    for power, value in enumerate(coefficients):
        total = total * twice + (value << power)
    return total


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
