"""Calculations: the single steps that derivations consist of, as exercises for a model that cannot calculate yet.

Sums of numbers, values of polynomials, like terms, squares and factors, each written as a chain of small steps. A small
model meets a sum of two numbers once or twice in a derivation, and many times in as many words of exercises.
"""

from collections.abc import Callable
from fractions import Fraction
from random import Random
from typing import NamedTuple

from lab.algebra import Algebra
from lab.expressions import Expr, add, mul, num, polynomial, power, scaled, sub, var
from lab.sentences import Chain, equation
from lab.writer import ELEMENTARY, completed, joined, simplification

X = var("x")
SIZES = (12, 60, 250)  # of numbers: most are small, as in derivations


class Calculation(NamedTuple):
    """An exercise: what is to be done with which expression, and the chain of equations that does it."""

    task: str
    chain: Chain

    @property
    def prompt(self) -> str:
        """The exercise as the user's message."""
        return f"{self.task}: {Chain(self.chain.terms[:1]).text}\n"

    @property
    def answer(self) -> str:
        """All steps."""
        return f"{self.chain.text}."

    @property
    def result(self) -> str:
        """The last expression."""
        return Chain(self.chain.terms[-1:]).text


def calculation(seed: int) -> Calculation:
    """The exercise of this number; equal numbers give equal exercises."""
    rng = Random(seed)
    while True:
        drawn = rng.choices(list(KINDS), list(KINDS.values()))[0](rng, Algebra())
        if len(drawn.chain.terms) > 1:
            return drawn


def _number(rng: Random) -> int:
    size = rng.choice(SIZES)
    return rng.choice((-1, 1)) * rng.randint(1, size)


def _sum(rng: Random, algebra: Algebra) -> Calculation:
    """Two or three numbers, whole or halves and quarters."""
    numbers: list[int | Fraction] = [_number(rng) for _ in range(rng.choice((2, 2, 3)))]
    if rng.random() < 0.2:
        numbers[rng.randrange(len(numbers))] = Fraction(rng.randint(-99, 99), rng.choice((2, 3, 4)))
    return _simplified(algebra, add(*(num(number) for number in numbers)))


def _value(rng: Random, algebra: Algebra) -> Calculation:
    """A polynomial with its variable put in."""
    degree = rng.choice((1, 2, 2))
    form = polynomial([rng.choice((-1, 1)) * rng.randint(1, 9), rng.randint(-40, 40), rng.randint(-99, 150)][-degree - 1 :])
    path = simplification(algebra, form, {"x": num(rng.choice([n for n in range(-7, 8) if n]))}, ELEMENTARY)
    return Calculation("Calculate", equation(*path[1:]) if len(path) > 1 else equation(form))


def _like_terms(rng: Random, algebra: Algebra) -> Calculation:
    """The difference of two polynomials."""
    left = polynomial([rng.randint(0, 9), rng.randint(-40, 40), rng.randint(-99, 150)])
    right = polynomial([rng.randint(0, 4), rng.randint(-9, 9), rng.randint(-30, 30)])
    path = simplification(algebra, sub(left, right))
    return Calculation("Calculate", equation(*path))


def _product(rng: Random, algebra: Algebra) -> Calculation:
    """A number times a sum, and another number; or two linear factors."""
    if rng.random() < 0.5:
        inner = add(X, num(_nonzero(rng, 9)))
        return _simplified(algebra, add(scaled(rng.randint(2, 12), inner), num(_nonzero(rng, 40))))
    return _simplified(algebra, _factors(rng))


def _square(rng: Random, algebra: Algebra) -> Calculation:
    """A square completed."""
    shift: int | Fraction = _nonzero(rng, 6) if rng.random() < 0.8 else Fraction(2 * rng.randint(-4, 3) + 1, 2)
    factor = 1 if shift.denominator > 1 else rng.choice((1, 1, 2, 3, 4))
    rest = rng.randint(-20, 20)
    whole = add(scaled(factor, power(add(X, num(shift)), 2)), *([num(rest)] if rest else []))
    return _reversed(algebra, "Complete the square", whole, completed(algebra, whole))


def _factored(rng: Random, algebra: Algebra) -> Calculation:
    """A quadratic polynomial as a product."""
    whole = _factors(rng)
    return _reversed(algebra, "Factor", whole, (whole,))


def _factors(rng: Random) -> Expr:
    lead = rng.choice((1, 1, 2, 3))
    return mul(polynomial((lead, _nonzero(rng, 6))), add(X, num(_nonzero(rng, 6))))


def _reversed(algebra: Algebra, task: str, whole: Expr, path: tuple[Expr, ...]) -> Calculation:
    normal = algebra.expression(algebra.value(algebra.terms(whole)))
    return Calculation(task, equation(*joined(algebra, (normal, *path), limit=ELEMENTARY)))


def _simplified(algebra: Algebra, expr: Expr) -> Calculation:
    return Calculation("Calculate", equation(*simplification(algebra, expr, limit=ELEMENTARY)))


def _nonzero(rng: Random, size: int) -> int:
    return rng.choice((-1, 1)) * rng.randint(1, size)


KINDS: dict[Callable[[Random, Algebra], Calculation], int] = {
    _sum: 4,
    _value: 3,
    _like_terms: 3,
    _product: 2,
    _square: 3,
    _factored: 1,
}
