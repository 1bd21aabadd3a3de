"""Several tasks as one: what a generator is trained on that proves, judges and refines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rl.reward import Reward
from rl.task import Answer, Example, Task


@dataclass(frozen=True)
class MixedTask:
    """Problems of each part in turn, in the proportion of the shares: ``parts`` are (task, share) by name."""

    parts: Mapping[str, tuple[Task, int]]
    domain: str = "mathematics"

    def __post_init__(self) -> None:
        """Raises ValueError where there is nothing to draw from."""
        if not self.parts or any(share < 1 for _, share in self.parts.values()):
            raise ValueError("mixture: at least one kind of task, each with at least 1 problem per turn")

    def place(self, number: int) -> tuple[str, Task, int]:
        """The part of problem ``number``: its name, its task, and the problem's number there."""
        turn, place = divmod(number, sum(share for _, share in self.parts.values()))
        for name, (task, share) in self.parts.items():
            if place < share:
                return name, task, turn * share + place
            place -= share
        raise AssertionError("a place within the sum of the shares")

    def prompt(self, number: int) -> str:
        """As Task.prompt."""
        _, task, own = self.place(number)
        return task.prompt(own)

    def follow_up(self, number: int, answers: Sequence[Answer]) -> str | None:
        """As Task.follow_up."""
        _, task, own = self.place(number)
        return task.follow_up(own, answers)

    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        """As Task.rewards; each part judges its own trajectories at once, and its parts carry its name."""
        found: dict[int, Reward] = {}
        for name, (task, _) in self.parts.items():
            places = ((index, self.place(number)) for index, (number, _) in enumerate(trajectories))
            own = [(index, place) for index, (part, _, place) in places if part == name]
            rewards = task.rewards([(place, trajectories[index][1]) for index, place in own])
            for (index, _), reward in zip(own, rewards, strict=True):
                parts = {f"{name}/{part}": value for part, value in reward.parts.items()}
                found[index] = Reward(reward.total, parts)
        return [found[index] for index in range(len(trajectories))]

    def example(self, number: int) -> Example:
        """As Task.example."""
        _, task, own = self.place(number)
        return task.example(own)
