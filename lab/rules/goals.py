"""Conclusions of universal claims: how they follow from the facts of the ledger, or what is missing."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, lcm

from lab.algebra import Terms
from lab.certificate import (
    Conclusion,
    Definite,
    Direct,
    Induction,
    Instance,
    Order,
    Path,
    Refutation,
    ResidueCases,
    Scope,
    Values,
)
from lab.expressions import Expr, Number, is_numeral, num, shifted, sub, substitute, variables
from lab.facts import NOTHING, Edge, Entered, Needs
from lab.graph import EVERYWHERE
from lab.ledger import Ledger
from lab.ordering import plainly_at_least
from lab.rules.points import holds_between
from lab.rules.record import Record
from lab.steps import STEP, minus, without_multiples, work

WHOLE = "-"
NEAR = 2  # operations between what is reached and the claim at the next index
Allowed = frozenset


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a proof: how the claim (or its contrary) follows, or what is lacking: a case, or ``WHOLE``."""

    conclusion: Conclusion | None = None
    lacking: str = WHOLE


def outcome(ledger: Ledger, record: Record, truth: bool) -> Outcome:
    """Returns what a proof shows of a claim, or against it."""
    if truth:
        return _proved(ledger, record)
    found = next(filter(None, (_refuted(ledger, point) for point in record.points)), None)
    return Outcome(found, "" if found else WHOLE)


def _proved(ledger: Ledger, record: Record) -> Outcome:
    claim = ledger.claim
    if claim.relation != "!=":
        substituted = [point.values for point in record.points if not claim.domain.integer and _is_new(point.values)]
        found = next(filter(None, (_everywhere(ledger, values) for values in ((), *substituted))), None)
        found = found or _by_goal(ledger, record)
        if found is not None:
            return Outcome(Direct(found), "")
    if claim.domain.first is not None and claim.relation == "=":
        return _by_induction(ledger, record)
    return _by_residues(ledger, record) if claim.modulus else Outcome()


def _everywhere(ledger: Ledger, values: Values) -> Instance | None:
    """The claim for all values: facts that lead from the left side to the right, or from the difference to 0."""
    claim = ledger.claim
    down = claim.relation in {">=", ">"}
    return _between(ledger, values, down=down) or _between(ledger, values, down=down, difference=True)


def _by_goal(ledger: Ledger, record: Record) -> Instance | None:
    """An inequality that is said to be equivalent to another one, which follows from what was shown."""
    claim = ledger.claim
    for goal in record.goals if claim.relation in {">", ">="} else ():
        strict = claim.relation == ">"
        sides = goal.terms if goal.relations[0] == claim.relation else tuple(reversed(goal.terms))
        if ledger.follows(*sides, strict=strict) and ledger.follows(claim.left, claim.right, strict=strict):
            return _everywhere(ledger, ())
    return None


def _is_new(values: Values) -> bool:
    """Returns whether a variable was put in for another, as in t = x - 3."""
    return len(values) == 1 and bool(variables(values[0][1]))


def _between(
    ledger: Ledger, values: Values, *, down: bool = False, difference: bool = False, allowed: Needs = NOTHING
) -> Instance | None:
    """One side of the claim led to the other at some values."""
    claim, scope = ledger.claim, Scope(values)
    start, goal = ledger.key(claim.left, scope), ledger.key(claim.right, scope)
    if difference:
        start, goal = ledger.key(sub(claim.left, claim.right), scope), ()
    strict = claim.relation == ">"
    found = _strict_path(ledger, start, goal) if strict else _path_to(ledger, start, goal, allowed, down=down)
    return None if found is None else Instance(values, ledger.fact(found), difference=difference)


def _path_to(ledger: Ledger, start: Terms, goal: Terms, allowed: Needs, *, down: bool) -> Path | None:
    found = ledger.path(start, goal.__eq__, _usable(ledger, ledger.claim.modulus, allowed, down=down))
    return None if found is None else found[0]


def _strict_path(ledger: Ledger, start: Terms, goal: Terms) -> Path | None:
    """A walk down that falls strictly once: to some strict inequality, over it, and on."""
    usable = _usable(ledger, 0, NOTHING, down=True)
    for high, edges in list(ledger.edges.items()):
        for edge in edges:
            if edge.relation != ">" or not usable(edge):
                continue
            before = ((), start) if high == start else ledger.path(start, high.__eq__, usable)
            after = ((), goal) if edge.to == goal else ledger.path(edge.to, goal.__eq__, usable)
            if before is not None and after is not None:
                return (*before[0], (edge.node, False), *after[0])
    return None


def _usable(ledger: Ledger, modulus: int, allowed: Needs, *, down: bool = False):
    """The facts that may be walked along: equations (modulo a multiple of ``modulus``), and inequalities ``down``."""

    def usable(edge: Edge) -> bool:
        if edge.relation != "=":
            return down
        fits = edge.modulus == 0 or (modulus != 0 and edge.modulus % modulus == 0)
        needs = ledger.needs[edge.node]
        return fits and (not needs or _within(needs, allowed))

    return usable


def _within(needs: Needs, allowed: Needs) -> bool:
    """Returns whether hypotheses are among the allowed ones; indices from one of those on may be used."""
    lowest = {name: min(shift for other, shift in allowed if other == name) for name, _ in allowed}
    return all(
        need in allowed if len(need) == 2 else need[0] in lowest and need[1] >= lowest[need[0]] for need in needs
    )


def positive_fact(ledger: Ledger, factor: Terms, *, squares: bool) -> int | None:
    """The fact that a factor, in either sign, is above 0; with ``squares``, as it is seen to be as it is written."""
    for terms in (factor, minus((), factor)):
        found = _strict_path(ledger, tuple(sorted(terms)), ())
        if found is not None:
            return ledger.fact(found)
        if ledger.opens_upward(terms, strict=True):
            return ledger.add(Definite(ledger.algebra.written(terms), num(0), True, EVERYWHERE), NOTHING)
        if squares and plainly_at_least(ledger.algebra, terms, (), strict=True):
            return ledger.add(Order(ledger.algebra.written(terms), num(0), True, EVERYWHERE), NOTHING)
    return None


def _by_induction(ledger: Ledger, record: Record) -> Outcome:
    claim = ledger.claim
    order = claim.sequence.order if claim.sequence else 1
    first = claim.domain.first or 0
    step = next(filter(None, (_step(ledger, record, name, order) for name in record.assumed)), None)
    values = (((claim.variables[0], num(index)),) for index in range(first, first + order))
    bases = [_holding(ledger, at) or _worked_out(ledger, at) for at in values]
    missing = [index for index, base in zip(range(first, first + order), bases, strict=True) if base is None]
    if step is None:
        return Outcome(lacking=WHOLE if missing or not record.assumed else "the step of the induction")
    if missing:
        return Outcome(lacking=f"the base case n = {missing[0]}")
    name, shift, instance = step
    return Outcome(Induction(name, shift, tuple(base for base in bases if base), instance), "")


def _step(ledger: Ledger, record: Record, name: str, order: int) -> tuple[str, int, Instance] | None:
    """The claim at k + shift + order, from those at k + shift and after it."""
    shifts = record.assumed[name]
    for shift in sorted(shifts):
        allowed = frozenset((name, shift + index) for index in range(order))
        if not {one for _, one in allowed} <= shifts:
            continue
        values = ((ledger.claim.variables[0], shifted(name, shift + order)),)
        for difference in (False, True):
            found = _between(ledger, values, difference=difference, allowed=allowed)
            if found is not None:
                return name, shift, found
        found = _nearly(ledger, values, allowed)
        if found is not None:
            return name, shift, found
    return None


def _nearly(ledger: Ledger, values: Values, allowed: Needs) -> Instance | None:
    """The left side led to what is a small step from the right side: (k + 1)(k + 2) for (k + 1)(k + 1 + 1)."""
    claim, algebra, scope = ledger.claim, ledger.algebra, Scope(values)
    start, goal = ledger.key(claim.left, scope), ledger.key(claim.right, scope)
    usable = _usable(ledger, claim.modulus, allowed)

    def near(terms: Terms) -> bool:
        size = work(algebra, terms, goal, claim.modulus) if algebra.same_value(terms, goal, claim.modulus) else None
        return size is not None and size <= NEAR

    found = ledger.path(start, near, usable)
    if found is None:
        return None
    right = substitute(claim.right, dict(values))
    ledger.rewrite(algebra.written(found[1]), right)
    return _between(ledger, values, allowed=allowed)


def _by_residues(ledger: Ledger, record: Record) -> Outcome:
    """Every residue of the modulus needs its case; or those of several moduli that make it up."""
    claim = ledger.claim
    blocks, together, lacking = [], 1, ""
    classes = {_class(ledger, point)[0] for point in record.points} - {0}
    for residues in sorted(classes, key=lambda modulus: (modulus != claim.modulus, modulus)):
        modulus = gcd(residues, claim.modulus)
        cases = dict(_cases(ledger, record, residues, modulus))
        missing = [residue for residue in range(residues) if residue not in cases]
        if not missing and modulus > 1:
            blocks.append((residues, modulus, tuple(cases[residue] for residue in range(residues))))
            together = lcm(together, modulus)
        elif cases and missing and not lacking:
            lacking = f"the case {claim.variables[0]} = {missing[0]} mod {residues}"
        if blocks and (claim.relation == "!=" or together == claim.modulus):
            return Outcome(ResidueCases(tuple(blocks)), "")
    return Outcome(lacking=lacking or WHOLE)


def _cases(ledger: Ledger, record: Record, residues: int, modulus: int) -> Iterator[tuple[int, Instance]]:
    """The residues for which the claim is shown."""
    for point in record.points:
        modulus_of_class, residue = _class(ledger, point)
        if modulus_of_class == residues and [name for name, _ in point.values] == list(ledger.claim.variables):
            found = _holding(ledger, point.values, modulus)
            if found is not None:
                yield residue, found


def _class(ledger: Ledger, point: Scope) -> tuple[int, int]:
    """The modulus and the residue of n = 1 mod 3, or of n = 3k + 1; modulus 0 for other values."""
    if len(point.values) != 1:
        return 0, 0
    value = dict(ledger.algebra.value(ledger.key(point.values[0][1])))
    shift = value.pop(0, 0)
    modulus = point.modulus or next((abs(slope) for slope in value.values()), 0)
    whole = modulus and shift.denominator == modulus.denominator == 1
    return (int(modulus), int(shift % modulus)) if whole else (0, 0)


def _holding(ledger: Ledger, values: Values, modulus: int | None = None) -> Instance | None:
    """The claim shown at some values: both sides as numbers that it holds for, or one side led to the other."""
    claim = ledger.claim
    modulus = claim.modulus if modulus is None else modulus
    found = _compared(ledger, values, modulus, holds=True)
    if found is None and claim.relation == "=":
        found = _between(ledger, values) or _multiple_of(ledger, values, modulus)
    return found


def _multiple_of(ledger: Ledger, values: Values, modulus: int) -> Instance | None:
    """The left side led to what is seen to be a multiple of the modulus, such as 2(2k^2 + k), where the right is 0."""
    claim, algebra, scope = ledger.claim, ledger.algebra, Scope(values)
    start = ledger.key(claim.left, scope)
    if not modulus or ledger.key(claim.right, scope):
        return None

    def seen(terms: Terms) -> bool:
        return bool(terms) and not without_multiples(terms, modulus)

    found = ledger.path(start, seen, _usable(ledger, modulus, NOTHING))
    if found is None:
        return None
    ledger.enter_plain(algebra.written(found[1]), num(0), EVERYWHERE, modulus, 0)
    return _between(ledger, values)


def _worked_out(ledger: Ledger, values: Values) -> Instance | None:
    """A base case of which the left side alone is shown, where its number is seen to be the right side's."""
    claim, scope = ledger.claim, Scope(values)
    left = to_number(ledger, claim.left, scope, claim.modulus)
    if left is None or not left[1]:
        return None
    one, other = ledger.key(claim.right, scope), ledger.key(num(left[0]))
    size = work(ledger.algebra, one, other, claim.modulus)
    if size is None or size > STEP:
        return None
    ledger.enter_plain(claim.right, num(left[0]), scope, claim.modulus, size)
    return _holding(ledger, values)


def _refuted(ledger: Ledger, point: Scope) -> Refutation | None:
    """The claim shown to fail at a point of its domain."""
    claim = ledger.claim
    if {name for name, _ in point.values} != set(claim.variables) or (point.modulus and point.modulus != claim.modulus):
        return None
    if any(variables(value) for _, value in point.values):
        return None
    if claim.domain.integer and not all(_in_domain(ledger, value) for _, value in point.values):
        return None
    found = _compared(ledger, point.values, claim.modulus, holds=False)
    if found is None and put_in(ledger, point):
        found = _compared(ledger, point.values, claim.modulus, holds=False)
    return None if found is None else Refutation(found)


def put_in(ledger: Ledger, point: Scope) -> bool:
    """Enters that a side at numbers is what is written with them put in, term by term: 4 - 8 + 2 for x^2 - 4x + 2."""
    entered = False
    written: list[Expr] = []
    for node in ledger.nodes:
        if isinstance(node, Entered | Order) and node.scope.values == point.values:
            written += (node.left, node.right) if isinstance(node, Entered) else (node.large, node.small)
    for side in (ledger.claim.left, ledger.claim.right):
        start = ledger.key(side, point)
        same = (expr for expr in written if not variables(expr) and _by_terms(ledger, expr) == _numbers(ledger, start))
        expr = next(same, None)
        known = to_number(ledger, side, point, ledger.claim.modulus)
        if expr is None or (known is not None and (known[1] or is_numeral(expr))):
            continue
        size = work(ledger.algebra, start, ledger.key(expr), ledger.claim.modulus)
        if size is not None and size <= STEP:
            ledger.enter_plain(side, expr, point, ledger.claim.modulus, size)
            entered = True
    return entered


def _by_terms(ledger: Ledger, expr: Expr) -> list[Number] | None:
    return _numbers(ledger, ledger.key(expr))


def _numbers(ledger: Ledger, terms: Terms) -> list[Number] | None:
    """The values of the terms of a sum of numbers; None where there is anything else."""
    values = [ledger.algebra.value((term,)) for term in terms]
    return sorted(value.get(0, 0) for value in values) if all(value.keys() <= {0} for value in values) else None


def _compared(ledger: Ledger, values: Values, modulus: int, *, holds: bool) -> Instance | None:
    """Both sides of the claim led to numbers for which it holds, or fails."""
    claim, scope = ledger.claim, Scope(values)
    sides = [to_number(ledger, side, scope, modulus) for side in (claim.left, claim.right)]
    if None in sides:
        return None
    (one, left), (other, right) = (side for side in sides if side is not None)
    spoken = any(path and not is_number(ledger.key(side)) for side, path in ((claim.left, left), (claim.right, right)))
    if not spoken or holds_between(claim, one, other, modulus) != holds:
        return None
    facts = [ledger.fact(path) if path else None for path in (left, right)]
    return Instance(values, facts[0], facts[1])


def to_number(ledger: Ledger, side: Expr, scope: Scope, modulus: int) -> tuple[Number, Path] | None:
    """The number that facts lead a side of the claim to, and the walk.

    A side that is a number as it is written takes no walk, or one that begins with what is said about that side, not
    about a number that happens to be its.
    """
    start, usable = ledger.key(side, scope), _usable(ledger, modulus, NOTHING)
    found: tuple[Path, Terms] | None = ((), start)
    if not is_number(start):
        found = ledger.path(start, is_number, usable)
    elif not is_number(ledger.key(side)):
        about = (edge for edge in ledger.edges.get(start, ()) if usable(edge) and _speaks_of(ledger, edge, side, scope))
        first = next(about, None)
        if first is not None:
            rest = ((), first.to) if is_number(first.to) else ledger.path(first.to, is_number, usable)
            found = None if rest is None else (((first.node, first.turned), *rest[0]), rest[1])
    return None if found is None else (ledger.algebra.value(found[1]).get(0, 0), found[0])


def _speaks_of(ledger: Ledger, edge: Edge, side: Expr, scope: Scope) -> bool:
    """Returns whether a fact at these values has a side of the claim as one of its own, before they are put in."""
    node = ledger.nodes[edge.node]
    return (
        isinstance(node, Entered)
        and node.scope.values == scope.values
        and ledger.key(side) in {ledger.key(node.left), ledger.key(node.right)}
        and ledger.key(node.left) != ledger.key(node.right)
    )


def is_number(terms: Terms) -> bool:
    """Returns whether this is one number as it is written at the end: 0, 7, -7 or 7/2."""
    if not terms:
        return True
    factors = terms[0][1]
    atoms = all(atom[0] == "n" and abs(times) == 1 for atom, times in factors)
    return len(terms) == 1 and atoms and len(factors) <= 2 and sum(times > 0 for _, times in factors) <= 1


def _in_domain(ledger: Ledger, value: Expr) -> bool:
    number = _number(ledger, value)
    first = ledger.claim.domain.first
    return number.denominator == 1 and (first is None or number >= first)


def _number(ledger: Ledger, value: Expr) -> Number:
    return ledger.algebra.value(ledger.key(value, EVERYWHERE)).get(0, 0)
