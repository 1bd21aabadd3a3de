"""Closed forms of linear recurrences, by induction.

Level 1: u(n + 1) = u(n) + a linear term. 2: u(n + 1) = a u(n) + b. 3: u(n + 1) = a u(n) + a linear term. 4: order two
with two small roots. 5: order two with a double root or larger coefficients. 6: order two and a constant term.
"""

from random import Random

from lab.algebra import Algebra
from lab.claims import Claim, NumberSequence
from lab.expressions import Expr, add, call, mul, num, polynomial, power, render, scaled, sub, substitute
from lab.families.induction import N, closed_form, counterexample, failing, induction, value
from lab.sentences import equation
from lab.theorem import Draft


def draw(rng: Random, level: int) -> Draft:
    """A claim of this level; about one in three is false, by a term too much or a changed coefficient."""
    algebra = Algebra()
    closed, multipliers = _solution(rng, level)
    sequence = _sequence(algebra, closed, multipliers)
    formula = closed
    if rng.random() < 0.37:
        formula = add(closed, rng.choice((num(1), num(-1), N, scaled(-1, N), polynomial((1, -1, 0), "n"))))
    formula = algebra.expression(algebra.value(algebra.terms(formula)))
    claim = closed_form(sequence, formula)
    wrong = failing(algebra, claim)
    if wrong:
        return Draft(_statement(claim), claim, False, lambda: counterexample(rng, algebra, claim, wrong[0]))
    return Draft(_statement(claim), claim, True, lambda: induction(rng, algebra, claim))


def _solution(rng: Random, level: int) -> tuple[Expr, tuple[int, ...]]:
    """A closed form and the multipliers of u(n + 1), u(n) (or of u(n)) in the rule that it satisfies."""
    nonzero = [number for number in range(-4, 5) if number]
    shift = rng.randint(-6, 6)
    if level == 1:
        return polynomial((rng.randint(1, 5), rng.randint(-6, 6), shift), "n"), (1,)
    base = rng.randint(2, 5)
    growth = scaled(rng.choice(nonzero), power(num(base), N))
    if level == 2:
        return add(growth, num(rng.choice([*range(-9, 0), *range(1, 10)]))), (base,)
    if level == 3:
        return add(growth, polynomial((rng.choice(nonzero), shift), "n")), (base,)
    other = rng.choice([number for number in range(1, 5 if level == 4 else 6) if number != base])
    second = scaled(rng.choice(nonzero), power(num(other), N)) if other > 1 else num(rng.choice(nonzero))
    if level == 5 and rng.random() < 0.5:
        second = scaled(rng.choice(nonzero), N, power(num(base), N))
        return add(growth, second), (2 * base, -base * base)
    extra = [num(rng.choice(nonzero))] if level == 6 and other > 1 else []
    return add(growth, second, *extra), (base + other, -base * other)


def _sequence(algebra: Algebra, closed: Expr, multipliers: tuple[int, ...]) -> NumberSequence:
    """The recurrence with these multipliers that the closed form satisfies; what they leave over is the added term."""
    order = len(multipliers)
    shifts = [_later(order - 1 - index) for index in range(order)]
    used = [mul(num(factor), substitute(closed, {"n": at})) for factor, at in zip(multipliers, shifts, strict=True)]
    rest = algebra.value(algebra.terms(sub(substitute(closed, {"n": _later(order)}), add(*used))))
    parts = [scaled(factor, call("u", at)) for factor, at in zip(multipliers, shifts, strict=True)]
    rule = add(*parts, *([algebra.expression(rest)] if rest else []))
    initial = tuple(num(value(algebra, closed, index)) for index in range(order))
    return NumberSequence("u", 0, initial, rule, closed)


def _later(shift: int) -> Expr:
    return add(N, num(shift)) if shift else N


def _statement(claim: Claim) -> str:
    sequence = claim.sequence
    assert sequence is not None
    first = [equation(call("u", num(index)), value).text for index, value in enumerate(sequence.initial)]
    rule = equation(call("u", _later(sequence.order)), sequence.rule).text
    return (
        f"Let {', '.join(first)} and {rule} for all n >= 0. "
        f"Prove or refute: u(n) = {render(claim.right)} for all n >= 0."
    )
