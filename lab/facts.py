"""Facts as the ledger holds them: equations before they are written into a certificate, and what they depend on."""

from dataclasses import dataclass
from typing import NamedTuple

from lab.algebra import Algebra, Terms
from lab.certificate import CertificateStep, Scope, Use
from lab.expressions import Expr, variables
from lab.steps import Change

Need = tuple  # a hypothesis (name, shift), or the lowest index (name, shift, "from") that a definition speaks of
Needs = frozenset[Need]
NOTHING: Needs = frozenset()


@dataclass(slots=True)
class Last:
    """End of the chain before, for one that goes on from it; ``run`` are its equations up to there."""

    expr: Expr
    modulus: int
    scope: Scope
    run: tuple[int, ...]


class Entered(NamedTuple):
    """An equation as it is entered: a step of the certificate before its expressions are written."""

    left: Expr
    right: Expr
    modulus: int
    scope: Scope
    change: Change
    uses: tuple[tuple[int, Terms, bool], ...]


def step_of(algebra: Algebra, node: Entered) -> CertificateStep:
    """An equation as a certificate has it, with what was put in written out."""
    found = node.change
    start, end = (
        algebra.written(terms) if applied else None
        for terms, applied in ((found.start, found.on_left), (found.end, found.on_right))
    )
    uses = tuple(Use(algebra.written(factor), place, on_right) for place, factor, on_right in node.uses)
    return CertificateStep(node.left, node.right, node.modulus, node.scope, start, end, uses)


@dataclass(frozen=True, slots=True)
class Edge:
    """A fact from one written side to another; ``relation`` is =, or > or >= from the larger side down."""

    to: Terms
    node: int
    turned: bool
    relation: str
    modulus: int


def has_divisor(factor: Terms) -> bool:
    """Returns whether a number divides, so that a multiple by it of a congruence is none."""
    return any(times < 0 for _, factors in factor for _, times in factors)


def is_hypothetical(needs: Needs) -> bool:
    """Returns whether something depends on a hypothesis."""
    return any(len(need) == 2 for need in needs)


def fits_case(left: Expr, right: Expr, scope: Scope, modulus: int) -> bool:
    """Returns whether the residue of a case may be put in: modulo the same number, in no exponent or quotient."""
    names = {name for name, _ in scope.values}
    if not names & (variables(left) | variables(right)):
        return True
    return bool(modulus) and scope.modulus % modulus == 0 and not any(map(_spoils_residues, (left, right)))


def _spoils_residues(expr: Expr) -> bool:
    """Returns whether a variable stands in an exponent or in the argument of a sequence, or something is divided."""
    if expr.op in {"div", "call"} or (expr.op == "pow" and expr.args[1].op != "num"):
        return True
    return any(_spoils_residues(part) for part in expr.args if isinstance(part, Expr))


def consecutive_shifts(algebra: Algebra, terms: Terms) -> tuple[int, ...]:
    """The shifts of a product of consecutive numbers, as 0, 1, 2 of n(n + 1)(n + 2); empty where it is none."""
    if len(terms) != 1 or any(times != 1 or atom[0] not in "sv" for atom, times in terms[0][1]):
        return ()
    lines = [algebra.value(((1, ((atom, 1),)),)) for atom, _ in terms[0][1]]
    shifts = sorted(line.pop(0, 0) for line in lines)
    linear = bool(lines) and all(line == lines[0] and list(line.values()) == [1] and 0 not in line for line in lines)
    whole = all(shift.denominator == 1 for shift in shifts)
    plain = linear and whole and next(iter(algebra.exponents(*lines[0])))[0] == "v"
    following = plain and shifts == list(range(int(shifts[0]), int(shifts[0]) + len(shifts)))
    return tuple(map(int, shifts)) if following else ()
