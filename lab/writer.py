"""Writing derivations: from an expression to its normal form by elementary steps, joined as far as a step may go."""

import itertools
from collections.abc import Iterator, Sequence
from random import Random

from lab.algebra import NO_VALUES, Algebra, Values
from lab.claims import ZERO, Claim, Solutions
from lab.expressions import Expr, Number, add, div, holds_variable, mul, neg, num, power, signed_terms, substitute, var
from lab.sentences import Chain, Derivation, Part, Sentence, equation, say
from lab.steps import STEP, work

MAX_REDUCTIONS = 200
LONGEST_LINE = 90
FARTHEST = 24  # no later stop is tried once one is this far
ELEMENTARY = 1  # operations of the smallest step
SQUARE = 5  # operations of (x + 6)^2 = x^2 + 12x + 36

Path = tuple[Expr, ...]


def simplification(algebra: Algebra, expr: Expr, values: Values = NO_VALUES, limit: int = STEP) -> Path:
    """The expression, then permitted steps of at most ``limit`` operations to its normal form at ``values``."""
    path = [expr]
    now: Expr | None = substitute(expr, dict(values))
    while now is not None and len(path) < MAX_REDUCTIONS:
        if now != path[-1]:
            path.append(now)
        now = _reduced(algebra, now)
    return joined(algebra, path, values, limit)


def joined(
    algebra: Algebra, path: Sequence[Expr], values: Values = NO_VALUES, limit: int = STEP, modulus: int = 0
) -> Path:
    """The path without the stops that a step of ``limit`` operations can pass over."""
    terms = [algebra.terms(expr, values) for expr in path]
    kept, at = [0], 0
    while at < len(path) - 1:
        reach = at + 1
        for further in range(at + 2, len(path)):
            size = work(algebra, terms[at], terms[further], modulus)
            if size is not None and size <= limit:
                reach = further
            elif size is not None and size > FARTHEST:
                break
        kept.append(reach)
        at = reach
    return tuple(path[index] for index in kept)


def completed(algebra: Algebra, whole: Expr) -> Path:
    """From the normal form, which is left out, to ``whole``, squares and a number: first the number is split.

    x^2 + 12x + 35 = x^2 + 12x + 36 - 1 = (x + 6)^2 - 1.
    """
    variable, numbers = apart(whole)
    path = [add(stop, *numbers) for stop in simplification(algebra, add(*variable), limit=SQUARE)]
    return tuple(reversed(path if numbers else path[:-1]))


def split(algebra: Algebra, normal: Expr, whole: Expr) -> list[Sentence]:
    """The difference between the number of the normal form and that of the squares in ``whole``: of
    x^2 + 12x + 35 = (x + 6)^2 - 1 this is 35 - 36 = -1. Empty where nothing is to be added.
    """
    number, rest = (algebra.value(algebra.terms(add(*apart(expr)[1]))).get(0, 0) for expr in (normal, whole))
    return [worked_sum(algebra, (number, rest - number))] if number and rest != number else []


def apart(expr: Expr) -> tuple[list[Expr], list[Expr]]:
    """The terms with a variable, and the numbers other than 0."""
    terms = [term for term in signed_terms(expr) if term != ZERO]
    return [term for term in terms if holds_variable(term)], [term for term in terms if not holds_variable(term)]


def sums(algebra: Algebra, expr: Expr) -> list[Sentence]:
    """The sums of numbers that collecting the like terms of ``expr`` takes: of 4x + 4 - 7 this is 4 - 7 = -3.

    Written out by themselves they look alike wherever they come from, so that a model learns them once.
    """
    like: dict[int, list[Number]] = {}  # by monomial
    for term in signed_terms(expr):
        values = algebra.value(algebra.terms(term))
        if len(values) == 1:
            ((mono, value),) = values.items()
            like.setdefault(mono, []).append(value)
    return list(dict.fromkeys(worked_sum(algebra, numbers) for numbers in like.values() if len(numbers) > 1))


def written_sums(derivation: Derivation) -> Iterator[str]:
    """The sums that a derivation writes out by themselves."""
    return (sentence.text for sentence in derivation.sentences if is_written_sum(sentence))


def is_written_sum(sentence: Sentence) -> bool:
    """Returns whether all that a sentence says is how numbers add up."""
    chains = sentence.chains
    return len(sentence.parts) == 2 and len(chains) == 1 and not any(map(holds_variable, chains[0].terms))


def worked_sum(algebra: Algebra, numbers: Sequence[Number]) -> Sentence:
    """Two or more numbers added, one after the other."""
    return say("here", equation(*simplification(algebra, add(*map(num, numbers)), limit=ELEMENTARY)))


def _reduced(algebra: Algebra, expr: Expr) -> Expr | None:
    """The expression after one elementary step; None at the normal form."""
    if expr.op == "add":
        return _reduced_sum(algebra, expr)
    if expr.op == "neg":
        if expr.args[0] == ZERO:
            return ZERO
        inner = _reduced(algebra, expr.args[0])
        return None if inner is None else add(*(neg(term) for term in signed_terms(inner)))
    terms = algebra.terms(expr)
    if not any(atom[0] == "s" for _, factors in terms for atom, _ in factors):
        normal = algebra.expression(algebra.value(terms))
        return None if normal == expr else normal
    return _reduced_product(algebra, expr)


def _reduced_sum(algebra: Algebra, expr: Expr) -> Expr | None:
    """Simplifies the first term that can be; then collects the first two like terms; then sorts."""
    parts = expr.args
    for index, part in enumerate(parts):
        changed = _reduced(algebra, part)
        if changed is not None:
            return add(*parts[:index], changed, *parts[index + 1 :])
    monos = [next(iter(algebra.value(algebra.terms(part))), -1) for part in parts]
    for index, mono in enumerate(monos):
        if monos.count(mono) > 1:
            like = [place for place, other in enumerate(monos) if other == mono][:2]
            rest = [part for place, part in enumerate(parts) if place not in like]
            collected = algebra.value(algebra.terms(add(*(parts[place] for place in like))))
            rest[index:index] = [algebra.expression(collected)] if collected or not rest else []
            return add(*rest)
    normal = algebra.expression(algebra.value(algebra.terms(expr)))
    return None if normal == expr else normal


def _factors(expr: Expr) -> tuple[list[Expr], int]:
    """The factors of a product, powers of sums as repeated factors, and the divisor."""
    if expr.op == "div":
        inner, divisor = _factors(expr.args[0])
        return inner, divisor * expr.args[1].args[0]
    if expr.op == "mul":
        pairs = [_factors(part) for part in expr.args]
        divisor = 1
        for _, own in pairs:
            divisor *= own
        return [factor for own, _ in pairs for factor in own], divisor
    if expr.op == "pow" and expr.args[0].op == "add" and expr.args[1].op == "num":
        return [expr.args[0]] * expr.args[1].args[0], 1
    return [expr], 1


def _reduced_product(algebra: Algebra, expr: Expr) -> Expr:
    """Simplifies a factor; then multiplies two sums, or a sum by all that is no sum; a long product is distributed."""
    factors, divisor = _factors(expr)
    for factor in factors:
        changed = _reduced(algebra, factor) if factor.op == "add" else None
        if changed is not None:
            rest = [changed if other == factor else other for other in factors]
            return div(_gathered(rest), divisor)
    sums = [factor for factor in factors if factor.op == "add"]
    others = [factor for factor in factors if factor.op != "add"]
    if not sums:  # a power of a product
        return algebra.expression(algebra.value(algebra.terms(expr)))
    if len(sums) == 1:
        return _multiplied(algebra, others, sums, divisor)
    first, second = sums[:2]
    if len(first.args) * len(second.args) <= STEP:
        both = _multiplied(algebra, (), (first, second))
    else:
        both = add(*(_distributed(term, second) for term in first.args))
    return div(_gathered([*others, both, *sums[2:]]), divisor)


def multiplied(algebra: Algebra, product: Expr) -> Expr:
    """A product with its sums multiplied out, like terms not collected; powers of sums are products."""
    factors, divisor = _factors(product)
    of_sums = [factor for factor in factors if factor.op == "add"]
    return _multiplied(algebra, [factor for factor in factors if factor.op != "add"], of_sums, divisor)


def _distributed(term: Expr, other: Expr) -> Expr:
    """One term of a sum times the other factor."""
    if term.op == "neg":
        return neg(_distributed(term.args[0], other)) if term.args[0] != num(1) else neg(other)
    return other if term == num(1) else mul(term, other)


def _multiplied(algebra: Algebra, others: Sequence[Expr], sums: Sequence[Expr], divisor: int = 1) -> Expr:
    """A product of sums with other factors multiplied out in the order of writing, its terms not collected."""
    products = itertools.product(*(factor.args for factor in sums))
    terms = (algebra.terms(div(mul(*others, *chosen), divisor)) for chosen in products)
    return add(*(algebra.expression(algebra.value(term)) for term in terms))


def _gathered(factors: list[Expr]) -> Expr:
    """A product with equal sums written as a power, where the first of them stands."""
    distinct = dict.fromkeys(factors)
    return mul(*(power(factor, factors.count(factor)) for factor in distinct))


def lines(rng: Random, path: Path, opening: str, labels: Sequence[str] = ()) -> list[Sentence]:
    """A chain of equations as one sentence, or where that gets long one for each step, opened by words."""
    chain = equation(*path)
    if len(chain.text) <= LONGEST_LINE or len(path) < 3:
        return [say(opening, chain)]
    found = [say(opening, equation(*path[:2]))]
    for expr in path[2:]:
        label = rng.choice(labels) if labels else ""
        found.append(say(label, Chain((expr,), lead="=")))
    return found


def closing(rng: Random, truth: bool) -> Sentence:
    """The verdict of the derivation."""
    opening = rng.choice(("", "", "so", "hence", "therefore"))
    return say(f"{opening} the claim is {'true' if truth else 'false'}".strip())


def listed(names: Sequence[str]) -> list[Part]:
    """Variables as parts of a sentence: x and y."""
    parts: list[Part] = []
    for name in names:
        parts += ["and", equation(var(name))] if parts else [equation(var(name))]
    return parts


DIFFER = ("the sides differ", "these are different", "the sides are not equal")


def refutation(
    rng: Random,
    algebra: Algebra,
    claim: Claim | Solutions,
    point: dict[str, Expr],
    words: Sequence[str] = DIFFER,
    limit: int = STEP,
    collected: Expr | None = None,
) -> list[Sentence]:
    """Both sides worked out at a point where the claim fails, in steps of ``limit``; ``words`` say that it does.

    ``collected``: the normal form of the left side, by which its value is worked out.
    """
    heads: list[Part] = []
    for name, value in point.items():
        heads += ["and", equation(var(name), value)] if heads else [equation(var(name), value)]
    opening = rng.choice(("for", "take", "at", "let"))
    path = simplification(algebra, claim.left if collected is None else collected, point, limit)
    if collected is not None:
        path = (*joined(algebra, simplification(algebra, claim.left, limit=ELEMENTARY), point)[:-1], *path)
    left = equation(*path)
    right = equation(*simplification(algebra, claim.right, point, limit))
    if isinstance(claim, Claim) and claim.relation in {">", ">="} and len(right.terms) == 1:
        return [say(opening, *heads, ":", _falling_short(left, right)), closing(rng, False)]
    body = [say(opening, *heads, ":", left, rng.choice(("and", "but", ", but")), right)]
    if len(body[0].text) > LONGEST_LINE + 20:
        body = [say(opening, *heads, ":", left), say(opening, *heads, ":", right)]
    ending = [say(rng.choice(words))] if words and rng.random() < 0.5 else []
    return [*body, *ending, closing(rng, False)]


def _falling_short(left: Chain, right: Chain) -> Chain:
    """A chain from the left side down to a right side that is a number no smaller."""
    if left.terms[-1] == right.terms[0]:
        return left
    return Chain((*left.terms, right.terms[0]), (*left.relations, "<"))
