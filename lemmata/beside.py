"""Verdicts of two runs on the same proofs side by side, in words: for ``lemmata show RUN --beside OTHER``."""

from collections.abc import Iterator, Sequence

from core.errors import LemmataError
from core.grades import HUMAN, combined
from core.labels import read_with_labels
from core.problems import cluster_of
from core.records import Label, Problem, Proof, Record
from core.store import Run
from evaluation.verdict_changes import JudgedTwice, change_lines, compare
from lab.checker import check
from lab.statements import Unsupported, read_statement
from refine.acceptance import decide, recorded_rule, recorded_verdicts

TRUTH = "by the lab's exact check, otherwise by people's labels in the first run"


def beside_lines(run: Run, other: Run) -> list[str]:
    """The changes of verdicts from ``run`` to ``other``.

    Raises:
        LemmataError: no proof was judged in both.
    """
    second = {proof.id: accepted for proof, _, _, accepted in _judged(other)}
    pairs = [
        JudgedTwice(
            proof.id,
            problem.name or problem.id,
            cluster_of(problem),
            accepted,
            second[proof.id],
            _is_correct(problem, proof, records),
        )
        for proof, problem, records, accepted in _judged(run)
        if proof.id in second
    ]
    if not pairs:
        raise LemmataError(
            f"no proof was judged in both {run.folder} and {other.folder}. `lemmata verify source=FILE` judges the "
            "same proofs in each, once with other settings, such as tools=[python]."
        )
    found = compare(pairs)
    names = [f"    {pair.kind}: {pair.problem}, proof {pair.proof_id}" for pair in found.changed]
    return [*change_lines(found, str(run.folder), str(other.folder), TRUTH), *names]


def _judged(run: Run) -> Iterator[tuple[Proof, Problem, Sequence[Record], bool]]:
    """Yields every proof with analyses, its problem, the problem's records, and whether the run's rule accepts it."""
    rule = recorded_rule(run.manifest["config"])
    for path in run.log_paths() if rule else ():
        records = list(read_with_labels(path))
        problem = next((record for record in records if isinstance(record, Problem)), None)
        for proof in (record for record in records if isinstance(record, Proof)):
            verdicts = recorded_verdicts(proof.id, records)
            if problem is not None and verdicts and rule:
                yield proof, problem, records, decide(verdicts, rule).accepted


def _is_correct(problem: Problem, proof: Proof, records: Sequence[Record]) -> bool | None:
    proposition = read_statement(problem.statement)
    if not isinstance(proposition, Unsupported):
        return check(proposition, proof.body or "").score == 1
    people = combined(
        [
            record
            for record in records
            if isinstance(record, Label) and record.proof_id == proof.id and record.grader == HUMAN
        ]
    )
    return None if people is None else people.score == 1
