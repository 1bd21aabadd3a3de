"""A task of which a part is replaced."""

from collections.abc import Sequence
from dataclasses import dataclass

from rl.reward import Reward
from rl.task import Answer, Example, Task


@dataclass(frozen=True)
class WrappedTask:
    """All that ``task`` is; subclasses replace some of it."""

    task: Task

    @property
    def domain(self) -> str:
        """As Task.domain."""
        return self.task.domain

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        return self.task.prompt(number)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up."""
        return self.task.follow_up(number, answers)

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards."""
        return self.task.rewards(trajectories)

    def example(self, number: int) -> Example:
        """As Task.example."""
        return self.task.example(number)
