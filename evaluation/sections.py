"""Sections of an evaluation report: tables of estimates, each with the name of its grader."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from core.document import Block, Heading, Table, Text, natural
from core.records import Usage
from core.statistics import Estimate, IntervalConfig
from evaluation.error_location import Location
from evaluation.gather import ReportData
from evaluation.graded_proofs import GradedProof, ProblemOutcome
from evaluation.graders import JUDGE, PANEL, VERIFIER, kind_of
from evaluation.junk_control import MODEL_PREFIX
from evaluation.scores import Score, compared, problem_means

MAX_LISTED = 200
TOOL_STATUSES = ("ok", "error", "timeout", "died", "refused")  # of `core.records.ToolOutput`


def interval(estimate: Estimate) -> str:
    """An estimate with its interval; a dash without a value."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def percent(estimate: Estimate) -> str:
    """A share as a percentage with its interval; a dash without a value."""
    if estimate.value is None:
        return "–"
    shown = f"{100 * estimate.value:.1f} %"
    if estimate.low is None or estimate.high is None:
        return shown
    return f"{shown} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def named(grader: str, authors: Sequence[str]) -> str:
    """A grader's name with the people or models behind it."""
    return grader if all(author in grader for author in authors) else f"{grader} ({', '.join(authors)})"


def score_section(data: ReportData, found: Sequence[Score]) -> list[Block]:
    """Section of points by entrant, grader and source."""
    rows = [
        (
            score.entrant,
            data.models(score.entrant),
            named(score.grader, score.authors),
            score.source,
            f"{score.points:g}/{score.possible:g}",
            percent(score.share),
            score.scored,
            score.unscored,
            score.without_proof,
        )
        for score in found
    ]
    columns = ("entrant", "model", "grader", "source", "points", "percent", "scored", "unscored", "no proof")
    caption = (
        "Points of the final proofs; each row is by one grader. Unscored: the grader failed; this is not a 0 and is in "
        "neither sum. No proof: the attempt ended without a proof, which has 0 points. The verifier's own row scores "
        "proofs that the verifier itself chose, so it does not measure the prover. Intervals resample whole problems "
        "(of the lab: all problems of one left side); "
        "where each problem has one proof scored 0 or 1, or all scores are equal, they are Wilson's."
    )
    return [Heading("Scores"), Table(columns, rows, caption) if rows else Text("No final proof has a grade.")]


def junk_section(data: ReportData) -> list[Block]:
    """Section of the junk-proof control: what the judges gave to proofs that prove nothing."""
    blocks: list[Block] = [Heading("Junk-proof control")]
    if not data.junk:
        return [*blocks, Text("No junk proof was judged: the acceptance in this report has no control beside it.")]
    kinds = dict.fromkeys((entry.entrant, entry.model) for entry in data.junk)
    rows = []
    for entrant, kind in kinds:
        entries = [entry for entry in data.junk if (entry.entrant, entry.model) == (entrant, kind)]
        judged = [entry for entry in entries if entry.grades.get(VERIFIER)]
        means = [entry.grades[VERIFIER].score for entry in judged]
        known = [mean for mean in means if mean is not None]
        points = [points for entry in entries if (points := judge_points(entry)) is not None]
        rows.append(
            (
                entrant,
                data.models(entrant),
                kind.removeprefix(MODEL_PREFIX),
                len(judged),
                sum(entry.accepted for entry in judged),
                sum(known) / len(known) if known else None,
                sum(points) / len(points) if points else None,
            )
        )
    columns = ("entrant", "model", "junk", "judged", "accepted", "mean verdict", "mean judge points")
    return [
        *blocks,
        Table(
            columns,
            rows,
            "Proofs that prove nothing, given to the same judges. Every acceptance is an error of the judges.",
        ),
    ]


def judge_points(entry: GradedProof) -> float | None:
    """Points by the panel of a proof, or by its only judge."""
    judges = {name: grade for name, grade in entry.grades.items() if kind_of(name) == JUDGE}
    grade = entry.grades.get(PANEL) or (next(iter(judges.values())) if len(judges) == 1 else None)
    return None if grade is None else grade.points


def location_section(found: Sequence[Location]) -> list[Block]:
    """Section of error location, on proofs whose first wrong step a person annotated."""
    if not found:
        return []
    rows = [
        (
            each.entrant,
            each.verifier,
            each.proofs,
            each.complaints,
            each.quoting,
            interval(each.names),
            interval(each.chance),
        )
        for each in found
    ]
    columns = ("entrant", "verifier", "proofs", "complaints", "quote the proof", "quote the wrong step", "by chance")
    caption = (
        "Complaints: analyses that report an issue in a proof whose first wrong step a person annotated. A complaint "
        "quotes the step where a quotation overlaps it. By chance: the share of all positions of a step of this length "
        "that the same quotations overlap."
    )
    return [Heading("Error location"), Table(columns, rows, caption)]


def attempt_section(data: ReportData) -> list[Block]:
    """Section of attempts by entrant: finished and accepted, with the acceptance of junk proofs beside it."""
    rows = []
    for entrant in data.entrants:
        outcomes = [outcome for outcome in data.attempts if outcome.entrant == entrant]
        if not any(outcome.finished for outcome in outcomes):
            continue  # an import: its proofs come from no attempt
        junk = [entry for entry in data.junk if entry.entrant == entrant and entry.grades.get(VERIFIER)]
        finished = sum(outcome.finished for outcome in outcomes)
        rows.append(
            (
                entrant,
                data.models(entrant),
                len({outcome.problem_id for outcome in outcomes}),
                len({outcome.attempt for outcome in outcomes}),
                f"{finished}/{len(outcomes)}",
                f"{sum(outcome.accepted for outcome in outcomes)}/{finished}" if finished else None,
                f"{sum(entry.accepted for entry in junk)}/{len(junk)}" if junk else None,
                max((outcome.rounds or 0 for outcome in outcomes), default=0),
            )
        )
    if not rows:
        return []
    columns = ("entrant", "model", "problems", "attempts", "finished", "accepted", "junk accepted", "max rounds")
    caption = "Accepted: by the entrant's verifier. Junk accepted: proofs that prove nothing, by the same verifier."
    return [Heading("Attempts"), Table(columns, rows, caption)]


def cost_section(data: ReportData) -> list[Block]:
    """Section of tokens and cost, proving and judging listed separately."""
    rows = []
    for entrant in data.entrants:
        outcomes = [outcome for outcome in data.outcomes if outcome.entrant == entrant]
        own = [outcome for outcome in outcomes if outcome.attempt is not None]
        control = [outcome for outcome in outcomes if outcome.attempt is None]
        for name, usage in (
            ("proving", total(outcome.proving for outcome in own)),
            ("verifying and reviewing", total(outcome.judging for outcome in own)),
            ("grading", total(outcome.grading for outcome in own)),
            ("control", total(outcome.judging + outcome.grading for outcome in control)),
        ):
            if not usage.total_tokens:
                continue
            cells = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.reasoning_tokens)
            rows.append((entrant, data.models(entrant), name, *cells, usage.cost))
    if not rows:
        return [Heading("Cost"), Text("No token usage is recorded.")]
    columns = (
        "entrant",
        "model",
        "work",
        "prompt tokens",
        "cached",
        "completion tokens",
        "reasoning",
        "cost",
    )
    caption = (
        "Token counts as the servers report them; cached tokens are part of the prompt tokens, reasoning tokens of the "
        "completion tokens. Cost by the prices of the settings."
    )
    return [Heading("Cost"), Table(columns, rows, caption)]


def tool_section(data: ReportData) -> list[Block]:
    """Section of tool calls by the kind of answer that they were made for; none where no tool was called."""
    rows = []
    for entrant in data.entrants:
        counts = Counter[str]()
        for outcome in data.outcomes:
            if outcome.entrant == entrant:
                counts.update(outcome.counts)
        for kind in ("proof", "analysis", "review", "grading"):
            ends = [counts[f"{kind} tool call {status}"] for status in TOOL_STATUSES]
            if any(ends):
                answers = counts[kind]
                rows.append((entrant, data.models(entrant), kind, answers, sum(ends) / max(answers, 1), *ends))
    if not rows:
        return []
    columns = ("entrant", "model", "answer", "answers", "calls per answer", *TOOL_STATUSES)
    caption = (
        "Calls by their end. ok: it ran; error: the code raised an exception; timeout, died: stopped by a limit; "
        "refused: no call of a tool. The tokens of the turns with calls are in the table of cost."
    )
    return [Heading("Tool calls"), Table(columns, rows, caption)]


def total(usages: Iterable[Usage]) -> Usage:
    """Sum of usages."""
    return sum(usages, start=Usage())


def comparison_section(data: ReportData, config: IntervalConfig) -> list[Block]:
    """Section of paired differences: every two entrants on their common problems, by each grader that graded both."""
    rows = []
    names = data.entrants
    for index, left in enumerate(names):
        for right in names[index + 1 :]:
            for grader in data.graders:
                means = [problem_means(data, name, grader) for name in (left, right)]
                common = means[0].keys() & means[1].keys()
                if common and _is_graded(data, left, grader) and _is_graded(data, right, grader):
                    found = compared(means[0], means[1], config, data.clusters)
                    sides = (left, data.models(left), right, data.models(right))
                    rows.append((*sides, grader, len(common), interval(found)))
    if not rows:
        return []
    columns = ("first", "model of the first", "second", "model of the second", "grader", "common problems",
               "second minus first")  # fmt: skip
    return [
        Heading("Comparison"),
        Table(
            columns,
            rows,
            "Mean score per problem, from 0 to 1, on the common problems; intervals resample problems in pairs.",
        ),
    ]


def _is_graded(data: ReportData, entrant: str, grader: str) -> bool:
    return any(entry.entrant == entrant and grader in entry.grades for entry in data.candidates)


def patch_section(outcomes: Sequence[ProblemOutcome]) -> list[Block]:
    """Section of the problem rows that were fixed."""
    rows = sorted({(outcome.problem, outcome.patched) for outcome in outcomes if outcome.patched})
    return [Heading("Fixed rows"), Table(("problem", "fix"), rows)] if rows else []


def problem_section(data: ReportData) -> list[Block]:
    """Section of problems: attempts, acceptance and mean final score by each grader."""
    outcomes = data.attempts
    grouped: dict[tuple[str, str, str], list[ProblemOutcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.finished:
            grouped[outcome.entrant, outcome.source, outcome.problem].append(outcome)
    if not grouped:
        return []
    graders = [name for name in data.graders if any(each.chosen and name in each.chosen.grades for each in outcomes)]
    rows = []
    in_order = sorted(grouped.items(), key=lambda pair: (pair[0][0], natural(pair[0][1]), natural(pair[0][2])))
    for (entrant, _, problem), found in in_order[:MAX_LISTED]:
        accepted = f"{sum(outcome.accepted for outcome in found)}/{len(found)}"
        rows.append(
            (entrant, data.models(entrant), problem, accepted, *(_mean_score(found, grader) for grader in graders))
        )
    columns = ("entrant", "model", "problem", "accepted", *(f"{name} mean" for name in graders))
    caption = (
        "Mean score of the final proofs over the attempts, from 0 to 1. "
        f"The first {MAX_LISTED} problems are listed; proofs.parquet has all."
    )
    return [Heading("Problems"), Table(columns, rows, caption)]


def _mean_score(outcomes: Sequence[ProblemOutcome], grader: str) -> float | None:
    grades = [outcome.chosen.grades.get(grader) for outcome in outcomes if outcome.chosen]
    known = [grade.score for grade in grades if grade and grade.score is not None]
    return sum(known) / len(known) if known else None
