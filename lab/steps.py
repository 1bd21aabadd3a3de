"""The size of a step: how much work lies between two expressions that are equal.

``work(A, B)`` is exact and symmetric. Terms that stand on both sides are dropped, then a factor that all remaining
terms of both sides share (so x(x + 1) + 2(x + 1) = (x + 2)(x + 1) is free); where
only a sum inside a product or power changed, only that counts. What remains is expanded on both sides; the
work is the operations of both expansions, plus one for each like term collected (``Algebra`` says what else counts).
A step may be ``STEP`` operations large. That allows (2x - 3)(x + 4) = 2x^2 + 5x - 12 (four products, one collection)
and a product of two terms by three left uncollected; it forbids the same product collected.

An equation proved before may be put in, whole: for a term, for a factor, or for a sum where all its terms stand.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any, NamedTuple

from lab.algebra import Algebra, Atom, Terms
from lab.expressions import Number, num

STEP = 6
LEAP = 2 * STEP  # above this, a true step is a critical gap
MAX_FOLDS = 3


def work(algebra: Algebra, left: Terms, right: Terms, modulus: int = 0) -> int | None:
    """Operations between two sums; None where they are not equal (modulo ``modulus``, if any, term by term)."""
    left, right = canceled(left, right)
    if not left and not right:
        return 0
    algebra.spend(len(left) + len(right))
    direct = _expanded_work(algebra, left, right, modulus)
    if direct is None or direct <= STEP:
        return direct
    for one, other in _simpler(left, right):
        inner = work(algebra, one, other, modulus)
        if inner is not None:
            return min(direct, inner)
    return direct


def _simpler(left: Terms, right: Terms) -> Iterator[tuple[Terms, Terms]]:
    """Smaller pairs of sums that are equal only if these are: what changed inside, or what a shared factor leaves."""
    inside = _changed_inside(left, right)
    if inside is not None:
        yield inside
    shared = _shared_factors(left + right)
    if shared:
        yield _divided(left, shared), _divided(right, shared)
    sums = dict.fromkeys(atom for _, factors in left + right for atom, _ in factors if atom[0] == "s")
    for atom in list(sums)[:MAX_FOLDS]:
        one, other = _folded(left, atom), _folded(right, atom)
        if (one, other) != (left, right) and atom in _shared_factors(one + other):
            yield _divided(one, {atom: 1}), _divided(other, {atom: 1})


def _folded(terms: Terms, atom: Atom) -> Terms:
    """The terms with a + b written as the sum (a + b) again, where all terms of that sum stand, with one sign."""
    for sign in (1, -1):
        kept, missing = canceled(terms, tuple((sign * inner, factors) for inner, factors in atom[1]))
        if not missing:
            return (*kept, (sign, ((atom, 1),)))
    return terms


def _changed_inside(left: Terms, right: Terms) -> tuple[Terms, Terms] | None:
    """The two sums, where the sides are products that differ in one sum under the same power."""
    if len(left) != 1 or len(right) != 1 or left[0][0] != right[0][0]:
        return None
    one = [factor for factor in left[0][1] if factor not in right[0][1]]
    other = [factor for factor in right[0][1] if factor not in left[0][1]]
    alike = len(one) == 1 and len(other) == 1 and one[0][1] == other[0][1]
    if not alike or one[0][0][0] != "s" or other[0][0][0] != "s":
        return None
    return one[0][0][1], other[0][0][1]


class Rule(NamedTuple):
    """An equation that may be put in: its left side, its right side, and where it comes from."""

    left: Terms
    right: Terms
    source: Any


Applied = tuple[tuple[Any, Terms], ...]  # sources of what was put in, and the factors that they were put in with


class Change(NamedTuple):
    """The least work between two sums: its size (None: they are not equal), and what was put in on either side."""

    size: int | None
    start: Terms
    end: Terms
    on_left: Applied = ()
    on_right: Applied = ()


def work_with(
    algebra: Algebra,
    left: Terms,
    right: Terms,
    direct: int | None,
    facts: Sequence[Rule],
    known: Sequence[Sequence[Rule]],
    modulus: int = 0,
) -> Change:
    """The least work when facts may be put in, where ``direct`` is that without any.

    ``facts`` were proved in the text, ``known`` come by definition.
    """
    least = Change(direct, left, right)
    for one, other in _pairs(algebra, (left, ()), (right, ()), facts, known):
        found = work(algebra, one[0], other[0], modulus) if algebra.same_value(one[0], other[0], modulus) else None
        if found is not None and (least.size is None or found < least.size):
            least = Change(found, one[0], other[0], one[1], other[1])
            if found <= STEP:
                break
    return least


Variant = tuple[Terms, Applied]


def _pairs(
    algebra: Algebra, left: Variant, right: Variant, facts: Sequence[Rule], known: Sequence[Sequence[Rule]]
) -> Iterator[tuple[Variant, Variant]]:
    """Both sides with something put in, on one side first."""
    lefts, rights = [], []
    for one in _variants(algebra, left, facts, known):
        lefts.append(one)
        yield one, right
    for other in _variants(algebra, right, facts, known):
        rights.append(other)
        yield left, other
    yield from product(lefts, rights)


def without_multiples(terms: Terms, modulus: int) -> Terms:
    """A sum without the products with a parenthesis that are seen to be multiples of the modulus, such as 2(k + 1)."""
    return tuple(term for term in terms if not _is_multiple(term[1], modulus))


def _is_multiple(factors: tuple, modulus: int) -> bool:
    numbers = prod(atom[1] ** times for atom, times in factors if atom[0] == "n" and times > 0)
    whole = all(times > 0 for _, times in factors) and not any(_holds_divisor(atom) for atom, _ in factors)
    return whole and numbers % modulus == 0 and any(atom[0] == "s" for atom, _ in factors)


def _holds_divisor(atom: Atom) -> bool:
    """Returns whether something is divided within a sum."""
    inner = [pair for _, factors in atom[1] for pair in factors] if atom[0] == "s" else []
    return any(times < 0 or _holds_divisor(part) for part, times in inner)


class Multiple(NamedTuple):
    """One sum as a number times another, and the work to see that."""

    ratio: Number
    size: int


def minus(left: Terms, right: Terms) -> Terms:
    """The terms of left - right."""
    return (*left, *((-sign, factors) for sign, factors in right))


def multiple(algebra: Algebra, old: Terms, new: Terms) -> Multiple | None:
    """The number other than 0 that ``old`` is multiplied by to give ``new``; None where there is none."""
    before, after = algebra.value(old), algebra.value(new)
    top = max(before, default=0)
    if not before or before.keys() != after.keys():
        return None
    ratio = Fraction(after[top]) / before[top]
    factor = algebra.terms(num(abs(ratio)))[0][1]
    scaled = tuple((sign if ratio > 0 else -sign, times(factors, factor)) for sign, factors in old)
    size = work(algebra, scaled, new)
    return None if size is None else Multiple(ratio, size)


def times(factors: tuple, more: tuple) -> tuple:
    """A product of two products of atoms."""
    merged = dict(factors)
    for atom, exponent in more:
        merged[atom] = merged.get(atom, 0) + exponent
    return tuple(sorted((atom, exponent) for atom, exponent in merged.items() if exponent))


def canceled(left: Terms, right: Terms) -> tuple[Terms, Terms]:
    """Both sides without the terms that they share."""
    if not left or not right:
        return left, right
    rest, kept = list(right), []
    for term in left:
        if term in rest:
            rest.remove(term)
        else:
            kept.append(term)
    return tuple(kept), tuple(rest)


def _expanded_work(algebra: Algebra, left: Terms, right: Terms, modulus: int) -> int | None:
    """Expands both sides; the work is that of the expansions and of collecting what they do not share."""
    cost, sides = 0, []
    for side in (left, right):
        found: dict[int, list[Number]] = {}
        for term in side:
            pairs, spent = algebra.expand(term)
            cost += spent
            for mono, value in pairs:
                found.setdefault(mono, []).append(value)
        sides.append(found)
    for mono in sides[0].keys() | sides[1].keys():
        spent = _collection(sides[0].get(mono, []), sides[1].get(mono, []), modulus)
        if spent is None:
            return None
        cost += spent
    return cost


def _collection(left: list[Number], right: list[Number], modulus: int) -> int | None:
    """Additions that make the coefficients of one monomial agree; None where their sums differ."""
    if left == right:
        return 0
    difference = left[0] - right[0] if len(left) == len(right) == 1 else sum(left) - sum(right)
    if difference and (not modulus or difference % modulus):
        return None
    if len(left) > 1 or len(right) > 1:
        rest = list(right)
        kept = [value for value in left if not _taken(rest, value)]
        left, right = kept, rest
    return max(0, len(left) - 1) + max(0, len(right) - 1) + (1 if difference else 0)


def _taken(values: list[Number], value: Number) -> bool:
    if value in values:
        values.remove(value)
        return True
    return False


def _shared_factors(terms: Terms) -> dict[Atom, int]:
    """The atoms that divide every term, or divide it below the line, with the exponent nearest to 0."""
    shared = dict(terms[0][1])
    for _, factors in terms[1:]:
        present = dict(factors)
        shared = {
            atom: min(times, present[atom], key=abs)
            for atom, times in shared.items()
            if present.get(atom, 0) * times > 0
        }
    return shared


def _divided(terms: Terms, shared: dict[Atom, int]) -> Terms:
    """The terms without the shared factors; a sum that is left alone is opened."""
    found = []
    for sign, factors in terms:
        rest = tuple((atom, left) for atom, times in factors if (left := times - shared.get(atom, 0)))
        if len(rest) == 1 and rest[0][0][0] == "s" and rest[0][1] == 1:
            found.extend((sign * inner, parts) for inner, parts in rest[0][0][1])
        else:
            found.append((sign, rest))
    return tuple(found)


def _variants(
    algebra: Algebra, written: Variant, facts: Sequence[Rule], known: Sequence[Sequence[Rule]]
) -> Iterator[Variant]:
    """The terms with facts put in, with definitions put in, and with facts put into those."""
    changed = rewritten(algebra, written, facts)
    if changed != written:
        yield changed
    for rules in known:
        defined = rewritten(algebra, written, rules)
        if defined == written:
            continue
        yield defined
        changed = rewritten(algebra, defined, facts)
        if changed != defined:
            yield changed


def rewritten(algebra: Algebra, written: Variant, rules: Sequence[Rule]) -> Variant:
    """The terms with every rule applied once, in order, wherever its left side stands."""
    terms, applied = written
    present = {atom for _, factors in terms for atom, _ in factors}
    for left, right, source in rules:
        if not left or not left[0][1]:
            continue
        pattern = left[0] if len(left) == 1 else (1, ((("s", tuple(sorted(left))), 1),))
        changed, times = terms, ()
        if all(atom in present for atom, _ in pattern[1]):
            changed, times = _replace_product(changed, pattern, right)
        if len(left) > 1 and left[0] in changed:
            kept, missing = canceled(changed, left)
            if not missing:
                changed, times = kept + right, (*times, (1, ()))
        if times:
            algebra.spend(len(changed))
            terms, present = changed, {atom for _, factors in changed for atom, _ in factors}
            applied = (*applied, (source, times))
    return terms, applied


def _replace_product(terms: Terms, left: tuple[int, tuple], right: Terms) -> tuple[Terms, Terms]:
    """Replaces the product ``left`` in every term that it divides; also gives the sum of what it was multiplied by."""
    sign, pattern = left
    found, times = [], []
    for term in terms:
        factors = dict(term[1])
        if not all(factors.get(atom, 0) >= exponent > 0 for atom, exponent in pattern):
            found.append(term)
            continue
        rest = {atom: exponent - dict(pattern).get(atom, 0) for atom, exponent in factors.items()}
        rest = {atom: exponent for atom, exponent in rest.items() if exponent}
        found.extend(_product(term[0] * sign, rest, right))
        times.append((term[0] * sign, tuple(rest.items())))
    return tuple(found), tuple(times)


def _product(sign: int, rest: dict[Atom, int], right: Terms) -> Terms:
    """``rest`` times the sum ``right``, not multiplied out."""
    if not rest:
        return tuple((sign * inner, factors) for inner, factors in right)
    if not right:
        return ()
    merged = dict(rest)
    sign_of_right, factors = right[0] if len(right) == 1 else (1, ((("s", tuple(sorted(right))), 1),))
    for atom, times in factors:
        merged[atom] = merged.get(atom, 0) + times
    return ((sign * sign_of_right, tuple(sorted((atom, times) for atom, times in merged.items() if times))),)
