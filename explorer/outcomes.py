"""Outcomes: acceptance by the run's rule against the truth (people, or the lab's exact checker), with the reason.

Pure functions over an index; `exact_score` reads a proof and runs the checker.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.records import Problem, Proof
from explorer.index import LogIndex, children
from explorer.metrics import ProofMetrics, judged_analyses, proof_metrics
from lab.checker import check_statement
from lab.defects import CheckResult
from refine.acceptance import AcceptanceConfig, Decision, decide
from verifier.aggregate import Judged

PEOPLE, CHECKER = "people", "exact checker"
Kind = Literal["false accept", "false reject", "true accept", "true reject"]
SILENT = "all judges silent"
REFUTED = "the right critic was refuted"
TIE = "the self-score broke a tie"
FEW = "too few verdicts"
OUTVOTED = "critics were outvoted"
FALSE_CRITIC = "a critic reports an issue"
UNJUDGED = "no verdict of this run"


@dataclass(frozen=True, slots=True)
class ProofOutcome:
    """A proof with its truth (``right``, from ``source``), the run's decision and the classes of its reason."""

    log: LogIndex
    metrics: ProofMetrics
    right: bool
    source: str
    reasons: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """Cell of the confusion table."""
        if self.metrics.accepted:
            return "true accept" if self.right else "false accept"
        return "false reject" if self.right else "true reject"


def candidates(log: LogIndex, *, chosen: bool) -> list[ProofMetrics]:
    """Proofs of a problem that have an outcome: the final one of a search (``chosen``), or all."""
    proofs = [proof for proof in proof_metrics(log) if proof.has_proof]
    if not chosen or not log.rule.searched:
        return proofs
    return [proof for proof in proofs if proof.selected]


def truth(log: LogIndex, proof: ProofMetrics) -> tuple[bool, str] | None:
    """True for a complete proof, with the source of the truth: people, else the checker; None where neither knows."""
    if proof.human is not None:
        return proof.human == 1.0, PEOPLE
    labels = [row for row in children(log).get(proof.row.id, ()) if row.kind == "label"]
    exact = [row.score for row in labels if row.value.get("grader") == "exact" and row.score is not None]
    score = exact[-1] if exact else exact_score(log, proof)
    return None if score is None else (score == 1.0, CHECKER)


def exact_score(log: LogIndex, proof: ProofMetrics) -> float | None:
    """The checker's score of a proof; None where the lab cannot decide the statement. Cached in the index."""
    known: dict[str, float | None] = log.exact
    if proof.row.id not in known:
        known[proof.row.id] = _checked(log, proof)
    return known[proof.row.id]


def _checked(log: LogIndex, proof: ProofMetrics) -> float | None:
    problem = next((record for row in log.of_kind("problem") if isinstance(record := log.read(row), Problem)), None)
    record = log.read(proof.row)
    assert isinstance(record, Proof)
    verdict = check_statement(problem.statement, record.body or "") if problem else None
    return verdict.score if isinstance(verdict, CheckResult) else None


def outcome(log: LogIndex, proof: ProofMetrics) -> ProofOutcome | None:
    """Outcome of a proof; None where the truth is not known."""
    known = truth(log, proof)
    if known is None:
        return None
    right, source = known
    found = ProofOutcome(log, proof, right, source, ())
    return replace(found, reasons=_reasons(log, proof, found.kind))


def _reasons(log: LogIndex, proof: ProofMetrics, kind: Kind) -> tuple[str, ...]:
    if kind not in ("false accept", "false reject"):
        return ()
    decision = proof.decision
    if decision is None or not decision.judged:
        return (UNJUDGED,)
    found = _of_acceptance(log, proof, decision) if kind == "false accept" else _of_rejection(decision)
    asked = len(decision.counted) + len(decision.excluded)
    if 2 * len(decision.counted) < asked or len(decision.counted) < decision.config.min_verdicts:
        found.append(FEW)
    return tuple(found)


def _of_acceptance(log: LogIndex, proof: ProofMetrics, decision: Decision) -> list[str]:
    found = []
    struck = [one.judged.score for one in decision.excluded if one.exclusion in ("refuted", "weightless")]
    if any(score is not None and score < 1.0 for score in struck):
        found.append(REFUTED)
    elif any(one.score < 1.0 for one in decision.counted):
        found.append(OUTVOTED)
    else:
        found.append(SILENT)
    if proof.selected and _won_by_self_score(log, proof):
        found.append(TIE)
    return found


def _won_by_self_score(log: LogIndex, proof: ProofMetrics) -> bool:
    """True where a right proof of the same mean was passed over for its lower self-score."""
    rivals = [
        other
        for other in proof_metrics(log)
        if other.row.id != proof.row.id and other.has_proof and other.accepted and other.mean == proof.mean
    ]
    return any(
        (other.self_score or 0.0) < (proof.self_score or 0.0) and (truth(log, other) or (False,))[0] for other in rivals
    )


def _of_rejection(decision: Decision) -> list[str]:
    return [FALSE_CRITIC] if any(one.score < 1.0 for one in decision.counted) else []


def confusion(outcomes: Iterable[ProofOutcome]) -> Mapping[Kind, int]:
    """Numbers of the confusion table."""
    counts: dict[Kind, int] = {"true accept": 0, "false accept": 0, "false reject": 0, "true reject": 0}
    for found in outcomes:
        counts[found.kind] += 1
    return counts


def all_analyses(found: ProofOutcome) -> list[Judged]:
    """Analyses of a proof in the order in which they were asked for."""
    return judged_analyses(found.metrics.row, children(found.log))


def false_accepts(
    outcomes: Sequence[tuple[bool, Sequence[Judged]]], rule: AcceptanceConfig, n: int
) -> tuple[int, int, int, int]:
    """Acceptance of each proof by its first ``n`` analyses: (wrong accepted, wrong, right accepted, right).

    Proofs with fewer analyses are left out. Of each rule at most ``n`` verdicts are needed.
    """
    at = replace(rule, min_verdicts=min(rule.min_verdicts, n))
    counts = [0, 0, 0, 0]
    for right, analyses in outcomes:
        if len(analyses) >= n:
            place = 2 if right else 0
            counts[place] += decide(analyses[:n], at).accepted
            counts[place + 1] += 1
    return counts[0], counts[1], counts[2], counts[3]
