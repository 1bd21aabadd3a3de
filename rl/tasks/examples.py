"""Tables of SFT examples, in place of a role's own: corrections of answers, or the best of them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from typing_extensions import override

from core.errors import LemmataError
from core.json_lines import write_json_lines
from core.tables import open_table
from rl.task import Example
from rl.tasks.wrapped import WrappedTask


@dataclass(frozen=True)
class ExamplesTask(WrappedTask):
    """``task`` with the examples of a table, repeated."""

    examples: Sequence[Example]

    @override
    def example(self, number: int) -> Example:
        return self.examples[number % len(self.examples)]


def read_examples(path: str) -> list[Example]:
    """Reads a table with ``prompt`` and ``answer``, and ``given`` and ``rest`` where an answer has them.

    Raises LemmataError where it cannot be read, is empty, or a row lacks prompt or answer.
    """
    examples = []
    for row in open_table(path, None, None):
        prompt, answer = row.cells.get("prompt"), row.cells.get("answer")
        if not isinstance(prompt, str) or not isinstance(answer, str):
            raise LemmataError(f"{row.where}: an SFT example needs the columns prompt and answer, both text")
        given, rest = (str(row.cells.get(name) or "") for name in ("given", "rest"))
        examples.append(Example(prompt, answer, given, rest))
    if not examples:
        raise LemmataError(f"{path} has no rows to learn from")
    return examples


def write_examples(path: Path, examples: Iterable[Example]) -> int:
    """Writes examples as JSON Lines, whole or not at all; returns their number."""
    return write_json_lines(path, map(asdict, examples))
