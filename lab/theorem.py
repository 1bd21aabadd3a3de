"""Propositions: statements with their exact truth. A theorem of the lab is one with a derivation that shows it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from lab.claims import Claim, Solutions
from lab.expressions import render
from lab.sentences import Derivation, Sentence


@dataclass(frozen=True, slots=True)
class Proposition:
    """A statement, what it claims and whether that is true: all that the checker needs."""

    statement: str
    claim: Claim | Solutions
    truth: bool

    @property
    def id(self) -> str:
        """A name that depends on the statement alone."""
        return sha256(self.statement.encode()).hexdigest()[:16]

    @property
    def left_side(self) -> str:
        """The subject of the claim, whatever is claimed of it: the left side, with the definition of its sequence.

        Splits are by it, and so are the clusters of intervals.
        """
        definition, _, _ = self.statement.partition("Prove or refute")
        return definition + render(self.claim.left)


@dataclass(frozen=True, slots=True)
class Draft(Proposition):
    """Draw of a family: a proposition and a writer that shows its truth."""

    write: Callable[[], list[Sentence]]

    @property
    def largest(self) -> int:
        """The largest number in the statement, fractions by their parts."""
        return max(map(int, re.findall(r"[0-9]+", self.statement)), default=0)


def drawn_within(largest: int | None, draw: Callable[[], Draft]) -> Draft:
    """The first of ``draw``'s drafts whose statement has no number above ``largest``; None: any."""
    while True:
        draft = draw()
        if largest is None or draft.largest <= largest:
            return draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Theorem(Proposition):
    """A proposition proved or refuted, with the coordinates that it can be drawn again from."""

    family: str
    level: int
    seed: int
    split: str
    steps: Derivation

    @property
    def derivation(self) -> str:
        """The text of the written derivation; the checker gives it 1."""
        return self.steps.text
