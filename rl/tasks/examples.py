"""Worked examples of a table in place of a role's own: what rejection fine-tuning learns from."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import LemmataError
from core.json_lines import write_json_lines
from core.tables import open_table
from rl.task import Example
from rl.tasks.wrapped import WrappedTask


@dataclass(frozen=True)
class ExamplesTask(WrappedTask):
    """``task`` with the examples of a table, over and over."""

    examples: Sequence[Example]

    def example(self, number: int) -> Example:
        """As Task.example."""
        return self.examples[number % len(self.examples)]


def read_examples(path: str) -> list[Example]:
    """The rows of a table with ``prompt`` and ``answer``; ``given`` and ``rest``: start and end of it not learnt.

    Raises LemmataError where it cannot be read, is empty, or a row lacks one of them.
    """
    examples = []
    for row in open_table(path, None, None):
        prompt, answer = row.cells.get("prompt"), row.cells.get("answer")
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise LemmataError(f"{row.where}: a worked example needs the columns prompt and answer, both text")
        given, rest = (str(row.cells.get(name) or "") for name in ("given", "rest"))
        examples.append(Example(prompt, answer, given, rest))
    if not examples:
        raise LemmataError(f"{path} has no examples to learn from")
    return examples


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Write examples as JSON lines, whole or not at all; how many there were."""
    return write_json_lines(path, map(asdict, examples))
