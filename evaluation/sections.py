"""The sections of a report: figures as tables, each with the name of its grader."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from core.document import Block, Heading, Table, Text
from core.records import Usage
from core.statistics import Estimate, IntervalConfig
from evaluation.agreement import Agreement
from evaluation.calibration import bins_of, calibration_error
from evaluation.entries import VERIFIER, Outcome
from evaluation.gather import GRADERS, Gathered
from evaluation.location import Location
from evaluation.scores import Score, compared, problem_means

MAX_LISTED = 200


def interval(estimate: Estimate) -> str:
    """A figure with its interval."""
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def named(grader: str, authors: Sequence[str]) -> str:
    """A grader with the people or models behind it."""
    return f"{grader} ({', '.join(authors)})" if authors else grader


def score_section(found: Sequence[Score]) -> list[Block]:
    """Points by entrant, grader and source."""
    rows = [
        (
            score.entrant,
            named(score.grader, score.authors),
            score.source,
            f"{score.points:g}/{score.possible:g}",
            interval(score.share),
            score.scored,
            score.unscored,
            score.without_proof,
        )
        for score in found
    ]
    columns = ("entrant", "grader", "source", "points", "share", "scored", "unscored", "no proof")
    caption = (
        "Points of the final proofs. Each row is one grader's alone. Unscored: the grader failed, which is no 0 and "
        "stands in neither sum. No proof: the attempt ended without one; it has 0 points. The verifier's own row is of "
        "proofs that it chose itself, and measures no prover. "
        "Intervals resample whole problems; Wilson's where every problem counts once, or all proofs have equal scores."
    )
    return [Heading("Scores"), Table(columns, rows, caption) if rows else Text("No grader has marked a final proof.")]


def agreement_section(found: Sequence[Agreement], half_at: float) -> list[Block]:
    """How graders agree with better ones, what a constant would reach, and what they wrongly accept."""
    blocks: list[Block] = [Heading("Graders against better graders")]
    if not found:
        return [*blocks, Text("No proof has both an automatic mark and a human, exact or answer mark.")]
    blocks.append(
        Text(
            "Accepted: by the rule of the run, or full marks by an imported grader. Right: full marks by the better "
            f"grader. Three classes: 1 for full marks alone, 0.5 from {half_at:g} of the marks on, else 0. The "
            "constant accepts everything, or says the commonest class, or the median mark."
        )
    )
    for grader, gold in dict.fromkeys((each.grader, each.gold) for each in found):
        part = [each for each in found if (each.grader, each.gold) == (grader, gold)]
        widest = part[-1]
        blocks.append(Heading(f"{named(grader, widest.authors[0])} against {named(gold, widest.authors[1])}", 3))
        blocks += [_acceptance(part), _accuracy(part), *_calibration(widest), *_over_accepted(widest)]
    return blocks


def _acceptance(part: Sequence[Agreement]) -> Table:
    rows = [
        (
            each.source,
            len(each.pairs),
            each.accepted,
            f"{each.rightly_accepted}/{each.accepted}",
            interval(each.measures["precision"]),
            each.baseline["precision"],
            f"{each.rightly_accepted}/{each.right}",
            interval(each.measures["recall"]),
        )
        for each in part
    ]
    columns = (
        "source",
        "proofs",
        "accepted",
        "right of accepted",
        "precision",
        "constant",
        "accepted of right",
        "recall",
    )
    return Table(columns, rows, "Precision and recall at acceptance.")


def _accuracy(part: Sequence[Agreement]) -> Table:
    names = ("three-class accuracy", "mean absolute error")
    rows = [
        (
            each.source,
            *(cell for name in names for cell in (interval(each.measures[name]), each.baseline[name])),
            interval(each.measures["correlation"]),
        )
        for each in part
    ]
    columns = ("source", "three-class accuracy", "constant", "mean absolute error", "constant", "correlation")
    return Table(columns, rows, "Marks on the scale 0 to 1; correlation is Pearson's.")


def _calibration(each: Agreement) -> list[Block]:
    bins = bins_of(each.pairs)
    rows = [
        (
            "1" if bin_.low == 1 else f"{bin_.low:g} to {bin_.high:g}",
            bin_.count,
            bin_.predicted,
            bin_.gold,
            bin_.max_points,
        )
        for bin_ in bins
    ]
    caption = f"Calibration on {each.source}; expected calibration error {calibration_error(bins):.3f}."
    return [
        Table(
            ("mean verdict", "proofs", "mean verdict of these", f"mean {each.gold} mark", "full marks"), rows, caption
        )
    ]


def _over_accepted(each: Agreement) -> list[Block]:
    wrong = each.over_accepted
    if not wrong:
        return []
    rows = [(pair.source, pair.problem, pair.proof_id, pair.gold) for pair in wrong[:MAX_LISTED]]
    caption = f"The {len(wrong)} proofs accepted without full marks; `lemmata show RUN PROOF` prints one."
    return [Table(("source", "problem", "proof", f"{each.gold} mark"), rows, caption)]


def junk_section(gathered: Gathered) -> list[Block]:
    """What the judges did with junk."""
    blocks: list[Block] = [Heading("Junk-proof control")]
    if not gathered.junk:
        return [*blocks, Text("None: nothing here was judged by a control of its own, so read acceptance with care.")]
    kinds = dict.fromkeys((entry.entrant, entry.model) for entry in gathered.junk)
    rows = []
    for entrant, kind in kinds:
        entries = [entry for entry in gathered.junk if (entry.entrant, entry.model) == (entrant, kind)]
        judged = [entry for entry in entries if entry.grades.get(VERIFIER)]
        means = [entry.grades[VERIFIER].score for entry in judged]
        known = [mean for mean in means if mean is not None]
        points = [
            grade.points for entry in entries if (grade := entry.grades.get("judge")) and grade.points is not None
        ]
        rows.append(
            (
                entrant,
                kind.removeprefix("junk: "),
                len(judged),
                sum(entry.accepted for entry in judged),
                sum(known) / len(known) if known else None,
                sum(points) / len(points) if points else None,
            )
        )
    columns = ("entrant", "junk", "judged", "accepted", "mean verdict", "mean judge points")
    return [
        *blocks,
        Table(columns, rows, "Proofs that prove nothing, before the same judges. Every acceptance is a fault."),
    ]


def location_section(found: Sequence[Location]) -> list[Block]:
    """Where verifiers see the error, on proofs whose first wrong step a person marked."""
    if not found:
        return []
    rows = [
        (each.entrant, each.proofs, each.complaints, each.quoting, interval(each.names), interval(each.chance))
        for each in found
    ]
    columns = ("entrant", "proofs", "complaints", "quote the proof", "name the wrong step", "by chance")
    caption = (
        "Analyses that report an issue in a proof whose first wrong step a person marked. Named: a quotation overlaps "
        "it. By chance: the share of all places of such a step that the same quotations overlap."
    )
    return [Heading("Where verifiers see the error"), Table(columns, rows, caption)]


def attempt_section(gathered: Gathered) -> list[Block]:
    """Attempts by entrant: finished, accepted, with the control beside it, and what they cost."""
    rows = []
    for entrant in gathered.entrants:
        outcomes = [outcome for outcome in gathered.attempts if outcome.entrant == entrant]
        if not any(outcome.finished for outcome in outcomes):
            continue  # proofs from elsewhere
        junk = [entry for entry in gathered.junk if entry.entrant == entrant and entry.grades.get(VERIFIER)]
        finished = sum(outcome.finished for outcome in outcomes)
        rows.append(
            (
                entrant,
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
    columns = ("entrant", "problems", "attempts", "finished", "accepted", "junk accepted", "most rounds")
    return [
        Heading("Attempts"),
        Table(columns, rows, "Acceptance is the verifier's own; it stands beside what it does with junk."),
    ]


def cost_section(gathered: Gathered) -> list[Block]:
    """Tokens and money, the judges apart from the prover."""
    rows = []
    for entrant in gathered.entrants:
        everything = [outcome for outcome in gathered.outcomes if outcome.entrant == entrant]
        own = [outcome for outcome in everything if outcome.attempt is not None]
        control = [outcome for outcome in everything if outcome.attempt is None]
        for name, usage in (
            ("proving", total(outcome.proving for outcome in own)),
            ("verifying and reviewing", total(outcome.judging for outcome in own)),
            ("grading", total(outcome.grading for outcome in own)),
            ("control", total(outcome.judging + outcome.grading for outcome in control)),
        ):
            if not usage.total_tokens:
                continue
            rows.append((entrant, name, usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
                         usage.reasoning_tokens, usage.cost))  # fmt: skip
    if not rows:
        return [Heading("Cost"), Text("No tokens are on record.")]
    columns = (
        "entrant",
        "work",
        "prompt tokens",
        "of them cached",
        "completion tokens",
        "of them reasoning",
        "cost",
    )
    return [Heading("Cost"), Table(columns, rows, "As the servers report it; cost by the prices of the settings.")]


def total(usages: Iterable[Usage]) -> Usage:
    """The sum of usages."""
    return sum(usages, start=Usage())


def comparison_section(gathered: Gathered, config: IntervalConfig) -> list[Block]:
    """Every two entrants on the problems that both have, by each grader that marked both."""
    rows = []
    names = gathered.entrants
    for index, left in enumerate(names):
        for right in names[index + 1 :]:
            for grader in GRADERS:
                means = [problem_means(gathered, name, grader) for name in (left, right)]
                common = means[0].keys() & means[1].keys()
                if common and _marked(gathered, left, grader) and _marked(gathered, right, grader):
                    rows.append((left, right, grader, len(common), interval(compared(means[0], means[1], config))))
    if not rows:
        return []
    columns = ("first", "second", "grader", "common problems", "second minus first")
    return [
        Heading("Comparison"),
        Table(columns, rows, "Mean score per problem, 0 to 1; intervals resample problems in pairs."),
    ]


def _marked(gathered: Gathered, entrant: str, grader: str) -> bool:
    return any(entry.entrant == entrant and grader in entry.grades for entry in gathered.marked)


def patch_section(outcomes: Sequence[Outcome]) -> list[Block]:
    """The rows of the problem file that were mended."""
    rows = sorted({(outcome.problem, outcome.patched) for outcome in outcomes if outcome.patched})
    return [Heading("Mended rows"), Table(("problem", "what was mended"), rows)] if rows else []


def problem_section(outcomes: Sequence[Outcome]) -> list[Block]:
    """Each problem: attempts, acceptance and final marks by each grader."""
    grouped: dict[tuple[str, str, str], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.finished:
            grouped[outcome.entrant, outcome.source, outcome.problem].append(outcome)
    if not grouped:
        return []
    graders = [name for name in GRADERS if any(each.chosen and name in each.chosen.grades for each in outcomes)]
    rows = []
    for (entrant, _, problem), found in list(grouped.items())[:MAX_LISTED]:
        accepted = f"{sum(outcome.accepted for outcome in found)}/{len(found)}"
        rows.append((entrant, problem, accepted, *(_mean_mark(found, grader) for grader in graders)))
    columns = ("entrant", "problem", "accepted", *(f"{name} mean" for name in graders))
    caption = "Mean score of the final proofs over the attempts, 0 to 1. parquet holds all of them."
    return [Heading("Problems"), Table(columns, rows, caption)]


def _mean_mark(outcomes: Sequence[Outcome], grader: str) -> float | None:
    grades = [outcome.chosen.grades.get(grader) for outcome in outcomes if outcome.chosen]
    known = [grade.score for grade in grades if grade and grade.score is not None]
    return sum(known) / len(known) if known else None
