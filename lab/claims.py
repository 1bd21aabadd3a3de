"""Claims of theorems, and the sequences they speak of."""

from dataclasses import dataclass

from lab.expressions import Expr, Number, num, substitute


@dataclass(frozen=True, slots=True)
class Domain:
    """The values of the claim's variables: reals, integers, or integers from ``first`` on."""

    integer: bool = False
    first: int | None = None


REALS = Domain()
INTEGERS = Domain(integer=True)


@dataclass(frozen=True, slots=True)
class NumberSequence:
    """A sequence ``name`` given by its first values and a rule; ``closed`` is its true closed form, in n.

    The rule gives the value at n + order from n and the ``order`` values before. ``summand``: the sequence is the sum
    of these, from ``first`` to n.
    """

    name: str
    first: int
    initial: tuple[Expr, ...]
    rule: Expr
    closed: Expr
    summand: Expr | None = None

    @property
    def order(self) -> int:
        """Number of values that the rule needs."""
        return len(self.initial)


@dataclass(frozen=True, slots=True)
class Claim:
    """``left relation right`` (modulo ``modulus``) for all values of ``variables`` in the domain."""

    left: Expr
    relation: str
    right: Expr
    variables: tuple[str, ...]
    domain: Domain = REALS
    modulus: int = 0
    sequence: NumberSequence | None = None

    def at(self, value: Expr) -> tuple[Expr, Expr]:
        """Both sides with ``value`` for the claim's only variable."""
        values = {self.variables[0]: value}
        return substitute(self.left, values), substitute(self.right, values)


@dataclass(frozen=True, slots=True)
class Solutions:
    """The real solutions of ``left = right`` in x are exactly ``claimed``; ``actual`` are the true ones."""

    left: Expr
    right: Expr
    claimed: frozenset[Number]
    actual: frozenset[Number]
    variables: tuple[str, ...] = ("x",)


ZERO = num(0)
