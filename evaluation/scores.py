"""Scores of the entrants: sums of points by source, each by one named grader."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.statistics import Estimate, IntervalConfig, Observation, difference, share
from evaluation.gather import ReportData
from evaluation.graded_proofs import Grade, GradedProof, ProblemOutcome

ALL_SOURCES = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Score of an entrant by one grader on one source.

    ``points`` of ``possible`` over the ``scored`` attempts; ``unscored`` ones, whose grader failed, are in neither.
    ``without_proof``: attempts that ended without a proof; they count as 0 points.
    ``share``: points over possible points, by clusters of problems.
    """

    entrant: str
    grader: str
    authors: tuple[str, ...]
    source: str
    points: float
    possible: float
    scored: int
    unscored: int
    without_proof: int
    share: Estimate


def scores(data: ReportData, config: IntervalConfig) -> list[Score]:
    """Scores of every entrant by every grader that graded any of its proofs, by source and on all."""
    found = []
    for entrant in data.entrants:
        final = [outcome for outcome in data.attempts if outcome.entrant == entrant]
        entries = [entry for entry in data.candidates if entry.entrant == entrant]
        chosen = final_entries(final, entries)
        for grader in data.graders:
            if any(entry is not None and grader in entry.grades for _, entry in chosen):
                sources = sorted({outcome.source for outcome, _ in chosen})
                for source in [*sources, *([ALL_SOURCES] if len(sources) > 1 else [])]:
                    part = [pair for pair in chosen if source in (ALL_SOURCES, pair[0].source)]
                    found.append(_score(entrant, grader, source, part, config))
    return found


def final_entries(
    outcomes: Sequence[ProblemOutcome], entries: Sequence[GradedProof]
) -> list[tuple[ProblemOutcome, GradedProof | None]]:
    """The proof that counts for each outcome: the chosen one, or every proof of a run that chooses none."""
    by_problem = defaultdict(list)
    for entry in entries:
        by_problem[entry.attempt, entry.problem_id].append(entry)
    pairs: list[tuple[ProblemOutcome, GradedProof | None]] = []
    for outcome in outcomes:
        if outcome.finished:
            pairs.append((outcome, outcome.chosen))
        else:
            pairs += [(outcome, entry) for entry in by_problem[outcome.attempt, outcome.problem_id]]
    return pairs


def problem_means(data: ReportData, entrant: str, grader: str) -> Mapping[str, float]:
    """Mean score of an entrant on each problem by one grader, over its attempts that have a score."""
    outcomes = [outcome for outcome in data.attempts if outcome.entrant == entrant]
    entries = [entry for entry in data.candidates if entry.entrant == entrant]
    values: dict[str, list[float]] = defaultdict(list)
    for outcome, entry in final_entries(outcomes, entries):
        score = 0.0 if is_without_proof(entry, grader) else _score_of(entry.grades.get(grader) if entry else None)
        if score is not None:
            values[outcome.problem_id].append(score)
    return {problem: sum(found) / len(found) for problem, found in values.items()}


def compared(
    left: Mapping[str, float], right: Mapping[str, float], config: IntervalConfig, clusters: Mapping[str, str]
) -> Estimate:
    """Mean of ``right`` minus that of ``left`` over the problems that both have a score for, paired.

    ``clusters``: that of each problem in intervals.
    """
    common = [problem for problem in left if problem in right]
    second, first = ([Observation(clusters[one], side[one]) for one in common] for side in (right, left))
    return difference(second, first, config=config)


def is_without_proof(entry: GradedProof | None, grader: str) -> bool:
    """True for an attempt without a proof, which has 0 points; an empty answer that was graded has its grade."""
    return entry is None or (entry.no_answer and grader not in entry.grades)


def has_score(entry: GradedProof | None, grader: str) -> bool:
    """True for an attempt whose score by ``grader`` counts: one without a proof has 0 points."""
    return is_without_proof(entry, grader) or (entry is not None and _score_of(entry.grades.get(grader)) is not None)


def _score_of(grade: Grade | None) -> float | None:
    return None if grade is None else grade.score


def _score(
    entrant: str,
    grader: str,
    source: str,
    chosen: Sequence[tuple[ProblemOutcome, GradedProof | None]],
    config: IntervalConfig,
) -> Score:
    grades = [(outcome, None if entry is None else entry.grades.get(grader)) for outcome, entry in chosen]
    without = [outcome for outcome, entry in chosen if is_without_proof(entry, grader)]
    maximum = next((grade.max_points for _, grade in grades if grade and grade.max_points), 1.0)
    scored = [Observation(outcome.cluster, *_points(grade)) for outcome, grade in grades if _is_scored(grade)]
    scored += [Observation(outcome.cluster, 0.0, maximum) for outcome in without]
    return Score(
        entrant=entrant,
        grader=grader,
        authors=tuple(_authors(grade for _, grade in grades if grade)),
        source=source,
        points=sum(one.value for one in scored),
        possible=sum(one.weight for one in scored),
        scored=len(scored),
        unscored=len(chosen) - len(scored),
        without_proof=len(without),
        share=share(scored, config=config),
    )


def _is_scored(grade: Grade | None) -> bool:
    return grade is not None and grade.score is not None


def _points(grade: Grade | None) -> tuple[float, float]:
    """Points and possible points; the score, of 1, for a grader that gives no points."""
    if grade is None:
        return 0.0, 1.0
    if grade.points is not None and grade.max_points:
        return grade.points, grade.max_points
    return grade.score or 0.0, 1.0


def _authors(grades: Iterable[Grade]) -> list[str]:
    return sorted({author for grade in grades for author in grade.authors})
