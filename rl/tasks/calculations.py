"""Exercises in calculating: what a model that is new to numbers learns before it proves."""

from collections.abc import Sequence
from dataclasses import dataclass

from lab.calculations import Calculation, calculation
from rl.reward import Reward
from rl.task import Answer, Example

SPLITS = {"train": 0, "validation": 1, "test": 2}
FAR = 1 << 40  # between the exercises of two seeds


@dataclass(frozen=True)
class Calculations:
    """Exercise n is one of ``lab.calculations``; a right result is worth 1, whatever the steps."""

    split: str
    seed: int
    domain: str = "mathematics"

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        return self._exercise(number).prompt

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up: there is one turn."""
        return None

    def rewards(self, tries: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards; the part ``result`` tells right results."""
        return [self._reward(self._exercise(number), answers[-1]) for number, answers in tries]

    def example(self, number: int) -> Example:
        """As Task.example."""
        exercise = self._exercise(number)
        return Example(exercise.prompt, exercise.answer)

    def _exercise(self, number: int) -> Calculation:
        return calculation((self.seed * len(SPLITS) + SPLITS[self.split]) * FAR + number)

    def _reward(self, exercise: Calculation, answer: Answer) -> Reward:
        result = answer.text.strip().removesuffix(".").rpartition(" = ")[2]
        right = float(result == exercise.result and not answer.truncated)
        return Reward(right, {"result": right})
