"""``lemmata evaluate human-grades``: grades by people, from a table into a run."""

from typing import Any

from rich.console import Console

from core.config import STRICT, Name, read_config, settings
from core.document import counted
from evaluation.folders import parts_of
from evaluation.human_grades import HumanGradesConfig, add_human_grades, read_human_grades
from lemmata.terminal import plain


@settings(frozen=True, kw_only=True, config=STRICT)
class HumanGradesSettings(HumanGradesConfig):
    """Settings of ``lemmata evaluate human-grades``: the table ``source`` of grades, and the ``run`` they belong to."""

    run: Name
    source: Name


def evaluate_human_grades_command(config: dict[str, Any]) -> int:
    """Appends the grades of a table as human labels."""
    settings = read_config(HumanGradesSettings, config, "")
    found = read_human_grades(settings.source, settings)
    new = add_human_grades(parts_of(settings.run), found.grades)
    authors = ", ".join(sorted({grade.author for grade in found.grades})) or "nobody"
    lines = [f"{settings.run}: {counted(new, 'new grade')} of {len(found.grades)} by {authors}"]
    if found.ungraded:
        rows = "row has" if len(found.ungraded) == 1 else "rows have"
        lines.append(f"{len(found.ungraded)} {rows} no grade, the first is {found.ungraded[0]}")
    if found.warning:
        lines.append(f"Warning: {found.warning}")
    for line in lines:
        Console(highlight=False).print(plain(line), soft_wrap=True)
    return 0
