"""Openings: a larger step as several small ones, where what makes it large is powers of a + b and multiples of sums.

A step such as 3(k + 1)^2 + 3(k + 1) = 3k^2 + 9k + 6 is what a mathematician writes in one line. It is taken apart into
the forms between: a square or cube of two terms multiplied out, a number taken into a sum, like terms within a factor
collected, one after the other, each a step of at most ``STEP`` operations by itself. Products of different sums, and
numbers put in for variables, are not opened: these are larger steps.
"""

from collections.abc import Iterator

from lab.algebra import Algebra, Atom, Pairs, Term, Terms
from lab.expressions import Number
from lab.steps import STEP, times, work

MAX_OPENED = 10


def forms_between(algebra: Algebra, left: Terms, right: Terms, modulus: int) -> tuple[Terms, ...]:
    """The forms from one sum to another with small steps between them, both included; none where there is no way."""
    before, after = [left], [right]
    for _ in range(MAX_OPENED):
        size = work(algebra, before[-1], after[-1], modulus)
        if size is None:
            return ()
        if size <= STEP:
            return (*before, *reversed(after))
        found = next(((forms, new) for forms in (before, after) for new in _openings(algebra, forms[-1])), None)
        if found is None:
            return ()
        forms, new = found
        forms.append(new)
    return ()


def _openings(algebra: Algebra, terms: Terms) -> Iterator[Terms]:
    """The sum with one of its terms opened, in one small step."""
    for place, term in enumerate(terms):
        opened = _open(algebra, term)
        if opened is not None:
            new = (*terms[:place], *opened, *terms[place + 1 :])
            size = work(algebra, terms, new)
            if size is not None and size <= STEP:
                yield new


def _open(algebra: Algebra, term: Term) -> Terms | None:
    """A term with a power of two terms lowered, or with a number taken into a sum; None for any other."""
    sums = [(atom, power) for atom, power in term[1] if atom[0] == "s"]
    for atom, exponent in sums:
        collected = algebra.terms(algebra.expression(algebra.value(atom[1])))
        plain = all(inner[0] != "s" for _, factors in atom[1] for inner, _ in factors)
        if plain and exponent == 1 and len(collected) < len(atom[1]) and _letters(algebra, atom[1]):
            return _with_sum(term, {atom: 1}, collected)
    power = next(((atom, power) for atom, power in sums if power in {2, 3} and _is_binomial(algebra, atom)), None)
    if power is not None:
        atom, _ = power
        return _with_sum(term, {atom: 2}, _terms_of(algebra, algebra.expand(_power(atom, 2))[0], collect=True))
    if len(sums) == 2 and all(power == 1 for _, power in sums):
        for (one, _), (other, _) in (sums, reversed(sums)):
            if _is_binomial(algebra, one) and algebra.value(other[1]) == algebra.value((_power(one, 2),)):
                product = algebra.expand((1, tuple(sorted(((one, 1), (other, 1))))))[0]
                return _with_sum(term, {one: 1, other: 1}, _terms_of(algebra, product))
    numbers = all(atom[0] == "n" for atom, _ in term[1] if atom[0] != "s")
    if len(sums) == 1 and sums[0][1] == 1 and numbers and _letters(algebra, sums[0][0][1]):
        return _terms_of(algebra, algebra.expand(term)[0])
    return None


def _power(atom: Atom, exponent: int) -> Term:
    return 1, ((atom, exponent),)


def _is_binomial(algebra: Algebra, atom: Atom) -> bool:
    """Returns whether a sum has two terms, one with a letter at least, and none still to be multiplied out."""
    plain = all(inner[0] != "s" for _, factors in atom[1] for inner, _ in factors)
    return len(atom[1]) == 2 and plain and _letters(algebra, atom[1])


def _letters(algebra: Algebra, terms: Terms) -> bool:
    return bool(algebra.value(terms).keys() - {0})


def _with_sum(term: Term, powers: dict[Atom, int], inner: Terms) -> Terms:
    """A term with the sum ``inner`` in the place of powers of sums."""
    rest = tuple((atom, left) for atom, power in term[1] if (left := power - powers.get(atom, 0)))
    if not rest:
        return tuple((term[0] * sign, factors) for sign, factors in inner)
    if len(inner) == 1:
        return ((term[0] * inner[0][0], times(rest, inner[0][1])),)
    return ((term[0], tuple(sorted((*rest, (("s", tuple(sorted(inner))), 1))))),)


def _terms_of(algebra: Algebra, pairs: Pairs, *, collect: bool = False) -> Terms:
    """The terms of a product that is multiplied out; like terms as one only to ``collect``."""
    if collect:
        values: dict[int, Number] = {}
        for mono, value in pairs:
            values[mono] = values.get(mono, 0) + value
        return algebra.terms(algebra.expression(values))
    return tuple(part for mono, value in pairs for part in algebra.terms(algebra.expression({mono: value})))
