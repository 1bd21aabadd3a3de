"""Tables of the numbers of a task's problems to train on, such as those of a medium pass rate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from typing_extensions import override

from core.errors import LemmataError
from core.reward import Reward
from core.tables import open_table
from rl.task import Answer, TaskTools
from rl.tasks.wrapped import WrappedTask


@dataclass(frozen=True)
class ListedTask(WrappedTask):
    """``task`` on the problems ``numbers``, repeated. SFT examples are those of ``task``."""

    numbers: Sequence[int]

    @override
    def prompt(self, number: int) -> str:
        return self.task.prompt(self._own(number))

    @override
    def tools(self, number: int) -> TaskTools | None:
        return self.task.tools(self._own(number))

    @override
    def follow_ups(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[str | None]:
        return self.task.follow_ups(list(self._renumbered(trajectories)))

    @override
    def rewards(self, trajectories: Sequence[tuple[int, Sequence[Answer]]]) -> list[Reward]:
        return self.task.rewards(list(self._renumbered(trajectories)))

    def _renumbered(
        self, trajectories: Sequence[tuple[int, Sequence[Answer]]]
    ) -> Iterator[tuple[int, Sequence[Answer]]]:
        return ((self._own(number), answers) for number, answers in trajectories)

    def _own(self, number: int) -> int:
        return self.numbers[number % len(self.numbers)]


def read_problem_numbers(path: str) -> list[int]:
    """Reads the column ``problem`` of a table. Raises LemmataError where it cannot be read, is empty, or no number."""
    numbers = []
    for row in open_table(path, None, None):
        number = row.cells.get("problem")
        if not isinstance(number, int) or number < 0:
            raise LemmataError(f"{row.where}: problem={number!r} is no number of a problem, which counts from 0")
        numbers.append(number)
    if not numbers:
        raise LemmataError(f"{path} has no problems to train on")
    return numbers
