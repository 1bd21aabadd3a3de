"""Solutions of an equation, for the kernel: states with the same zeros, down to x less each solution."""

from fractions import Fraction
from typing import Any

from lab import certificate as given
from lab.kernel_terms import Number, Terms, canceled, distinct, need, negated, product, scaled


def solved(kernel: Any, how: given.Solved, truth: bool) -> None:
    """One of the factors is 0 exactly for the solutions, from state to state."""
    old = [tuple(sorted((*kernel.terms(kernel.claim.left), *negated(kernel.terms(kernel.claim.right)))))]
    for state in how.states:
        new = [kernel.terms(factor) for factor in state.factors]
        never = {_positive(kernel.premise(place)) for place in state.positive}
        before, after = ([f for f in some if not _nonzero(kernel, f, never)] for some in (old, new))
        if set(before) != set(after):
            need(before and after, "the solutions change")
            size = _roots(kernel, before, after) or _multiple(kernel, product(before), product(after))
            kernel.within(_multiple(kernel, *map(distinct, (before, after))) if size is None else size)
        old = new
    found = {kernel.constant(solution) for solution in how.solutions}
    need(how.states and {_solution(kernel, factor) for factor in old} == found, "no solutions are read off")
    need((found == set(kernel.claim.claimed)) == truth, "other solutions are claimed")


def _roots(kernel: Any, before: list, after: list) -> int | None:
    """1 operation from A^2 - s^2 to A - s and A + s, where A^2 is written and s a number; else None."""
    squares = [atom for term in before[0] for atom, times in term[1] if times == 2 and len(term[1]) == 1]
    if len(before) != 1 or len(before[0]) != 2 or len(after) != 2 or len(squares) != 1:
        return None
    inner = kernel.value(squares[0][1] if squares[0][0] == "s" else ((1, ((squares[0], 1),)),))
    total, both = (kernel.value(terms) for terms in ((*after[0], *after[1]), product(after)))
    double = all(total.get(mono, 0) == 2 * inner.get(mono, 0) for mono in total.keys() | inner.keys())
    gap = kernel.difference(after[0], after[1])
    constant = not any(number for mono, number in gap.items() if mono)
    return 1 if double and constant and both in (kernel.value(before[0]), kernel.value(negated(before[0]))) else None


def _solution(kernel: Any, factor: Terms) -> Number | None:
    """The number r of the factor x - r, or of r - x."""
    for terms in (factor, negated(factor)):
        kept, _ = canceled(terms, ((1, ((("v", "x"), 1),)),))
        if len(kept) < len(terms):
            return kernel.number(negated(kept))
    return None


def _nonzero(kernel: Any, factor: Terms, never: set) -> bool:
    """Returns whether a factor is never 0: shown to be positive, in either sign, or a number."""
    value = kernel.value(factor)
    return factor in never or negated(factor) in never or (bool(value) and value.keys() <= {0})


def _positive(fact: Any) -> Terms:
    need(fact.relation == ">" and fact.right == () and not fact.needs, "a factor is not shown to be positive")
    return fact.left


def _multiple(kernel: Any, old: Terms, new: Terms) -> int | None:
    """The operations to see that ``new`` is a number other than 0 times ``old``; None where it is not."""
    before, after = kernel.value(old), kernel.value(new)
    if not before or before.keys() != after.keys():
        return None
    ratio = Fraction(after[max(after)]) / before[max(after)]
    return kernel.writing.size(scaled(old, ratio, kernel.terms), new, 0, kernel.limit)
