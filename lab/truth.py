"""The truth of claims, decided exactly; ``Refused`` where these means do not decide it."""

from collections.abc import Collection
from fractions import Fraction

from lab.algebra import Algebra
from lab.claims import Claim
from lab.congruence import LARGEST_MODULUS, residues
from lab.expressions import Expr, Number, sub
from lab.limits import Refused
from lab.ordering import MAX_NAMES, holds_everywhere
from lab.rules.roots import has_real_root, rational_roots


def holds(claim: Claim) -> bool:
    """Returns whether a claim without sequence is true for all values of its variables.

    Equations by their normal form, inequalities of degree two at most by the least value, congruences by all residues.
    Raises Refused for anything else.
    """
    if claim.modulus:
        return _congruent(claim)
    algebra = Algebra()
    values = polynomial_values(algebra, sub(claim.left, claim.right), claim.variables)
    if claim.relation == "=":
        return not values
    if claim.relation not in {">=", ">"}:
        raise Refused(f"claims with {claim.relation} are not decided here")
    degree = max((sum(algebra.exponents(mono).values()) for mono in values), default=0)
    if degree > 2 or len(claim.variables) > MAX_NAMES:
        raise Refused("an inequality of a degree above 2 is not decided here")
    return holds_everywhere(algebra, sub(claim.left, claim.right), strict=claim.relation == ">")


def real_solutions(left: Expr, right: Expr) -> frozenset[Number]:
    """The real solutions of a polynomial equation in x. Raises Refused where one of them is irrational."""
    algebra = Algebra()
    values = polynomial_values(algebra, sub(left, right), ("x",))
    if not values:
        raise Refused("every real x solves this equation")
    slot = algebra.slot(("v", "x"))
    degrees = {mono >> slot: value for mono, value in values.items()}
    coefficients = [degrees.get(degree, 0) for degree in range(max(degrees), -1, -1)]
    if len(coefficients) == 1:
        return frozenset()
    found = rational_roots(coefficients)
    if has_real_root([Fraction(value) for value in coefficients], found):
        raise Refused("a solution of this equation is irrational")
    return found


def polynomial_values(algebra: Algebra, expr: Expr, names: Collection[str]) -> dict[int, Number]:
    """The normal form of a polynomial in these variables. Raises Refused for anything else."""
    values = algebra.value(algebra.terms(expr))
    if any(atom[0] != "v" or atom[1] not in names for mono in values for atom in algebra.exponents(mono)):
        raise Refused(f"this is no polynomial in {', '.join(names)}")
    return values


def same_function(formula: Expr, closed: Expr) -> bool:
    """Returns whether two sums of polynomials and powers of numbers in n are equal. Raises Refused for others.

    Products n^a b^n with different a or b are linearly independent, so the normal forms decide.
    """
    algebra = Algebra()
    values = algebra.value(algebra.terms(formula))
    if any(atom[0] == "c" or atom[-1] != "n" for mono in values for atom in algebra.exponents(mono)):
        raise Refused("a closed form is a polynomial in n and powers of numbers")
    return not algebra.value(algebra.terms(sub(formula, closed)))


def _congruent(claim: Claim) -> bool:
    """All residues of the difference are 0, or for a claim with != none is."""
    algebra = Algebra()
    if claim.modulus > LARGEST_MODULUS:
        raise Refused(f"divisors above {LARGEST_MODULUS} are not decided here")
    difference = sub(claim.left, claim.right)
    values = algebra.value(algebra.terms(difference))
    atoms = {atom for mono in values for atom in algebra.exponents(mono)}
    if any(atom[-1] not in claim.variables for atom in atoms):
        raise Refused(f"this has other variables than {', '.join(claim.variables)}")
    powers = any(atom[0] != "v" for atom in atoms)
    if claim.domain.first != (0 if powers else None) or (powers and claim.relation == "!="):
        raise Refused(
            "divisibility is claimed of polynomials for all integers n, and of powers for all integers n >= 0"
        )
    found = residues(algebra, values, claim.modulus)
    if found is None:
        raise Refused("divisibility is decided for polynomials with whole coefficients and powers of numbers")
    return all(residue == 0 for residue in found) if claim.relation == "=" else all(residue for residue in found)
