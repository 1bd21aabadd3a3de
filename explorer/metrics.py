"""Metrics of proofs and problems: scores by judges, prover and people, from the rows of an index. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from core.finish import STOP, cut_off
from explorer.index import NO_PROOF, LogIndex, RecordRow, children
from refine.acceptance import Decision, decide
from verifier.aggregate import Judged, Validity, validity

DISAGREEMENT = 0.5  # distance of two scores of one proof from which they disagree: a step of the rubric


@dataclass(frozen=True, slots=True)
class ProofMetrics:
    """Metrics of one proof. ``verdicts``: those that could be parsed; ``decision``: by the rule of the run.

    ``human``: mean of the latest label of each person; ``points``: the same as text, in points. ``automatic``: label of
    an imported grader. ``auto``: label by `lemmata label`, ``undecided`` where that could not decide.
    """

    row: RecordRow
    verdicts: tuple[float, ...]
    analyses: int
    reviews: int
    human: float | None
    points: str
    automatic: float | None
    auto: float | None
    undecided: bool
    decision: Decision | None
    selected: bool
    accepted: bool

    @property
    def mean(self) -> float | None:
        """Mean of the verdicts as the run used them; of all verdicts where it has no rule; None without any."""
        if self.decision is not None:
            return self.decision.mean
        return fmean(self.verdicts) if self.verdicts else None

    @property
    def std(self) -> float:
        """Standard deviation of all verdicts."""
        return pstdev(self.verdicts) if self.verdicts else 0.0

    @property
    def judged(self) -> float | None:
        """Judges' score: the mean verdict of this run, otherwise that of an imported grader."""
        return self.mean if self.mean is not None else self.automatic

    @property
    def self_score(self) -> float | None:
        """Score that the prover gives to its own proof."""
        return self.row.score

    @property
    def has_proof(self) -> bool:
        """True where the answer contains a proof."""
        if self.truncated:
            return False
        return not any(fault in self.row.fault for fault in NO_PROOF)

    @property
    def truncated(self) -> bool:
        """True where the answer was cut off."""
        return bool(cut_off(str(self.row.value.get("finish_reason", STOP))))

    @property
    def unparseable_verdicts(self) -> int:
        """Number of analyses without a verdict that could be parsed."""
        return self.analyses - len(self.verdicts)

    @property
    def disagreement(self) -> float:
        """Largest difference of the scores by prover, judges and people, or twice the verdicts' standard deviation."""
        scores = [score for score in (self.self_score, self.judged, self.human) if score is not None]
        return max((max(scores) - min(scores)) if scores else 0.0, 2 * self.std)

    @property
    def over_accepted(self) -> bool:
        """True where the run accepts the proof and people do not give it the full score."""
        return self.accepted and self.human is not None and self.human < 1.0


@dataclass(frozen=True, slots=True)
class ProblemMetrics:
    """Metrics of one problem. ``chosen``: the selected proof, otherwise the best judged one. ``labels``: proofs with a
    human label; ``disagreement``: the largest of its proofs; ``groups``: category, level and part.
    """

    problem_id: str
    name: str
    source: str
    proofs: int
    analyses: int
    rounds: int
    best: float | None
    chosen: ProofMetrics | None
    accepted: bool
    finished: bool
    human: float | None
    over_accepted: bool
    labels: int
    disagreement: float
    groups: Mapping[str, str]
    tokens: int
    cost: float


def proof_metrics(index: LogIndex) -> list[ProofMetrics]:
    """Metrics of every proof of a problem, in the order of writing."""
    return index.computed("proofs", _proof_metrics)


def _proof_metrics(index: LogIndex) -> list[ProofMetrics]:
    judged = children(index)
    chosen = next((row for row in reversed(index.rows) if row.kind == "selection"), None)
    return [_metrics(index, row, judged, chosen) for row in index.rows if row.kind == "proof"]


def _metrics(
    index: LogIndex, row: RecordRow, judged: Mapping[str, Sequence[RecordRow]], chosen: RecordRow | None
) -> ProofMetrics:
    about = judged.get(row.id, ())
    analyses = [child for child in about if child.kind == "analysis"]
    labels = [child for child in about if child.kind == "label"]
    latest = {label.value.get("grader"): label for label in labels}
    human = latest_by_author(labels)
    auto = latest.get("auto")
    selected = chosen is not None and chosen.value.get("proof_id") == row.id
    automatic = latest["automatic"].score if "automatic" in latest else None
    rule = index.rule.acceptance
    decision = decide(judged_analyses(row, judged), rule) if rule and analyses else None
    accepted = decision.accepted if decision else automatic == 1.0
    return ProofMetrics(
        row=row,
        verdicts=tuple(analysis.score for analysis in analyses if analysis.score is not None),
        analyses=len(analyses),
        reviews=sum(child.kind == "review" for analysis in analyses for child in judged.get(analysis.id, ())),
        human=fmean(scores) if (scores := [label.score for label in human if label.score is not None]) else None,
        points=points_words(human),
        automatic=automatic,
        auto=auto.score if auto else None,
        undecided=auto is not None and auto.score is None,
        decision=decision,
        selected=selected,
        accepted=bool(chosen.value.get("accepted")) if selected and chosen is not None else accepted,
    )


def judged_analyses(row: RecordRow, judged: Mapping[str, Sequence[RecordRow]]) -> list[Judged]:
    """Analyses of a proof in the order of their indices, with the scores of their reviews, as a rule takes them."""
    analyses = sorted((child for child in judged.get(row.id, ()) if child.kind == "analysis"), key=_index)
    return [
        Judged(
            analysis.id,
            analysis.score,
            tuple(child.score for child in sorted(judged.get(analysis.id, ()), key=_index) if child.kind == "review"),
            analysis.digest,
        )
        for analysis in analyses
    ]


def _index(row: RecordRow) -> int:
    return row.index


def latest_by_author(labels: Sequence[RecordRow]) -> list[RecordRow]:
    """Latest label of each person."""
    return list({label.value.get("author"): label for label in labels if label.value.get("grader") == "human"}.values())


def points_words(labels: Sequence[RecordRow]) -> str:
    """Points of the latest label in points, such as ``6 of 7``; empty without any."""
    given = [label for label in labels if "points" in label.value and "max_points" in label.value]
    return f"{given[-1].value['points']:g} of {given[-1].value['max_points']:g}" if given else ""


def problem_metrics(index: LogIndex) -> ProblemMetrics:
    """Metrics of a problem."""
    return index.computed("problem", _problem_metrics)


def _problem_metrics(index: LogIndex) -> ProblemMetrics:
    problem = next((row for row in index.rows if row.kind == "problem"), None)
    proofs = proof_metrics(index)
    scored = [proof for proof in proofs if proof.judged is not None]
    chosen = next((proof for proof in proofs if proof.selected), None)
    best = max(scored, key=lambda proof: proof.judged or 0.0, default=None)
    shown = chosen or best or (proofs[0] if proofs else None)
    selections = index.of_kind("selection")
    if selections:
        accepted = bool(selections[-1].value.get("accepted"))
    else:
        accepted = shown is not None and shown.accepted and not index.rule.searched
    return ProblemMetrics(
        problem_id=index.problem_id,
        name=str(problem.value.get("name", "")) if problem else "",
        source=str(problem.value.get("source", "")) if problem else "",
        proofs=len(proofs),
        analyses=sum(row.kind == "analysis" for row in index.rows),
        rounds=1 + max((proof.row.round for proof in proofs), default=-1),
        best=best.judged if best else None,
        chosen=shown,
        accepted=accepted,
        finished=bool(selections),
        human=shown.human if shown else None,
        over_accepted=any(proof.over_accepted for proof in proofs),
        labels=sum(proof.human is not None for proof in proofs),
        disagreement=max((proof.disagreement for proof in proofs), default=0.0),
        groups=problem.value.get("groups", {}) if problem else {},
        tokens=sum(row.tokens for row in index.rows),
        cost=sum(row.cost for row in index.rows),
    )


def review_validity(log: LogIndex, analysis: RecordRow) -> Validity | None:
    """Validity of an analysis by its reviews, as the run takes them; None without reviews."""
    reviews = tuple(child.score for child in children(log).get(analysis.id, ()) if child.kind == "review")
    rule = log.rule.acceptance
    confirm_at = rule.confirm_at if rule else 1.0
    return validity(Judged(analysis.id, analysis.score, reviews), confirm_at) if reviews else None
