"""Mixed task: problems of several kinds in turn, for a generator that proves, judges and refines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from core.reward import Reward
from rl.task import Answer, Example, Task, TaskTools

Trajectories = Sequence[tuple[int, Sequence[Answer]]]


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
    def tools(self, number: int) -> TaskTools | None:
        _, task, own = self.locate(number)
        return task.tools(own)

    @override
    def follow_ups(self, trajectories: Trajectories) -> list[str | None]:
        found: dict[int, str | None] = {}
        for kind, places, own in self._by_kind(trajectories):
            found |= zip(places, self.parts[kind][0].follow_ups(own), strict=True)
        return [found[place] for place in range(len(trajectories))]

    @override
    def rewards(self, trajectories: Trajectories) -> list[Reward]:
        """Each task judges all of its trajectories at once; the parts of a reward are prefixed by the kind."""
        found: dict[int, Reward] = {}
        for kind, places, own in self._by_kind(trajectories):
            for place, reward in zip(places, self.parts[kind][0].rewards(own), strict=True):
                parts = {f"{kind}/{part}": value for part, value in reward.parts.items()}
                found[place] = Reward(reward.total, parts)
        return [found[place] for place in range(len(trajectories))]

    def _by_kind(self, trajectories: Trajectories) -> Iterator[tuple[str, list[int], Trajectories]]:
        """Each kind with the places of its trajectories, and these by the problems' numbers in its own task."""
        located = [(self.locate(number), answers) for number, answers in trajectories]
        for kind in self.parts:
            own = [(place, number, answers) for place, ((k, _, number), answers) in enumerate(located) if k == kind]
            yield kind, [place for place, _, _ in own], [(number, answers) for _, number, answers in own]

    @override
    def example(self, number: int) -> Example:
        _, task, own = self.locate(number)
        return task.example(own)
