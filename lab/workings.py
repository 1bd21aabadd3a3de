"""Workings of a relation before it is judged: products multiplied out, then both sides side by side, one term or one
coefficient at a time, each pair with a decision of its own (``lab.pairs``).
"""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod

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
from lab.pairs import comparison, number_pairs, pairs, same, totals
from lab.writer import apart, multiplied

NOWHERE: Mapping[str, Expr] = {}  # the point of a relation that holds for all values
LONGEST = 120  # characters of what is worked out at once
ROOM = 400  # characters of all that is worked out of one relation
MOST_TERMS = 16  # of a product that is multiplied out without collecting
_CONSTANT = 0  # the monomial of a number


class Workings:
    """Works out the relations of one proof in their order; each product is multiplied out where it first occurs."""

    def __init__(self, claim: Claim | Solutions) -> None:
        self.algebra = Algebra()
        self.solving = isinstance(claim, Solutions)
        self.before = (claim.left, claim.right)  # the equation that the next one follows from
        self.roots: list[Number] = []  # the alternatives that the next ones follow from
        self.last: Expr | None = None  # the expression that the chain before ends in
        self.known: set[Expr] = set()

    def of(self, left: Expr, sign: str, right: Expr, point: Mapping[str, Expr] = NOWHERE) -> str:
        """All that is worked out of ``left sign right`` at ``point``, true whatever the relation claims, or nothing."""
        if sign == "!=":
            return ""
        try:
            if sign != "=":
                found = self._inequality(left, right)
            elif self.solving and (holds_variable(left) or holds_variable(right)):
                found = self._solved(left, right)
            else:
                found = self._sides(left, right, point)
            return _joined([text for text in found if len(text) <= LONGEST])
        except Refused:  # beyond what the checker computes
            return ""
        finally:
            self.last = right

    def alternatives(self, sides: Sequence[tuple[Expr, Expr]]) -> str:
        """The zeros of the factors or alternatives before, beside those of these equations; empty without factors."""
        try:
            now = [root for left, right in sides if (root := self._root(left, right)) is not None]
            before = self.roots or self._factor_roots()
            self.roots = now
            if not before or len(now) != len(sides):
                return ""
            order = [root for root in before if root in now]
            rest = [root for root in now if root not in order]
            beside = [root if root in order else rest.pop(0) if rest else None for root in before]
            texts = [
                ["nothing" if root is None else render(num(root)) for root in side]
                for side in (before, [*beside, *rest])
            ]
            return _joined(list(pairs(*texts)))
        except Refused:
            return ""

    def number(self, expr: Expr) -> Number | None:
        """The number that an expression is; None where it is none."""
        try:
            values = self.algebra.value(self.algebra.terms(expr))
        except Refused:
            return None
        return None if set(values) - {_CONSTANT} else values.get(_CONSTANT, 0)

    def _sides(self, left: Expr, right: Expr, point: Mapping[str, Expr]) -> Iterator[str]:
        """Both sides as numbers or as polynomials."""
        if holds_call(left) or holds_call(right):  # whose values follow from what was supposed
            yield from self._multiplied([*signed_terms(left), *signed_terms(right)])
            return
        if not (holds_variable(left) and holds_variable(right)):
            one, other = (self._numbers(side, point) for side in (left, right))
            if one is not None and other is not None:
                yield from self._multiplied([*signed_terms(left), *signed_terms(right)], numbers=True)
                yield from number_pairs(one, other)
                return
        yield from self._polynomials([left], [right])

    def _polynomials(self, ones: Sequence[Expr], others: Sequence[Expr]) -> Iterator[str]:
        """Two sums: term by term if they have as many, else or if these differ by coefficients."""
        terms = [[term for expr in side for term in signed_terms(expr)] for side in (ones, others)]
        yield from self._multiplied([*terms[0], *terms[1]])
        one, other = ([part for term in side for part in self._parts(term)] for side in terms)
        if len(one) == len(other) and not self.solving:
            found = list(pairs(list(map(render, one)), list(map(render, other))))
            yield from found
            if same(found):
                return
        first, second = self._coefficients(one), self._coefficients(other)
        for mono, name in self._names({**first, **second}):
            yield f"{name}: {(text := totals(first.get(mono, []), second.get(mono, [])))}"
            if not same([text]):
                return

    def _names(self, monos: Mapping[int, object]) -> list[tuple[int, str]]:
        """Monomials in the order in which a polynomial is written, with their names."""
        order = [render(term) for term in signed_terms(self.algebra.expression(dict.fromkeys(monos, 1)))]
        found = [(mono, render(self.algebra.expression({mono: 1}))) for mono in monos]
        found.sort(key=lambda pair: order.index(pair[1]))
        return [(mono, name if mono != _CONSTANT else "number") for mono, name in found]

    def _coefficients(self, terms: Sequence[Expr]) -> dict[int, list[Number]]:
        """The numbers that collecting like terms adds up, by monomial."""
        found: dict[int, list[Number]] = {}
        for term in terms:
            for mono, value in self.algebra.value(self.algebra.terms(term)).items():
                if value:
                    found.setdefault(mono, []).append(value)
        return found

    def _parts(self, term: Expr) -> list[Expr]:
        """A term multiplied out."""
        if not holds_sum(term):
            return [] if self.number(term) == 0 else [term]
        inner = term.args[0] if term.op == "neg" else term
        factors = inner.args if inner.op == "mul" else (inner,)
        if inner.op in {"mul", "pow"} and prod(map(_terms, factors)) <= MOST_TERMS:
            out = multiplied(self.algebra, inner)
        else:
            out = self.algebra.expression(self.algebra.value(self.algebra.terms(inner)))
        return [neg(part) if term.op == "neg" else part for part in signed_terms(out)]

    def _numbers(self, side: Expr, point: Mapping[str, Expr]) -> list[Number] | None:
        """The value of each term at a point; None where one has none."""
        found = [self.number(substitute(term, dict(point))) for term in signed_terms(side)]
        return None if None in found else [number for number in found if number is not None]

    def _inequality(self, left: Expr, right: Expr) -> Iterator[str]:
        """The left side beside what the chain before ends in, then the numbers that decide the inequality."""
        if self.last is not None and holds_variable(left) and not self.solving:
            yield from pairs(
                [render(term) for term in signed_terms(self.last)], [render(term) for term in signed_terms(left)]
            )
        variable, numbers = apart(left)
        yield from [f"{render(term)} is no square" for term in variable if not _is_square(term)][:1]
        one, other = self._total(numbers), self.number(right)
        if other is not None and (variable or numbers):
            yield comparison(one, other)

    def _total(self, numbers: Sequence[Expr]) -> Number:
        found = [self.number(number) for number in numbers]
        return sum(number for number in found if number is not None)

    def _solved(self, left: Expr, right: Expr) -> Iterator[str]:
        """An equation beside the one that it follows from, all terms on the left; or the quotient that x is."""
        divided = list(self._divided(left, right))
        if self.roots:
            divided = [self.alternatives([(left, right)])]
        if not divided:
            sides = [[one, *map(neg, signed_terms(other))] for one, other in (self.before, (left, right))]
            values = [self._values(side) for side in sides]
            if values[0] == values[1] or not _proportional(*values):
                divided = list(self._polynomials(*sides))
        self.before = left, right
        yield from divided

    def _values(self, side: Sequence[Expr]) -> dict[int, Number]:
        sums = ((mono, sum(numbers)) for mono, numbers in self._coefficients(side).items())
        return {mono: total for mono, total in sums if total}

    def _divided(self, left: Expr, right: Expr) -> Iterator[str]:
        """The value of x after an equation such as 6x = 4."""
        times, number = self.algebra.value(self.algebra.terms(self.before[0])), self.number(self.before[1])
        value = self.number(right)
        if left.op != "var" or len(times) != 1 or number is None or value is None or _CONSTANT in times:
            return
        ((mono, divisor),) = times.items()
        if divisor == 1 or self.algebra.expression({mono: 1}) != left:
            return
        found = _ratio(number, divisor)
        if isinstance(divisor, int) and isinstance(number, int) and number:
            quotient = div(num(abs(number)), abs(divisor))
            yield f"{render(neg(quotient) if number * divisor < 0 else quotient)} = {render(num(found))}"
        yield from pairs([render(num(found))], [render(num(value))])

    def _factor_roots(self) -> list[Number]:
        """The zeros of the linear factors of the equation before, if it is a product and 0."""
        left, right = self.before
        if left.op not in {"mul", "pow"} or self.number(right) != 0:
            return []
        factors = left.args if left.op == "mul" else (left.args[0],)
        found = [self._root(factor, num(0)) for factor in factors]
        return list(dict.fromkeys(root for root in found if root is not None))

    def _root(self, left: Expr, right: Expr) -> Number | None:
        """The solution of a linear equation in x; None of any other."""
        values = self._values([left, *map(neg, signed_terms(right))])
        constant = values.pop(_CONSTANT, 0)
        if len(values) != 1:
            return None
        ((mono, slope),) = values.items()
        return _ratio(-constant, slope) if sum(self.algebra.exponents(mono).values()) == 1 else None

    def _multiplied(self, terms: Sequence[Expr], *, numbers: bool = False) -> Iterator[str]:
        for term in dict.fromkeys(terms):
            if term not in self.known and _is_product(term) and (not numbers or not holds_variable(term)):
                self.known.add(term)
                total = self.number(term)
                parts = signed_terms(num(total)) if total is not None else self._parts(term)
                yield f"{render(term)} = {render(add(*parts))}"


def _is_square(term: Expr) -> bool:
    """Returns whether a term is a square or a positive multiple of one."""
    if term.op == "div":
        return _is_square(term.args[0])
    last = term.args[-1] if term.op == "mul" and all(is_numeral(factor) for factor in term.args[:-1]) else term
    return last.op == "pow" and last.args[1].op == "num" and last.args[1].args[0] % 2 == 0


def _terms(factor: Expr) -> int:
    """The number of terms that a factor multiplies others by."""
    if factor.op != "pow":
        return len(signed_terms(factor))
    base, exponent = factor.args
    times = exponent.args[0] if exponent.op == "num" else MOST_TERMS
    return len(signed_terms(base)) ** min(times, MOST_TERMS)


def _ratio(number: Number, divisor: Number) -> Number:
    found = Fraction(number) / Fraction(divisor)
    return int(found) if found.denominator == 1 else found


def _proportional(one: Mapping[int, Number], other: Mapping[int, Number]) -> bool:
    """Returns whether one is a multiple of the other."""
    if set(one) != set(other) or not one:
        return False
    return len({_ratio(one[mono], other[mono]) for mono in one}) == 1


def _joined(texts: Sequence[str]) -> str:
    """As many of the texts as there is room for, the last first: with it the relation is decided."""
    first, room = len(texts), ROOM
    while first and room >= len(texts[first - 1]):
        first -= 1
        room -= len(texts[first]) + len("; ")
    return "; ".join(texts[first:])


def _is_product(term: Expr) -> bool:
    """Returns whether there is something to multiply out: a sum in parentheses, or numbers that are not one number."""
    return holds_sum(term) or not (holds_variable(term) or is_numeral(term))
