"""What a role is to the trainer: prompts, rewards, and worked examples. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from core.rubric import Verdict, parse_verdict
from rl.reward import Reward


@dataclass(frozen=True, slots=True)
class Answer:
    """What the policy wrote in one turn, in so many ``tokens``. ``truncated``: it ended at the token limit."""

    text: str
    truncated: bool = False
    tokens: int = 0

    def score(self, quoted: str) -> float | None:
        """The score of its verdict about the ``quoted`` text; None where it is truncated or unparseable."""
        verdict = parse_verdict(self.text, quoted=quoted, truncated=self.truncated)
        return verdict.score if isinstance(verdict, Verdict) else None


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example of supervised training: the user's ``prompt`` and the ``answer`` to learn.

    ``given``: a start of the answer that is read and not learnt, as a faulty proof before its honest evaluation.
    ``rest``: an end of it that is neither, as the evaluation of a proof that is always right.
    """

    prompt: str
    answer: str
    given: str = ""
    rest: str = ""

    @property
    def whole(self) -> str:
        """The whole answer."""
        return self.given + self.answer + self.rest


class Task(Protocol):
    """A role with its problems, numbered from 0: the same number is the same problem, whenever it is asked for.

    ``domain`` names the subject, for which an algorithm may set its own KL coefficient.
    """

    @property
    def domain(self) -> str:
        """The subject."""
        ...

    def prompt(self, number: int) -> str:
        """The user's message of problem ``number`` of the training stream."""
        ...

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """The user's message of the next turn, as of a refinement round; None after the last turn."""
        ...

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """The reward of each try: a problem's number, and the answers of all turns.

        Raises LemmataError where no judging is possible at all.
        """
        ...

    def example(self, number: int) -> Example:
        """Worked example ``number`` of the training stream."""
        ...
