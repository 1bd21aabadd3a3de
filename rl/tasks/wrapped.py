"""Wrapped task: base of tasks that replace a part of another."""

from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override

from core.reward import Reward
from rl.task import Answer, Example, Task, TaskTools


@dataclass(frozen=True)
class WrappedTask(Task):
    """Passes everything on to ``task``; subclasses replace some of it."""

    task: Task

    @property
    @override
    def domain(self) -> str:
        return self.task.domain

    @override
    def prompt(self, number: int) -> str:
        return self.task.prompt(number)

    @override
    def tools(self, number: int) -> TaskTools | None:
        return self.task.tools(number)

    @override
    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return self.task.follow_ups(trajectories)

    @override
    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return self.task.rewards(trajectories)

    @override
    def example(self, number: int) -> Example:
        return self.task.example(number)
