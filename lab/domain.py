"""Domain of a model, as ``domain.json`` beside its weights states it, and the check that a statement belongs to it.

{"families": ["inequalities", "equations"], "levels": [1, 2, 3], "prompts": "lab", "collected": false}
"""

import json
from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from core.config import STRICT, Name, read_config, settings
from core.errors import LemmataError
from lab.algebra import Algebra
from lab.claims import Claim, Solutions
from lab.expressions import holds_sum, signed_terms
from lab.families import FAMILIES
from lab.generator import LEVELS
from lab.statements import Unsupported, read_statement

FILE = "domain.json"
DRAWS = 200  # of each family and level, to see how large their statements are
ROOM = Fraction(5, 4)  # that numbers have above the largest one drawn


@settings(frozen=True, config=STRICT)
class ModelDomain:
    """Families and levels of the lab, and the prompts that its statements came in ("lab": the lab's own).

    ``collected``: the statements' like terms were collected (x^2 + 4x + 5), as in the training of the shipped model.
    """

    families: tuple[str, ...]
    levels: tuple[int, ...]
    prompts: Name
    collected: bool = True

    def __post_init__(self) -> None:
        if not self.families or not set(self.families) <= set(FAMILIES):
            raise ValueError(f"families are some of {', '.join(FAMILIES)}")
        if not self.levels or not set(self.levels) <= set(LEVELS):
            raise ValueError(f"levels are some of {LEVELS}")

    @property
    def words(self) -> str:
        """The domain for people."""
        levels = ", ".join(map(str, self.levels))
        return f"the lab's {' and '.join(self.families)} of level{'s' * (len(self.levels) > 1)} {levels}"


class Size(NamedTuple):
    """Size of a claim; ``products`` counts the sides that hold products of sums, ``unsorted`` those that are not
    written as sums with like terms collected, the highest power first.
    """

    variables: int
    degree: int
    solutions: int
    products: int
    unsorted: int
    denominator: int
    number: Fraction


LARGER = (
    "more variables",
    "a higher degree",
    "more solutions",
    "more to multiply out",
    "more to collect",
    "larger denominators",
    "larger numbers",
)


def read_domain(folder: Path) -> ModelDomain | None:
    """The domain of the model in a folder; None where none is given. Raises LemmataError for a file that is none."""
    path = folder / FILE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LemmataError(f"{path} cannot be read: {error}") from error
    return read_config(ModelDomain, value, str(path))


def outside(domain: ModelDomain, statement: str) -> str:
    """Reason why a statement is outside the domain; empty where it is inside.

    It must be worded as the lab words it, of a family of the domain, and not larger in any part of ``Size`` than what
    is drawn at its levels (its numbers not above ``ROOM`` times theirs).
    """
    found = read_statement(statement)
    if isinstance(found, Unsupported):
        return found.reason
    family = family_of(found.claim)
    if family not in domain.families:
        return f"it belongs to the lab's {family}"
    if found.statement != statement.strip():
        return f'it is worded otherwise; the lab writes "{found.statement}"'
    largest = _largest(_drawn(family, level) for level in domain.levels)
    unsorted = largest.products if domain.collected else largest.unsorted
    limits = largest._replace(number=largest.number * ROOM, unsorted=unsorted)
    above = [name for name, own, limit in zip(LARGER, size(found.claim), limits, strict=True) if own > limit]
    return f"it has {' and '.join(above)} than what is drawn there" if above else ""


def family_of(claim: Claim | Solutions) -> str:
    """The name of the family that makes claims of this kind."""
    if isinstance(claim, Solutions):
        return "equations"
    if claim.sequence is not None:
        return "recurrences" if claim.sequence.summand is None else "sums"
    return "divisibility" if claim.modulus else "identities" if claim.relation == "=" else "inequalities"


def size(claim: Claim | Solutions) -> Size:
    """The size of a claim."""
    algebra = Algebra()
    sides = (claim.left, claim.right)
    values = [algebra.value(algebra.terms(side)) for side in sides]
    claimed = claim.claimed if isinstance(claim, Solutions) else frozenset()
    numbers = [Fraction(number) for number in (*claimed, *(number for side in values for number in side.values()))]
    return Size(
        variables=len(claim.variables),
        degree=max((sum(algebra.exponents(mono).values()) for side in values for mono in side), default=0),
        solutions=len(claimed),
        products=sum(any(map(holds_sum, signed_terms(side))) for side in sides),
        unsorted=sum(algebra.expression(value) != side for value, side in zip(values, sides, strict=True)),
        denominator=max((number.denominator for number in numbers), default=1),
        number=max((abs(number) for number in numbers), default=Fraction(0)),
    )


@cache
def _drawn(family: str, level: int) -> Size:
    """The largest of some draws, part by part."""
    return _largest(size(FAMILIES[family](Random(seed), level).claim) for seed in range(DRAWS))


def _largest(sizes: Iterable[Size]) -> Size:
    return Size(*(max(parts) for parts in zip(*sizes, strict=True)))
