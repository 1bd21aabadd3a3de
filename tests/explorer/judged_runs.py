"""Runs with a rule of acceptance, for tests."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.records import Analysis, Record
from core.store import Run
from explorer.index import LogIndex
from explorer.runs import RunIndex
from tests.records import PROBLEM, analysis

RULE: dict[str, Any] = {
    "rule": "unanimous", "min_verdicts": 3, "min_readable": 0.75, "min_perfect": 1.0, "min_mean": 0.7,
    "use_reviews": "filter", "confirm_at": 0.75,
}  # fmt: skip


def told(name: str, score: float | None, of: str = "y") -> Analysis:
    """An analysis whose words are its own: copies count once."""
    found = analysis(name, score, of)
    return replace(found, text=f"{found.text}\n({name})")


def judged_run(folder: Path, *records: Record, rule: dict[str, Any] = RULE, problem: Any = PROBLEM) -> LogIndex:
    config = {"judge": {"analyses": 4, "reviews": 1, "review": "issues", "acceptance": rule}}
    with Run.start(folder / "run", "refine", config) as run, closing(run.log(problem)) as log:
        log.append(records)
    index = RunIndex(folder / "run")
    index.refresh()
    assert index.rule_error == ""
    return index.logs["p"]
