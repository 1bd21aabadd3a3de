"""Table of a measurement of prompts: readable share, agreement with people, copies, with intervals by proof."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.copies import repetition_fault
from core.rubric import Verdict, parse_verdict
from core.sections import has_closing
from core.statistics import Estimate, Observation, share
from core.templates import Templates


def print_table(
    rows: Sequence[Mapping[str, Any]], templates: Mapping[str, Templates], texts: Mapping[str, tuple[str, str]]
) -> None:
    """Prints a line for each prompt; ``texts`` holds statement and proof by name."""
    print("| prompt | analyses | whole | exact form | readable | copies | readable, no copy | agreement | a constant |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in dict.fromkeys(row["prompts"] for row in rows):
        print(_line(name, [row for row in rows if row["prompts"] == name], templates[name], texts))


def _line(
    name: str, rows: Sequence[Mapping[str, Any]], templates: Templates, texts: Mapping[str, tuple[str, str]]
) -> str:
    judged = [(row, *_verdict(row, templates, *texts[row["proof"]])) for row in rows]
    readable = [(row, score) for row, score, copied in judged if score is not None and not copied]
    complete = [row["complete"] for row, _ in readable]
    cells = (
        _share((row, row["whole"]) for row in rows),
        _share((row, row["whole"] and has_closing(row["text"]) and score is not None) for row, score, _ in judged),
        _share((row, score is not None) for row, score, _ in judged),
        _share((row, copied) for row, _, copied in judged),
        _share((row, score is not None and not copied) for row, score, copied in judged),
        _share((row, (score == 1.0) == row["complete"]) for row, score in readable),
        f"{max(sum(complete), len(complete) - sum(complete)) / len(complete):.2f}" if complete else "none",
    )
    return f"| {name} | {len(rows)} | {' | '.join(cells)} |"


def _verdict(row: Mapping[str, Any], templates: Templates, statement: str, proof: str) -> tuple[float | None, bool]:
    """Score of an analysis by the present reader, and True for one that repeats its prompt."""
    verdict = parse_verdict(row["text"], quoted=proof, truncated=not row["whole"])
    prompt = templates.verification(statement, proof)
    copied = repetition_fault(row["text"], templates.texts["proof_verification"], prompt) is not None
    return (verdict.score if isinstance(verdict, Verdict) else None), copied


def _share(outcomes: Iterable[tuple[Mapping[str, Any], bool]]) -> str:
    observed = [Observation(row["proof"], float(outcome)) for row, outcome in outcomes]
    estimate: Estimate = share(observed)
    if estimate.value is None:
        return "none"
    interval = "" if estimate.low is None else f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return f"{sum(one.value for one in observed):.0f}/{len(observed)}{interval}"
