"""Certificates: what an accepted proof shows, as a graph of facts with their premises, for the kernel to check again.

A node refers to earlier nodes by their place in ``Certificate.nodes``. The conclusion says how the claim, or its
contrary, follows from them. Expressions are trees as they were written; the kernel puts in values itself.
"""

from dataclasses import dataclass

from lab.expressions import Expr, Number

Values = tuple[tuple[str, Expr], ...]
Path = tuple[tuple[int, bool], ...]  # nodes walked along, and whether from right to left


@dataclass(frozen=True, slots=True)
class Scope:
    """Values of variables that a fact speaks of; ``modulus`` m makes the one value a whole residue class modulo m."""

    values: Values = ()
    modulus: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """``factor`` times an earlier equation, put in on the left side (or on the ``right`` one) of a step."""

    factor: Expr
    premise: int
    right: bool = False


@dataclass(frozen=True, slots=True)
class CertificateStep:
    """``left = right`` (modulo ``modulus``) by one permitted step from ``start`` to ``end``: the two sides with what is
    put in (None: nothing is)."""

    left: Expr
    right: Expr
    modulus: int
    scope: Scope
    start: Expr | None = None
    end: Expr | None = None
    uses: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """The fact that a path of equations, and of inequalities from the larger side down, gives."""

    path: Path


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The claim at ``name + shift``, assumed for an induction."""

    name: str
    shift: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A value of the claim's sequence by its definition: by the rule, or for a sum ``whole`` as all its summands."""

    argument: Expr
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """``large >= small``, or > if ``strict``: the difference is, as written, a sum of squares and a number; or, with a
    ``premise``, ``factor`` times the difference of that earlier inequality."""

    large: Expr
    small: Expr
    strict: bool
    scope: Scope
    premise: int | None = None
    factor: Number = 1


@dataclass(frozen=True, slots=True)
class Definite:
    """``large >= small``, or > if ``strict``: the difference is quadratic in one variable, opens upward, and has no
    discriminant above 0 (for > below 0)."""

    large: Expr
    small: Expr
    strict: bool
    scope: Scope


@dataclass(frozen=True, slots=True)
class Consecutive:
    """A product of m consecutive whole numbers, n(n + 1)(n + 2): it is 0 modulo a divisor of m!."""

    product: Expr
    modulus: int


@dataclass(frozen=True, slots=True)
class Differ:
    """Two numbers that are not equal (modulo ``modulus``)."""

    left: Expr
    right: Expr
    modulus: int
    scope: Scope


Node = CertificateStep | Joined | Hypothesis | Definition | Order | Definite | Consecutive | Differ


@dataclass(frozen=True, slots=True)
class Instance:
    """The claim at some values: the facts from its left and its right side to what decides the relation.

    None: the side decides it as it is written. ``difference``: ``left`` goes from left - right to 0 instead.
    """

    values: Values = ()
    left: int | None = None
    right: int | None = None
    difference: bool = False


@dataclass(frozen=True, slots=True)
class Direct:
    """The claim for all values, by one instance without values."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Induction:
    """Base cases, and the claim at ``name + shift + order`` from the claims at ``name + shift`` and those after it."""

    name: str
    shift: int
    bases: tuple[Instance, ...]
    step: Instance


@dataclass(frozen=True, slots=True)
class ResidueCases:
    """Blocks of cases: the modulus of the residues, that by which the claim is shown, an instance for each residue.

    Together the second moduli make up that of the claim.
    """

    blocks: tuple[tuple[int, int, tuple[Instance, ...]], ...]


@dataclass(frozen=True, slots=True)
class Refutation:
    """An instance where the claim fails; of an equation, a number that is a solution or claimed to be one, not both."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class State:
    """Factors of which one is 0 for the same real x as in the state before; ``positive`` are the facts that some
    factors are above 0, so that these may be dropped."""

    factors: tuple[Expr, ...]
    positive: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Solved:
    """An equation transformed until its ``solutions`` are read off: the factors of the last state are x less these."""

    states: tuple[State, ...]
    solutions: tuple[Expr, ...]


Conclusion = Direct | Induction | ResidueCases | Refutation | Solved


@dataclass(frozen=True, slots=True)
class Certificate:
    """All facts of a proof in their order, and how what is claimed (``truth``) or its contrary follows."""

    truth: bool
    nodes: tuple[Node, ...]
    conclusion: Conclusion
