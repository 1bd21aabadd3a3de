"""What is worked out of a relation before it is judged: sums added up, numbers compared, products multiplied out."""

from collections.abc import Iterator, Sequence

from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import (
    Expr,
    Number,
    add,
    div,
    holds_sum,
    holds_variable,
    is_numeral,
    neg,
    num,
    render,
    signed_terms,
)
from lab.limits import Refused
from lab.sentences import Chain
from lab.writer import apart

MOST_ADDED = 3  # numbers that are added up in one go
LONGEST = 60  # characters of a working
_CONSTANT = 0  # the monomial of a number


class Workings:
    """Works out the relations of one proof in their order; each product is multiplied out where it first occurs."""

    def __init__(self, claim: Claim | Solutions) -> None:
        self.algebra = Algebra()
        self.solving = isinstance(claim, Solutions)
        self.before = (claim.left, claim.right)  # the equation that the next one follows from
        self.known: set[Expr] = set()

    def of(self, left: Expr, sign: str, right: Expr) -> str:
        """All that is worked out of ``left sign right``, true whatever the relation claims; may be empty."""
        if sign == "!=":
            return ""
        try:
            return self._equation(left, right) if sign == "=" else self._comparison(left, right)
        except Refused:  # beyond what the checker computes
            return ""

    def compared(self, left: Expr, right: Expr) -> str:
        """How two numbers compare, said after both and in words that no proof has; empty where a side is none."""
        one, other = self._value(left), self._value(right)
        return "" if one is None or other is None else comparison(one, other)

    def solution(self, chain: Chain) -> Number | None:
        """The number that x = 2 names."""
        named = chain.relations == ("=",) and chain.terms[0].op == "var" and is_numeral(chain.terms[1])
        return self._value(chain.terms[1]) if named else None

    def _equation(self, left: Expr, right: Expr) -> str:
        if _few_numbers(left) and is_numeral(right):
            total = self._value(left)
            return "" if total is None else f"{render(left)} = {render(num(total))}; {self.compared(num(total), right)}"
        terms = [term for side in (*self.before, left, right) for term in signed_terms(side)]
        found = [*self._multiplied(terms), *self._divided(left, right)]
        if self.solving:
            self.before = left, right
        return "; ".join(text for text in found if len(text) <= LONGEST)

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
        """What x is after an equation such as 6x = 4."""
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


def _few_numbers(expr: Expr) -> bool:
    terms = signed_terms(expr)
    return 1 < len(terms) <= MOST_ADDED and all(map(is_numeral, terms))


def _is_product(term: Expr) -> bool:
    """Whether there is something to multiply out: a sum in parentheses, or numbers that are not one number."""
    return holds_sum(term) or not (holds_variable(term) or is_numeral(term))
