"""The exact check of a run's accepted proofs in words: the lab's checker, where it can read the statement."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.labels import read_with_labels
from core.records import Problem, Proof, Record, Selection
from core.store import Run
from lab.checker import check
from lab.statements import Unsupported, read_statement
from refine.acceptance import AcceptanceConfig, decide, recorded_rule, recorded_verdicts

MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class Checked:
    """An accepted proof with its exact score."""

    name: str
    proof_id: str
    score: float


def exact_lines(run: Run) -> list[str]:
    """The exact scores of the accepted proofs of a run, and those that are accepted and not complete, by name.

    Empty where the lab can read none of their statements.
    """
    checked = list(exact_checks(run))
    if not checked:
        return []
    wrong = [one for one in checked if one.score < 1.0]
    proofs = "accepted proof" if len(checked) == 1 else "accepted proofs"
    lines = [
        f"Exact check by the lab (algebra; no model saw it): {len(checked) - len(wrong)} of {len(checked)} {proofs} "
        "that it can decide score 1."
    ]
    lines += [
        f"    accepted, yet wrong: {one.name}, proof {one.proof_id}, scores {one.score:g}" for one in wrong[:MAX_NAMED]
    ]
    return lines + ([f"    ... and {len(wrong) - MAX_NAMED} more"] if len(wrong) > MAX_NAMED else [])


def exact_checks(run: Run) -> Iterator[Checked]:
    """Yields the accepted proofs of a run whose statements the lab can read."""
    rule = recorded_rule(run.manifest["config"])
    for path in run.log_paths():
        records = list(read_with_labels(path))
        problem = records[0] if records else None
        if not isinstance(problem, Problem):
            continue
        proposition = read_statement(problem.statement)
        if not isinstance(proposition, Unsupported):
            for proof in _accepted(records, rule):
                score = check(proposition, proof.body or "").score
                yield Checked(problem.name or problem.id, proof.id, score)


def _accepted(records: Sequence[Record], rule: AcceptanceConfig | None) -> list[Proof]:
    """The chosen proof where there is a selection, otherwise every proof that the rule of the run accepts."""
    proofs = [record for record in records if isinstance(record, Proof)]
    selections = [record for record in records if isinstance(record, Selection)]
    if selections:
        return [proof for proof in proofs if selections[-1].accepted and proof.id == selections[-1].proof_id]
    return [proof for proof in proofs if rule and decide(recorded_verdicts(proof.id, records), rule).accepted]
