"""Leaderboard, groups and matrix of a report: mean scores of the entrants by one grader, with intervals of ranks."""

from collections.abc import Mapping, Sequence

from core.document import Block, Cell, Heading, Table, Text, counted, natural
from core.statistics import Estimate, IntervalConfig, Observation, mean, rank_intervals
from evaluation.gather import ReportData
from evaluation.graded_proofs import ProblemOutcome
from evaluation.graders import VERIFIER, kind_of
from evaluation.scores import ALL_SOURCES, Score, final_entries, has_score, problem_means
from evaluation.sections import percent

# From the most to the least trusted: the first of these that graded every entrant ranks them.
MIN_GRADED = 0.5  # of the final proofs of an entrant
_TRUST = ("human", "exact", "answer", "panel", "judge", "answer judge", "automatic", "auto", VERIFIER)


def main_grader(data: ReportData) -> str | None:
    """The most trusted grader, among those that graded the most entrants; None without grades.

    One that graded less than half of an entrant's final proofs comes after all others: a few grades rank nobody.
    """
    graded = {name: sum(bool(graded_means(data, each, name)) for each in data.entrants) for name in data.graders}
    known = {name: number for name, number in graded.items() if number}
    if not known:
        return None
    most = max(known.values())
    candidates = [name for name, number in known.items() if number == most]
    sparse = {name for name in candidates if _least_share(data, name) < MIN_GRADED}
    return min(candidates, key=lambda name: (name in sparse, _TRUST.index(kind_of(name))))


def _least_share(data: ReportData, grader: str) -> float:
    """The smallest share of final proofs with a grade by ``grader``, over the entrants that it graded."""
    shares = []
    for entrant in data.entrants:
        outcomes = [outcome for outcome in data.attempts if outcome.entrant == entrant]
        final = final_entries(outcomes, [entry for entry in data.candidates if entry.entrant == entrant])
        graded = sum(has_score(entry, grader) for _, entry in final)
        if graded_means(data, entrant, grader):
            shares.append(graded / len(final))
    return min(shares, default=0.0)


def graded_means(data: ReportData, entrant: str, grader: str) -> Mapping[str, float]:
    """Mean score of an entrant on each problem; empty where the grader graded none of its proofs."""
    graded = any(entry.entrant == entrant and grader in entry.grades for entry in data.candidates)
    return problem_means(data, entrant, grader) if graded else {}


def mean_scores(data: ReportData, config: IntervalConfig) -> dict[str, Estimate]:
    """Mean score over problems of each graded entrant by the main grader, the best one first."""
    grader = main_grader(data)
    if grader is None:
        return {}
    clusters = data.clusters
    found = {name: graded_means(data, name, grader) for name in data.entrants}
    estimates = {
        name: mean([Observation(clusters[problem], value) for problem, value in means.items()], config=config)
        for name, means in found.items()
        if means
    }
    return dict(sorted(estimates.items(), key=lambda pair: (-(pair[1].value or 0.0), pair[0])))


def leaderboard_section(data: ReportData, scores: Sequence[Score], config: IntervalConfig) -> list[Block]:
    """Section of entrants in the order of their mean score, by the most trusted grader."""
    grader = main_grader(data)
    if grader is None:
        return [Heading("Leaderboard"), Text("No final proof has a grade.")]
    means = {name: graded_means(data, name, grader) for name in data.entrants}
    means = {name: found for name, found in means.items() if found}
    ranks, averages = rank_intervals(means, config, data.clusters), mean_scores(data, config)
    own = {score.entrant: score for score in scores if score.grader == grader}
    whole = {score.entrant: score for score in scores if score.grader == grader and score.source == ALL_SOURCES}
    rows: list[tuple[Cell, ...]] = []
    for name in sorted(means, key=lambda name: (ranks[name][0], name)):
        rank, low, high = ranks[name]
        score = whole.get(name, own[name])
        average = averages[name]
        rows.append(
            (
                f"{rank}" if low == high == rank else f"{rank} [{low}–{high}]",
                name,
                data.models(name),
                f"{score.points:g}/{score.possible:g}",
                percent(average),
                average.n,
                score.scored,
                score.unscored,
            )
        )
    columns = ("rank", "entrant", "model", "points", "percent", "problems", "graded", "ungraded")
    caption = (
        f"By {grader}. Percent: mean over problems of the mean score of the attempts. Ranks and percentages with 95 % "
        "intervals over whole problems (of the lab: left sides), drawn for all entrants together: ranks whose "
        "intervals overlap are not told apart. Ungraded final proofs are in no sum."
    ).replace("95 %", f"{100 * config.level:g} %")
    return [Heading("Leaderboard"), Table(columns, rows, caption)]


def group_section(data: ReportData, config: IntervalConfig) -> list[Block]:
    """Section of scores by part, category and level of the problems, where they have any."""
    grader = main_grader(data)
    groups: dict[str, Mapping[str, str]] = {outcome.problem_id: outcome.groups for outcome in data.attempts}
    kinds = [kind for kind in ("part", "category", "level") if any(kind in found for found in groups.values())]
    if grader is None or not kinds:
        return []
    rows: list[tuple[Cell, ...]] = []
    clusters = data.clusters
    for kind in kinds:
        for value in sorted({found[kind] for found in groups.values() if kind in found}, key=natural):
            for entrant in data.entrants:
                means = graded_means(data, entrant, grader)
                inside = [Observation(clusters[problem], score) for problem, score in means.items()
                          if groups[problem].get(kind) == value]  # fmt: skip
                if inside:
                    found = mean(inside, config=config)
                    points = None if found.value is None else 7 * found.value
                    rows.append((kind, value, entrant, data.models(entrant), len(inside), points,
                                 percent(found)))  # fmt: skip
    columns = ("kind", "group", "entrant", "model", "problems", "mean of 7", "percent")
    return [
        Heading("Parts, categories and levels"),
        Table(columns, rows, f"Mean scores of the final proofs, by {grader}."),
    ]


def matrix_section(data: ReportData) -> list[Block]:
    """Section with the score of every entrant on every problem, problems in order."""
    grader = main_grader(data)
    if grader is None:
        return []
    means = {name: graded_means(data, name, grader) for name in data.entrants}
    shown: dict[str, ProblemOutcome] = {}
    for outcome in data.attempts:
        shown.setdefault(outcome.problem_id, outcome)
    most = _full_points(data, grader)
    rows: list[tuple[Cell, ...]] = []
    for problem, outcome in sorted(shown.items(), key=lambda pair: (natural(pair[1].source), natural(pair[1].problem))):
        scores = [means[name].get(problem) for name in data.entrants]
        labels = " · ".join(outcome.groups[kind] for kind in ("category", "level") if kind in outcome.groups)
        rows.append((outcome.problem, labels, *(None if score is None else most * score for score in scores)))
    columns = ("problem", "category and level", *(f"{name} ({data.models(name)})" for name in data.entrants))
    caption = (
        f"Mean points of {most:g} of the final proofs over the attempts, by {grader}; a dash: no graded proof. "
        f"{counted(len(rows), 'problem')}."
    )
    return [Heading("Entrants and problems"), Table(columns, rows, caption, shade=most)]


def _full_points(data: ReportData, grader: str) -> float:
    maxima = {grade.max_points for entry in data.candidates if (grade := entry.grades.get(grader)) and grade.max_points}
    return maxima.pop() if len(maxima) == 1 else 1.0 if not maxima else 7.0
