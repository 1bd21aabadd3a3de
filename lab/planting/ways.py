"""Ways of planting by group: foreign proofs, unfinished ones, and defects within a proof of the statement itself."""

from collections.abc import Callable
from random import Random
from typing import Literal

from lab.planting import endings, foreign
from lab.planting.edits import Edit, Sentences
from lab.theorem import Theorem

Op = Callable[[Random, Theorem, Sentences], Edit | None]
Group = Literal["foreign", "unfinished", "planted"]


def way_of(op: Op) -> str:
    """The name of a way of planting, as `LabeledProof.how` holds it."""
    return op.__name__.replace("_", " ")


_FOREIGN = (
    foreign.another_theorem,
    foreign.neighbor,
    foreign.another_equation,
    foreign.neighboring_equation,
    foreign.other_side,
)
_UNFINISHED = (endings.no_verdict, endings.unfinished, endings.cut_off)
_GROUPS: dict[str, Group] = {
    **{way_of(op): "foreign" for op in _FOREIGN},
    **{way_of(op): "unfinished" for op in _UNFINISHED},
}


def group_of(way: str) -> Group:
    """The group of a way of planting; "planted" where it changes a proof of the statement."""
    return _GROUPS.get(way, "planted")
