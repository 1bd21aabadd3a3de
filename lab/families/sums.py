"""Closed forms of sums, by induction.

Level 1: a linear summand with an even slope. 2: any linear summand. 3: quadratic. 4: products, and larger
coefficients. 5: geometric. 6: cubic, or geometric with a polynomial.
"""

from collections.abc import Sequence
from fractions import Fraction
from random import Random

from lab.algebra import Algebra
from lab.claims import Claim, NumberSequence
from lab.expressions import Expr, Number, add, call, div, mul, num, polynomial, power, render, scaled, substitute, var
from lab.families.induction import N, closed_form, counterexample, failing, induction
from lab.theorem import Draft

# Sums of 1, i, i^2 and i^3 from 1 to n: the coefficients of n, n^2, ...
POWER_SUMS = (
    (Fraction(1),),
    (Fraction(1, 2), Fraction(1, 2)),
    (Fraction(1, 6), Fraction(1, 2), Fraction(1, 3)),
    (Fraction(0), Fraction(1, 4), Fraction(1, 2), Fraction(1, 4)),
)


def draw(rng: Random, level: int) -> Draft:
    """A claim of this level; about one in three is false, by a term too much."""
    algebra = Algebra()
    coefficients, base = _summand(rng, level)
    summand = add(*_written(coefficients, base))
    closed = closed_sum(coefficients, base)
    sequence = sum_of(summand, closed)
    formula = closed
    if rng.random() < 0.37:
        formula = add(closed, rng.choice((num(1), num(-1), N, polynomial((1, -1), "n"), polynomial((-1, 1), "n"))))
    formula = _presented(rng, algebra, formula)
    claim = closed_form(sequence, formula)
    wrong = failing(algebra, claim)
    if wrong:
        return Draft(_statement(claim), claim, False, lambda: counterexample(rng, algebra, claim, wrong[0]))
    return Draft(_statement(claim), claim, True, lambda: induction(rng, algebra, claim))


def sum_of(summand: Expr, closed: Expr) -> NumberSequence:
    """S(n), the sum of an expression in n from 1 to n, with its closed form."""
    rule = add(call("S", N), substitute(summand, {"n": add(N, num(1))}))
    return NumberSequence("S", 1, (substitute(summand, {"n": num(1)}),), rule, closed, summand)


def _summand(rng: Random, level: int) -> tuple[list[int], int]:
    """Coefficients of 1, i, i^2, ... and the base of a geometric term (0 for none)."""
    digit, slope = rng.randint(-9, 9), rng.randint(-5, 5)
    geometric = rng.choice((2, 3, 4, 5))
    options: dict[int, tuple[list[int], int]] = {
        1: ([rng.randint(-20, 20), 2 * rng.randint(1, 15)], 0),
        2: ([rng.randint(-20, 20), rng.randint(1, 20)], 0),
        3: ([digit, slope, rng.randint(1, 4)], 0),
        4: ([digit, rng.randint(-9, 9), 3 * rng.randint(1, 4)], 0),
        5: ([digit, 2 * rng.randint(-3, 3)], geometric),
    }
    if level in options:
        return options[level]
    if rng.random() < 0.5:
        return [digit, slope, rng.randint(-3, 3), 4 * rng.randint(1, 2)], 0
    return [digit, slope, rng.choice((-3, 3, 6))], rng.choice((geometric, 7))


def _written(coefficients: list[int], base: int) -> list[Expr]:
    rest = polynomial(reversed(coefficients), "n") if any(coefficients) else None
    return [*([power(num(base), N)] if base else []), *([rest] if rest else [])]


def closed_sum(coefficients: Sequence[Number], base: int) -> Expr:
    """The sum from 1 to n of the polynomial with these coefficients of 1, i, i^2, ... (four at most) and, if ``base``
    is not 0, of base^i; the highest degree first; base^1 + ... + base^n = (base * base^n - base) / (base - 1)."""
    values: list[Number] = [Fraction(0)] * (len(coefficients) + 1)
    for coefficient, powers in zip(coefficients, POWER_SUMS, strict=False):
        for degree, share in enumerate(powers, 1):
            values[degree] += coefficient * share
    if base:
        values[0] -= Fraction(base, base - 1)
    polynomial_part = polynomial(reversed(values), "n")
    return add(scaled(Fraction(base, base - 1), power(num(base), N)), polynomial_part) if base else polynomial_part


def _presented(rng: Random, algebra: Algebra, formula: Expr) -> Expr:
    """Sorted; or, where it has the factor n and denominators, over one denominator: n(n + 1)/2."""
    values = algebra.value(algebra.terms(formula))
    whole = max(number.denominator for number in values.values())
    n_slot = 1 << algebra.slot(("v", "n"))
    if whole == 1 or any(not mono or mono % n_slot for mono in values) or rng.random() < 0.3:
        return algebra.expression(values)
    return div(mul(N, algebra.expression({mono - n_slot: number * whole for mono, number in values.items()})), whole)


def _statement(claim: Claim) -> str:
    sequence = claim.sequence
    assert sequence is not None
    assert sequence.summand is not None
    summand = render(substitute(sequence.summand, {"n": var("i")}))
    return (
        f"Let S(n) be the sum of {summand} over i = 1, ..., n. "
        f"Prove or refute: S(n) = {render(claim.right)} for all n >= 1."
    )
