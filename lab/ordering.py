"""Inequalities: which ones are plain to see, and which are true at all."""

from fractions import Fraction

from lab.algebra import NO_VALUES, Algebra, Terms, Values
from lab.expressions import Expr, Number
from lab.steps import canceled

MAX_NAMES = 8


def plainly_at_least(algebra: Algebra, large: Terms, small: Terms, strict: bool) -> bool:
    """Whether large - small is, as written, a sum of squares with positive factors and a number that is not negative.

    Strict needs a positive number.
    """
    spare: Number = 0
    for terms, side in zip(canceled(large, small), (1, -1), strict=True):
        for sign, factors in terms:
            if all(atom[0] == "n" for atom, _ in factors):
                spare += side * algebra.expand((sign, factors))[0][0][1]
            elif sign * side < 0 or any(atom[0] != "n" and times % 2 for atom, times in factors):
                return False
    return spare > 0 or (spare == 0 and not strict)


def holds_everywhere(algebra: Algebra, expr: Expr, values: Values = NO_VALUES, strict: bool = False) -> bool:
    """Whether a polynomial of degree two at most is never negative (never zero, if strict). False for other degrees
    and for more than ``MAX_NAMES`` indeterminates.

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
