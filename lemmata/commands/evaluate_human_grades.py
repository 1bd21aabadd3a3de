"""``lemmata evaluate human-grades``: people's marks into a run."""

from typing import Any

from rich.console import Console

from core.config import STRICT, Name, read_part, settings
from evaluation.folders import parts_of
from evaluation.human import MarksConfig, add_marks, read_marks
from lemmata.terminal import plain


@settings(frozen=True, config=STRICT)
class MarksSource:
    """Which marks go into which ``run``."""

    run: Name
    source: Name


def evaluate_human_grades_command(config: dict[str, Any]) -> int:
    """Append the marks of a file as labels of people."""
    place, settings = read_part(MarksSource, config), read_part(MarksConfig, config)
    marks = read_marks(place.source, settings)
    new = add_marks(parts_of(place.run), marks)
    said = f"{place.run}: {new} new marks of {len(marks)} by {', '.join(sorted({mark.author for mark in marks}))}"
    Console(highlight=False).print(plain(said), soft_wrap=True)
    return 0
