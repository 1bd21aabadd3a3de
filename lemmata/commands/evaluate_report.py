"""``lemmata evaluate report``: scores and agreement of runs, each with the name of its grader."""

from typing import Any

from rich.console import Console

from core.config import read_config
from core.document import counted
from evaluation.report import ReportConfig, write_report
from evaluation.sections import interval, named
from lemmata.terminal import plain


def evaluate_report_command(config: dict[str, Any]) -> int:
    """Writes the report of one or several runs and prints its main numbers."""
    settings = read_config(ReportConfig, config, "")
    data, scores, agreements = write_report(settings)
    lines = [f"{settings.out}: {counted(data.proofs, 'proof')}; read {settings.out}/report.md or report.html"]
    for score in scores:
        points = f"{score.points:g}/{score.possible:g} by {named(score.grader, score.authors)}"
        lines.append(f"{score.entrant}, {score.source}: {points}, unscored {score.unscored}")
    lines += [
        f"{each.grader} against {each.gold}, {each.source}: precision {each.correctly_accepted}/{each.accepted}, "
        f"recall {each.correctly_accepted}/{each.correct}, three-class accuracy "
        f"{interval(each.measures['three-class accuracy'])}"
        for each in agreements
    ]
    console = Console(highlight=False)
    for line in lines:
        console.print(plain(line), soft_wrap=True)
    return 0
