"""Section of an evaluation report: graders against better graders."""

from collections.abc import Sequence

from core.document import Block, Heading, Table, Text, counted
from evaluation.agreement import Agreement
from evaluation.calibration import bins_of, calibration_error
from evaluation.sections import MAX_LISTED, interval, named


def agreement_section(found: Sequence[Agreement], half_at: float) -> list[Block]:
    """Section of graders against better graders, a constant judge, calibration and wrongly accepted proofs."""
    blocks: list[Block] = [Heading("Graders against better graders")]
    if not found:
        return [
            *blocks,
            Text("No proof has both an automatic grade and one by people, the checker or the answer check."),
        ]
    explained = (
        "Accepted: by the rule of the run; by another grader, where it gives the full score. Correct: full score "
        f"by the better grader. Three classes: 1 for the full score, 0.5 from {half_at:g} of it on, otherwise 0. "
        "Constant: a judge that never reads, accepts every proof, and gives the most frequent class or the median."
    )
    blocks.append(Text(explained))
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
            f"{each.correctly_accepted}/{each.accepted}",
            interval(each.measures["precision"]),
            each.baseline["precision"],
            f"{each.correctly_accepted}/{each.correct}",
            interval(each.measures["recall"]),
        )
        for each in part
    ]
    columns = (
        "source",
        "proofs",
        "accepted",
        "correct of accepted",
        "precision",
        "constant",
        "accepted of correct",
        "recall",
    )
    return Table(columns, rows, "Precision and recall of acceptance.")


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
    return Table(columns, rows, "Scores from 0 to 1; the correlation is Pearson's.")


def _calibration(each: Agreement) -> list[Block]:
    bins = bins_of(each.pairs)
    rows = [
        (
            "1" if bin_.low == 1 else f"{bin_.low:g} to {bin_.high:g}",
            bin_.count,
            bin_.predicted,
            bin_.gold,
            bin_.correct,
        )
        for bin_ in bins
    ]
    error = calibration_error(bins)
    caption = f"Calibration on source {each.source}, binned by mean verdict; expected calibration error {error:.3f}."
    columns = ("bin", "proofs", "mean verdict", f"mean score by {each.gold}", "full scores")
    return [Table(columns, rows, caption)]


def _over_accepted(each: Agreement) -> list[Block]:
    wrong = each.over_accepted
    if not wrong:
        return []
    rows = [(pair.source, pair.problem, pair.proof_id, pair.gold) for pair in wrong[:MAX_LISTED]]
    total = counted(len(wrong), "proof")
    caption = f"{total} accepted without a full score by {each.gold}; `lemmata show RUN PROOF` prints a proof."
    return [Table(("source", "problem", "proof", f"score by {each.gold}"), rows, caption)]
