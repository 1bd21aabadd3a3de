"""Polynomial identities: both sides expand to the same polynomial, or differ at a point.

Level 1: a product of two binomials and two terms. 2: and a multiple of a third. 3: a product with a trinomial or of
three binomials. 4: two variables. 5: cubes and products inside products. 6: longer mixtures of all of these. Levels 1
and 2 have small numbers and are written in small steps.
"""

from random import Random

from lab.algebra import Algebra
from lab.claims import Claim
from lab.expressions import (
    Expr,
    add,
    mul,
    neg,
    num,
    polynomial,
    power,
    render,
    scaled,
    signed_terms,
    sub,
    substitute,
    var,
)
from lab.sentences import Sentence, equation, say
from lab.steps import work
from lab.theorem import Draft
from lab.writer import ELEMENTARY, closing, lines, listed, multiplied, refutation, simplification, sums

SMALL = (-4, -3, -2, -1, 1, 2, 3, 4)
LARGER = (-5, *SMALL, 5)  # from level 3 on
POINTS = (0, 1, -1, 2, -2, 3)
PLAIN = 2  # the levels up to this are written in the smallest steps


def draw(rng: Random, level: int) -> Draft:
    """A claim of this level; about one in three is false, by one changed coefficient."""
    algebra = Algebra()
    names = ("x", "y") if level in {4, 6} else ("x",)
    left = add(*_parts(rng, level, names))
    value = algebra.value(algebra.terms(left))
    truth = rng.random() < 0.65
    if not truth:
        mono = rng.choice(sorted(value) or [0])
        value[mono] = value.get(mono, 0) + rng.choice((-2, -1, 1, 2))
    right = algebra.expression(value)
    if level > PLAIN and rng.random() < 0.4:
        left, right = _moved(rng, left, right)
    claim = Claim(left, "=", right, names)
    scope = "x and y" if len(names) == 2 else "x"
    statement = f"Prove or refute: {equation(left, right).text} for all real {scope}."
    if level <= PLAIN:
        return Draft(statement, claim, truth, lambda: _plain(rng, algebra, claim, truth))
    if truth:
        return Draft(statement, claim, True, lambda: _proof(rng, algebra, claim))
    return Draft(statement, claim, False, lambda: refutation(rng, algebra, claim, _point(rng, algebra, claim)))


def _plain(rng: Random, algebra: Algebra, claim: Claim, truth: bool) -> list[Sentence]:
    """The left side multiplied out and collected, its sums by themselves; then the verdict, or both sides at x = 1.

    One coefficient differs where the claim is false, so that the values at 1 do.
    """
    whole = add(*(_multiplied_out(algebra, term) for term in signed_terms(claim.left)))
    collected = algebra.expression(algebra.value(algebra.terms(claim.left)))
    opening = rng.choice(("left side:", "expand the left side:", "we have"))
    found = [say(opening, equation(claim.left, whole)), *sums(algebra, whole)]
    if collected != whole:
        found.append(say(rng.choice(("collect:", "collect like terms:", "so")), equation(whole, collected)))
    if truth:
        return [*found, closing(rng, True)]
    return [*found, *refutation(rng, algebra, claim, {"x": num(1)}, (), ELEMENTARY, collected)]


def _multiplied_out(algebra: Algebra, term: Expr) -> Expr:
    """A term, if it is a product, as a sum whose like terms are not collected."""
    if not _is_product(term):
        return term
    if term.op == "neg":
        return add(*map(neg, signed_terms(_multiplied_out(algebra, term.args[0]))))
    return multiplied(algebra, term)


def _binomial(rng: Random, names: tuple[str, ...], lead: int = 3, shifts: tuple[int, ...] = LARGER) -> Expr:
    first = scaled(rng.randint(1, lead), var("x"))
    second = num(1) if len(names) == 1 else var("y") if rng.random() < 0.7 else num(1)
    return add(first, scaled(rng.choice(shifts), second))


def _trinomial(rng: Random) -> Expr:
    return polynomial((1, rng.choice(LARGER), rng.choice(LARGER)))


def _parts(rng: Random, level: int, names: tuple[str, ...]) -> list[Expr]:
    """The terms of the left side."""
    if level <= PLAIN:
        first = mul(_binomial(rng, names, 1, SMALL), _binomial(rng, names, 2, SMALL))
        multiple = scaled(rng.choice((-4, -3, -2, 2, 3, 4)), _binomial(rng, names, 1, SMALL))
        return [first, *_tail(rng)] if level == 1 else [first, multiple, num(rng.choice(SMALL))]
    if level == 4:
        second = rng.choice((power(_binomial(rng, names), 2), mul(_binomial(rng, names), _binomial(rng, names))))
        return [mul(_binomial(rng, names), _binomial(rng, names)), rng.choice((second, neg(second)))]
    if level == 3:
        long = mul(_binomial(rng, names), _trinomial(rng))
        return [rng.choice((long, mul(*(_binomial(rng, names, 1) for _ in range(3))))), *_tail(rng)]
    cube = power(_binomial(rng, names, 2), 3)
    inner = add(mul(var("x"), _binomial(rng, names, 1)), num(rng.choice(LARGER)))
    nested = mul(inner, _binomial(rng, names, 1))
    square = mul(_binomial(rng, names), _binomial(rng, names))
    if level == 5:
        return [rng.choice((cube, nested, power(inner, 2))), neg(square)]
    return [rng.choice((cube, nested)), square, neg(mul(var("x"), _binomial(rng, names), _binomial(rng, names)))]


def _tail(rng: Random) -> list[Expr]:
    """Two terms that collect with the product's."""
    return [scaled(rng.choice(LARGER), power(var("x"), rng.choice((1, 2)))), num(rng.choice(LARGER))]


def _moved(rng: Random, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """The same claim with a term of the left side taken to the right."""
    index = rng.randrange(1, len(left.args))
    rest = left.args[:index] + left.args[index + 1 :]
    return add(*rest), sub(right, left.args[index])


def _proof(rng: Random, algebra: Algebra, claim: Claim) -> list[Sentence]:
    limit = rng.choice((5, 6, 6))
    whole = work(algebra, algebra.terms(claim.left), algebra.terms(claim.right))
    limit = limit if whole is None or whole > limit else max(1, whole - 1)  # the claim is never a step by itself
    sides = _side(rng, algebra, claim.left, "left", limit)
    normal = algebra.expression(algebra.value(algebra.terms(claim.left)))
    if render(normal) != render(claim.right):
        other = _side(rng, algebra, claim.right, "right", limit)
        sides = sides + other if rng.random() < 0.7 else other + sides
    both = rng.choice(("hence both sides are equal", "so both sides agree", "thus both sides are the same"))
    ending = [say(f"{both} for all real", *listed(claim.variables))] if rng.random() < 0.3 else []
    return [*sides, *ending, closing(rng, True)]


def _side(rng: Random, algebra: Algebra, side: Expr, name: str, limit: int) -> list[Sentence]:
    """One side simplified: as a whole, or with its products worked out first."""
    opening = rng.choice((f"{name} side:", f"expand the {name} side:", f"the {name} side is", "we have"))
    labels = ("collect:", "collect like terms:", "simplify:", "then", "so this is")
    products = [term for term in signed_terms(side) if _is_product(term)]
    if len(products) < 2 or rng.random() < 0.3:
        return lines(rng, simplification(algebra, side, limit=limit), opening, labels)
    found: list[Sentence] = []
    parts = []
    for term in signed_terms(side):
        product = term.args[0] if term.op == "neg" else term
        if not _is_product(term):
            parts.append(term)
            continue
        path = simplification(algebra, product, limit=limit)
        found += lines(rng, path, rng.choice(("expand:", "multiply out:", "first,", "here")), labels)
        parts.append(neg(path[-1]) if term.op == "neg" else path[-1])
    rest = simplification(algebra, add(*parts), limit=limit)
    return found + lines(rng, (side, *rest), opening, labels)


def _is_product(term: Expr) -> bool:
    return any(part.op == "add" for part in (term, *term.args) if isinstance(part, Expr)) or (
        term.op == "neg" and _is_product(term.args[0])
    )


def _point(rng: Random, algebra: Algebra, claim: Claim) -> dict[str, Expr]:
    """A point where the sides differ, small numbers first."""
    difference = sub(claim.left, claim.right)
    tries = [rng.choice(POINTS[: 3 + attempt // 4]) for attempt in range(200)]
    for attempt in range(0, 200, 2):
        point = {name: num(tries[attempt + index]) for index, name in enumerate(claim.variables)}
        if algebra.value(algebra.terms(substitute(difference, point))):
            return point
    raise AssertionError("a false identity differs somewhere")
