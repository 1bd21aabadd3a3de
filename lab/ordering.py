"""Inequalities: which ones are plain to see, and which are true at all."""

from fractions import Fraction
from math import isqrt

from lab.algebra import NO_VALUES, Algebra, Terms, Values
from lab.expressions import Expr, Number
from lab.steps import canceled, minus

MAX_NAMES = 8


def plainly_at_least(algebra: Algebra, large: Terms, small: Terms, strict: bool) -> bool:
    """Returns whether large - small is, as written, a sum of squares with positive factors and a number >= 0.

    Strict needs a positive number.
    """
    left, right = canceled(large, small)
    least = _least(algebra, minus(left, right))
    return least is not None and (least > 0 or (least == 0 and not strict))


def _least(algebra: Algebra, terms: Terms) -> Number | None:
    """A number that a sum of squares and numbers, as it is written, is not below; None for other sums."""
    total: Number = 0
    for sign, factors in terms:
        if all(atom[0] == "n" for atom, _ in factors):
            total += algebra.expand((sign, factors))[0][0][1]
            continue
        odd = [atom for atom, times in factors if atom[0] != "n" and times % 2]
        inner = [_least(algebra, atom[1]) if atom[0] == "s" else None for atom in odd]
        if sign < 0 or any(least is None or least < 0 for least in inner):
            return None
    return total


def quadratic(algebra: Algebra, terms: Terms) -> tuple[Number, Number, Number] | None:
    """The coefficients a, b, c of a quadratic polynomial in one variable; None for anything else."""
    found = dict(algebra.value(terms))
    atoms = {atom for mono in found for atom in algebra.exponents(mono)}
    if len(atoms) != 1 or next(iter(atoms))[0] != "v":
        return None
    slot = algebra.slot(next(iter(atoms)))
    a, b, c = (found.pop(mono, 0) for mono in (2 << slot, 1 << slot, 0))
    return (a, b, c) if a and not found else None


def balanced_squares(algebra: Algebra, terms: Terms) -> Expr | None:
    """The p of a sum that is p^2 for p = A - B, as the inequality of the means has it; None for other sums."""
    found = sorted(algebra.value(terms).items())
    squares = [(mono, value) for mono, value in found if value > 0]
    roots = [(mono >> 1, rational_root(value)) for mono, value in squares]
    if len(found) != 3 or len(squares) != 2 or None in [root for _, root in roots]:
        return None
    if any(times % 2 for mono, _ in squares for times in algebra.exponents(mono).values()):
        return None
    (one, first), (other, second) = roots
    difference = {one: first or 0, other: -(second or 0)}
    return algebra.expression(difference) if dict(found).get(one + other) == -2 * (first or 0) * (second or 0) else None


def rational_root(value: Number) -> Number | None:
    """The square root of a positive number, where it is rational."""
    number = Fraction(value)
    above, below = isqrt(number.numerator), isqrt(number.denominator)
    return Fraction(above, below) if (above * above, below * below) == (number.numerator, number.denominator) else None


def holds_everywhere(algebra: Algebra, expr: Expr, values: Values = NO_VALUES, strict: bool = False) -> bool:
    """Returns whether a polynomial of degree two at most is never negative (never zero, if strict).

    False for other degrees and for more than ``MAX_NAMES`` indeterminates.

    The quadratic form of the homogenized polynomial is diagonalized; with the constant last, its pivots decide.
    """
    found = algebra.value(algebra.terms(expr, values))
    names = sorted({atom for mono in found for atom in algebra.exponents(mono)})
    if len(names) > MAX_NAMES:
        return False
    matrix: list[list[Fraction]] = [[Fraction(0)] * (len(names) + 1) for _ in range(len(names) + 1)]
    for mono, value in found.items():
        places = [names.index(atom) for atom, times in algebra.exponents(mono).items() for _ in range(times)]
        if len(places) > 2:
            return False
        row, column = ([*places, len(names), len(names)])[:2]
        matrix[row][column] += Fraction(value) / 2
        matrix[column][row] += Fraction(value) / 2
    return _nonnegative(matrix, strict)


def _nonnegative(matrix: list[list[Fraction]], strict: bool) -> bool:
    """Symmetric elimination; a pivot 0 needs an empty row. Strict asks for a last pivot above 0."""
    size = len(matrix)
    for index in range(size):
        pivot = matrix[index][index]
        if pivot < 0 or (pivot == 0 and any(matrix[index][index + 1 :])):
            return False
        if pivot == 0:
            continue
        for row in range(index + 1, size):
            ratio = matrix[row][index] / pivot
            for column in range(index, size):
                matrix[row][column] -= ratio * matrix[index][column]
    return not strict or matrix[-1][-1] > 0
