"""Workings of a relation before it is judged: products multiplied out, sums added up, and then both sides of
it, each in its simplest form, side by side: whether they are equal is seen without working anything out.
"""

from collections.abc import Iterator, Mapping, Sequence

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import (
    Expr,
    Number,
    add,
    div,
    holds_call,
    holds_sum,
    holds_variable,
    is_numeral,
    neg,
    num,
    render,
    signed_terms,
    substitute,
)
from lab.limits import Refused
from lab.sentences import Chain
from lab.writer import apart

NOWHERE: Mapping[str, Expr] = {}  # the point of a relation that holds for all values
LONGEST = 60  # characters of what is worked out at once
ROOM = 160  # characters of all that is worked out of one relation
_CONSTANT = 0  # the monomial of a number


class Workings:
    """Works out the relations of one proof in their order; each product is multiplied out where it first occurs."""

    def __init__(self, claim: Claim | Solutions) -> None:
        self.algebra = Algebra()
        self.solving = isinstance(claim, Solutions)
        self.before = (claim.left, claim.right)  # the equation that the next one follows from
        self.known: set[Expr] = set()

    def of(self, left: Expr, sign: str, right: Expr, point: Mapping[str, Expr] = NOWHERE) -> str:
        """All that is worked out of ``left sign right`` at ``point``, true whatever the relation claims, or nothing."""
        if sign == "!=":
            return ""
        try:
            if sign != "=":
                return self._comparison(left, right)
            found = self._solved(left, right) if self.solving else self._compared_sides(left, right, point)
            return _joined([text for text in found if len(text) <= LONGEST])
        except Refused:  # beyond what the checker computes
            return ""

    def compared(self, left: Expr, right: Expr) -> str:
        """The comparison of two numbers, after both and in words that no proof has; empty where a side is none."""
        one, other = self._value(left), self._value(right)
        return "" if one is None or other is None else comparison(one, other)

    def solution(self, chain: Chain) -> Number | None:
        """The number that x = 2 names."""
        named = chain.relations == ("=",) and chain.terms[0].op == "var" and is_numeral(chain.terms[1])
        return self._value(chain.terms[1]) if named else None

    def _solved(self, left: Expr, right: Expr) -> Iterator[str]:
        """Of an equation that the one before leads to; or of a sum of numbers."""
        if all(map(is_numeral, (*signed_terms(left), right))):
            yield from self._compared_sides(left, right, NOWHERE)
            return
        yield from self._multiplied([term for side in (*self.before, left, right) for term in signed_terms(side)])
        yield from self._divided(left, right)
        self.before = left, right

    def _compared_sides(self, left: Expr, right: Expr, point: Mapping[str, Expr]) -> Iterator[str]:
        """Both sides simplified: as numbers, term by term as long as they have as many, or as polynomials."""
        sides = left, right
        yield from self._multiplied([term for side in sides for term in signed_terms(side)])
        if holds_call(left) or holds_call(right):  # whose values follow from what was supposed
            return
        first, second = (self._numbers(side, point) for side in sides)
        if first is not None and second is not None:
            yield from _compared_numbers(first, second)
            return
        for side in sides:
            yield from _shortened(self._constants(side), 1)
        values = [self.algebra.value(self.algebra.terms(side)) for side in sides]
        one, other = (render(self.algebra.expression(value)) for value in values)
        yield f"{one} and {other}: {'equal' if values[0] == values[1] else 'unequal'}"

    def _constants(self, side: Expr) -> list[Number]:
        """The numbers that collecting the like terms of a side adds up, products multiplied out."""
        found = (self.algebra.value(self.algebra.terms(term)).get(_CONSTANT, 0) for term in signed_terms(side))
        return [number for number in found if number]

    def _numbers(self, side: Expr, point: Mapping[str, Expr]) -> list[Number] | None:
        """The value of each term at a point; None where one has none."""
        found = [self._value(substitute(term, dict(point))) for term in signed_terms(side)]
        return None if None in found else [number for number in found if number is not None]

    def _comparison(self, left: Expr, right: Expr) -> str:
        """Of an inequality the numbers that decide it."""
        return self.compared(add(*apart(left)[1]), right)

    def _multiplied(self, terms: Sequence[Expr]) -> Iterator[str]:
        for term in dict.fromkeys(terms):
            if _is_product(term) and term not in self.known:
                self.known.add(term)
                values = self.algebra.value(self.algebra.terms(term))
                yield f"{render(term)} = {render(self.algebra.expression(values))}"

    def _divided(self, left: Expr, right: Expr) -> Iterator[str]:
        """The value of x after an equation such as 6x = 4."""
        times, number = self.algebra.value(self.algebra.terms(self.before[0])), self._value(self.before[1])
        if self.solving and left.op == "var" and len(times) == 1 and number is not None:
            ((mono, divisor),) = times.items()
            size = abs(divisor)
            if mono != _CONSTANT and isinstance(size, int) and isinstance(number, int) and number and divisor != 1:
                quotient = div(num(abs(number)), size)
                quotient = neg(quotient) if number * divisor < 0 else quotient
                value = self._value(quotient)
                if value is not None:
                    yield f"{render(quotient)} = {render(num(value))}"
                    yield self.compared(num(value), right)

    def _value(self, expr: Expr) -> Number | None:
        """The number that it is; None where it is none."""
        values = self.algebra.value(self.algebra.terms(expr))
        return None if set(values) - {_CONSTANT} else values.get(_CONSTANT, 0)


def comparison(one: Number, other: Number) -> str:
    """Two numbers and how they compare."""
    order = "equal" if one == other else "below" if one < other else "above"
    return f"{render(num(one))} and {render(num(other))}: {order}"


def listed(numbers: Sequence[Number]) -> str:
    """Numbers in a row."""
    return ", ".join(render(num(number)) for number in numbers) or "nothing"


def matched(found: Sequence[Number], claimed: Sequence[Number]) -> Iterator[str]:
    """Numbers in their order, pair by pair up to the first that are not equal; then what has no pair."""
    for one, other in zip(found, claimed, strict=False):
        yield comparison(one, other)
        if one != other:
            return
    count = min(len(found), len(claimed))
    yield from (f"{listed([number])} is not claimed" for number in found[count:])
    yield from (f"{listed([number])} is not found" for number in claimed[count:])


def _compared_numbers(one: list[Number], other: list[Number]) -> Iterator[str]:
    """Sums of numbers: the longer is added up until both have as many terms, both if the terms differ then."""
    for longer, shorter in ((one, other), (other, one)):
        yield from _shortened(longer, len(shorter))
    if one != other and sum(one) == sum(other):
        for numbers in (one, other):
            yield from _shortened(numbers, 1)
    if len(one) == 1:
        yield comparison(one[0], other[0])
    else:
        yield f"{listed(one)} and {listed(other)}: {'equal' if one == other else 'unequal'}"


def _joined(texts: Sequence[str]) -> str:
    """As many of the texts as there is room for, the last first: with it the relation is decided."""
    first, room = len(texts), ROOM
    while first and room >= len(texts[first - 1]):
        first -= 1
        room -= len(texts[first]) + len("; ")
    return "; ".join(texts[first:])


def _shortened(numbers: list[Number], count: int) -> Iterator[str]:
    """The first two numbers added, and so on in place until there are ``count``."""
    while len(numbers) > count:
        total = numbers[0] + numbers[1]
        yield f"{render(add(num(numbers[0]), num(numbers[1])))} = {render(num(total))}"
        numbers[:2] = [total]


def _is_product(term: Expr) -> bool:
    """Returns whether there is something to multiply out: a sum in parentheses, or numbers that are not one number."""
    return holds_sum(term) or not (holds_variable(term) or is_numeral(term))
