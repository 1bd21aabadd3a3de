"""Mixed task: problems of several kinds in turn, for a generator that proves, judges and refines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from core.reward import Reward
from rl.task import Answer, Example, Task


@dataclass(frozen=True)
class MixedTask(Task):
    """Problems of each kind in turn. ``parts``: by kind, its task and its number of problems per turn."""

    parts: Mapping[str, tuple[Task, int]]

    def __post_init__(self) -> None:
        """Raises ValueError where there is no problem to draw."""
        if not self.parts or any(size < 1 for _, size in self.parts.values()):
            raise ValueError("mixture: at least one kind of task, each with at least 1 problem per turn")

    def locate(self, number: int) -> tuple[str, Task, int]:
        """Returns the kind of problem ``number``, its task, and the problem's number in that task."""
        turn, position = divmod(number, sum(size for _, size in self.parts.values()))
        for kind, (task, size) in self.parts.items():
            if position < size:
                return kind, task, turn * size + position
            position -= size
        raise AssertionError("a position within the turn")

    @property
    @override
    def domain(self) -> str:
        """The subject of all parts, by the first."""
        return next(task.domain for task, _ in self.parts.values())

    @override
    def prompt(self, number: int) -> str:
        _, task, own = self.locate(number)
        return task.prompt(own)

    @override
    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        _, task, own = self.locate(number)
        return task.follow_up(own, answers)

    @override
    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """Each task judges all of its trajectories at once; the parts of a reward are prefixed by the kind."""
        found: dict[int, Reward] = {}
        for kind, (task, _) in self.parts.items():
            located = ((index, self.locate(number)) for index, (number, _) in enumerate(trajectories))
            own = [(index, number) for index, (other, _, number) in located if other == kind]
            rewards = task.rewards([(number, trajectories[index][1]) for index, number in own])
            for (index, _), reward in zip(own, rewards, strict=True):
                parts = {f"{kind}/{part}": value for part, value in reward.parts.items()}
                found[index] = Reward(reward.total, parts)
        return [found[index] for index in range(len(trajectories))]

    @override
    def example(self, number: int) -> Example:
        _, task, own = self.locate(number)
        return task.example(own)
