"""Equations in one variable, with all real solutions.

Level 1: linear. 2: quadratic with whole solutions, leading coefficient 1. 3: quadratic with a fraction or without
solution, leading coefficient 2 or 3. 4: cubic with solution 0, or with a factor that is never 0. 5: cubic with three
other solutions. 6: quartic. Up to level 3 the like terms of the left side are mostly not collected, which makes many
left sides of small numbers. Numbers grow from level 1 to 4: at the lowest levels the sums of a derivation are of
numbers that a small model can learn to add.
"""

from fractions import Fraction
from itertools import pairwise
from random import Random

from lab.algebra import Algebra
from lab.claims import ZERO, Solutions
from lab.expressions import (
    Expr,
    Number,
    add,
    holds_sum,
    mul,
    neg,
    num,
    polynomial,
    power,
    scaled,
    signed_terms,
    sub,
    var,
)
from lab.families.scatter import scattered
from lab.sentences import Chain, Part, Sentence, equation, say
from lab.theorem import Draft, drawn_within
from lab.writer import ELEMENTARY, apart, closing, completed, joined, refutation, simplification, split, sums

X = var("x")
SMALL = [number for number in range(-4, 5) if number]
LARGER = [number for number in range(-6, 7) if number]  # from level 4 on
LARGEST = {1: 9, 2: 12, 3: 12}  # number of a statement
POINTS_FROM = 4  # the level from which on claims are also refuted at a point, whose choice needs the solutions


def draw(rng: Random, level: int) -> Draft:
    """A claim of this level; about one in three is false: a solution changed, left out, or one too many."""
    return drawn_within(LARGEST.get(level), lambda: _draft(rng, level))


def _draft(rng: Random, level: int) -> Draft:
    algebra = Algebra()
    factors, positive = _factors(rng, level)
    product = _multiplied(algebra, factors + ([positive] if positive else []))
    moved = _moved(rng, level)
    left = algebra.expression(algebra.value(algebra.terms(add(product, moved))))
    if level == 1:
        left, moved = _with_parentheses(rng, algebra, left, moved)
    if level <= 3 and not any(map(holds_sum, signed_terms(left))):
        left = scattered(rng, algebra, left)
    actual = frozenset(_root(factor) for factor in factors)
    claimed = actual if rng.random() < 0.65 else _changed(rng, actual)
    claim = Solutions(left, moved, claimed, actual)
    truth = claimed == actual

    def write() -> list[Sentence]:
        points = sorted(root for root in claimed ^ actual if root.denominator == 1)
        if points and level >= POINTS_FROM and rng.random() < 0.6:
            return refutation(rng, algebra, claim, {"x": num(rng.choice(points))}, (), ELEMENTARY)
        return [*_solved(rng, algebra, claim, factors, positive), closing(rng, truth)]

    return Draft(_statement(rng, claim), claim, truth, write)


def _factors(rng: Random, level: int) -> tuple[list[Expr], Expr | None]:
    """Linear factors, and a factor without real zero."""
    roots = rng.sample(_numbers(level), 3)
    linear = [polynomial((1, -root)) for root in roots]
    never = add(power(X, 2), num(rng.randint(1, 9)))
    if level == 1:
        return [polynomial((rng.randint(2, 6), rng.randint(-6, 6)))], None
    if level == 3:
        lead = rng.choice((2, 3))
        skew = polynomial((lead, rng.choice([number for number in SMALL if number % lead])))
        square = add(mul(num(lead), power(linear[0], 2)), num(rng.randint(1, 9)))
        return ([], square) if rng.random() < 0.4 else ([skew, linear[1]], None)
    if level == 4:
        return (linear[:1], never) if rng.random() < 0.5 else ([X, *linear[:2]], None)
    return (linear, None) if level == 5 else (linear[:2], never if level == 6 else None)


def _numbers(level: int) -> list[int]:
    return SMALL if level < 4 else LARGER


def _multiplied(algebra: Algebra, factors: list[Expr]) -> Expr:
    return algebra.expression(algebra.value(algebra.terms(mul(*factors))))


def _moved(rng: Random, level: int) -> Expr:
    """The right side."""
    if level > 1 and rng.random() < 0.5:
        return ZERO
    slope = rng.choice((0, 1, 2, 3, -1, -2)) if level > 1 else rng.choice((1, 2, 3, 4, -1, -2))
    constant = rng.choice((0, *_numbers(level))) if slope else rng.choice(_numbers(level))
    return polynomial((slope, constant)) if slope or constant else ZERO


def _with_parentheses(rng: Random, algebra: Algebra, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """A linear left side written as a(x + b) + c, in half of the draws; neither ab nor c is large."""
    if rng.random() < 0.5:
        return left, right
    values = algebra.value(algebra.terms(left))
    slope = int(values.get(1 << algebra.slot(("v", "x")), 0))
    constant = int(values.get(0, 0))
    size = LARGEST[1]
    shifts = [n for n in SMALL if abs(slope * n) <= size and abs(constant - slope * n) <= size]
    if abs(slope) < 2 or not shifts:
        return left, right
    shift = rng.choice(shifts)
    rest = constant - slope * shift
    return add(scaled(slope, polynomial((1, shift))), *([num(rest)] if rest else [])), right


def _root(factor: Expr) -> Number:
    algebra = Algebra()
    values = algebra.value(algebra.terms(factor))
    root = -Fraction(values.get(0, 0)) / values[1 << algebra.slot(("v", "x"))]
    return int(root) if root.denominator == 1 else root


def _changed(rng: Random, actual: frozenset[Number]) -> frozenset[Number]:
    """A wrong set of solutions near the true one."""
    roots = sorted(actual)
    kind = rng.random()
    if not roots or kind < 0.2:
        return frozenset([*roots, rng.choice([n for n in range(-7, 8) if n not in roots])])
    chosen = rng.choice(roots)
    rest = [root for root in roots if root != chosen]
    if kind < 0.45 and rest:
        return frozenset(rest)
    other = rng.choice(
        [root for root in (-chosen, chosen + 1, chosen - 1, chosen + 2, chosen + 3) if root not in roots]
    )
    return frozenset([*rest, other])


def _statement(rng: Random, claim: Solutions) -> str:
    text = equation(claim.left, claim.right).text
    roots = [equation(X, num(root)).text for root in sorted(claim.claimed)]
    if not roots:
        return f"Prove or refute: {text} has no real solution."
    if len(roots) == 1:
        return f"Prove or refute: the only real solution of {text} is {roots[0]}."
    rng.shuffle(roots)
    named = f"{', '.join(roots[:-1])} and {roots[-1]}"
    return f"Prove or refute: the real solutions of {text} are exactly {named}."


def _solved(
    rng: Random, algebra: Algebra, claim: Solutions, factors: list[Expr], positive: Expr | None
) -> list[Sentence]:
    """The equation brought to 0 and factored, then each factor."""
    difference = sub(claim.left, claim.right) if claim.right != ZERO else claim.left
    path = simplification(algebra, difference)
    if len(factors) == 1 and positive is None:
        return _linear(rng, algebra, claim)
    if not factors:
        assert positive is not None
        return _without_solution(rng, algebra, path, positive)
    product = mul(*factors, *([positive] if positive else []))
    # Like terms are collected before anything is factored, however small both are together.
    path = (*path[:-1], *joined(algebra, (path[-1], *reversed(simplification(algebra, product)[:-1]))))
    words = ("factor:", "rearrange:", "then", "so")
    steps: list[Sentence] = []
    for before, expr in pairwise((claim.left, *(path[1:] if claim.right == ZERO else path))):
        worked = sums(algebra, before) if before == path[0] or expr != path[0] else []
        steps += [*worked, say(rng.choice(words), equation(expr, ZERO))]
    if positive:
        steps.append(say("here", Chain((positive, ZERO), (">",)), "for all real", equation(X)))
    alternatives = [equation(factor, ZERO) for factor in factors]
    roots = [equation(X, num(_root(factor))) for factor in factors]
    if alternatives != roots and rng.random() < 0.7:
        steps.append(say(rng.choice(("so", "hence", "one factor must be zero:")), *_or(alternatives)))
    return [*steps, say(rng.choice(("so", "that is,", "thus the solutions are")), *_or(roots))]


def _or(chains: list[Chain]) -> list[Part]:
    parts: list[Part] = []
    for chain in chains:
        parts += ["or", chain] if parts else [chain]
    return parts


def _linear(rng: Random, algebra: Algebra, claim: Solutions) -> list[Sentence]:
    """Both sides simplified, the variable brought to the left, and divided."""
    path = simplification(algebra, claim.left, limit=ELEMENTARY)
    expanded = path[1:2] if any(map(holds_sum, signed_terms(claim.left))) else ()
    left = tuple(dict.fromkeys((claim.left, *expanded, path[-1])))
    steps: list[Sentence] = []
    for before, stop in pairwise(left):
        steps += [*sums(algebra, before), say(rng.choice(("expand:", "simplify:")), equation(stop, claim.right))]
    variable, number = apart(left[-1])
    own, other = apart(claim.right)
    gathered = add(*variable, *map(neg, own)), add(*other, *map(neg, number))
    value = algebra.value(algebra.terms(sub(claim.left, claim.right)))
    root = num(_root(algebra.expression(value)))
    collected = scaled(value[1 << algebra.slot(("v", "x"))], X), num(-value.get(0, 0))
    stops = [
        sides for sides in dict.fromkeys((gathered, collected)) if sides not in {(X, root), (left[-1], claim.right)}
    ]
    for before, sides in pairwise(((left[-1], claim.right), *stops)):
        steps += [sentence for side in before for sentence in sums(algebra, side)]
        steps.append(say(rng.choice(("collect terms:", "so", "hence")), equation(*sides)))
    return [*steps, say(rng.choice(("divide:", "so", "thus")), equation(X, root))]


def _without_solution(rng: Random, algebra: Algebra, path: tuple[Expr, ...], positive: Expr) -> list[Sentence]:
    """The difference is a square and a positive number."""
    whole = (*path, *completed(algebra, positive))
    steps = [*sums(algebra, path[0]), *split(algebra, path[-1], positive)]
    steps += [say(rng.choice(("we have", "complete the square:")), equation(*whole))] if len(whole) > 1 else []
    above = say("since squares are nonnegative,", Chain((positive, ZERO), (">",)))
    return [*steps, above, say("so there is no real solution")]
