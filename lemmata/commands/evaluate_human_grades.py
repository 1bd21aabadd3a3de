"""``lemmata evaluate human-grades``: grades by people, from a table into a run."""

from typing import Any

from rich.console import Console

from core.config import STRICT, Name, read_config, settings
from evaluation.folders import parts_of
from evaluation.human import MarksConfig, add_marks, read_marks
from lemmata.terminal import plain


@settings(frozen=True, kw_only=True, config=STRICT)
class HumanGradesSettings(MarksConfig):
    """Settings of ``lemmata evaluate human-grades``: the table ``source`` of grades, and the ``run`` they belong to."""

    run: Name
    source: Name


def evaluate_human_grades_command(config: dict[str, Any]) -> int:
    """Append the grades of a table as human labels."""
    settings = read_config(HumanGradesSettings, config, "")
    marks = read_marks(settings.source, settings)
    new = add_marks(parts_of(settings.run), marks)
    message = (
        f"{settings.run}: {new} new grades of {len(marks)} by {', '.join(sorted({mark.author for mark in marks}))}"
    )
    Console(highlight=False).print(plain(message), soft_wrap=True)
    return 0
