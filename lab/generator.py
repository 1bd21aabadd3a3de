"""Theorems by coordinates: the same family, level, seed and split give the same theorem in every process.

A theorem belongs to one split, decided by a hash of its left side: eight parts in ten train, one validation and one
test. A draw that belongs elsewhere is drawn again, so whatever the seeds are, no left side of one stream stands in
another: otherwise the numbers of a proof could be remembered from other claims about it. The highest level has no
training stream: it is kept to measure generalization.
"""

from hashlib import sha256
from random import Random

from lab.families import FAMILIES
from lab.sentences import Derivation
from lab.theorem import Proposition, Theorem

LEVELS = (1, 2, 3, 4, 5, 6)
HELD_OUT_LEVEL = 6
SPLITS = ("train", "validation", "test")
_SHARES = ("train",) * 8 + ("validation", "test")
_MOST_DRAWS = 500


def families() -> tuple[str, ...]:
    """The names of all families."""
    return tuple(FAMILIES)


def split_of(asked: Proposition) -> str:
    """The split of all propositions about the same left side, of a sequence that is defined alike."""
    return _SHARES[_number(asked.left_side) % len(_SHARES)]


def generate(family: str, level: int, seed: int, split: str = "train") -> Theorem:
    """The theorem at these coordinates. Raises ValueError for a family, level or split that does not exist."""
    if family not in FAMILIES:
        raise ValueError(f"no family {family!r}; there are {', '.join(FAMILIES)}")
    if level not in LEVELS or split not in SPLITS:
        raise ValueError(f"no level {level} in split {split!r}; levels are {LEVELS}, splits {SPLITS}")
    if level == HELD_OUT_LEVEL and split == "train":
        raise ValueError(f"level {HELD_OUT_LEVEL} is kept for generalization and has no training stream")
    for attempt in range(_MOST_DRAWS):
        draft = FAMILIES[family](Random(_number(f"{family}/{level}/{split}/{seed}/{attempt}")), level)
        if split_of(draft) == split:
            steps = Derivation(tuple(draft.write()))
            return Theorem(
                draft.statement,
                draft.claim,
                draft.truth,
                family=family,
                level=level,
                seed=seed,
                split=split,
                steps=steps,
            )
    raise ValueError(f"{family} has too few statements at level {level} for split {split!r}")


def _number(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")
