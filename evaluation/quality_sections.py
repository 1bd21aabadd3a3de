"""Sections of a report about its own quality: what is missing, answers that could not be used, graders and people."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import combinations

from core.document import Block, Cell, Heading, Table, Text, counted
from core.statistics import IntervalConfig, Observation, correlation, kappa, mean, share
from evaluation.acceptance_curve import ErrorRates
from evaluation.gather import ReportData
from evaluation.graded_proofs import GradedProof
from evaluation.leaderboard import main_grader
from evaluation.measures import rubric_class
from evaluation.scores import final_entries, is_without_proof
from evaluation.sections import MAX_LISTED, interval, percent

Pairs = list[tuple[Hashable, float, float]]
_KINDS = ("proof", "analysis", "review", "grading", "comparison")


def missing_section(data: ReportData) -> list[Block]:
    """Statement at the top of a report: attempts that are not finished and final proofs without a grade."""
    lines = []
    attempted = [outcome for outcome in data.attempts if any(other.finished for other in data.attempts
                 if other.entrant == outcome.entrant)]  # fmt: skip
    unfinished = [outcome for outcome in attempted if not outcome.finished]
    if unfinished:
        lines.append(
            f"{len(unfinished)} of {counted(len(attempted), 'attempt')} are not finished; they are in no score below."
        )
    for grader in data.graders:
        lines += _ungraded(data, grader)
    if not lines:
        return [Text("Complete: nothing is unfinished, and every final proof has a grade by each grader.")]
    return [Heading("Not complete"), *(Text(line) for line in lines)]


def _ungraded(data: ReportData, grader: str) -> list[str]:
    lines = []
    for entrant in data.entrants:
        entries = [entry for entry in data.candidates if entry.entrant == entrant]
        if not any(grader in entry.grades for entry in entries):
            continue
        final = final_entries([outcome for outcome in data.attempts if outcome.entrant == entrant], entries)
        chosen = [entry for _, entry in final if entry is not None and not is_without_proof(entry, grader)]
        without = [entry for entry in chosen if (grade := entry.grades.get(grader)) is None or grade.score is None]
        if without:
            lines.append(f"{entrant}: no grade by {grader} of {len(without)} of {counted(len(chosen), 'final proof')}.")
    return lines


def answers_section(data: ReportData) -> list[Block]:
    """Section of answers that could not be used: cut off, unparseable, refused."""
    rows: list[tuple[Cell, ...]] = []
    for entrant in data.entrants:
        counts: Counter[str] = Counter()
        for outcome in data.outcomes:
            if outcome.entrant == entrant:
                counts.update(outcome.counts)
        for kind in _KINDS:
            total = counts[kind]
            if total:
                cut, bad = counts[f"{kind} cut off"], counts[f"{kind} unparseable"]
                rows.append(
                    (
                        entrant,
                        data.models(entrant),
                        kind,
                        total,
                        f"{100 * cut / total:.1f} %",
                        f"{100 * bad / total:.1f} %",
                    )
                )
        if counts["refused"]:
            rows.append((entrant, data.models(entrant), "refused by the server", counts["refused"], None, None))
    if not rows:
        return []
    columns = ("entrant", "model", "answers", "number", "cut off", "unparseable")
    caption = (
        "Cut off: ended by a limit or a filter, not by the model. Unparseable: whole, without a proof, a verdict or "
        "points that can be read. Neither counts as a score."
    )
    return [Heading("Answers that could not be used"), Table(columns, rows, caption)]


def efficiency_section(data: ReportData) -> list[Block]:
    """Section of tokens and cost of each entrant, per problem and per point."""
    grader = main_grader(data)
    rows: list[tuple[Cell, ...]] = []
    for entrant in data.entrants:
        outcomes = [outcome for outcome in data.attempts if outcome.entrant == entrant]
        usages = [outcome.proving + outcome.judging for outcome in outcomes]
        tokens, cost = sum(usage.completion_tokens for usage in usages), sum(usage.cost for usage in usages)
        if not tokens:
            continue
        points = _points(data, entrant, grader) if grader else 0.0
        rows.append(
            (entrant, data.models(entrant), len(outcomes), tokens, tokens / len(outcomes), cost or None,
             points, tokens / points if points else None, cost / points if points and cost else None)
        )  # fmt: skip
    if not rows:
        return []
    columns = ("entrant", "model", "attempts at problems", "completion tokens", "per attempt", "cost", "points",
               "tokens per point", "cost per point")  # fmt: skip
    caption = f"Tokens and cost of proving and verifying, without grading; points by {grader}." if grader else ""
    return [Heading("Tokens and cost per point"), Table(columns, rows, caption)]


def _points(data: ReportData, entrant: str, grader: str) -> float:
    outcomes = [outcome for outcome in data.attempts if outcome.entrant == entrant]
    entries = [entry for entry in data.candidates if entry.entrant == entrant]
    grades = [entry.grades.get(grader) for _, entry in final_entries(outcomes, entries) if entry is not None]
    return sum(grade.points if grade.points is not None else grade.score or 0.0 for grade in grades if grade)


def acceptance_section(rules: Sequence[ErrorRates], curve: Sequence[ErrorRates], gold: str | None) -> list[Block]:
    """Section of false accepts and false rejects, by rule of acceptance and by size of a unanimous panel."""
    if gold is None or not rules:
        return []
    blocks: list[Block] = [Heading("False accepts and false rejects")]
    rows = [_error_row(each, each.name) for each in rules]
    caption = (
        f"Correct: full score by {gold}. False accepts: share of the incorrect proofs that the rule accepts; false "
        "rejects: share of the correct proofs that it does not accept. Each rule is applied to all recorded analyses "
        "of a proof, with one distinct verdict as the least number. Where the verifier chose the final proofs, these "
        "are the errors on what it chose. Intervals over whole problems (of the lab: left sides)."
    )
    blocks.append(Table((*_VERIFIER, "rule", "analyses", *_ERRORS), rows, caption))
    if curve:
        rows = [_error_row(each, f"{each.size} of {each.size}") for each in curve]
        caption = (
            "Panels of n verdicts that must all be 1, drawn from the readable verdicts of a proof: exact shares, no "
            "sampling; of each verifier the proofs that have the verdicts of its largest panel."
        )
        blocks.append(Table((*_VERIFIER, "unanimous panel", "verdicts", *_ERRORS), rows, caption))
    return blocks


def _error_row(each: ErrorRates, name: str) -> tuple[Cell, ...]:
    errors = percent(each.false_accepts), percent(each.false_rejects)
    return each.verifier, each.incorrect, each.correct, name, each.size, *errors


_VERIFIER = ("verifier", "incorrect proofs", "correct proofs")
_ERRORS = ("false accepts", "false rejects")


def graders_section(data: ReportData, half_at: float, config: IntervalConfig) -> list[Block]:
    """Section of every two graders on the proofs that both scored: verifier, judges and people against each other."""
    rows = [
        row
        for left, right in combinations(data.graders, 2)
        if (row := _agreement_row(left, right, _scores(data, left, right), half_at, config))
    ]
    if not rows:
        return []
    return [Heading("Every two graders"), Table(_AGREEMENT, rows, _AGREEMENT_CAPTION)]


def people_section(data: ReportData, half_at: float, config: IntervalConfig) -> list[Block]:
    """Section of people who graded the same proofs, and the proofs on which they differ the most."""
    several = [entry for entry in data.candidates if (grade := entry.grades.get("human")) and len(grade.scores) > 1]
    if not several:
        return []
    names = sorted({name for entry in several for name in entry.grades["human"].scores})
    rows = []
    for left, right in combinations(names, 2):
        pairs: Pairs = [
            (entry.cluster, scores[left], scores[right])
            for entry in several
            if left in (scores := entry.grades["human"].scores) and right in scores
        ]
        if row := _agreement_row(left, right, pairs, half_at, config):
            rows.append(row)
    differing = sorted(several, key=lambda entry: -(entry.grades["human"].spread or 0.0))
    listed = [_differing_row(entry) for entry in differing[:MAX_LISTED] if entry.grades["human"].spread]
    blocks: list[Block] = [
        Heading("Disagreement of people"),
        Text(f"{counted(len(several), 'proof')} graded by several people; a proof's grade is the mean of theirs."),
        Table(_AGREEMENT, rows, _AGREEMENT_CAPTION),
    ]
    return [*blocks, Table(("problem", "proof", "difference", "grades"), listed, "Largest differences first.")] if listed else blocks  # noqa: E501  # fmt: skip


def _differing_row(entry: GradedProof) -> tuple[Cell, ...]:
    grade = entry.grades["human"]
    most = grade.max_points or 1.0
    listed = ", ".join(f"{name}: {score * most:g}" for name, score in grade.scores.items())
    return entry.problem, entry.proof_id, (grade.spread or 0.0) * most, f"{listed} of {most:g}"


_AGREEMENT = ("first", "second", "proofs", "same class", "mean difference", "correlation", "kappa",
              "quadratic-weighted kappa")  # fmt: skip
_AGREEMENT_CAPTION = (
    "Scores from 0 to 1. Same class and plain kappa: full score, half or below; the weighted kappa takes the scores "
    "themselves, and counts a disagreement by the square of its size. Intervals over whole problems."
)


def _scores(data: ReportData, left: str, right: str) -> Pairs:
    def both() -> Iterator[tuple[Hashable, float, float]]:
        for entry in data.candidates:
            grades = entry.grades.get(left), entry.grades.get(right)
            if grades[0] and grades[1] and grades[0].score is not None and grades[1].score is not None:
                yield entry.cluster, grades[0].score, grades[1].score

    return list(both())


def _agreement_row(
    left: str, right: str, pairs: Pairs, half_at: float, config: IntervalConfig
) -> tuple[Cell, ...] | None:
    if not pairs:
        return None
    classes: Pairs = [(each, rubric_class(x, half_at), rubric_class(y, half_at)) for each, x, y in pairs]
    same = share([Observation(each, float(x == y)) for each, x, y in classes], config=config)
    difference = mean([Observation(each, abs(x - y)) for each, x, y in pairs], config=config)
    return (
        left,
        right,
        len(pairs),
        interval(same),
        interval(difference),
        interval(correlation(pairs, config=config)),
        interval(kappa(classes, config=config)),
        interval(kappa(pairs, "quadratic", config=config)),
    )
