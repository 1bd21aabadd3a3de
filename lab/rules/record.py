"""Record of what a proof did besides relating expressions."""

from dataclasses import dataclass, field

from lab.certificate import Scope
from lab.defects import Defect
from lab.facts import Last
from lab.graph import EVERYWHERE
from lab.sentences import Chain, Sentence


@dataclass(slots=True)
class Record:
    """Values, hypotheses and verdicts of a proof, in their order."""

    points: list[Scope] = field(default_factory=list)
    assumed: dict[str, set[int]] = field(default_factory=dict)
    own: list[Defect] = field(default_factory=list)  # suppositions of the claim for its own variable
    verdicts: list[tuple[bool, Sentence]] = field(default_factory=list)
    asserted: list[Sentence] = field(default_factory=list)  # that the claim holds, said in passing
    goals: list[Chain] = field(default_factory=list)  # what the claim is said to be equivalent to
    lasts: list[Last] = field(default_factory=list)  # what earlier sentences ended in, the newest last
    ended: list[Sentence] = field(default_factory=list)  # QED and the like
    at: Scope | None = None  # the values last put in
    scope: Scope = EVERYWHERE  # of the sentences that follow "Let x = 2."

    def note(self, scope: Scope) -> None:
        """Notes values that something is said about."""
        if scope.values and scope not in self.points:
            self.points.append(scope)

    def circles(self) -> list[Defect]:
        """Suppositions of the claim itself, should nothing come of them."""
        return self.own
