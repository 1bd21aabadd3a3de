"""Quadratic inequalities, by completing squares.

Level 1: one variable, leading coefficient 1. 2: 2 or 3. 3: the left side is least at a fraction, x may stand on both
sides. 4: two variables. 5: two variables with a mixed term. 6: three variables. So the left side tells the level. Up to
level 3 its like terms are mostly not collected, which makes many left sides of small numbers. Numbers grow from level 1
to 4: at the lowest levels the sums of a derivation are of numbers that a small model can learn to add.
"""

from fractions import Fraction
from random import Random

from lab.algebra import Algebra
from lab.claims import ZERO, Claim
from lab.expressions import Expr, Number, add, num, polynomial, power, scaled, sub, substitute, var
from lab.families.scatter import coefficient, scattered
from lab.sentences import Chain, Sentence, say
from lab.theorem import Draft, drawn_within
from lab.writer import (
    ELEMENTARY,
    Path,
    apart,
    closing,
    completed,
    holds_variable,
    lines,
    refutation,
    simplification,
    split,
    sums,
)

NAMES = {1: "x", 2: "x", 3: "x", 4: "xy", 5: "xy", 6: "xyz"}
REACH = {1: 3, 2: 4, 3: 4}  # size of what is added to a variable; 6 from level 4 on
SPARE = {1: 4, 2: 4, 3: 4}  # what a true inequality has to spare at most; 9 from level 4 on
LARGEST = {1: 12, 2: 20, 3: 20}  # number of a statement
LABELS = ("then", "complete the square:", "so this is")


def draw(rng: Random, level: int) -> Draft:
    """A claim of this level; about one in three is false, the least value of the difference just below 0."""
    while True:
        draft = drawn_within(LARGEST.get(level), lambda: _draft(rng, level))
        if level > 3 or level_of(draft.claim.left) == level:
            return draft


def level_of(left: Expr) -> int:
    """The level, up to 3, of claims with this left side, a quadratic in x."""
    algebra = Algebra()
    values = algebra.value(algebra.terms(left))
    square, linear = (coefficient(algebra, values, exponent) for exponent in (2, 1))
    if Fraction(linear, 2 * square).denominator > 1:
        return 3
    return 1 if square == 1 else 2


def _draft(rng: Random, level: int) -> Draft:
    algebra = Algebra()
    names = tuple(NAMES[level])
    squares, center = _squares(rng, level)
    truth = rng.random() < 0.65
    strict = rng.random() < 0.35
    spare = rng.randint(1 if strict else 0, SPARE.get(level, 9)) if truth else rng.randint(-4, 0 if strict else -1)
    difference = algebra.expression(algebra.value(algebra.terms(add(*squares, num(spare)))))
    left, right = _sides(rng, algebra, difference, level)
    claim = Claim(left, ">" if strict else ">=", right, names)
    scope = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "x"
    statement = f"Prove or refute: {Chain((left, right), (claim.relation,)).text} for all real {scope}."
    whole = add(*squares, *([num(spare)] if spare else []))
    point = None if truth else _failing(algebra, claim, center)
    return Draft(statement, claim, truth, lambda: _written(rng, algebra, claim, whole, point))


def _squares(rng: Random, level: int) -> tuple[list[Expr], dict[str, Expr]]:
    """Multiples of squares, and the point where all of them are 0."""
    x, y, z = var("x"), var("y"), var("z")
    reach = REACH.get(level, 6)
    shifts: list[Number] = [rng.choice([n for n in range(-reach, reach + 1) if n]) for _ in range(3)]
    if level == 3 and rng.random() < 0.5:
        shifts[0] = Fraction(2 * rng.randint(-2, 1) + 1, 2)
    factor = 1 if level == 1 or shifts[0].denominator > 1 else rng.randint(2 if level == 2 else 1, 3)
    bases, mixed = [x, y, z][: len(NAMES[level])], 0
    if level >= 5:
        mixed = rng.choice((-2, -1, 1, 2))
        bases[0] = add(x, scaled(mixed, y))
    factors = [factor, rng.randint(1, 3), 1] if level < 5 else [1, rng.randint(1, 3), rng.randint(1, 2)]
    squares = [
        scaled(number, power(add(base, num(-shift)), 2))
        for number, base, shift in zip(factors, bases, shifts, strict=False)
    ]
    center = {name: num(shift) for name, shift in zip(NAMES[level], shifts, strict=False)}
    center["x"] = num(shifts[0] - mixed * shifts[1])
    return squares, center


def _sides(rng: Random, algebra: Algebra, difference: Expr, level: int) -> tuple[Expr, Expr]:
    """The difference as left >= right: right 0, or some of it on the right."""
    if rng.random() < (0.5 if level == 1 else 0.25):
        return _left(rng, algebra, difference, level), ZERO
    spare = SPARE.get(level, 9)
    if level in {1, 2, 4, 6}:
        moved = num(rng.choice([n for n in range(-spare, spare + 1) if n]))
    else:
        steep = 1 if level == 3 else 3
        moved = polynomial((rng.randint(0, steep), rng.choice((-2, -1, 1, 2)), rng.randint(-spare, spare)), "x")
    left = algebra.expression(algebra.value(algebra.terms(add(difference, moved))))
    return _left(rng, algebra, left, level), algebra.expression(algebra.value(algebra.terms(moved)))


def _left(rng: Random, algebra: Algebra, left: Expr, level: int) -> Expr:
    return scattered(rng, algebra, left) if level <= 3 else left


def _written(rng: Random, algebra: Algebra, claim: Claim, whole: Expr, point: dict[str, Expr] | None) -> list[Sentence]:
    """First what squares leave over, which tells whether the claim holds; then a proof, or the point where it fails."""
    start, goal = claim.left, claim.right
    if claim.right.op in {"num", "neg"} and not holds_variable(claim.right):
        variable, numbers = apart(whole)
        constant = algebra.expression(algebra.value(algebra.terms(add(*numbers, claim.right))))
        whole = add(*variable, *([constant] if constant != ZERO else []))
    else:
        start, goal = sub(claim.left, claim.right), ZERO
    path = simplification(algebra, start)
    found = [*sums(algebra, start), *split(algebra, path[-1], whole)]
    if point is not None:
        collected = algebra.expression(algebra.value(algebra.terms(claim.left)))
        return [*found, *refutation(rng, algebra, claim, point, (), ELEMENTARY, collected)]
    return [*found, *_proof(rng, claim, (*path, *completed(algebra, whole)), goal)]


def _proof(rng: Random, claim: Claim, path: Path, goal: Expr) -> list[Sentence]:
    """The difference as squares and a number; or the left side, if the right side is a number."""
    last, opening = path[-1], rng.choice(("we have", "complete the square:", "here"))
    found = lines(rng, path, opening, LABELS) if len(path) > 1 else []
    reasons = ("squares are never negative, so", "since squares are nonnegative,", "hence")
    found.append(say(rng.choice(reasons), Chain((last, goal), (claim.relation,))))
    return [*found, closing(rng, True)]


def _failing(algebra: Algebra, claim: Claim, center: dict[str, Expr]) -> dict[str, Expr]:
    """A point where the claim fails: one of whole numbers beside the least value if there is one, else that itself."""
    value = algebra.value(algebra.terms(center["x"])).get(0, 0)
    for shift in (Fraction(0), Fraction(1, 2), Fraction(-1, 2)):
        point = {**center, "x": num(value + shift)}
        difference = algebra.value(algebra.terms(substitute(sub(claim.left, claim.right), point))).get(0, 0)
        if (value + shift).denominator == 1 and (difference < 0 or (difference == 0 and claim.relation == ">")):
            return point
    return center
