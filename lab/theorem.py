"""A theorem of the lab: its statement, its truth, and a derivation that proves or refutes it."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from lab.claims import Claim, Solutions
from lab.sentences import Derivation, Sentence


@dataclass(frozen=True, slots=True)
class Draft:
    """What a family draws: a claim in words and in structure, whether it is true, and a writer that shows which."""

    statement: str
    claim: Claim | Solutions
    truth: bool
    write: Callable[[], list[Sentence]]


@dataclass(frozen=True, slots=True)
class Theorem:
    """A draft with the coordinates that it can be drawn again from."""

    family: str
    level: int
    seed: int
    split: str
    statement: str
    claim: Claim | Solutions
    truth: bool
    steps: Derivation

    @property
    def derivation(self) -> str:
        """The text of the written derivation; the checker gives it 1."""
        return self.steps.text

    @property
    def id(self) -> str:
        """A name that depends on the statement alone."""
        return sha256(self.statement.encode()).hexdigest()[:16]
